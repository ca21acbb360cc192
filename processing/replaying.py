"""
Make an old result again from its record alone, and say whether it is the same.

A replay is a processing run like any other, with the inputs, parameters, clock and seed
of the original's row. It publishes nothing: its outputs are compared beside the data,
and only the verdict comes back.
"""

import json
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from catalogue.access import Person, may_process
from catalogue.errors import NotPermittedError, StoreError
from catalogue.models import DataFile, User
from catalogue.places import store_behind
from processing.bell import ring
from processing.determinism import digests_of
from processing.errors import LeaseLostError, NothingToReplayError
from processing.leases import Claim
from processing.models import Interest, ProcessingRun, Replay, RunInput
from processing.recipes.manifest import Manifest
from processing.ticket import Failure, Outcome

State = ProcessingRun.State
Purpose = ProcessingRun.Purpose
Verdict = Replay.Verdict

_PATIENT = -5  # the priority of what nobody waits for
# These end a replay at once: tried again, it would end the same.
_FINAL = {"input", "recipe", "output", "environment", "time"}


def reproduce(person: Person, original: ProcessingRun) -> Replay:
    """
    Ask for the replay of a processing run that a person sees.

    Parameters
    ----------
    person : User or AnonymousUser
        Must be signed in.
    original : ProcessingRun
        That has succeeded.

    Returns
    -------
    Replay
        Pending; or with its verdict if the record cannot be replayed, saying what is gone.

    Raises
    ------
    NotPermittedError
        If nobody is signed in.
    NothingToReplayError
        If the run brought no result.
    StoreError
        If a store is away, so that nobody can say what is gone.
    """
    if not may_process(person) or not isinstance(person, User):
        raise NotPermittedError("replay a processing run", "somebody who is signed in")
    return request_replay(original, person)


def replay_sample(per_day: int) -> list[Replay]:
    """Replay as many results, taken by chance, as are wanted and not yet asked for today."""
    today = Replay.objects.filter(
        requested_by=None, requested_at__gte=Now() - timedelta(days=1)
    ).count()
    done = ProcessingRun.objects.filter(
        state=State.SUCCEEDED, purpose=Purpose.PRODUCE, activity__isnull=False
    )
    wanted = done.select_related("recipe").order_by("?")[: max(per_day - today, 0)]
    return [replay for original in wanted if (replay := _try(original))]


def _try(original: ProcessingRun) -> Replay | None:
    try:
        return request_replay(original)
    except StoreError:
        return None  # a store that is away for a while has not lost anything


@transaction.atomic
def request_replay(original: ProcessingRun, person: User | None = None) -> Replay:
    """Ask for a replay on behalf of a person, or of the operator; see ``reproduce``."""
    _refuse(original)
    pending = original.replays.filter(
        verdict="", processing_run__state__in=[State.QUEUED, State.RUNNING]
    )
    if known := pending.first():
        return known
    if obstacle := _find_obstacle(original):
        return Replay.objects.create(
            original=original,
            requested_by=person,
            verdict=Verdict.NOT_REPLAYABLE,
            detail={"reason": obstacle},
            judged_at=Now(),
        )
    run = _queue(original, person)
    return Replay.objects.create(original=original, processing_run=run, requested_by=person)


def _refuse(original: ProcessingRun) -> None:
    uuid = str(original.uuid)
    if original.purpose != Purpose.PRODUCE:
        raise NothingToReplayError(uuid, "it is a replay itself")
    if original.state != State.SUCCEEDED or original.activity_id is None:
        raise NothingToReplayError(uuid, f"it is {original.state}")


