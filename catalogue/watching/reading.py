"""
Acquisitions that are complete, read and registered; what became of each is written down.

Two stewards, or two lanes of one, never read the same at once: whoever reads holds an
advisory lock of the database, which ends with the connection of a killed process.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Now

from catalogue.errors import CatalogueError, StoreError
from catalogue.ingest import register_path, register_paths
from catalogue.models import Arrival
from catalogue.registration import Registered
from catalogue.watching.arrivals import Due
from catalogue.watching.known import dataset_at, linked_files
from catalogue.watching.tree import is_there, look
from catalogue.watching.verdicts import CONTENT_CHANGED, Verdict, judge

_log = logging.getLogger(__name__)

State = Arrival.State

_LOCK = 0x5741_5443 << 24  # no other advisory lock of ours has such a number


_Read = tuple[Due, Registered | Exception]
_DATABASE_AWAY = (OperationalError, InterfaceError)
_AT_ONCE = 500
LARGE = 512 << 20  # bytes: some seconds of hashing


class StoppedError(Exception):
    """The process is to end; nothing is decided about what was under way."""


def read_due(due: Sequence[Due], stopping: threading.Event) -> Counter[str]:
    """
    Read and register acquisitions, many small ones at once, large ones alone.

    Parameters
    ----------
    due : sequence of Due
        Some of them may have been taken by another steward meanwhile.
    stopping : Event
        Once it is set nothing more is begun, and what is under way is given up.

    Returns
    -------
    Counter of str
        How many ended in each state, and how many of them are "new".
    """
    done: Counter[str] = Counter()
    for group in _groups(due):
        if stopping.is_set():
            break
        with _claimed(group) as mine:
            for one, outcome in _read(mine, stopping):
                done.update(_settle(one, outcome))
    return done


def _groups(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Put together what may be read at once: small, and with one proposal for all."""
    small: dict[str, list[Due]] = {}
    for one in due:
        if one.size >= LARGE:
            yield [one]
        else:
            small.setdefault(one.proposal, []).append(one)
    for group in small.values():
        for begin in range(0, len(group), _AT_ONCE):
            yield group[begin : begin + _AT_ONCE]


@contextmanager
def _claimed(group: list[Due]) -> Iterator[list[Due]]:
    """Give those that nobody else reads, nor has since they were seen."""
    pks = [one.arrival.pk for one in group]
    with connection.cursor() as cursor:
        # Of nothing but these numbers: a condition on a table may lock other rows' numbers.
        cursor.execute(
            "SELECT pk FROM unnest(%s::bigint[]) AS pk WHERE pg_try_advisory_lock(%s + pk)",
            [pks, _LOCK],
        )
        free = {pk for (pk,) in cursor.fetchall()}
        try:
            yield _as_seen([one for one in group if one.arrival.pk in free])
        finally:
            cursor.execute(
                "SELECT pg_advisory_unlock(%s + pk) FROM unnest(%s::bigint[]) AS pk",
                [_LOCK, list(free)],
            )


def _as_seen(group: list[Due]) -> list[Due]:
    names = ("pk", "fingerprint", "state", "attempts")
    rows = Arrival.objects.filter(pk__in=[one.arrival.pk for one in group])
    now = set(rows.values_list(*names))
    return [one for one in group if tuple(getattr(one.arrival, it) for it in names) in now]


def _read(group: list[Due], stopping: threading.Event) -> Iterator[_Read]:
    """Read what was claimed; if one of many breaks what reads them, go on one by one."""
    left = {one.path: one for one in group}
    if len(group) > 1:
        try:
            for path, outcome in register_paths(
                list(left), person=None, proposal=group[0].proposal, whole=True
            ):
                yield left.pop(path), outcome
                if stopping.is_set():
                    return
        except _DATABASE_AWAY:
            raise
        except Exception:  # noqa: BLE001 - a thread's border: one must not stop the others
            _log.exception("Registering %s acquisitions at once failed", len(group))
    for one in left.values():
        yield one, _read_alone(one, stopping)


def _read_alone(one: Due, stopping: threading.Event) -> Registered | Exception:
    def heed(_done: int, _total: int) -> None:
        if stopping.is_set():
            raise StoppedError

    try:
        return register_path(
            one.path, person=None, proposal=one.proposal, progress=heed, whole=True
        )
    except (StoppedError, *_DATABASE_AWAY):
        raise
    except CatalogueError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a thread's border: one must not stop the others
        _log.exception("Registering %s failed", one.seen.acquisition.key)
        return error


def _settle(one: Due, outcome: Registered | Exception) -> list[str]:
    """Write down what became of an acquisition; return the words by which it is counted."""
    if isinstance(outcome, Registered):
        _note_registered(one, outcome.dataset.pk)
        return [State.REGISTERED, *(["new"] if outcome.is_new else [])]
    if not is_there(one.seen.root):
        outcome = StoreError(
            one.seen.rule.store.slug, "its folder is not there. It is tried again."
        )
    elif (now := look(one.seen.root, one.seen.acquisition)) is None:
        _write(one, Verdict(State.VANISHED, "", "It went away while it was read."))
        return [State.VANISHED]
    elif now.entries != one.seen.acquisition.entries:
        return [State.WAITING]  # the next look sees that it has changed
    verdict = judge(outcome)
    _write(one, verdict)
    _log.warning("%s is %s: %s", one.seen.acquisition.key, verdict.state, verdict.reason)
    return [verdict.state]


def _row(one: Due) -> QuerySet[Arrival]:
    """Select the row of an acquisition, unless it was seen to change meanwhile."""
    row = one.arrival
    return Arrival.objects.filter(
        pk=row.pk, fingerprint=row.fingerprint, state=row.state, attempts=row.attempts
    )


def _note_registered(one: Due, dataset: int) -> None:
    _row(one).update(
        state=State.REGISTERED, code="", reason="", seen_at=Now(), attempts=F("attempts") + 1,
        **_bind(one, dataset),
    )  # fmt: skip


def _bind(one: Due, dataset: int) -> dict[str, Any]:
    """Remember the dataset and how its files look: from now on all of them are watched."""
    acquisition = one.seen.acquisition
    beside = linked_files([] if acquisition.is_folder else [(dataset, one.seen.root)])
    return {"dataset": dataset, "fingerprint": acquisition.fingerprint(beside.get(dataset, ()))}


def _write(one: Due, verdict: Verdict) -> None:
    changes: dict[str, Any] = {
        "state": verdict.state,
        "code": verdict.code,
        "reason": verdict.reason[:2000],
        "attempts": F("attempts") + 1,
        "seen_at": Now(),
    }
    if verdict.begins_anew:
        changes |= {"quiet_since": Now(), "attempts": Value(0)}
    known = dataset_at(one.seen.rule, one.seen.acquisition)
    if verdict.code == CONTENT_CHANGED and known:
        changes |= _bind(one, known)
    _row(one).update(**changes)
