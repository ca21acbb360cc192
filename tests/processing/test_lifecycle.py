"""Runs end once; success brings rows and files together, or nothing."""

import hashlib
import threading
from datetime import date
from pathlib import Path

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from catalogue.access import visible_datasets
from catalogue.errors import NotPermittedError
from catalogue.lineage import ancestors, descendants, origin
from catalogue.models import (
    Activity,
    Dataset,
    Guard,
    Retraction,
    RetractionMark,
    Tombstone,
)
from catalogue.places import content_folder, local_path
from catalogue.retracting import lock_exclusive
from catalogue.storage.content import keep_bytes
from processing import leases
from processing.errors import ProcessingRunEndedError
from processing.issuing import issue_ticket
from processing.leases import Claim
from processing.lifecycle import cancel, record_events, settle, succeed
from processing.models import ProcessingRun
from processing.submission import read_manifest, submit
from processing.ticket import Failure, Outcome, OutputFile, Progress, Quantity
from tests.builders import World, a_dataset, a_recipe, a_run, a_world


def outputs_of(run: ProcessingRun) -> list[Dataset]:
    return list(Dataset.objects.filter(generated_by__activity=run.activity_id).order_by("id"))


def claim() -> Claim:
    held = leases.claim("worker", 60)
    assert held is not None
    return held


def an_outcome(body: bytes = b"a map") -> Outcome:
    """What the supervisor reports once the files lie in the content store."""
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(content_folder(), body, sha256)
    file = OutputFile(role="result", path="map.nxs", size=len(body), sha256=sha256)
    return Outcome(
        outputs=(file,), quantities=(Quantity(name="valid_fraction", value=0.5, unit=None),)
    )


def test_success_makes_a_dataset_with_its_whole_provenance(world: World) -> None:
    run = a_run(world, bins=500)
    settle(claim(), an_outcome())
    run.refresh_from_db()
    (product,) = outputs_of(run)
    assert run.state == "succeeded"
    assert (product.kind, product.content, product.owner) == ("derived", "xrd-map", world.ines)
    assert local_path(product.files.get()).read_bytes() == b"a map"
    assert product.parameters.get(key__name="valid_fraction").number == 0.5
    step = origin(world.ines, product)
    assert step is not None
    assert step.activity.run_key == run.run_key
    assert step.activity.parameters["bins"] == 500
    assert hashlib.sha256(step.activity.key_document.encode()).hexdigest() == run.run_key
    assert [edge.role for edge in step.used] == ["scan", "geometry"]
    scan = step.used[0].dataset
    assert scan is not None
    assert product.pk in descendants(scan)
    assert scan.pk in ancestors(product)


def test_a_product_is_never_more_open_than_its_inputs(world: World) -> None:
    run = a_run(world)
    settle(claim(), an_outcome())
    (product,) = outputs_of(ProcessingRun.objects.get(pk=run.pk))
    assert not visible_datasets(world.sten).filter(pk=product.pk).exists()
    assert visible_datasets(world.carlo).filter(pk=product.pk).exists()


def test_a_product_opens_with_the_last_of_its_inputs(world: World) -> None:
    early = a_dataset(world, opens_on=date(2020, 1, 1))
    late = a_dataset(world, content="poni", opens_on=date(2031, 5, 5))
    submit(world.ines, a_recipe(), {"scan": [early], "geometry": [late]}, {})
    settle(claim(), an_outcome())
    product = Dataset.objects.get(kind="derived")
    assert Guard.objects.get(dataset=product).opens_on == date(2031, 5, 5)


def test_the_subject_is_the_first_role_of_the_recipe_whatever_else_is_given(world: World) -> None:
    inputs = {
        "mask": [a_dataset(world, content="image", title="Mask")],
        "geometry": [a_dataset(world, content="poni", title="Geometry")],
        "scan": [a_dataset(world, title="Green robe")],
    }
    submit(world.ines, a_recipe(), inputs, {})
    settle(claim(), an_outcome())
    assert Dataset.objects.get(kind="derived").title == "xrd-map of Green robe"


def test_a_failed_publication_leaves_no_row(world: World) -> None:
    run = a_run(world)
    held = claim()
    broken = an_outcome()
    (file,) = broken.outputs
    # The catalogue refuses the row: a checksum has 64 digits.
    broken = broken.model_copy(update={"outputs": (file.model_copy(update={"sha256": "x" * 99}),)})
    with pytest.raises(Error), transaction.atomic():
        settle(held, broken)
    run.refresh_from_db()
    assert run.state == "running"
    assert not Dataset.objects.filter(kind="derived").exists()
    assert not Activity.objects.filter(kind="processing").exists()


def test_the_same_wish_again_is_answered_by_the_known_result(world: World) -> None:
    run = a_run(world, bins=1000)
    settle(claim(), an_outcome())
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    again = submit(world.carlo, a_recipe(), inputs, {})  # 1000 is the default
    assert again.is_reused
    assert again.processing_run.pk == run.pk
    assert ProcessingRun.objects.count() == 1


def test_a_result_whose_bytes_are_gone_is_made_again(world: World) -> None:
    run = a_run(world)
    settle(claim(), an_outcome())
    (product,) = outputs_of(ProcessingRun.objects.get(pk=run.pk))
    local_path(product.files.get()).unlink()
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    again = submit(world.ines, a_recipe(), inputs, {})
    assert not again.is_reused
    settle(claim(), an_outcome())
    assert local_path(product.files.get()).read_bytes() == b"a map", "and the old one has it too"


