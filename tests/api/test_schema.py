"""The OpenAPI document says what the addresses do."""

from typing import Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver

from tests.api.conftest import MachineOf
from tests.api.results import a_result, result_of
from tests.builders import World


@pytest.fixture
def document(machine_of: MachineOf) -> dict[str, Any]:
    response = machine_of(None).get("/api/v1/schema/")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def test_the_schema_is_valid_and_complete(db: None, tmp_path: Any) -> None:
    file = str(tmp_path / "schema.yaml")
    call_command("spectacular", validate=True, fail_on_warn=True, file=file)


def test_every_address_is_described(document: dict[str, Any]) -> None:
    routes = {
        str(one.pattern)
        for part in get_resolver().url_patterns
        if str(part.pattern) == "api/v1/"
        for one in part.url_patterns
    }
    described = {path.removeprefix("/api/v1/") for path in document["paths"]}
    plain = {route.replace("<str:", "{").replace(">", "}") for route in routes}
    assert plain - {"schema/"} == described


def test_every_address_says_which_problems_it_answers(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            refusals = {s: r for s, r in operation["responses"].items() if s >= "400"}
            assert "401" in refusals, path
            assert all("application/problem+json" in r["content"] for r in refusals.values())
            assert ("404" in refusals) or "{" not in path, path


def test_no_two_operations_share_a_name(document: dict[str, Any]) -> None:
    names = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("component", "address"),
    [
        ("Dataset", "datasets/{dataset}/"),
        ("DatasetSummaryPage", "datasets/"),
        ("DataFilePage", "datasets/{dataset}/files/"),
        ("Lineage", "datasets/{dataset}/lineage/"),
        ("Activity", "activities/{activity}/"),
        ("Recipe", "recipes/xrd-map/"),
        ("Run", "processing-runs/{run}/"),
        ("RunSummaryPage", "processing-runs/"),
        ("Log", "processing-runs/{run}/log/"),
        ("Facets", "datasets/facets/"),
    ],
)
def test_what_comes_is_what_the_schema_promises(
    machine_of: MachineOf, world: World, document: dict[str, Any], component: str, address: str
) -> None:
    run = a_result(world)
    assert run.activity is not None
    pids = {"dataset": result_of(run).pid, "activity": run.activity.pid, "run": run.uuid}
    body = machine_of("ines").get(f"/api/v1/{address.format(**pids)}").json()
    check(document, {"$ref": f"#/components/schemas/{component}"}, body)


def check(document: dict[str, Any], shape: dict[str, Any], body: Any) -> None:
    """Compare a body with its shape, member by member; values go unchecked."""
    if body is None:
        assert shape.get("nullable"), shape
        return
    for each in shape.get("allOf", []):
        check(document, each, body)
    if "$ref" in shape:
        shape = document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    if isinstance(body, dict) and "properties" in shape:
        assert set(body) <= set(shape["properties"])
        assert set(shape.get("required", [])) <= set(body)
        for name, below in body.items():
            check(document, shape["properties"][name], below)
    elif isinstance(body, list):
        assert shape["type"] == "array"
        for below in body:
            check(document, shape["items"], below)
