"""Rules are kept true by looking at everything and remembering nothing."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from catalogue.models import Dataset, Proposal
from catalogue.places import content_folder
from catalogue.storage.content import keep_bytes
from processing import leases
from processing.lifecycle import settle
from processing.models import ArchiveCopy, ProcessingRun, Product, ProductRule
from processing.products.explaining import explain, find_product
from processing.steward import clear_staging, reconcile
from processing.submission import submit
from processing.ticket import Failure, Outcome, OutputFile
from tests.builders import World, a_dataset, a_recipe, a_run, a_world
from tests.catalogue.closing import guarded

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def rule(world: World) -> ProductRule:
    return ProductRule.objects.create(
        slug="xrd-map",
        recipe=a_recipe(),
        selection={"kind": "raw", "instrument": "id13", "content": "nexus-scan"},
        subject="scan",
        inputs={"geometry": {"content": "poni", "pick": "closest_before"}},
        parameters={"bins": 500},
        keep="fresh",
        archive=world.archive,
    )


def a_geometry(world: World, at: datetime) -> Dataset:
    return a_dataset(world, content="poni", title=f"Geometry {at:%H:%M}", start_time=at)


def finish_the_run(body: bytes = b"a map") -> ProcessingRun:
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(content_folder(), body, sha256)
    held = leases.claim("worker", 60)
    assert held is not None
    output = OutputFile(role="result", path="map.nxs", size=len(body), sha256=sha256)
    settle(held, Outcome(outputs=(output,)))
    return ProcessingRun.objects.get(pk=held.run_id)


def test_a_wanted_product_is_launched_once_however_often_one_looks(
    world: World, rule: ProductRule
) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    assert [reconcile().products.submitted for _ in range(3)] == [1, 0, 0]
    finish_the_run()
    assert reconcile().products.submitted == 0


def test_the_geometry_is_the_newest_that_is_no_later_than_the_scan(
    world: World, rule: ProductRule
) -> None:
    for hours in (-3, -1, 1):
        a_geometry(world, NOON + timedelta(hours=hours))
    a_dataset(world, start_time=NOON)
    reconcile()
    run = ProcessingRun.objects.get()
    assert run.inputs.get(role="geometry").dataset.title == "Geometry 11:00"


def test_the_geometry_of_another_proposal_would_hide_the_product_and_is_not_picked(
    world: World, rule: ProductRule
) -> None:
    a_geometry(world, NOON - timedelta(hours=3))
    other = Proposal.objects.create(facility=world.facility, number="hg-200", title="Other")
    theirs = a_dataset(
        world, content="poni", start_time=NOON - timedelta(hours=1), proposal=other, title="Theirs"
    )
    a_dataset(world, start_time=NOON)
    reconcile()
    assert ProcessingRun.objects.get().inputs.get(role="geometry").dataset.title == "Geometry 09:00"
    guarded(theirs, opens_on=NOON.date(), listed_on=NOON.date())
    reconcile()  # now it is open, and newer
    assert Product.objects.get().wanted_run.inputs.get(role="geometry").dataset == theirs


def test_a_better_geometry_that_comes_late_makes_a_new_product(
    world: World, rule: ProductRule
) -> None:
    a_geometry(world, NOON - timedelta(hours=3))
    a_dataset(world, start_time=NOON)
    reconcile()
    first = finish_the_run()
    a_geometry(world, NOON - timedelta(hours=1))
    assert reconcile().products.submitted == 1
    second = finish_the_run(b"a better map")
    assert Product.objects.get().processing_run == second
    assert first.run_key != second.run_key


def test_a_product_without_geometry_says_what_is_missing(world: World, rule: ProductRule) -> None:
    a_dataset(world, start_time=NOON)
    assert reconcile().products.blocked == 1
    assert (
        "Nothing fits the role geometry: wanted is the latest poni before it"
        in Product.objects.get().detail
    )
    a_geometry(world, NOON - timedelta(hours=1))
    assert reconcile().products.submitted == 1
    assert Product.objects.get().detail == ""


def test_a_failed_product_waits_for_a_person(world: World, rule: ProductRule) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    reconcile()
    held = leases.claim("worker", 60)
    assert held is not None
    failure = Failure(reason="input", code="xrd-shape", message="transposed?")
    settle(held, Outcome(failure=failure))
    assert reconcile().products.submitted == 0
    assert ProcessingRun.objects.count() == 1


@pytest.mark.parametrize("reason", ["input", "cancelled"])
def test_what_a_person_launches_after_a_failure_fulfils_the_product(
    world: World, rule: ProductRule, reason: Literal["input", "cancelled"]
) -> None:
    geometry = a_geometry(world, NOON - timedelta(hours=1))
    scan = a_dataset(world, start_time=NOON)
    reconcile()
    held = leases.claim("worker", 60)
    assert held is not None
    settle(held, Outcome(failure=Failure(reason=reason, code="code", message="A sentence.")))
    reconcile()
    inputs = {"scan": [scan], "geometry": [geometry]}
    again = submit(world.ines, rule.recipe, inputs, {"bins": 500}).processing_run
    finish_the_run()
    reconcile()
    assert Product.objects.get().processing_run == again
    assert ArchiveCopy.objects.get().state == "archived"


def test_a_product_that_a_person_has_made_before_is_taken_over(
    world: World, rule: ProductRule
) -> None:
    geometry = a_geometry(world, NOON - timedelta(hours=1))
    scan = a_dataset(world, start_time=NOON)
    inputs = {"scan": [scan], "geometry": [geometry]}
    by_hand = submit(world.ines, rule.recipe, inputs, {"bins": 500}).processing_run
    finish_the_run()
    assert reconcile().products.submitted == 0
    assert Product.objects.get().processing_run == by_hand
    assert ArchiveCopy.objects.count() == 1


def test_a_product_arrives_in_the_archive_proved_and_once(world: World, rule: ProductRule) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    reconcile()
    finish_the_run()
    assert [reconcile().copied for _ in range(3)] == [1, 0, 0]
    copy = ArchiveCopy.objects.get()
    product = Dataset.objects.get(kind="derived")
    assert (copy.state, copy.dataset, copy.bytes_done) == ("archived", product, 5)
    assert Path(world.archive.root, str(product.pid), "map.nxs").read_bytes() == b"a map"


def test_an_archive_that_is_away_is_tried_again_later(world: World, rule: ProductRule) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    reconcile()
    finish_the_run()
    root = Path(world.archive.root)
    root.rmdir()
    root.write_text("a file where the folder should be: the mount is gone")
    assert reconcile().copied == 0
    copy = ArchiveCopy.objects.get()
    assert copy.state == "waiting"
    assert "archive" in copy.problem
    assert world.archive.root not in copy.problem
    root.unlink()
    root.mkdir()
    ArchiveCopy.objects.update(not_before=NOON)  # its time has come
    assert reconcile().copied == 1


def test_an_archive_that_is_not_mounted_is_not_filled_behind_the_mount(
    world: World, rule: ProductRule
) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    reconcile()
    finish_the_run()
    root = Path(world.archive.root)
    root.rename(root.with_name("unplugged"))
    assert reconcile().copied == 0
    assert not root.exists()
    assert "mount" in ArchiveCopy.objects.get().problem


def test_a_copy_whose_steward_was_killed_is_taken_up_again(world: World, rule: ProductRule) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    reconcile()
    finish_the_run()
    product = Dataset.objects.get(kind="derived")
    ArchiveCopy.objects.create(
        dataset=product, store=world.archive, state="copying", fence=1, lease_until=NOON
    )
    assert reconcile().copied == 1
    assert ArchiveCopy.objects.get().fence == 2


def test_what_killed_attempts_left_is_removed_a_day_later_and_nothing_else(world: World) -> None:
    run = a_run(world)
    assert leases.claim("worker", 60) is not None
    staging = Path(world.products.root, "staging")
    long_ago = time.time() - 2 * 24 * 3600
    living, dead, young, foreign = (
        staging / name for name in (f"{run.uuid}.1", f"{run.uuid}.0", f"{uuid4()}.4", "notes.old")
    )
    for folder in (living, dead, young, foreign):
        folder.mkdir(parents=True)
    for folder in (living, dead, foreign):
        os.utime(folder, (long_ago, long_ago))
    assert clear_staging() == 1
    assert not dead.exists()
    assert living.exists(), "somebody works there"
    assert young.exists()
    assert foreign.exists(), "it is not ours"


def test_a_folder_that_vanishes_under_the_look_does_not_end_the_pass(world: World) -> None:
    staging = Path(world.products.root, "staging")
    staging.mkdir()
    # A link to nowhere is listed, and gone when it is looked at.
    (staging / f"{uuid4()}.1").symlink_to(staging / "gone")
    assert clear_staging() == 0


def test_a_rule_that_is_manual_launches_nothing(world: World, rule: ProductRule) -> None:
    ProductRule.objects.update(keep="manual")
    a_geometry(world, NOON - timedelta(hours=1))
    a_dataset(world, start_time=NOON)
    assert reconcile().products.submitted == 0


@pytest.mark.django_db(transaction=True)
def test_two_stewards_at_once_do_no_harm(tmp_path: Path, transactional_db: None) -> None:
    world = a_world(tmp_path)
    ProductRule.objects.create(
        slug="xrd-map", recipe=a_recipe(), selection={"kind": "raw"}, subject="scan",
        inputs={"geometry": {"content": "poni"}}, keep="fresh", archive=world.archive,
    )  # fmt: skip
    a_geometry(world, NOON - timedelta(hours=1))
    for _ in range(3):
        a_dataset(world, start_time=NOON)

    def look() -> None:
        try:
            reconcile()
        finally:
            connection.close()

    def both_look() -> None:
        stewards = [threading.Thread(target=look) for _ in range(4)]
        for steward in stewards:
            steward.start()
        for steward in stewards:
            steward.join()

    both_look()
    assert ProcessingRun.objects.count() == 3
    for number in range(3):
        finish_the_run(f"map {number}".encode())
    both_look()
    assert ProcessingRun.objects.count() == 3
    assert [copy.state for copy in ArchiveCopy.objects.all()] == ["archived"] * 3


def test_why_a_run_failed_is_for_those_to_whom_its_inputs_are_open(
    world: World, rule: ProductRule, client_of: Callable[[str | None], Client]
) -> None:
    a_geometry(world, NOON - timedelta(hours=1))
    subject = a_dataset(world, start_time=NOON, listed_on=NOON.date() - timedelta(days=600))
    reconcile()
    held = leases.claim("worker", 60)
    assert held is not None
    problem = Failure(reason="recipe", code="x", message="scan_0815.h5 has no frames.")
    settle(held, Outcome(failure=problem))
    reconcile()
    name = f"products/xrd-map/{subject.pid}/"
    addresses = ("/products/", "/api/v1/products/", f"/{name}", f"/api/v1/{name}")
    for address in (*addresses, f"/datasets/{subject.pid}/processing/"):
        told = client_of("sten").get(address).content.decode()
        assert "It failed after 1 attempt." in told
        assert "scan_0815" not in told
    for address in addresses[2:]:
        assert "scan_0815.h5 has no frames." in client_of("carlo").get(address).content.decode()


def test_an_explanation_tells_no_checksum_of_what_is_closed(
    world: World, rule: ProductRule
) -> None:
    old = a_geometry(world, NOON - timedelta(hours=3))
    subject = a_dataset(world, start_time=NOON, listed_on=NOON.date() - timedelta(days=600))
    reconcile()
    finish_the_run()
    reconcile()
    new = a_geometry(world, NOON - timedelta(hours=1))
    product = find_product(world.sten, f"xrd-map/{subject.pid}")
    told = "\n".join(explain(world.sten, product).lines())
    assert "inputs.geometry: a checksum of data that are closed to you" in told
    assert old.digest[:8] not in told
    assert new.digest[:8] not in told
    assert old.digest[:8] in "\n".join(explain(world.carlo, product).lines())