def test_two_presses_of_launch_give_one_run(world: World) -> None:
    run = a_run(world)
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    again = submit(world.carlo, a_recipe(), inputs, {})
    assert again.is_joined
    assert again.processing_run.pk == run.pk


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("input", "failed"),
        ("recipe", "failed"),
        ("time", "failed"),
        ("lost", "queued"),
        ("memory", "queued"),
        ("disk", "queued"),
        ("environment", "queued"),
        ("cancelled", "cancelled"),
    ],
)
def test_whose_fault_it_was_decides_what_comes_next(world: World, reason: str, state: str) -> None:
    run = a_run(world)
    failure = Failure(reason=reason, code="code", message="A sentence.")  # type: ignore[arg-type]  # each literal
    settle(claim(), Outcome(failure=failure))
    run.refresh_from_db()
    assert run.state == state
    assert run.problem["message"] == "A sentence."


def test_a_failure_that_quotes_a_binary_header_is_still_the_recipes(world: World) -> None:
    run = a_run(world)
    message = "The header is \x89HDF\x00, of \udcff."
    settle(claim(), Outcome(failure=Failure(reason="recipe", code="code", message=message)))
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.problem["message"] == "The header is \x89HDF\ufffd, of ?."


def test_progress_may_be_counted_in_bytes(world: World) -> None:
    run = a_run(world)
    told = Progress(done=2**39, total=2**40, stage="reading\x00")
    record_events(claim(), [told, Progress(done=-1, total=0), told])
    run.refresh_from_db()
    assert run.progress_done / run.progress_total == pytest.approx(0.5)
    assert run.stage == "reading\ufffd"


def test_an_ended_run_changes_no_more(world: World) -> None:
    run = a_run(world)
    settle(claim(), an_outcome())
    with pytest.raises(Error, match="changes no more"), transaction.atomic():
        ProcessingRun.objects.filter(pk=run.pk).update(state="queued")


def test_provenance_changes_no_more(world: World) -> None:
    a_run(world)
    settle(claim(), an_outcome())
    with pytest.raises(Error, match="immutable"), transaction.atomic():
        Activity.objects.update(title="something else")


def test_a_person_who_leaves_takes_only_the_name(world: World) -> None:
    run = a_run(world)
    settle(claim(), an_outcome())
    world.ines.delete()
    run.refresh_from_db()
    assert run.requested_by is None
    assert Activity.objects.get(kind="processing").person is None


def test_a_queued_run_is_cancelled_at_once_a_running_one_by_its_worker(world: World) -> None:
    queued = a_run(world)
    cancel(world.ines, queued)
    queued.refresh_from_db()
    assert queued.state == "cancelled"
    running = a_run(world)
    held = claim()
    cancel(world.ines, running)
    running.refresh_from_db()
    assert running.state == "running"
    assert leases.beat(held, 60).is_cancel_requested


def test_only_the_owner_and_stewards_cancel(world: World) -> None:
    run = a_run(world)
    with pytest.raises(NotPermittedError):
        cancel(world.carlo, run)
    cancel(world.dana, run)
    with pytest.raises(ProcessingRunEndedError, match="cancelled"):
        cancel(world.dana, run)


@pytest.mark.parametrize("how", ["tombstone", "mark"])
def test_nothing_is_published_of_an_input_that_was_taken_back_meanwhile(
    world: World, how: str
) -> None:
    run = a_run(world)
    held = claim()
    scan = run.inputs.get(role="scan").dataset
    if how == "tombstone":
        Tombstone.objects.create(dataset=scan, kind="retracted", reason="wrong sample")
    else:
        above = Retraction.objects.create(dataset=a_dataset(world), reason="wrong sample")
        RetractionMark.objects.create(retraction=above, dataset=scan)
    settle(held, an_outcome())
    run.refresh_from_db()
    assert (run.state, run.problem["code"]) == ("failed", "input-retracted")
    assert not Dataset.objects.filter(kind="derived").exists()


def test_a_retraction_that_was_undone_stops_nothing(world: World) -> None:
    run = a_run(world)
    held = claim()
    scan = run.inputs.get(role="scan").dataset
    undone = Retraction.objects.create(dataset=scan, reason="wrong", undone_at=timezone.now())
    RetractionMark.objects.create(retraction=undone, dataset=scan)
    settle(held, an_outcome())
    run.refresh_from_db()
    assert run.state == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_who_retracts_waits_for_who_publishes(tmp_path: Path, transactional_db: None) -> None:
    a_run(a_world(tmp_path))
    held, published, order = claim(), threading.Event(), []

    def retract() -> None:
        with transaction.atomic():
            lock_exclusive()
            order.append("retracted" if published.is_set() else "too early")
        connection.close()

    with transaction.atomic():
        succeed(held, an_outcome())
        other = threading.Thread(target=retract)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it must wait for the transaction that publishes"
        published.set()
    other.join(20)
    assert order == ["retracted"]


def test_a_run_asks_for_the_packages_of_its_key_whatever_was_applied_since(world: World) -> None:
    run = a_run(world)
    manifest = read_manifest(run.recipe)
    newer = manifest.environment.model_copy(update={"digest": "f" * 64})
    run.recipe.manifest = manifest.model_copy(update={"environment": newer}).model_dump_json()
    run.recipe.save()
    # Else it runs with the new ones, under a key that says the old ones.
    assert issue_ticket(claim()).environment == manifest.environment.digest
