"""
Claim, beat, reap: who may work on a run, by lease and fence.

Only the database's clock counts. A claim raises the run's fence; every later write
carries that fence, so whoever lost the lease can write nothing more.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from processing.ticket import Failure

LONGEST_WAIT_S = 600

# One claim at a time, within one message to the server so that no stopped client can keep
# the others waiting: how many runs of a proposal are under way is then never out of date.
_TURN = 0x636C_6169_6D  # "claim"

# Fair: by priority, then whose proposal has the fewest runs under way, then the oldest.
# The first part hops from proposal to proposal along the index run_shares, so it costs as
# much as there are proposals in the queue, however long that is.
_CLAIM = """
SELECT pg_advisory_xact_lock(%(turn)s);
WITH RECURSIVE shares AS (
    (SELECT priority, coalesce(proposal_id, 0) AS share, id, not_before
       FROM processing_processingrun WHERE state = 'queued'
      ORDER BY priority, coalesce(proposal_id, 0), id LIMIT 1)
  UNION ALL
    SELECT following.* FROM shares AS s CROSS JOIN LATERAL (
      SELECT r.priority, coalesce(r.proposal_id, 0), r.id, r.not_before
        FROM processing_processingrun AS r
       WHERE r.state = 'queued'
         AND (r.priority, coalesce(r.proposal_id, 0)) > (s.priority, s.share)
       ORDER BY r.priority, coalesce(r.proposal_id, 0), r.id LIMIT 1) AS following
), busy AS (
    SELECT coalesce(proposal_id, 0) AS share, count(*) AS runs FROM processing_processingrun
     WHERE state = 'running' GROUP BY 1
), quota AS (
    SELECT (SELECT (limits ->> 'runs_per_proposal')::int FROM processing_configuration
             ORDER BY number DESC LIMIT 1) AS most
), oldest AS (
    SELECT s.priority, coalesce(busy.runs, 0) AS runs,
           CASE WHEN s.not_before <= clock_timestamp() THEN s.id ELSE (
             SELECT r.id FROM processing_processingrun AS r
              WHERE r.state = 'queued' AND r.priority = s.priority
                AND coalesce(r.proposal_id, 0) = s.share AND r.not_before <= clock_timestamp()
              ORDER BY r.id LIMIT 1) END AS id
      FROM shares AS s LEFT JOIN busy USING (share) CROSS JOIN quota
     WHERE s.share = 0 OR quota.most IS NULL OR coalesce(busy.runs, 0) < quota.most
), chosen AS (
    SELECT id FROM oldest WHERE id IS NOT NULL ORDER BY priority DESC, runs, id LIMIT 1
)
UPDATE processing_processingrun
   SET state = 'running', owner = %(owner)s, fence = fence + 1, attempt = attempt + 1,
       lease_until = clock_timestamp() + %(ttl)s * interval '1 second',
       started_at = coalesce(started_at, clock_timestamp()),
       progress_done = 0, progress_total = 0, stage = ''
 WHERE id = (SELECT id FROM chosen) AND state = 'queued'
RETURNING id, fence, attempt
"""

# Twice as long after each attempt that counted, up to a limit.
_BACK_OFF = f"least({LONGEST_WAIT_S}, %(first)s * power(2, greatest(attempt - 1, 0)))"

_BEAT = """
UPDATE processing_processingrun SET lease_until = clock_timestamp() + %(ttl)s * interval '1 second'
 WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
RETURNING cancel_requested
"""

_REAP = f"""
UPDATE processing_processingrun
   SET state = CASE WHEN cancel_requested THEN 'cancelled'
                    WHEN attempt >= max_attempts THEN 'failed' ELSE 'queued' END,
       owner = '', lease_until = NULL,
       not_before = clock_timestamp() + {_BACK_OFF} * interval '1 second',
       finished_at = CASE WHEN cancel_requested OR attempt >= max_attempts
                          THEN clock_timestamp() END,
       problem = CASE WHEN attempt >= max_attempts THEN %(final)s ELSE %(lost)s END::jsonb
 WHERE state = 'running' AND lease_until < clock_timestamp()
RETURNING uuid, state
"""

_RELEASE = f"""
UPDATE processing_processingrun
   SET state = 'queued', owner = '', lease_until = NULL,
       attempt = attempt - %(give_back)s,
       not_before = clock_timestamp()
                  + coalesce(%(wait)s, {_BACK_OFF}) * interval '1 second',
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
    """
    Take the run whose turn it is, None if none is due.

    Of equal priority, the proposal with the fewest runs under way goes first, so that
    nobody's thousand runs keep another's one waiting. A proposal that has as many under
    way as the configuration allows is passed over.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"turn": _TURN, "owner": owner, "ttl": lease_s})
        cursor.nextset()
        row = cursor.fetchone()
    return Claim(*row) if row else None


def beat(held: Claim, lease_s: float) -> Beat:
    """Prolong a lease; if it is lost, stop working at once."""
    row = _one(_BEAT, {"id": held.run_id, "fence": held.fence, "ttl": lease_s})
    return Beat(is_held=True, is_cancel_requested=row[0]) if row else Beat(is_held=False)


def reap() -> list[tuple[str, str]]:
    """Put runs whose lease has ended back into the queue, or end them; (uuid, state) each."""
    with connection.cursor() as cursor:
        values: dict[str, float | str] = {
            "lost": _LOST.model_dump_json(),
            "final": _GIVEN_UP.model_dump_json(),
            "first": settings.PALIMPSEST_RETRY_S,
        }
        cursor.execute(_REAP, values)
        return [(str(uuid), state) for uuid, state in cursor.fetchall()]


def release(held: Claim, failure: Failure, *, wait_s: float | None, counts: bool) -> bool:
    """
    Give a run back to the queue.

    Parameters
    ----------
    held : Claim
        Nothing happens if it is lost.
    failure : Failure
        Why; pages show it while the run waits.
    wait_s : float or None
        Seconds until it is due again; None waits longer after each attempt.
    counts : bool
        Whether this attempt counts towards the limit.
    """
    values = {
        "id": held.run_id,
        "fence": held.fence,
        "wait": wait_s,
        "first": settings.PALIMPSEST_RETRY_S,
        "give_back": 0 if counts else 1,
        "problem": failure.model_dump_json(),
    }
    return _one(_RELEASE, values) is not None


def _one(sql: str, values: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()
