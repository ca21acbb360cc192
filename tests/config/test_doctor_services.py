"""Nobody works, on purpose; the doctor says who is missing."""

import io
from pathlib import Path

from django.core.management import call_command
from django.utils import timezone

from catalogue.models import Dataset, Listing
from config.doctor import services
from config.doctor.finding import Level
from processing.models import ArchiveCopy, ProcessingRun
from tests.builders import World, a_run
from tests.config.conftest import MakeProduct
from tests.config.doctoring import LONG_AGO, found


def test_runs_that_nobody_takes_are_told(world: World) -> None:
    run = a_run(world)
    assert found("workers") == []  # it has only just been queued
    ProcessingRun.objects.filter(pk=run.pk).update(not_before=timezone.now() - LONG_AGO)
    (finding,) = found("workers")
    assert finding.level == Level.FAIL
    assert "one for 2.0 h" in finding.what
    assert finding.how_to_mend.startswith("Start manage.py worker")
    busy = ProcessingRun.objects.filter(pk=a_run(world).pk)
    busy.update(state="running", owner="one", lease_until=timezone.now() + LONG_AGO)
    assert found("workers") == []  # somebody works: the queue is long, not forgotten


def test_a_lease_that_nobody_ends_is_told(world: World) -> None:
    run = ProcessingRun.objects.filter(pk=a_run(world).pk)
    run.update(state="running", owner="gone", lease_until=timezone.now() + LONG_AGO)
    assert found("workers") == []
    run.update(lease_until=timezone.now() - LONG_AGO)
    assert "1 processing runs have lost their worker" in found("workers")[0].what


def test_a_steward_that_does_not_run_is_known_by_what_waits(
    world: World, make_product: MakeProduct
) -> None:
    product = make_product()
    copy = ArchiveCopy.objects.create(dataset=product, store=world.archive)
    assert found("steward") == []
    ArchiveCopy.objects.update(not_before=timezone.now() - LONG_AGO)
    assert "1 archive copies wait" in found("steward")[0].what
    ArchiveCopy.objects.update(state="copying", lease_until=timezone.now() - LONG_AGO)
    assert "1 archive copies wait" in found("steward")[0].what
    copy.delete()
    Dataset.objects.filter(pk=product.pk).update(opens_at=timezone.now() - LONG_AGO)
    assert "1 datasets that have opened wait" in found("steward")[0].what
    Dataset.objects.filter(pk=product.pk).update(opening_noted=True)
    Listing.objects.filter(dataset=product).update(listed_at=timezone.now() - LONG_AGO)
    what = "The steward has not run for ten minutes: 1 listings that have become public wait."
    assert found("steward")[0].what == what


def test_an_archive_copy_that_was_given_up_is_told(world: World, make_product: MakeProduct) -> None:
    ArchiveCopy.objects.create(dataset=make_product(), store=world.archive, state="failed")
    assert found("steward")[0].level == Level.WARN


FACILITY = """
schema = 1
[facility]
id = "demo"
name = "Demo light source"
timezone = "Europe/Paris"
[storage]
products = {{ kind = "posix", root = "{root}" }}
[embargo.default]
period = "P3Y"
from = "dataset.end_time"
after = {{ licence = "CC-BY-4.0" }}
"""


def test_a_facility_that_was_not_applied_is_told(db: None, tmp_path: Path) -> None:
    file = tmp_path / "facility.toml"
    file.write_text(FACILITY.format(root=tmp_path / "products"))
    (finding,) = services.compare_declaration(file)
    assert finding.level == Level.WARN
    call_command("apply", str(file), stdout=io.StringIO())
    (finding,) = services.compare_declaration(file)
    assert finding.level == Level.OK
    file.write_text("schema = 2")
    (finding,) = services.compare_declaration(file)
    assert (finding.level, finding.how_to_mend) == (Level.FAIL, "Correct it.")
