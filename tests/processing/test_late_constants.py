"""A constant that comes late, or is taken back, concerns the scans it holds for, and no others."""

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.embargo.retraction import take_back
from catalogue.models import Activity, CalibrationConstant, Dataset, Parameter, Tombstone
from processing.models import ProcessingRun, Product, ProductRule
from processing.products.keeping import keep_all
from tests.builders import World, a_world
from tests.processing.keeping import (
    a_constant,
    a_rule,
    a_scan,
    at,
    conditions,
    due,
    finish_all,
    keep_true,
    settled,
)

HOURS = 40
BETWEEN = {f"Scan {hour}" for hour in range(15, 20)}  # from the late one to the next one


def an_experiment(world: World) -> ProductRule:
    """A scan each hour, a geometry each ten, and all of it made."""
    rule = a_rule(world)
    for hour in range(0, HOURS, 10):
        a_constant(world, hour)
    for hour in range(HOURS):
        a_scan(world, hour)
    keep_true(world)
    assert set(conditions(rule).values()) == {"fresh"}
    return rule


def picked_for(title: str) -> str:
    product = Product.objects.get(subject__title=title)
    assert product.processing_run is not None
    return product.processing_run.inputs.get(role="geometry").dataset.title


def test_a_late_constant_has_exactly_those_made_anew_that_it_holds_for(world: World) -> None:
    rule = an_experiment(world)
    assert picked_for("Scan 17") == "Geometry 10"
    a_constant(world, 15)
    assert due(rule) == dict.fromkeys(BETWEEN, ("constant",))
    assert keep_all().submitted == len(BETWEEN)
    asked = ProcessingRun.objects.filter(state="queued")
    assert {run.inputs.get(role="scan").dataset.title for run in asked} == BETWEEN
    assert finish_all() == len(BETWEEN)
    assert set(conditions(rule).values()) == {"fresh"}
    assert {picked_for(title) for title in BETWEEN} == {"Geometry 15"}
    assert (picked_for("Scan 14"), picked_for("Scan 20")) == ("Geometry 10", "Geometry 20")
    assert ProcessingRun.objects.count() == HOURS + len(BETWEEN)


def test_a_retracted_constant_gives_the_old_results_back_without_any_run(world: World) -> None:
    rule = an_experiment(world)
    before = dict(Product.objects.values_list("subject", "processing_run"))
    late = a_constant(world, 15)
    keep_true(world)
    runs = ProcessingRun.objects.count()
    take_back(world.dana, late, Tombstone.Kind.RETRACTED, "The distance was wrong.")
    kept = keep_all()
    assert (kept.submitted, kept.reused, kept.changed) == (0, len(BETWEEN), len(BETWEEN))
    assert ProcessingRun.objects.count() == runs
    assert dict(Product.objects.values_list("subject", "processing_run")) == before
    assert set(conditions(rule).values()) == {"fresh"}
    assert settled(keep_all())


def test_what_was_retracted_while_its_products_are_queued_is_not_waited_for(world: World) -> None:
    an_experiment(world)
    late = a_constant(world, 15)
    assert keep_all().submitted == len(BETWEEN)
    take_back(world.dana, late, Tombstone.Kind.RETRACTED, "The distance was wrong.")
    keep_all()
    assert set(Product.objects.values_list("condition", flat=True)) == {"fresh"}
    assert not Product.objects.exclude(wanted_run=None).exists()


def test_without_replacement_the_products_of_a_retracted_constant_wait(world: World) -> None:
    rule = a_rule(world)
    only = a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    take_back(world.dana, only, Tombstone.Kind.RETRACTED, "The distance was wrong.")
    keep_all()
    assert conditions(rule) == {"Scan 1": "retracted"}
    assert "Nothing fits the role geometry" in Product.objects.get().detail


def test_a_constant_that_is_said_to_hold_from_another_day_moves_its_products(
    world: World,
) -> None:
    rule = an_experiment(world)
    CalibrationConstant.objects.filter(dataset__title="Geometry 20").update(valid_from=at(23))
    assert due(rule) == {f"Scan {hour}": ("constant",) for hour in (20, 21, 22)}
    CalibrationConstant.objects.filter(dataset__title="Geometry 20").update(valid_from=at(20))
    assert due(rule) == {}


