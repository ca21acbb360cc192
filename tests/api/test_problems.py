"""Every refusal is a problem of RFC 9457, of a kind that the page of problems explains."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rest_framework import exceptions
from rest_framework.test import APIClient

from catalogue import errors as catalogue
from config.problems import CONTENT_TYPE, TYPES, describe, problem_type, respond
from processing import errors as processing
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset

RUNS = "/api/v1/processing-runs/"
ROOTS = (catalogue.CatalogueError, processing.ProcessingError)


def kinds_below(root: type[Exception]) -> Iterator[type[Exception]]:
    for kind in root.__subclasses__():
        yield kind
        yield from kinds_below(kind)


ERRORS = [kind for root in ROOTS for kind in kinds_below(root)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_kind_of_problem_of_its_own_or_of_a_near_ancestor(
    kind: type[Exception],
) -> None:
    row = next(TYPES[ancestor] for ancestor in kind.__mro__ if ancestor in TYPES)
    assert row not in [TYPES[root] for root in ROOTS]
    assert problem_type(kind.__new__(kind)) == row


def test_no_two_kinds_of_problem_share_an_address() -> None:
    slugs = [kind.slug for kind in TYPES.values()]
    assert len(slugs) == len(set(slugs))


def test_an_error_of_nobody_is_no_problem_of_ours() -> None:
    assert problem_type(KeyError("bins")) is None
    assert describe(KeyError("bins")) is None
    assert respond(KeyError("bins"), {}) is None


def test_what_an_error_knows_becomes_members_of_its_problem() -> None:
    problem = describe(catalogue.ContentChangedError("3f-pid", "scan.h5"))
    assert problem is not None
    assert (problem["pid"], problem["file"]) == ("3f-pid", "scan.h5")
    assert problem["type"] == "/problems/#content-changed"
    assert problem["status"] == 409
    assert "other content" in problem["detail"]


def test_no_attribute_of_an_error_overwrites_what_rfc_9457_defines() -> None:
    error = catalogue.StoreError("raw", "is away")
    error.status, error.detail, error.type = 200, "all is well", "lies"  # type: ignore[attr-defined]  # as a careless subclass might
    error.instance = "elsewhere"  # type: ignore[attr-defined]  # the same
    problem = describe(error)
    assert problem is not None
    assert problem["status"] == 503
    assert problem["detail"] == "Store raw: is away"
    assert problem["type"] == "/problems/#no-storage"
    assert "instance" not in problem


def test_faults_of_a_declaration_keep_their_lines() -> None:
    fault = catalogue.DeclarationFault("storage.raw.root", 7, "is no folder")
    problem = describe(catalogue.DeclarationError([fault]))
    assert problem is not None
    assert problem["faults"] == [{"key": "storage.raw.root", "line": 7, "reason": "is no folder"}]


@pytest.mark.parametrize(
    ("detail", "faults"),
    [
        ({"path": ["is missing"]}, [("#/path", "is missing")]),
        ({"inputs": {"scan": {0: ["no pid"]}}}, [("#/inputs/scan/0", "no pid")]),
        ({"inputs": [{}, {"pid": ["no pid"]}]}, [("#/inputs/1/pid", "no pid")]),
        ({"non_field_errors": ["no object"]}, [("#", "no object")]),
        ({"a/b~c": ["unknown"]}, [("#/a~1b~0c", "unknown")]),
        ({"q": ["too long", "too odd"]}, [("#/q", "too long"), ("#/q", "too odd")]),
    ],
)
def test_faults_at_any_depth_get_a_json_pointer(detail: Any, faults: list[tuple[str, str]]) -> None:
    response = respond(exceptions.ValidationError(detail), {})
    assert response is not None
    assert [(f["pointer"], f["detail"]) for f in response.data["errors"]] == faults
    assert response.data["type"] == "about:blank"


def answer_of(client: APIClient, method: str, address: str, **sent: Any) -> dict[str, Any]:
    """Ask, make sure that the answer is a problem, and return it."""
    response = getattr(client, method)(address, **sent)
    assert response["Content-Type"] == CONTENT_TYPE
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert {"type", "title", "status", "detail"} <= set(problem)
    return problem


@pytest.mark.parametrize(
    ("method", "address", "sent", "status"),
    [
        ("post", RUNS, {"data": "{bins: 5", "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": '{"a": NaN}', "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": "[]", "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": '{"\\ud800": 1}', "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": "[" * 10**6, "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": "\udcff", "content_type": "application/json"}, 400),
        ("post", RUNS, {"data": "recipe=xrd-map", "content_type": "text/plain"}, 415),
        ("delete", RUNS, {}, 405),
        ("put", "/api/v1/datasets/", {}, 405),
        ("get", "/api/v1/datasets/", {"headers": {"Accept": "text/turtle"}}, 406),
    ],
)
def test_what_the_framework_refuses_is_about_blank(
    machine_of: MachineOf, method: str, address: str, sent: dict[str, Any], status: int
) -> None:
    if isinstance(sent.get("data"), str):
        sent = sent | {"data": sent["data"].encode("utf-8", "surrogateescape")}
    problem = answer_of(machine_of("ines"), method, address, **sent)
    assert problem["status"] == status
    assert problem["type"] == "about:blank"


def test_a_body_that_is_no_object_is_at_fault_as_a_whole(machine_of: MachineOf) -> None:
    problem = answer_of(machine_of("ines"), "post", RUNS, data=[], format="json")
    assert [fault["pointer"] for fault in problem["errors"]] == ["#"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_password_is_told_how_to_sign_in(world: World, method: str) -> None:
    client = APIClient(HTTP_AUTHORIZATION="Basic aW5lczp3cm9uZw==")  # ines:wrong
    problem = answer_of(client, method, "/api/v1/datasets/")
    assert problem["status"] == 401
    response = getattr(client, method)("/api/v1/datasets/")
    assert response["WWW-Authenticate"] == 'Basic realm="api"'


def test_a_page_in_a_browser_cannot_be_made_to_change_anything_from_elsewhere(
    world: World,
) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(world.ines)
    problem = answer_of(client, "post", RUNS, data={}, format="json")
    assert problem["status"] == 403
    assert "CSRF" in problem["detail"]


def test_a_hidden_dataset_and_an_absent_one_are_the_same_bytes(
    machine_of: MachineOf, world: World
) -> None:
    hidden, absent = str(a_dataset(world).pid), str(uuid4())
    client = machine_of("sten")
    answers = [
        client.get(f"/api/v1/datasets/{pid}/").content.replace(pid.encode(), b"PID")
        for pid in (hidden, absent)
    ]
    assert answers[0] == answers[1]


def test_a_store_that_is_away_is_named_without_its_place(
    machine_of: MachineOf, world: World
) -> None:
    file = a_dataset(world, is_open=True).files.get()
    Path(world.raw.root, file.key).unlink()
    problem = answer_of(machine_of(None), "get", f"/api/v1/files/{file.uuid}/content/")
    assert problem["type"] == "/problems/#no-storage"
    assert problem["store"] == "raw"
    assert str(world.folder) not in str(problem)


def test_an_address_that_nobody_serves_is_a_problem_too(db: None) -> None:
    answer = APIClient().get("/api/v1/datasats/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, CONTENT_TYPE)
    assert "/api/v1/schema/" in answer.json()["detail"]


def test_a_name_that_no_account_can_have_is_a_wrong_name(db: None) -> None:
    spoiled = b64encode(b"in\x00es:password").decode()
    answer = APIClient().get("/api/v1/datasets/", HTTP_AUTHORIZATION=f"Basic {spoiled}")
    assert answer.status_code == 401
