"""One claim per run, and nothing written by whoever lost it."""

import threading
import time
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from processing import leases
from processing.errors import LeaseLostError
from processing.leases import Claim
from processing.lifecycle import record_events, settle
from processing.models import ProcessingRun
from processing.ticket import Failure, LogLine, Outcome
from tests.builders import World, a_run

LOST = Failure(reason="lost", code="killed", message="gone")


@pytest.fixture
def let_the_lease_end(world: World, settings: LazySettings) -> Callable[[], None]:
    settings.PALIMPSEST_RETRY_S = 0

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE processing_processingrun"
                " SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'"
            )

    return end


def claim() -> Claim:
    held = leases.claim("worker", 60)
    assert held is not None
    return held


def test_a_run_is_claimed_once(world: World) -> None:
    a_run(world)
    assert leases.claim("first", 60) is not None
    assert leases.claim("second", 60) is None


@pytest.mark.django_db(transaction=True)
def test_twenty_workers_at_once_share_ten_runs(tmp_path: object, transactional_db: None) -> None:
    from tests.builders import a_world  # noqa: PLC0415 - a world that other threads see

    world = a_world(tmp_path)  # type: ignore[arg-type]  # pytest's own Path
    for bins in range(10, 20):
        a_run(world, bins=bins)
    claimed: list[Claim] = []

    def take() -> None:
        while held := leases.claim("worker", 60):
            claimed.append(held)
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 10
    assert len({held.run_id for held in claimed}) == 10


def test_higher_priority_goes_first_then_the_older(world: World) -> None:
    first, second, urgent = (a_run(world, bins=bins) for bins in (11, 12, 13))
    ProcessingRun.objects.filter(pk=urgent.pk).update(priority=5)
    assert [claim().run_id for _ in range(3)] == [urgent.pk, first.pk, second.pk]


def test_a_silent_workers_run_is_taken_up_again_under_a_new_fence(
    world: World, let_the_lease_end: Callable[[], None]
) -> None:
    a_run(world)
    old = claim()
    let_the_lease_end()
    assert [state for _, state in leases.reap()] == ["queued"]
    new = claim()
    assert new.fence == old.fence + 1
    assert not leases.beat(old, 60).is_held
    assert leases.beat(new, 60).is_held


def test_a_zombie_can_neither_publish_nor_fail_nor_log(
    world: World, let_the_lease_end: Callable[[], None]
) -> None:
    run = a_run(world)
    zombie = claim()
    let_the_lease_end()
    leases.reap()
    claim()
    for outcome in (Outcome(), Outcome(failure=LOST)):
        with pytest.raises(LeaseLostError):
            settle(zombie, outcome)
    record_events(zombie, [LogLine(text="from the grave")])
    run.refresh_from_db()
    assert run.state == "running"
    assert not run.log.exists()


def test_a_run_whose_workers_keep_dying_fails_after_the_last_attempt(
    world: World, let_the_lease_end: Callable[[], None]
) -> None:
    run = a_run(world)
    for _ in range(run.max_attempts):
        claim()
        let_the_lease_end()
        leases.reap()
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("failed", run.max_attempts)
    assert run.problem["code"] == "lease-expired"
    assert run.finished_at is not None


def test_the_leases_clock_is_the_databases(world: World) -> None:
    # Inside one transaction now() stands still; the lease must not.
    a_run(world)
    held = claim()
    before = ProcessingRun.objects.get(pk=held.run_id).lease_until
    time.sleep(0.05)
    leases.beat(held, 60)
    after = ProcessingRun.objects.get(pk=held.run_id).lease_until
    assert before is not None
    assert after is not None
    assert after > before


@pytest.mark.parametrize(("counts", "attempt"), [(True, 1), (False, 0)])
def test_waiting_for_the_operator_uses_up_no_attempt(
    world: World, *, counts: bool, attempt: int
) -> None:
    run = a_run(world)
    leases.release(claim(), LOST, wait_s=60, counts=counts)
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("queued", attempt)
    assert leases.claim("worker", 60) is None, "it is due only in a minute"


def test_each_retry_waits_twice_as_long_up_to_a_limit(world: World) -> None:
    run = a_run(world)
    waits = []
    for attempt in (1, 2, 3, 30):
        ProcessingRun.objects.filter(pk=run.pk).update(not_before=Now(), attempt=attempt - 1)
        leases.release(claim(), LOST, wait_s=None, counts=True)
        run.refresh_from_db()
        waits.append(round((run.not_before - timezone.now()).total_seconds()))
    assert waits == [5, 10, 20, leases.LONGEST_WAIT_S]


def test_a_reaped_run_waits_before_the_next_attempt(
    world: World, let_the_lease_end: Callable[[], None], settings: LazySettings
) -> None:
    a_run(world)
    claim()
    let_the_lease_end()
    settings.PALIMPSEST_RETRY_S = 5
    leases.reap()
    assert leases.claim("worker", 60) is None
