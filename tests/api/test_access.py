"""Who is answered what, over every address that speaks of a closed dataset."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from catalogue.models import Activity, DataFile, Dataset, Proposal, User
from processing.models import LogEntry, ProcessingRun, Product, ProductRule
from tests.api.conftest import MachineOf
from tests.api.results import a_result, result_of
from tests.builders import World

ADDRESSES = {
    "dataset": "datasets/{dataset}/",
    "files": "datasets/{dataset}/files/",
    "lineage": "datasets/{dataset}/lineage/",
    "thumbnail": "datasets/{dataset}/thumbnail/",
    "file": "files/{file}/",
    "content": "files/{file}/content/",
    "activity": "activities/{activity}/",
    "uses": "activities/?used={dataset}",
    "run": "processing-runs/{run}/",
    "log": "processing-runs/{run}/log/",
}
# Headers that differ from call to call, whatever is asked for.
FICKLE = {"Content-Length", "X-Request-ID", "RateLimit"}
LISTS = [
    "datasets/",
    "datasets/facets/",
    "datasets/?q=map",
    "activities/",
    "recipes/",
    "processing-runs/",
    "products/",
]


@pytest.fixture
def pids(world: World) -> dict[str, str]:
    """Identifiers of a closed result and of all that belongs to it."""
    run = a_result(world)
    dataset = result_of(run)
    rule = ProductRule.objects.create(slug="map", recipe=run.recipe, subject="scan", keep="newest")
    scan = run.inputs.get(role="scan").dataset
    Product.objects.create(rule=rule, subject=scan, processing_run=run)
    assert run.activity is not None
    return {
        "dataset": str(dataset.pid),
        "file": str(dataset.files.get().uuid),
        "activity": str(run.activity.pid),
        "run": str(run.uuid),
    }


def drain(response: Any) -> None:
    """Read a stream to its end: only then does the client close the file."""
    for _ in getattr(response, "streaming_content", ()):
        pass


@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana"])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_the_team_the_staff_and_the_steward_reach_everything(
    machine_of: MachineOf, pids: dict[str, str], address: str, name: str
) -> None:
    response = machine_of(name).get(f"/api/v1/{address.format(**pids)}")
    assert response.status_code == 200
    drain(response)


@pytest.mark.parametrize("name", ["sten", "rea", None])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_to_others_hidden_and_absent_are_the_same_bytes(
    machine_of: MachineOf, pids: dict[str, str], address: str, name: str | None
) -> None:
    client, absent = machine_of(name), {key: str(uuid4()) for key in pids}
    answers = []
    for names in (pids, absent):
        response = client.get(f"/api/v1/{address.format(**names)}")
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        text = response.content.decode()
        for key, value in names.items():
            text = text.replace(value, key)
        answers.append((text, {k: v for k, v in response.items() if k not in FICKLE}))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["sten", None])
@pytest.mark.parametrize("address", LISTS)
def test_no_list_mentions_what_is_hidden(
    machine_of: MachineOf, pids: dict[str, str], address: str, name: str | None
) -> None:
    text = machine_of(name).get(f"/api/v1/{address}").content.decode()
    assert not any(pid in text for pid in pids.values())
    assert not any(word in text for word in ("Fragment", "hg-172", "A map"))


@pytest.mark.parametrize("name", ["sten", "rea"])
def test_a_stranger_cannot_cancel_a_run_that_they_cannot_see(
    machine_of: MachineOf, pids: dict[str, str], name: str
) -> None:
    address = f"/api/v1/processing-runs/{pids['run']}/cancel/"
    assert machine_of(name).post(address).status_code == 404


@pytest.mark.parametrize(
    "address", ["datasets/7/", "files/7/", "activities/x/", "processing-runs/7/"]
)
def test_a_malformed_identifier_is_an_unknown_one(machine_of: MachineOf, address: str) -> None:
    response = machine_of(None).get(f"/api/v1/{address}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("address", [*ADDRESSES.values(), *LISTS])
def test_what_a_person_is_told_stays_out_of_shared_caches(
    machine_of: MachineOf, pids: dict[str, str], address: str
) -> None:
    for name in ("ines", "sten"):
        response = machine_of(name).get(f"/api/v1/{address.format(**pids)}")
        assert response["Cache-Control"] in {"private", "private, no-transform"}
        assert {"Cookie", "Authorization"} <= set(response["Vary"].split(", "))
        drain(response)


@pytest.mark.parametrize("address", [each for each in LISTS if "facets" not in each])
def test_every_list_comes_in_pages(machine_of: MachineOf, world: World, address: str) -> None:
    joint = "&" if "?" in address else "?"
    body = machine_of("ines").get(f"/api/v1/{address}{joint}page_size=500").json()
    assert set(body) == {"next", "previous", "results"}
    refused = machine_of("ines").get(f"/api/v1/{address}{joint}page_size=501")
    assert refused.status_code == 400


def walk(value: Any, path: str = "#") -> Iterator[tuple[str, Any]]:
    """Every member of a JSON document with its pointer."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from walk(below, f"{path}/{name}")
    elif isinstance(value, list):
        for below in value:
            yield from walk(below, f"{path}/*")
    else:
        yield path, value


# Far above any size, count or number that a body holds for a good reason.
FAR = 7_000_000_000


def test_no_body_holds_a_primary_key(machine_of: MachineOf, world: World) -> None:
    kinds = (Dataset, DataFile, Activity, ProcessingRun, Product, ProductRule, LogEntry)
    with connection.cursor() as cursor:
        for kind in (*kinds, Proposal, User):
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [kind._meta.db_table, FAR]
            )
    run = a_result(world)
    rule = ProductRule.objects.create(slug="map", recipe=run.recipe, subject="scan", keep="newest")
    Product.objects.create(
        rule=rule, subject=run.inputs.get(role="scan").dataset, processing_run=run
    )
    dataset = result_of(run)
    assert dataset.pk > FAR
    assert run.activity is not None
    names = {
        "dataset": dataset.pid,
        "file": dataset.files.get().uuid,
        "activity": run.activity.pid,
        "run": run.uuid,
    }
    client = machine_of("ines")
    for address in [*ADDRESSES.values(), *LISTS, "recipes/xrd-map/", "datasets/?page_size=1"]:
        if "content" in address or "thumbnail" in address:
            continue
        response = client.get(f"/api/v1/{address.format(**names)}")
        assert str(FAR)[:6] not in response.content.decode(), address
        for pointer, _ in walk(response.json()):
            assert pointer.rpartition("/")[2] not in {"id", "pk"}, f"{address} {pointer}"


def test_a_cursor_holds_no_primary_key(machine_of: MachineOf, world: World) -> None:
    a_result(world)
    link = machine_of("ines").get("/api/v1/datasets/?page_size=1").json()["next"]
    text = link.partition("cursor=")[2].partition("%3A")[0]
    is_backward, rank, newest, pid = json.loads(
        base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    )
    assert is_backward is False
    assert pid in {str(pid) for pid in Dataset.objects.values_list("pid", flat=True)}
    assert isinstance(newest, str)
    assert rank == -1  # nothing was ranked
