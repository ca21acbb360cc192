"""
States of a processing run.

``queued`` to ``running`` and back is the lease's matter; this module ends runs. Success
registers the outputs and ends the run in one fenced transaction: either all of it
happens, once, or nothing.
"""

from collections.abc import Iterable
from mimetypes import guess_type
from pathlib import PurePosixPath

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from catalogue.access import Person
from catalogue.description import FoundParameter
from catalogue.digests import dataset_digest
from catalogue.errors import NotPermittedError
from catalogue.models import Activity, Dataset, RetractionMark, Tombstone
from catalogue.places import content_store
from catalogue.registration import (
    ActivityRecord,
    ConstantRecord,
    DerivedDataset,
    DerivedFile,
    register_derived,
)
from catalogue.retracting import lock_shared
from catalogue.storage.content import content_key
from processing import leases, replaying
from processing.access import may_cancel
from processing.bell import ring
from processing.determinism import digests_of
from processing.errors import LeaseLostError, ProcessingRunEndedError
from processing.leases import Claim
from processing.models import LogEntry, ProcessingRun, Product
from processing.submission import read_manifest
from processing.ticket import (
    Event,
    Failure,
    LogLine,
    MadeConstant,
    Outcome,
    OutputFile,
    Progress,
)

State = ProcessingRun.State

_MEDIA_TYPES = {".nxs": "application/x-hdf5", ".h5": "application/x-hdf5"}
_PROGRESS_BITS = 31  # of a positive integer column
_WAIT_FOR_OPERATOR = 12  # times the first wait of a retry
_INPUT_RETRACTED = Failure(
    reason="input",
    code="input-retracted",
    message="An input was taken back while the run was under way, so nothing was published. Its "
    "page says why; launch again with another dataset.",
)
# Whose fault it was decides whether the same run is tried again, and if that counts.
_RETRIED = {"lost": True, "memory": True}
_WAITING = {"disk": False, "environment": False}


def settle(held: Claim, outcome: Outcome) -> None:
    """
    Write what an attempt has brought into the database.

    Raises
    ------
    LeaseLostError
        If another worker has taken the run over; nothing is written then.
    """
    failure = outcome.failure
    if replaying.conclude(held, outcome):
        return  # a replay publishes nothing: it was compared
    if failure is None:
        succeed(held, outcome)
    elif failure.reason == "cancelled":
        _end(held, State.CANCELLED, outcome)
    elif failure.reason in _WAITING:
        wait_s = _WAIT_FOR_OPERATOR * settings.PALIMPSEST_RETRY_S
        _must(held, leases.release(held, failure, wait_s=wait_s, counts=False))
    elif failure.reason in _RETRIED and _has_attempts_left(held):
        _must(held, leases.release(held, failure, wait_s=None, counts=True))
    else:
        _end(held, State.FAILED, outcome)


@transaction.atomic
def succeed(held: Claim, outcome: Outcome) -> Activity | None:
    """
    Publish the outputs of an attempt and end its run, all or nothing.

    Parameters
    ----------
    held : Claim
        Its fence decides: of several attempts only the latest can publish.
    outcome : Outcome
        Outputs whose files lie in the content store already.

    Returns
    -------
    Activity or None
        None if an input was taken back meanwhile: the run has failed then.

    Raises
    ------
    LeaseLostError
        If the attempt no longer holds the lease.
    """
    # Before any row: who retracts locks in the same order.
    lock_shared()
    run = (
        ProcessingRun.objects.select_for_update(of=("self",))
        .select_related("recipe", "requested_by", "configuration")
        .get(pk=held.run_id)
    )
    if run.fence != held.fence or run.state != State.RUNNING:
        raise LeaseLostError(str(run.uuid), held.fence)
    if has_retracted_input(run):
        _end(held, State.FAILED, outcome.model_copy(update={"failure": _INPUT_RETRACTED}))
        return None
    activity = register_derived(_record(run, outcome))
    run.activity = activity
    _close(run, outcome)
    return activity


def has_retracted_input(run: ProcessingRun) -> bool:
    """Say whether an input was taken back, or stems from what was."""
    given = Q(dataset__run_inputs__processing_run=run)
    return (
        Tombstone.objects.filter(given).exists()
        or RetractionMark.objects.filter(given, retraction__undone_at=None).exists()
    )


def _close(run: ProcessingRun, outcome: Outcome) -> None:
    """End a run that has done what it was for."""
    run.state = State.SUCCEEDED
    run.lease_until = None
    run.owner = ""
    run.finished_at = Now()
    run.problem = None
    run.usage = outcome.usage.model_dump(mode="json")
    run.result_digest, run.content_digest = digests_of(outcome)
    run.progress_done = max(run.progress_total, 1)
    run.progress_total = max(run.progress_total, 1)
    run.save()
    _fulfil(run)


def record_events(held: Claim, events: Iterable[Event]) -> None:
    """Write log lines and the latest progress of an attempt; a lost attempt writes nothing."""
    events = list(events)
    mine = ProcessingRun.objects.filter(pk=held.run_id, fence=held.fence, state=State.RUNNING)
    latest = next((event for event in reversed(events) if isinstance(event, Progress)), None)
    if latest:
        done, total = _scale(latest)
        mine.update(progress_done=done, progress_total=total, stage=latest.stage[:100])
    lines = [event for event in events if isinstance(event, LogLine)]
    if lines and mine.exists():
        LogEntry.objects.bulk_create(
            LogEntry(
                processing_run_id=held.run_id,
                fence=held.fence,
                level=line.level,
                text=line.text[:4000],
            )
            for line in lines
        )


