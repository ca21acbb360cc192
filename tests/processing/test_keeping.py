"""What a pass of the steward makes of each product, and what it leaves to people."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import CalibrationConstant, Dataset
from processing.models import Configuration, ProcessingRun, Product, ProductRule
from processing.products.keeping import keep_all
from processing.products.keys import KeyWriter
from processing.products.ordering import backlog, order, order_all, pin, unpin
from processing.products.pricing import rates_of
from processing.results import key_of
from processing.submission import submit
from processing.ticket import write_key_document
from tests.builders import World, a_dataset, a_manifest, a_recipe
from tests.processing.keeping import (
    a_constant,
    a_rule,
    a_scan,
    at,
    bury,
    conditions,
    fail_next,
    finish_all,
    keep_true,
    settled,
)


@pytest.fixture
def rule(world: World) -> ProductRule:
    """A rule with one scan whose product is made."""
    rule = a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    return rule


def the_product() -> Product:
    return Product.objects.select_related("subject", "rule").get()


def the_result() -> Dataset:
    return Dataset.objects.get(kind="derived")


def change(rule: ProductRule, **values: object) -> None:
    ProductRule.objects.filter(pk=rule.pk).update(**values)


# Conditions


def test_a_product_of_a_retracted_subject_says_why(world: World, rule: ProductRule) -> None:
    bury(the_product().subject, "The shutter was closed.")
    keep_all()
    product = the_product()
    assert product.condition == "retracted"
    assert product.detail == "Its subject was retracted: The shutter was closed."
    assert keep_all().submitted == 0


def test_a_retracted_result_is_not_made_again_from_the_same(
    world: World, rule: ProductRule
) -> None:
    bury(the_result())
    assert keep_all().submitted == 0
    assert the_product().condition == "retracted"
    a_constant(world, 0.5)  # now something else would come out
    assert keep_all().submitted == 1


def test_a_pinned_product_whose_result_is_retracted_does_not_hide_it(
    world: World, rule: ProductRule
) -> None:
    pin(world.ines, the_product(), "Figure 3 shows it.")
    bury(the_result())
    keep_all()
    assert the_product().condition == "retracted"


def test_an_orphan_is_reported_and_keeps_its_result(world: World, rule: ProductRule) -> None:
    a_constant(world, 1.5)
    a_scan(world, 2)  # never made
    change(rule, selection={"kind": "raw", "instrument": "id22"})
    keep_all()
    product = the_product()
    assert product.condition == "orphaned"
    assert product.processing_run is not None
    assert "no longer matches" in product.detail
    assert the_result().files.exists()
    assert settled(keep_all())
    change(rule, selection={"kind": "raw"})
    assert keep_all().submitted == 1  # of the second scan; the first one is fresh again
    assert conditions(rule) == {"Scan 1": "fresh", "Scan 2": "queued"}


def test_a_pin_holds_whatever_changes_and_the_difference_stays_visible(
    world: World, rule: ProductRule
) -> None:
    pin(world.ines, the_product(), "Figure 3 shows it.")
    a_constant(world, 0.5)
    change(rule, parameters={"bins": 800})
    assert keep_all().submitted == 0
    product = the_product()
    assert product.condition == "pinned"
    assert product.reasons == ["constant", "parameters"]
    assert product.detail == (
        "Kept as it is: Figure 3 shows it. Meanwhile another calibration applies and the "
        "rule's parameters have changed."
    )
    assert settled(keep_all())
    unpin(world.ines, product, "It is published.")
    assert keep_all().submitted == 1


def test_a_failure_tells_its_attempts_and_waits_for_an_order(world: World) -> None:
    a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    fail_next("Frames are transposed.")
    assert keep_all().submitted == 0
    product = the_product()
    assert product.condition == "failed"
    assert "It failed after 1 attempt" in product.detail
    assert settled(keep_all())
    order(world.ines, product)
    assert keep_all().submitted == 1
    finish_all()
    keep_all()
    assert the_product().condition == "fresh"


def test_after_a_failure_another_input_is_another_matter(world: World) -> None:
    a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    fail_next()
    keep_all()
    a_constant(world, 0.5)
    assert keep_all().submitted == 1


def test_what_calls_itself_a_constant_and_is_no_such_file_is_not_picked(
    world: World, rule: ProductRule
) -> None:
    """People say of any dataset that it calibrates; the recipe reads geometries only."""
    claimed = a_dataset(world, content="image", start_time=at(0.5))
    CalibrationConstant.objects.create(
        dataset=claimed, kind="poni", detector="Eiger4M", valid_from=at(0.5),
        conditions={"energy_kev": 12.4},
    )  # fmt: skip
    assert settled(keep_all())
    assert the_product().condition == "fresh"


# Keep, orders, backfill


def a_new_recipe(rule: ProductRule) -> None:
    change(rule, recipe=a_recipe(a_manifest(version="1.1.0")))


def a_new_constant(_: ProductRule) -> None:
    late = CalibrationConstant.objects.get()
    CalibrationConstant.objects.filter(pk=late.pk).update(valid_from=at(-5))
    Dataset.objects.filter(pk=late.pk).update(digest="f" * 64)


@pytest.mark.parametrize(
    ("keep", "upgrade", "submitted", "held"),
    [
        ("fresh", a_new_constant, 1, ""),
        ("fresh", a_new_recipe, 1, ""),
        ("latest-compatible", a_new_constant, 1, ""),
        ("latest-compatible", a_new_recipe, 0, "does not make it again for a new recipe"),
        ("once", a_new_constant, 0, "makes it once, and leaves it"),
        ("once", a_new_recipe, 0, "makes it once, and leaves it"),
        ("manual", a_new_constant, 0, "only when a person asks"),
        ("manual", a_new_recipe, 0, "only when a person asks"),
    ],
)
def test_how_a_rule_keeps_its_products(
    world: World,
    rule: ProductRule,
    keep: str,
    upgrade: Callable[[ProductRule], None],
    submitted: int,
    held: str,
) -> None:
    change(rule, keep=keep)
    upgrade(rule)
    assert keep_all().submitted == submitted
    product = the_product()
    if held:
        assert product.condition == "stale"
        assert held in product.detail
        order(world.ines, product)
        assert keep_all().submitted == 1


def test_a_recipe_that_is_only_installed_changes_nothing(world: World, rule: ProductRule) -> None:
    a_recipe(a_manifest(version="2.0.0"))
    assert settled(keep_all())


def test_a_patch_of_a_recipe_is_neutral(world: World, rule: ProductRule) -> None:
    change(rule, recipe=a_recipe(a_manifest(version="1.0.1")))
    assert settled(keep_all())


def test_older_subjects_wait_for_an_order(world: World) -> None:
    rule = a_rule(world, backfill_days=90)
    now = timezone.now()
    a_constant(world, 0, valid_from=now - timedelta(days=400))
    a_scan(world, 0, title="old", start_time=now - timedelta(days=91))
    a_scan(world, 0, title="young", start_time=now - timedelta(days=89))
    assert keep_all().submitted == 1
    assert conditions(rule) == {"old": "absent", "young": "queued"}
    assert "order it to have it" in Product.objects.get(subject__title="old").detail
    assert order_all(world.dana, backlog(rule)) == 1
    assert keep_all().submitted == 1
    assert not Product.objects.exclude(ordered_at=None).exists(), "an order is for one time"


def test_an_order_that_a_known_result_fulfils_is_used_up(world: World) -> None:
    """Else the next upgrade would be made by itself, though the rule says manual."""
    rule = a_rule(world, keep="manual")
    geometry, scan = a_constant(world, 0), a_scan(world, 1)
    keep_all()
    order(world.ines, the_product())
    inputs = {"scan": [scan], "geometry": [geometry]}
    submit(world.ines, rule.recipe, inputs, {"bins": 500})
    finish_all()
    keep_all()
    assert (the_product().condition, the_product().ordered_at) == ("fresh", None)
    change(rule, parameters={"bins": 800})
    assert keep_all().submitted == 0


def test_what_became_stale_twice_is_judged_by_what_it_is_made_of_now(
    world: World, rule: ProductRule
) -> None:
    """A recipe is ordered; while it runs a constant comes: that alone is what differs then."""
    change(rule, keep="latest-compatible")
    a_new_recipe(rule)
    keep_all()
    order(world.ines, the_product())
    assert keep_all().submitted == 1
    a_constant(world, 0.5)
    keep_all()
    assert the_product().reasons == ["constant", "recipe"]
    finish_all()
    assert keep_all().submitted == 1
    assert the_product().reasons == ["constant"]


def test_a_result_that_arrives_leaves_no_old_reasons(world: World, rule: ProductRule) -> None:
    change(rule, parameters={"bins": 800})
    keep_all()
    finish_all()
    assert (the_product().condition, the_product().reasons) == ("fresh", [])


# Budgets


def test_a_rule_launches_no_more_in_an_hour_than_it_may(world: World) -> None:
    rule = a_rule(world, per_hour=2)
    a_constant(world, 0)
    for hour in range(5):
        a_scan(world, hour + 1)
    assert [keep_all().submitted for _ in range(2)] == [2, 0]
    assert sorted(conditions(rule).values()) == ["absent"] * 3 + ["queued"] * 2
    newest = ProcessingRun.objects.filter(inputs__dataset__title__in=["Scan 4", "Scan 5"])
    assert newest.count() == 2, "the newest first"
    ProcessingRun.objects.update(queued_at=timezone.now() - timedelta(minutes=61))
    assert keep_all().submitted == 2


def test_core_hours_are_spent_once_a_day(world: World) -> None:
    rule = a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1, file=b"scan 1")
    keep_all()
    finish_all(cpu_s=3600.0)  # one core-hour for a scan
    change(rule, core_hours_per_day=3)
    for hour in range(2, 7):
        a_scan(world, hour, file=f"scan {hour}".encode())
    assert keep_all().submitted == 2, "one is spent"
    assert keep_all().submitted == 0, "what is under way counts with its price"
    finish_all(cpu_s=3600.0)
    assert keep_all().submitted == 0
    rows = ProcessingRun.objects.filter(state="succeeded")
    assert rows.count() == 3


def test_the_facility_has_a_budget_for_all_rules(world: World) -> None:
    Configuration.objects.create(number=1, text="", steward={"core_hours_per_day": 1.5})
    rule = a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1, file=b"scan 1")
    assert keep_all().submitted == 1
    finish_all(cpu_s=3600.0)
    a_scan(world, 2, file=b"scan 2")
    assert keep_all().submitted == 0
    run = ProcessingRun.objects.get()
    assert run.configuration is not None
    assert run.configuration.number == 1
    assert conditions(rule)["Scan 2"] == "absent"


def test_a_price_stems_from_history_else_from_the_limits(world: World) -> None:
    rule = ProductRule.objects.select_related("recipe").get(pk=a_rule(world).pk)
    bound = rates_of(rule).price(4, 0)  # one core for half an hour each, see Limits
    assert bound.source == "upper bound, cores times walltime: there is no history"
    assert bound.core_hours == pytest.approx(4 * 0.5)
    a_constant(world, 0, file=b"a geometry as large as many scans" * 100)
    scan = a_scan(world, 1)
    keep_all()
    finish_all(cpu_s=7200.0)
    price = rates_of(rule).price(3, 3 * scan.size)
    assert price.source == "history, median of 1"
    assert price.core_hours == pytest.approx(3 * 2.0), "by the size of the subject"
    assert price.bytes_out == 3 * the_result().size


def test_runs_of_which_no_usage_is_known_have_no_price(world: World) -> None:
    rule = ProductRule.objects.select_related("recipe").get(pk=a_rule(world).pk)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    # Ended by hand, as runs were before their usage was kept.
    ProcessingRun.objects.filter(state="queued").update(state="succeeded")
    source = rates_of(rule).price(1, 0).source
    assert source == "upper bound, cores times walltime: there is no history"


# Keys

DIGEST = "0123456789abcdef" * 4
digests = st.sampled_from([DIGEST, "f" * 64])
tricky = st.sampled_from(['"inputs":{}', "\u00e9", "\\", '{"v":1}']) | st.text(max_size=5)


@given(
    inputs=st.dictionaries(st.sampled_from(["scan", "geometry", "mask", "Ω"]), digests),
    note=tricky,
)
def test_a_key_written_in_bulk_is_the_key_of_a_single_run(
    inputs: dict[str, str], note: str
) -> None:
    properties = {"note": {"type": "string", "default": ""}, "inputs": {"type": "object"}}
    manifest = a_manifest(
        parameters={"type": "object", "additionalProperties": False, "properties": properties}
    )
    parameters: dict[str, Any] = {"note": note.replace("\x00", ""), "inputs": {}}
    document, key = KeyWriter(ProductRule(parameters=parameters), manifest).write(inputs)
    assert document == write_key_document(
        recipe="xrd-map",
        version="1.0.0",
        inputs={role: [digest] for role, digest in inputs.items()},
        parameters=manifest.validate_parameters(parameters),
        environment=manifest.environment.digest,
    )
    assert len(key) == 64


def test_the_steward_and_a_person_mean_the_same_by_the_same(
    world: World, rule: ProductRule
) -> None:
    run = ProcessingRun.objects.get()
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    assert key_of(run.recipe, inputs, run.parameters) == (run.key_document, run.run_key)
    assert the_product().desired_key == run.run_key
    assert submit(world.ines, run.recipe, inputs, {"bins": 500}).is_reused
