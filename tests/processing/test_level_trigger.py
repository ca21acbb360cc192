"""What people have said holds, and no pass of the steward is stuck with what is over."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalogue.embargo.retraction import retract, undo
from catalogue.models import Dataset
from catalogue.places import content_folder
from catalogue.storage.content import keep_bytes
from processing import leases
from processing.declaration.applying import apply_rules
from processing.declaration.counting import plan_rule
from processing.declaration.rendering import render_rules
from processing.errors import TooMuchChangeError
from processing.lifecycle import settle
from processing.models import Configuration, ProcessingRun, Product, ProductRule
from processing.products.gathering import values_of
from processing.products.keeping import Kept, keep
from processing.products.launching import budget_of
from processing.products.ordering import order, pin
from processing.steward import reconcile
from processing.submission import submit
from processing.ticket import Outcome, OutputFile
from tests.builders import World, a_dataset, a_manifest, a_recipe, a_world

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def rule(world: World) -> ProductRule:
    return ProductRule.objects.create(
        slug="xrd-map", recipe=a_recipe(), selection={"content": "nexus-scan"}, subject="scan",
        inputs={"geometry": {"content": "poni"}}, parameters={"bins": 500}, keep="fresh",
    )  # fmt: skip


@pytest.fixture
def scan(world: World, rule: ProductRule) -> Dataset:
    a_geometry(world, hours=-3)
    return a_dataset(world, start_time=NOON)


def a_geometry(world: World, *, hours: float) -> Dataset:
    return a_dataset(world, content="poni", start_time=NOON + timedelta(hours=hours))


def the_product() -> Product:
    return Product.objects.get()


def finish_the_run(body: bytes = b"a map") -> ProcessingRun:
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(content_folder(), body, sha256)
    held = leases.claim("worker", 60)
    assert held is not None
    output = OutputFile(role="result", path="map.nxs", size=len(body), sha256=sha256)
    settle(held, Outcome(outputs=(output,)))
    return ProcessingRun.objects.get(pk=held.run_id)


def test_what_is_pinned_while_it_is_made_anew_stays_as_it_is(world: World, scan: Dataset) -> None:
    reconcile()
    first = finish_the_run()
    a_geometry(world, hours=-1)
    reconcile()
    pin(world.ines, the_product(), "the figure of the paper")
    finish_the_run(b"another map")
    assert the_product().processing_run == first
    assert the_product().condition == "pinned"


def test_the_reasons_of_a_stale_product_are_those_of_its_present_result(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    ProductRule.objects.update(keep="latest-compatible")
    reconcile()
    finish_the_run()
    newer = a_manifest().model_copy(update={"version": "2.0.0"})
    ProductRule.objects.update(recipe=a_recipe(newer))
    reconcile()
    order(world.ines, the_product())
    reconcile()
    a_geometry(world, hours=-1)
    reconcile()
    finish_the_run(b"by the new recipe")
    # Only the geometry differs now, and that the rule follows by itself.
    assert reconcile().products.submitted == 1


def test_what_was_cancelled_for_a_retraction_is_wanted_again_once_that_is_undone(
    world: World, scan: Dataset
) -> None:
    reconcile()
    retract(world.dana, scan, "The wrong sample.")
    reconcile()
    assert the_product().condition == "retracted"
    undo(world.dana, scan, "It was the right one.")
    assert reconcile().products.submitted == 1
    assert the_product().condition == "queued"


def test_what_a_person_has_ordered_does_not_wait_behind_what_comes_by_itself(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    a_dataset(world, start_time=NOON)
    ProductRule.objects.update(per_hour=0)
    reconcile()
    order(world.ines, Product.objects.get(subject=scan))
    ProductRule.objects.update(per_hour=1)
    reconcile()
    assert Product.objects.get(subject=scan).condition == "queued"


def test_a_detector_is_called_by_its_name_before_its_description(
    world: World, rule: ProductRule
) -> None:
    binding = {"content": "poni", "match": {"detector": "equal"}}
    ProductRule.objects.update(inputs={"geometry": binding})
    told = {"detector.local_name": "cam7", "detector.description": "big", "detector.name": "Eiger"}
    a_dataset(world, parameters={name: (text, "") for name, text in told.items()})
    (values,) = values_of(ProductRule.objects.get()).values()
    assert values == {"detector": "Eiger"}


def test_an_order_is_spent_when_its_result_is_there_whoever_made_it(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    ProductRule.objects.update(keep="manual")
    reconcile()
    order(world.ines, the_product())
    inputs = {"scan": [scan], "geometry": [Dataset.objects.get(content="poni")]}
    submit(world.ines, rule.recipe, inputs, {"bins": 500})
    finish_the_run()
    reconcile()
    assert the_product().condition == "fresh"
    a_geometry(world, hours=-1)
    assert reconcile().products.submitted == 0


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_is_removed_under_a_pass_does_not_end_the_steward(
    transactional_db: None, tmp_path: Path
) -> None:
    world = a_world(tmp_path)
    rule = ProductRule.objects.create(
        slug="xrd-map", recipe=a_recipe(), selection={"content": "nexus-scan"}, subject="scan",
        inputs={"geometry": {"content": "poni"}}, keep="fresh",
    )  # fmt: skip
    a_geometry(world, hours=-3)
    a_dataset(world, start_time=NOON)
    as_read = ProductRule.objects.select_related("recipe", "archive").get()
    rule.delete()
    keep(as_read, None, Kept())
    assert not Product.objects.exists()
    assert not ProcessingRun.objects.exists()


def test_a_plan_tells_of_the_products_that_a_rule_gives_up(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    reconcile()
    finish_the_run()
    ProductRule.objects.update(selection={"sample": "another"})
    assert plan_rule(ProductRule.objects.get()).orphaned == 1


def test_what_is_under_way_counts_with_its_own_price_against_the_days_budget(
    rule: ProductRule, scan: Dataset
) -> None:
    reconcile()
    limits = a_manifest().resources.model_copy(update={"cores": 100, "walltime_s": 36_000.0})
    dear = a_recipe(a_manifest().model_copy(update={"name": "dear", "resources": limits}))
    other = ProductRule.objects.create(slug="dear", recipe=dear, subject="scan", keep="fresh")
    ProcessingRun.objects.update(recipe=dear, rule=other)  # 1000 core-hours are under way
    day = Configuration(steward={"core_hours_per_day": 1000.0})
    assert budget_of(rule, day, due=10).runs == 0


def test_the_page_of_rules_keeps_to_max_change_too(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    Configuration.objects.create(number=1, steward={"max_change": 0})
    ProductRule.objects.update(owner="page")
    changed = render_rules().replace("500", "600")
    with pytest.raises(TooMuchChangeError):
        apply_rules(changed, person=world.dana)
    assert ProductRule.objects.get().parameters == {"bins": 500}
    assert apply_rules(changed, person=world.dana, is_confirmed=True)


def test_a_retracted_result_is_not_made_again_by_a_rule_that_is_new(
    world: World, rule: ProductRule, scan: Dataset
) -> None:
    reconcile()
    finish_the_run()
    retract(world.dana, scan.products.get().processing_run.activity.generated.get().dataset, "Why")
    rule.delete()
    rule.pk = None
    rule.save(force_insert=True)
    assert reconcile().products.submitted == 0
    assert the_product().condition == "retracted"
