"""Maps that people have launched by hand stand beside those that rules want."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalogue.embargo.retraction import Kind, retract, take_back, undo
from catalogue.models import Dataset, Guard
from processing.models import ProcessingRun, Product
from processing.products.maps import ORDER, find_proposal, select_maps
from processing.recipes.map_combine import map_combine
from processing.replaying import reproduce
from processing.submission import submit
from tests.api.conftest import MachineOf, machine_of
from tests.builders import World, a_dataset, a_manifest, a_recipe
from tests.catalogue.closing import a_proposal
from tests.catalogue.test_pages import text_of
from tests.processing.keeping import (
    a_constant,
    a_rule,
    a_scan,
    fail_next,
    finish_all,
    keep_true,
)
from tests.processing.test_product_pages import list_publicly
from tests.processing.test_proposal_maps import address, rows_of

__all__ = ["machine_of"]  # the clients of REST, as a fixture

ClientOf = Callable[[str | None], Client]


def made_by(run: ProcessingRun) -> Dataset:
    return Dataset.objects.get(generated_by__activity__processing_run=run)


def make_map(world: World, scan: Dataset, geometry: Dataset, **parameters: Any) -> Dataset:
    """Let Ines launch xrd-map by hand, and let it succeed."""
    inputs = {"scan": [scan], "geometry": [geometry]}
    run = submit(world.ines, a_recipe(), inputs, parameters).processing_run
    finish_all()
    return made_by(run)


def combine(world: World, *maps: Dataset, mode: str = "mosaic") -> Dataset:
    recipe = a_recipe(map_combine.manifest)
    run = submit(world.ines, recipe, {"maps": maps}, {"mode": mode}).processing_run
    finish_all(role="composite" if mode in {"stack", "rgb"} else "map")
    return made_by(run)


@pytest.fixture
def geometry(world: World) -> Dataset:
    return a_constant(world, 0)


@pytest.fixture
def made(world: World, geometry: Dataset) -> Dataset:
    """The map of a scan that Ines has made with 300 bins."""
    return make_map(world, a_scan(world, 1, title="Lapis lazuli"), geometry, bins=300)


def test_a_map_by_hand_says_who_made_it_and_how(
    client_of: ClientOf, machine_of: MachineOf, world: World, geometry: Dataset, made: Dataset
) -> None:
    Dataset.objects.filter(pk=made.pk).update(thumbnail="a" * 64)
    run = ProcessingRun.objects.get()
    (row,) = rows_of(machine_of("ines"), world)
    (source,) = row.pop("sources")
    assert source["title"] == row.pop("title") == "Lapis lazuli"
    assert source["pid"] == row.pop("subject")
    assert row.pop("made_at") is not None
    assert row == {
        "rule": None,
        "condition": "by-hand",
        "reasons": [],
        "detail": "By Ines. No rule keeps it up to date.",
        "recipe": "xrd-map@1.0.0",
        "parameters": {"bins": 300},
        "phases": [],
        "geometry": str(geometry.pid),
        "requested_by": "Ines",
        "processing_run": str(run.uuid),
        "result": str(made.pid),
    }

    answer = client_of("carlo").get(address(world))
    for said in ("Lapis lazuli", "made by hand", "By Ines. No rule", "bins 300", "Geometry 0"):
        assert said in text_of(answer), said
    page = answer.content.decode()
    assert f'src="{reverse("dataset-thumbnail", args=[made.pid])}"' in page
    assert f"/processing-runs/{run.uuid}/" in page
    assert "Explain" not in page, "there is no rule to explain"


def test_combined_maps_name_what_they_are_made_of_in_order(
    client_of: ClientOf, machine_of: MachineOf, world: World, geometry: Dataset
) -> None:
    scans = [a_scan(world, hours) for hours in (1, 2, 3, 4)]
    maps = [make_map(world, scan, geometry) for scan in scans]
    maps.reverse()
    mosaic, stack = combine(world, *maps), combine(world, *maps[:2], mode="stack")
    rows = {row["result"]: row for row in rows_of(machine_of("ines"), world)}
    assert len(rows) == 6
    row = rows[str(mosaic.pid)]
    assert [source["pid"] for source in row["sources"]] == [str(one.pid) for one in maps]
    assert row["subject"] is row["geometry"] is None
    assert row["title"] == mosaic.title
    assert row["recipe"] == "map-combine@1.0.0"
    assert row["parameters"] == {}, "a mosaic is the default"
    assert rows[str(stack.pid)]["parameters"] == {"mode": "stack"}
    text = text_of(client_of("ines").get(address(world)))
    assert "and 1 more" in text, "the page names three of four"
    assert "map-composite" in text


def test_what_is_combined_of_two_proposals_is_of_both_and_shown_to_whom_both_are_open(
    client_of: ClientOf, machine_of: MachineOf, world: World, geometry: Dataset, made: Dataset
) -> None:
    other = a_proposal(world, "hg-200", ines="pi", rea="pi")
    theirs = make_map(world, a_dataset(world, proposal=other, title="Azurite"), geometry)
    both = combine(world, made, theirs, mode="mean")
    assert Guard.objects.filter(dataset=both).count() == 2
    for number in (world.proposal.number, other.number):
        answer = machine_of("ines").get(f"/api/v1/proposals/{number}/maps/").json()
        assert str(both.pid) in [row["result"] for row in answer["results"]], number
    for name, number in (("carlo", world.proposal.number), ("rea", other.number)):
        path = f"/proposals/{number}/maps/"
        answers = (client_of(name).get(path), machine_of(name).get(f"/api/v1{path}"))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert not any(str(both.pid) in answer.content.decode() for answer in answers), name


def test_a_map_of_two_instruments_is_one_row(
    machine_of: MachineOf, world: World, geometry: Dataset, made: Dataset
) -> None:
    Guard.objects.create(dataset=made, proposal=world.proposal, opens_on=None)
    assert len(rows_of(machine_of("ines"), world)) == 1


@pytest.mark.parametrize("name", [None, "sten", "rea"])
def test_a_public_map_tells_nothing_of_a_hidden_run(
    client_of: ClientOf,
    machine_of: MachineOf,
    world: World,
    geometry: Dataset,
    made: Dataset,
    name: str | None,
) -> None:
    path = address(world)
    assert client_of(name).get(path).status_code == 404
    assert machine_of(name).get(f"/api/v1{path}").status_code == 404
    Dataset.objects.filter(pk=made.pk).update(title="A map", thumbnail="a" * 64)
    for dataset in (geometry, made):
        list_publicly(dataset)
    a_recipe(a_manifest(version="1.1.0"))
    (row,) = rows_of(machine_of(name), world)
    assert row == {
        "rule": None,
        "subject": None,
        "sources": [],
        "title": "A map",
        "condition": "by-hand",  # that its recipe has a newer version would tell which
        "reasons": [],
        "detail": "No rule keeps it up to date.",
        "recipe": "",
        "parameters": {},
        "phases": [],
        "geometry": None,
        "made_at": None,
        "requested_by": None,
        "processing_run": None,
        "result": str(made.pid),
    }
    page = client_of(name).get(path).content.decode()
    run = ProcessingRun.objects.get()
    for hidden in ("Lapis", "Ines", "bins", "Geometry 0", "thumbnail", str(run.uuid)):
        assert hidden not in page, hidden


def test_a_retraction_is_told_of_the_map_and_undone_with_it(
    machine_of: MachineOf, world: World, made: Dataset
) -> None:
    scan = Dataset.objects.get(title="Lapis lazuli")
    retract(world.ines, scan, "The sample was not in the beam.")
    (row,) = rows_of(machine_of("ines"), world)
    assert row["condition"] == "retracted"
    assert row["detail"] == "Ines made it by hand. It was taken back."
    assert row["result"] == str(made.pid), "its page says why"
    undo(world.ines, scan, "It was.")
    (row,) = rows_of(machine_of("ines"), world)
    assert row["condition"] == "by-hand"


def test_a_withdrawn_input_makes_a_map_stale_for_those_who_may_know(
    machine_of: MachineOf, world: World, made: Dataset
) -> None:
    take_back(world.dana, Dataset.objects.get(title="Lapis lazuli"), Kind.WITHDRAWN, "A face.")
    (row,) = rows_of(machine_of("dana"), world)
    assert (row["condition"], row["reasons"]) == ("stale", ["input"])
    (row,) = rows_of(machine_of("ines"), world)
    assert (row["condition"], row["sources"], row["recipe"]) == ("by-hand", [], "")


def test_a_newer_version_of_its_recipe_makes_a_map_stale(
    client_of: ClientOf, machine_of: MachineOf, world: World, made: Dataset
) -> None:
    a_recipe(a_manifest(name="another", version="9.0.0"))
    assert rows_of(machine_of("ines"), world)[0]["condition"] == "by-hand"
    a_recipe(a_manifest(version="1.1.0"))
    (row,) = rows_of(machine_of("ines"), world)
    assert (row["condition"], row["reasons"]) == ("stale", ["recipe"])
    text = text_of(client_of("ines").get(address(world)))
    assert "stale (recipe)" in text
    assert "Its recipe has a newer version" in text


def test_what_a_rule_takes_over_is_the_rules_and_shown_once(
    machine_of: MachineOf, world: World, made: Dataset
) -> None:
    rule = a_rule(world, parameters={"bins": 300})
    keep_true(world)
    assert ProcessingRun.objects.count() == 1, "the rule has found the result by its key"
    (row,) = rows_of(machine_of("ines"), world)
    assert (row["rule"], row["condition"]) == ("xrd-map", "fresh")
    assert (row["requested_by"], row["result"]) == ("Ines", str(made.pid))

    rule.parameters = {"bins": 700}
    rule.save()
    keep_true(world)
    rows = rows_of(machine_of("ines"), world)
    assert [(row["rule"], row["parameters"]) for row in rows] == [
        ("xrd-map", {"bins": 700}),
        (None, {"bins": 300}),
    ]


def test_what_a_rule_has_replaced_is_not_by_hand(
    machine_of: MachineOf, world: World, geometry: Dataset
) -> None:
    rule = a_rule(world)
    a_scan(world, 1)
    keep_true(world)
    rule.parameters = {"bins": 700}
    rule.save()
    keep_true(world)
    assert ProcessingRun.objects.filter(state="succeeded").count() == 2
    (row,) = rows_of(machine_of("ines"), world)
    assert row["rule"] == "xrd-map"
    assert row["requested_by"] is None

    rule.delete()
    rows = rows_of(machine_of("ines"), world)
    assert {row["condition"] for row in rows} == {"orphaned"}
    assert all("Its rule, or who asked for it, is gone" in row["detail"] for row in rows)


def test_what_has_failed_waits_or_was_only_repeated_is_no_map(
    machine_of: MachineOf, world: World, geometry: Dataset, made: Dataset
) -> None:
    reproduce(world.ines, ProcessingRun.objects.get())
    finish_all()
    inputs = {"scan": [a_scan(world, 2)], "geometry": [geometry]}
    submit(world.ines, a_recipe(), inputs, {})
    assert len(rows_of(machine_of("ines"), world)) == 1
    fail_next()
    assert len(rows_of(machine_of("ines"), world)) == 1
    assert set(ProcessingRun.objects.values_list("purpose", flat=True)) == {"produce", "replay"}


def test_page_and_rest_go_through_all_maps_in_one_order(
    client_of: ClientOf, machine_of: MachineOf, world: World, geometry: Dataset
) -> None:
    a_rule(world)
    a_rule(world, slug="finer", parameters={"bins": 900})
    scans = [a_scan(world, hours) for hours in (1, 1, 2)]
    keep_true(world)
    by_hand = [make_map(world, scan, geometry, bins=300) for scan in scans]
    Dataset.objects.filter(pk=by_hand[0].pk).update(start_time=None)
    expected = list(select_maps(world.ines, find_proposal(world.ines, "hg-172")).order_by(*ORDER))
    assert len(expected) == Product.objects.count() + 3 == 9
    pids = [str(getattr(one, "result", "")) for one in expected]
    assert pids[-1] == str(by_hand[0].pid), "without a time, at the end"

    page = client_of("ines").get(address(world)).content.decode()
    assert sorted(pids, key=lambda pid: page.index(f'href="/datasets/{pid}/"')) == pids
    machine = machine_of("ines")
    found, back, path = [], [], f"/api/v1{address(world)}?page_size=1"
    while path:
        answer = machine.get(path).json()
        found += [row["result"] for row in answer["results"]]
        last, path = path, answer["next"]
    while last:
        answer = machine.get(last).json()
        back += [row["result"] for row in answer["results"]]
        last = answer["previous"]
    assert found == pids
    assert back == pids[::-1]


def test_one_statement_finds_those_of_rules_and_those_by_hand(
    client_of: ClientOf, world: World, geometry: Dataset, made: Dataset
) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert client_of("ines").get(address(world)).status_code == 200
        return [query["sql"] for query in captured]

    few = statements()
    for hours in (2, 3):
        make_map(world, a_scan(world, hours), geometry)
    combine(world, made, made)
    a_rule(world)
    keep_true(world)
    many = statements()
    assert len(many) == len(few)
    rows = [sql for sql in many if "processing_proposalmap" in sql and "COUNT(" not in sql]
    assert len(rows) == 1


def test_where_there_is_no_map_the_page_says_how_one_comes_to_be(
    client_of: ClientOf, world: World, geometry: Dataset
) -> None:
    a_scan(world, 1)
    answer = client_of("ines").get(address(world))
    assert answer.status_code == 200
    assert "A map can also be made by hand, from the page of a scan." in text_of(answer)
    make_map(world, Dataset.objects.get(title="Scan 1"), geometry)
    assert "can also be made by hand" not in text_of(client_of("ines").get(address(world)))