def test_the_resolution_stands_in_the_run_and_in_the_activity(world: World) -> None:
    a_rule(world)
    geometry = a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    run = ProcessingRun.objects.get()
    said = run.resolution["geometry"]
    assert said | {"decided_at": ""} == {
        "rule": "the latest poni before it, same detector, energy_kev within 0.01",
        "pid": str(geometry.pid),
        "title": "Geometry 0",
        "digest": geometry.digest,
        "valid_from": at(0).isoformat(),
        "decided_at": "",
    }
    assert datetime.fromisoformat(said["decided_at"]).tzinfo
    finish_all()
    assert Activity.objects.get(run_key=run.run_key).resolution == run.resolution


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda scan: Dataset.objects.filter(pk=scan.pk).update(start_time=None),
         "does not say when it was measured, so no poni can be picked for the role geometry. Add"),
        (lambda scan: Parameter.objects.filter(
            dataset=scan, key__name="detector.name").delete(),
         "does not tell its detector, by which the poni for the role geometry is picked. Add"),
        (lambda scan: Parameter.objects.filter(dataset=scan).delete(),
         "does not tell its detector and energy_kev"),
    ],
)  # fmt: skip
def test_a_scan_that_does_not_tell_what_is_compared_says_what_to_add(
    world: World, spoil: Callable[[Dataset], Any], words: str
) -> None:
    rule = a_rule(world)
    a_constant(world, 0)
    spoil(a_scan(world, 1))
    a_scan(world, 2)
    kept = keep_all()
    assert (kept.blocked, kept.submitted) == (1, 1)
    assert conditions(rule) == {"Scan 1": "blocked", "Scan 2": "queued"}
    assert words in Product.objects.get(condition="blocked").detail


def test_of_two_names_of_a_detector_always_the_same_one_counts(world: World) -> None:
    """Rows come in any order: after an update PostgreSQL gives the other one first."""
    a_rule(world)
    a_constant(world, 0)
    scan = a_scan(world, 1, parameters={
        "detector.name": ("Eiger4M", ""), "detector.local_name": ("det7", ""),
        "detector.description": ("In-vacuum", ""), "photon_energy": (12.4, "keV"),
    })  # fmt: skip
    assert keep_all().submitted == 1
    Parameter.objects.filter(dataset=scan, key__name="detector.name").update(unit="")
    assert settled(keep_all())


def test_a_pass_over_an_unchanged_catalogue_writes_nothing(world: World) -> None:
    an_experiment(world)
    before = list(Product.objects.order_by("pk").values())
    with CaptureQueriesContext(connection) as asked:
        assert settled(keep_all())
    written = [q["sql"] for q in asked if q["sql"].lstrip()[:6] in {"INSERT", "UPDATE"}]
    assert not [sql for sql in written if "INSERT" in sql], "no row is written anew"
    assert list(Product.objects.order_by("pk").values()) == before


def test_the_number_of_statements_does_not_grow_with_the_subjects(world: World) -> None:
    rule = a_rule(world, keep="manual")
    a_constant(world, 0)

    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            keep_all()
        return len(asked)

    def of_all_kinds() -> list[int]:
        """A pass that finds new subjects, one that finds nothing, one that finds all stale."""
        found = [statements(), statements()]
        rule.parameters = {"bins": rule.parameters["bins"] + 1}
        rule.save()
        return [*found, statements()]

    for hour in range(3):
        a_scan(world, hour + 1)
    few = of_all_kinds()
    for hour in range(20):
        a_scan(world, hour + 1)
    assert of_all_kinds() == few


@pytest.mark.django_db(transaction=True)
def test_a_second_steward_at_the_same_time_changes_and_doubles_nothing(
    tmp_path: Path, transactional_db: None
) -> None:
    world = a_world(tmp_path)
    rule = a_rule(world)
    a_constant(world, 0)
    for hour in range(1, 9):
        a_scan(world, hour)
    keep_true(world)
    a_constant(world, 4)
    both_look()
    assert ProcessingRun.objects.filter(state="queued").count() == 5
    finish_all()
    both_look()
    rows = list(Product.objects.order_by("pk").values())
    both_look()
    assert list(Product.objects.order_by("pk").values()) == rows
    assert ProcessingRun.objects.count() == 8 + 5
    assert Dataset.objects.filter(kind="derived").count() == 8 + 5
    assert set(conditions(rule).values()) == {"fresh"}


def both_look() -> None:
    """Two stewards, each with a connection of its own, begin at the same moment."""
    start, faults = threading.Barrier(2), []

    def look() -> None:
        try:
            start.wait(10)
            keep_all()
        except Exception as error:  # noqa: BLE001 - a thread must hand its failure over
            faults.append(error)
        finally:
            connection.close()

    stewards = [threading.Thread(target=look) for _ in range(2)]
    for steward in stewards:
        steward.start()
    for steward in stewards:
        steward.join()
    assert faults == []


def test_equal_bytes_of_two_constants_are_one_constant_for_the_key(world: World) -> None:
    """A copy registered anew does not have anything made again: the key knows bytes only."""
    rule = a_rule(world)
    a_constant(world, 0, file=b"the same")
    a_scan(world, 5)
    keep_true(world)
    a_constant(world, 1, file=b"the same")
    assert due(rule) == {}
    assert settled(keep_all())