def _queue(original: ProcessingRun, person: User | None) -> ProcessingRun:
    run = ProcessingRun.objects.create(
        purpose=Purpose.REPLAY,
        recipe=original.recipe,
        parameters=original.parameters,
        run_key=original.run_key,
        key_document=original.key_document,
        scope=original.scope,
        requested_by=person,
        configuration_id=original.configuration_id,
        resolution=original.resolution,
        proposal_id=original.proposal_id,
        clock=original.clock,
        seed=original.seed,
        priority=0 if person else _PATIENT,
    )
    RunInput.objects.bulk_create(
        RunInput(
            processing_run=run, dataset_id=row.dataset_id, role=row.role, position=row.position
        )
        for row in original.inputs.order_by("id")
    )
    if person:
        Interest.objects.create(processing_run=run, person=person)
    ring()
    return run


def _find_obstacle(original: ProcessingRun) -> str:
    """Say which part of the record is gone, in a sentence; empty if nothing is."""
    environment = Manifest.model_validate_json(original.recipe.manifest).environment
    if json.loads(original.key_document)["environment"] != environment.digest:
        return (
            f"The packages it was made with are gone: {_changes(original, environment.packages)}."
        )
    for given in original.inputs.select_related("dataset"):
        if file := _missing(given.dataset.files.select_related("store")):
            return f"{file.path} of {given.dataset.title}, its {given.role}, is gone."
    made = DataFile.objects.filter(dataset__generated_by__activity=original.activity_id)
    if file := _missing(made.select_related("store")):
        return f"{file.path} of the result is gone, so there is nothing to compare with."
    return ""


def _changes(original: ProcessingRun, now: dict[str, str]) -> str:
    then = original.activity.environment.get("packages", {}) if original.activity else {}
    changes = [
        f"{name} {then.get(name, 'none')} became {now.get(name, 'none')}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
    return ", ".join(changes) or "the same versions were built anew"


def _missing(files: QuerySet[DataFile]) -> DataFile | None:
    return next((f for f in files if store_behind(f.store).size(f.key) != f.size), None)


@transaction.atomic
def conclude(held: Claim, outcome: Outcome) -> bool:
    """
    End a replay with its verdict, publishing nothing; false if the run is none.

    A replay whose machine or disk failed is not ended here either: it is tried again.

    Raises
    ------
    LeaseLostError
        If the attempt no longer holds the lease.
    """
    failure = outcome.failure
    replays = ProcessingRun.objects.select_for_update().filter(purpose=Purpose.REPLAY)
    run = replays.filter(pk=held.run_id).first()
    if run is None or (failure and failure.reason not in _FINAL):
        return False
    if run.fence != held.fence or run.state != State.RUNNING:
        raise LeaseLostError(str(run.uuid), held.fence)
    run.state = State.FAILED if failure else State.SUCCEEDED
    run.lease_until, run.owner, run.finished_at = None, "", Now()
    run.problem = failure.model_dump(mode="json") if failure else None
    run.usage = outcome.usage.model_dump(mode="json")
    if failure is None:
        run.result_digest, run.content_digest = digests_of(outcome)
        run.progress_done = run.progress_total = max(run.progress_total, 1)
    run.save()
    _judge(run, outcome)
    return True


def _judge(run: ProcessingRun, outcome: Outcome) -> None:
    found = outcome.repetition
    if outcome.failure or found is None:
        failure = outcome.failure
        reason = failure.message if failure else "The engine has compared nothing."
        detail: dict[str, object] = {"reason": reason}
        verdict = Verdict.NOT_REPLAYABLE.value
    else:
        verdict = found.verdict
        detail = {"differences": [one.model_dump(mode="json") for one in found.deviations]}
    Replay.objects.filter(processing_run=run).update(
        verdict=verdict, detail=detail, judged_at=Now()
    )


def judge_ended() -> int:
    """Give a verdict to replays whose run ended without one: it died in every attempt."""
    pending = Replay.objects.filter(verdict="", processing_run__state=State.FAILED)
    ended = list(pending.select_related("processing_run"))
    for replay in ended:
        run = replay.processing_run
        problem = Failure.model_validate(run.problem) if run and run.problem else None
        replay.verdict = Verdict.NOT_REPLAYABLE
        replay.detail = {"reason": problem.message if problem else "It ended without a word."}
        replay.judged_at = Now()
        replay.save()
    return len(ended)
