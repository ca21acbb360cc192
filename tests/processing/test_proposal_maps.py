"""The maps of a proposal: one page and one query say which are processed, how, which are stale."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from processing.models import Product, ProductRule
from processing.products.keeping import keep_all
from processing.products.maps import find_proposal, select_maps, tell_maps
from tests.api.conftest import MachineOf, machine_of
from tests.builders import World, a_dataset, a_manifest, a_recipe
from tests.catalogue.test_pages import text_of
from tests.processing.keeping import a_constant, a_rule, a_scan, fail_next, keep_true
from tests.processing.test_product_pages import list_publicly

__all__ = ["machine_of"]  # the clients of REST, as a fixture

ClientOf = Callable[[str | None], Client]


@pytest.fixture
def rule(world: World) -> ProductRule:
    """A rule that has made the map of one scan with one geometry."""
    rule = a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1, title="Lapis lazuli")
    keep_true(world)
    return rule


def address(world: World) -> str:
    return f"/proposals/{world.proposal.number}/maps/"


def rows_of(client: Any, world: World) -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1{address(world)}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_a_map_says_how_it_was_made(
    client_of: ClientOf, machine_of: MachineOf, world: World, rule: ProductRule
) -> None:
    text = text_of(client_of("ines").get(address(world)))
    for said in ("Lapis lazuli", "fresh", "xrd-map@1.0.0", "bins 500", "Geometry 0"):
        assert said in text, said
    assert "zigzag" not in text, "a default says nothing"

    (row,) = rows_of(machine_of("ines"), world)
    product = Product.objects.get()
    assert product.processing_run is not None
    assert row["parameters"] == {"bins": 500}
    assert row["processing_run"] == str(product.processing_run.uuid)
    assert row["geometry"] is not None
    assert row["result"] is not None


def test_phases_stand_apart_from_the_other_parameters(machine_of: MachineOf, world: World) -> None:
    schema = dict(a_manifest().parameters)
    phases = {"type": "array", "items": {"type": "string"}, "default": []}
    schema["properties"] = {**schema["properties"], "phases": phases}
    a_rule(
        world,
        recipe=a_recipe(a_manifest(parameters=schema)),
        parameters={"phases": ["Cr2O3", "LaB6"]},
    )
    a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    (row,) = rows_of(machine_of("ines"), world)
    assert row["phases"] == ["Cr2O3", "LaB6"]
    assert row["parameters"] == {}


def test_a_recipe_of_somebody_elses_may_ask_for_a_parameter_and_name_phases_otherwise(
    client_of: ClientOf, machine_of: MachineOf, world: World
) -> None:
    schema = dict(a_manifest().parameters)
    schema["properties"] = {**schema["properties"], "phases": {"type": "integer"}}
    schema["required"] = ["phases"]
    a_rule(world, recipe=a_recipe(a_manifest(parameters=schema)), parameters={"phases": 2})
    a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    assert client_of("ines").get(address(world)).status_code == 200
    (row,) = rows_of(machine_of("ines"), world)
    assert row["phases"] == []
    assert row["parameters"] == {"phases": 2}


def test_stale_blocked_and_failed_maps_say_why(
    client_of: ClientOf, machine_of: MachineOf, world: World, rule: ProductRule
) -> None:
    a_scan(world, -2, title="Before any geometry")
    a_scan(world, 2, title="Broken")
    keep_all()
    fail_next()
    rule.parameters = {"bins": 700}
    rule.keep = "manual"  # so that what is stale stays so
    rule.save()
    keep_all()
    rows = {row["title"]: row for row in rows_of(machine_of("ines"), world)}
    assert rows["Lapis lazuli"]["condition"] == "stale"
    assert rows["Lapis lazuli"]["reasons"] == ["parameters"]
    assert rows["Lapis lazuli"]["parameters"] == {"bins": 500}, "as it was made"
    assert rows["Before any geometry"]["condition"] == "blocked"
    assert rows["Before any geometry"]["recipe"] == ""
    text = text_of(client_of("ines").get(address(world)))
    assert "parameters have changed" in text
    assert "Nothing fits the role geometry" in text


@pytest.mark.parametrize("name", [None, "sten", "rea"])
def test_the_maps_of_a_proposal_are_shown_with_their_scans_only(
    client_of: ClientOf, machine_of: MachineOf, world: World, rule: ProductRule, name: str | None
) -> None:
    by_pid = f"/proposals/{world.proposal.pid}/maps/"
    for path in (address(world), by_pid):
        assert client_of("ines").get(path).status_code == 200
        assert client_of(name).get(path).status_code == 404
        assert machine_of(name).get(f"/api/v1{path}").status_code == 404

    list_publicly(Product.objects.get().subject)
    (row,) = rows_of(machine_of(name), world)
    assert row["title"] == "Lapis lazuli"
    hidden: dict[str, Any] = {
        "recipe": "",
        "parameters": {},
        "made_at": None,
        "processing_run": None,
    }
    assert {key: row[key] for key in hidden} == hidden, "of closed data no run is seen"
    assert row["result"] is row["geometry"] is None


def test_a_proposal_that_is_not_there_is_as_one_that_is_hidden(
    client_of: ClientOf, world: World
) -> None:
    for path in ("/proposals/no-such-one/maps/", "/proposals/%00/maps/"):
        answer = client_of("ines").get(path)
        assert answer.status_code == 404
        assert "proposal" in text_of(answer)


def test_a_composite_that_a_rule_wants_is_a_map_too(machine_of: MachineOf, world: World) -> None:
    composite = a_manifest(name="colours", outputs={"result": {"content": "map-composite"}})
    a_rule(world, slug="colours", recipe=a_recipe(composite))
    a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    (row,) = rows_of(machine_of("ines"), world)
    assert (row["rule"], row["condition"]) == ("colours", "fresh")
    assert row["result"] is not None


def test_other_products_and_other_proposals_are_no_maps_of_this_one(
    machine_of: MachineOf, world: World, rule: ProductRule
) -> None:
    other = a_manifest(name="curve", outputs={"result": {"content": "curve"}})
    a_rule(world, slug="curve", recipe=a_recipe(other))
    keep_true(world)
    assert Product.objects.count() == 2
    assert [row["rule"] for row in rows_of(machine_of("ines"), world)] == ["xrd-map"]


def test_one_statement_finds_all_rows_however_many_scans_there_are(
    client_of: ClientOf, world: World, rule: ProductRule
) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert client_of("ines").get(address(world)).status_code == 200
        return [query["sql"] for query in captured]

    client_of("ines").get(address(world))  # what is cached, is
    few = statements()
    for hours in range(2, 8):
        a_scan(world, hours)
    a_dataset(world, content="poni", title="No scan")
    keep_true(world)
    many = statements()
    assert len(many) == len(few)
    rows = [sql for sql in many if "processing_product" in sql and "COUNT(" not in sql]
    assert len(rows) == 1
    person = world.ines
    assert len(tell_maps(select_maps(person, find_proposal(person, world.proposal.number)))) == 7