def _scale(told: Progress) -> tuple[int, int]:
    """Return progress as its columns hold it: a recipe may well count in bytes."""
    done, total = max(told.done, 0), max(told.total, 0)
    shift = max(0, max(done, total).bit_length() - _PROGRESS_BITS)
    return done >> shift, total >> shift


@transaction.atomic
def cancel(person: Person, run: ProcessingRun) -> bool:
    """
    Withdraw a person's wish for a result, and stop the run if nobody else has it.

    A data steward stops it whoever wants it. It ends at once while it is queued, else
    when its worker hears of it, within a second.

    Returns
    -------
    bool
        False if somebody else still waits for the result: the run goes on.

    Raises
    ------
    NotPermittedError
        If the person has not asked for it, nor is a data steward.
    ProcessingRunEndedError
        If there is nothing left to stop.
    """
    if not may_cancel(person, run):
        raise NotPermittedError("cancel this processing run", "a person who has asked for it")
    # Locked, so that nobody joins a run that is just being cancelled.
    held = ProcessingRun.objects.select_for_update().get(pk=run.pk)
    if held.is_final:
        raise ProcessingRunEndedError(str(run.uuid), held.state)
    others = held.interests.exclude(person_id=person.pk)
    is_wanted = held.rule_id or held.wanted_for.exists() or others.exists()
    if is_wanted and not getattr(person, "is_data_steward", False):
        held.interests.filter(person_id=person.pk).delete()
        return False
    held.cancel_requested = True
    if held.state == State.QUEUED:
        held.state, held.finished_at = State.CANCELLED, Now()
    held.save(update_fields=["cancel_requested", "state", "finished_at"])
    ring(cancelled=held.pk)
    return True


def _end(held: Claim, state: State, outcome: Outcome) -> None:
    ended = ProcessingRun.objects.filter(
        pk=held.run_id, fence=held.fence, state=State.RUNNING
    ).update(
        state=state,
        lease_until=None,
        owner="",
        finished_at=Now(),
        problem=outcome.failure.model_dump(mode="json") if outcome.failure else None,
        usage=outcome.usage.model_dump(mode="json"),
    )
    _must(held, bool(ended))


def _must(held: Claim, has_written: bool) -> None:  # noqa: FBT001 - the answer of an UPDATE
    if not has_written:
        run = ProcessingRun.objects.get(pk=held.run_id)
        raise LeaseLostError(str(run.uuid), held.fence)


def _has_attempts_left(held: Claim) -> bool:
    run = ProcessingRun.objects.get(pk=held.run_id)
    return run.attempt < run.max_attempts


def _record(run: ProcessingRun, outcome: Outcome) -> ActivityRecord:
    manifest = read_manifest(run.recipe)
    used: dict[str, list[Dataset]] = {}
    # The subject first: results take their title and instrument from it.
    order = {role: place for place, role in enumerate(manifest.inputs)}
    rows = run.inputs.select_related("dataset__facility", "dataset__instrument", "dataset__policy")
    for row in sorted(rows, key=lambda row: (order[row.role], row.position)):
        used.setdefault(row.role, []).append(row.dataset)
    subject = next(iter(used.values()))[0]
    roles = dict.fromkeys(file.role for file in outcome.outputs)
    return ActivityRecord(
        title=f"{manifest.title}: {subject.title}",
        used=used,
        generated=[
            _result(role, manifest.outputs[role].content, subject, outcome) for role in roles
        ],
        store=content_store(),
        recipe=run.recipe.name,
        version=run.recipe.version,
        run_key=run.run_key,
        key_document=run.key_document,
        parameters=run.parameters,
        environment=manifest.environment.model_dump(mode="json"),
        resolution=run.resolution,
        configuration=run.configuration.digest if run.configuration else "",
        person=run.requested_by,
        started_at=run.started_at,
        ended_at=timezone.now(),
    )


def _result(role: str, content: str, subject: Dataset, outcome: Outcome) -> DerivedDataset:
    data = [file for file in outcome.outputs if file.role == role]
    preview = outcome.preview
    pictures = [preview] if preview and preview.role == role else []
    return DerivedDataset(
        role=role,
        content=content,
        title=f"{content} of {subject.title}",
        files=[_file(file) for file in (*data, *pictures)],
        digest=dataset_digest((file.path, file.sha256) for file in data),
        thumbnail=pictures[0].sha256 if pictures else "",
        parameters=[
            FoundParameter(name=q.name, value=q.value, unit=q.unit) for q in outcome.quantities
        ],
        warnings=outcome.warnings,
        constant=next((_constant(it) for it in outcome.constants if it.role == role), None),
    )


def _constant(made: MadeConstant) -> ConstantRecord:
    return ConstantRecord(
        kind=made.kind,
        detector=made.detector,
        module=made.module,
        valid_from=made.valid_from,
        conditions=made.conditions,
    )


def _file(file: OutputFile) -> DerivedFile:
    suffix = PurePosixPath(file.path).suffix
    media_type = _MEDIA_TYPES.get(suffix) or guess_type(file.path)[0]
    return DerivedFile(
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        media_type=media_type or "application/octet-stream",
        key=content_key(file.sha256),
    )


def _fulfil(run: ProcessingRun) -> None:
    """Give a result to the products that have waited for it; the steward looks again."""
    fits = When(desired_key=run.run_key, then=Value(Product.Condition.FRESH))
    # What was pinned meanwhile stays as it is: without the pin, the result is found by its key.
    Product.objects.filter(wanted_run=run, pinned_at=None).update(
        processing_run=run,
        wanted_run=None,
        condition=Case(fits, default=Value(Product.Condition.STALE)),
        reasons=[],  # they told of the result before this one
        detail="",
        changed_at=Now(),
    )
