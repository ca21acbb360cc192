"""
Claim, beat, reap: who may work on a run, by lease and fence.

Only the database's clock counts. A claim raises the run's fence; every later write
carries that fence, so whoever lost the lease can write nothing more.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from processing.ticket import Failure

# "id = (SELECT ...)", not "IN": the planner could lock more rows than it takes.
_CLAIM = """
UPDATE processing_processingrun
   SET state = 'running', owner = %(owner)s, fence = fence + 1, attempt = attempt + 1,
       lease_until = clock_timestamp() + %(ttl)s * interval '1 second',
       started_at = coalesce(started_at, clock_timestamp()),
       progress_done = 0, progress_total = 0, stage = ''
 WHERE id = (SELECT id FROM processing_processingrun
              WHERE state = 'queued' AND not_before <= clock_timestamp()
              ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
   AND state = 'queued'
RETURNING id, fence, attempt
"""

_BEAT = """
UPDATE processing_processingrun SET lease_until = clock_timestamp() + %(ttl)s * interval '1 second'
 WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
RETURNING cancel_requested
"""

_REAP = """
UPDATE processing_processingrun
   SET state = CASE WHEN cancel_requested THEN 'cancelled'
                    WHEN attempt >= max_attempts THEN 'failed' ELSE 'queued' END,
       owner = '', lease_until = NULL,
       not_before = clock_timestamp(),
       finished_at = CASE WHEN cancel_requested OR attempt >= max_attempts
                          THEN clock_timestamp() END,
       problem = CASE WHEN attempt >= max_attempts THEN %(final)s ELSE %(lost)s END::jsonb
 WHERE state = 'running' AND lease_until < clock_timestamp()
RETURNING uuid, state
"""

_RELEASE = """
UPDATE processing_processingrun
   SET state = 'queued', owner = '', lease_until = NULL,
       attempt = attempt - %(give_back)s,
       not_before = clock_timestamp() + %(wait)s * interval '1 second',
       problem = %(problem)s
 WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
RETURNING id
"""

_LOST = Failure(
    reason="lost",
    code="lease-expired",
    message="The worker did not answer any more; another one takes the run up again.",
)

_GIVEN_UP = _LOST.model_copy(
    update={
        "message": "The worker died in every attempt, so there will be no other. Ask the operator "
        "to look at the workers, then launch again."
    }
)


@dataclass(frozen=True)
class Claim:
    """The right to work on a run until the lease ends; ``run_id`` is its row."""

    run_id: int
    fence: int
    attempt: int = 1


@dataclass(frozen=True)
class Beat:
    """What a heartbeat learns."""

    is_held: bool
    is_cancel_requested: bool = False


def claim(owner: str, lease_s: float) -> Claim | None:
    """Take the next due run of the queue, None if there is none."""
    row = _one(_CLAIM, {"owner": owner, "ttl": lease_s})
    return Claim(*row) if row else None


def beat(held: Claim, lease_s: float) -> Beat:
    """Prolong a lease; if it is lost, stop working at once."""
    row = _one(_BEAT, {"id": held.run_id, "fence": held.fence, "ttl": lease_s})
    return Beat(is_held=True, is_cancel_requested=row[0]) if row else Beat(is_held=False)


def reap() -> list[tuple[str, str]]:
    """Put runs whose lease has ended back into the queue, or end them; (uuid, state) each."""
    with connection.cursor() as cursor:
        texts = {"lost": _LOST.model_dump_json(), "final": _GIVEN_UP.model_dump_json()}
        cursor.execute(_REAP, texts)
        return [(str(uuid), state) for uuid, state in cursor.fetchall()]


def release(held: Claim, failure: Failure, *, wait_s: float, counts: bool) -> bool:
    """
    Give a run back to the queue.

    Parameters
    ----------
    held : Claim
        Nothing happens if it is lost.
    failure : Failure
        Why; pages show it while the run waits.
    wait_s : float
        Seconds until it is due again.
    counts : bool
        Whether this attempt counts towards the limit.
    """
    values = {
        "id": held.run_id,
        "fence": held.fence,
        "wait": wait_s,
        "give_back": 0 if counts else 1,
        "problem": failure.model_dump_json(),
    }
    return _one(_RELEASE, values) is not None


def _one(sql: str, values: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()
