"""
What is seen, compared with what is known: which acquisitions are complete by now.

Level-triggered: each pass compares everything and remembers only what the rows hold. All
questions to the database are asked for a thousand acquisitions at once.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection

from catalogue.models import Arrival, AuditEvent, IngestRule, Proposal
from catalogue.patterns import fill
from catalogue.watching.known import Known, find_known, linked_files
from catalogue.watching.tree import Acquisition, Entry
from catalogue.watching.verdicts import MAY_HEAL, NO_PROPOSAL

State = Arrival.State

CHOSEN = "arrival.proposal"
"""Act of the audit log by which a data steward names the proposal of an acquisition."""

_FIRST_PAUSE_S = 30
# A store may come back any minute; a file that was refused seldom heals.
_LONGEST_PAUSE_S = {State.WAITING: 600, State.QUARANTINED: 3600}
_LAST_ATTEMPT = 8  # after some three hours a person has to look


class Clock:
    """The database's clock, asked once: two stewards may disagree about their own."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            self._base: datetime = cursor.fetchone()[0]
        self._asked = time.monotonic()

    def now(self) -> datetime:
        return self._base + timedelta(seconds=time.monotonic() - self._asked)


@dataclass(frozen=True)
class Seen:
    """An acquisition, the rule that speaks of it, and the folder of its store."""

    rule: IngestRule
    acquisition: Acquisition
    root: Path

    @property
    def place(self) -> tuple[int, str]:
        return self.rule.pk, self.acquisition.key


@dataclass(frozen=True)
class Due:
    """An acquisition that is complete as far as its folder can tell."""

    arrival: Arrival
    seen: Seen
    proposal: str = ""  # as a data steward chose

    @property
    def size(self) -> int:
        return self.seen.acquisition.size

    @property
    def path(self) -> Path:
        return Path(self.seen.root, self.seen.acquisition.relative)


def observe(seen: Sequence[Seen], began: datetime, clock: Clock) -> list[Due]:
    """
    Compare acquisitions with their rows, and write down what has changed.

    Parameters
    ----------
    seen : sequence of Seen
        At most some thousand.
    began : datetime
        When the first of them was looked at: until then a file has been quiet.
    clock : Clock
        For what changed since the last pass.

    Returns
    -------
    list of Due
        Those that may be read now.
    """
    rows = _rows(seen)
    linked = linked_files(
        (row.dataset_id, one.root)
        for one in seen
        if (row := rows.get(one.place)) and row.dataset_id and not one.acquisition.is_folder
    )
    batch = _Batch(clock.now())
    quiet = []
    for one in seen:
        row = rows.get(one.place)
        mark = one.acquisition.fingerprint(_of(linked, row))
        if row is None:
            batch.note_new(one, mark)
        elif row.fingerprint != mark or row.state == State.VANISHED:
            batch.note_change(row, one, mark)
        elif one.acquisition.fault and row.state == State.WAITING:
            batch.note_change(row, one, mark)  # tried again, and nothing is mended
        elif not one.acquisition.fault and is_due(row, one.rule, began):
            quiet.append(Due(row, one))
    batch.write()
    return _sift(quiet, clock)


def is_due(row: Arrival, rule: IngestRule, now: datetime) -> bool:
    """Say whether an acquisition has been quiet for long enough, and what failed has rested."""
    if now - row.quiet_since < timedelta(seconds=rule.quiet_for_s):
        return False
    if row.state == State.WAITING:
        return row.attempts == 0 or _has_rested(row, now)
    if row.state == State.QUARANTINED:
        may_heal = row.code in MAY_HEAL and row.attempts <= _LAST_ATTEMPT
        return row.code == NO_PROPOSAL or (may_heal and _has_rested(row, now))
    return False


def _has_rested(row: Arrival, now: datetime) -> bool:
    """Say whether it may be tried again, ever more rarely."""
    longest_s = _LONGEST_PAUSE_S[State(row.state)]
    pause_s = min(_FIRST_PAUSE_S * 2 ** min(row.attempts, 20), longest_s)
    return now - row.seen_at >= timedelta(seconds=pause_s)


def _rows(seen: Sequence[Seen]) -> dict[tuple[int, str], Arrival]:
    rules = {one.rule.pk for one in seen}
    keys = {one.acquisition.key for one in seen}
    rows = Arrival.objects.filter(rule__in=rules, key__in=keys)
    return {(row.rule_id, row.key): row for row in rows}


def _of(linked: dict[int, list[Entry]], row: Arrival | None) -> Sequence[Entry]:
    return linked.get(row.dataset_id, ()) if row is not None and row.dataset_id else ()


class _Batch:
    """What a look has found new or changed, written in a fixed number of statements."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._new: list[Arrival] = []
        self._changed: list[Arrival] = []

    def note_new(self, one: Seen, mark: str) -> None:
        row = Arrival(rule=one.rule, key=one.acquisition.key, fingerprint=mark)
        self._new.append(self._begin(row, one))

    def note_change(self, row: Arrival, one: Seen, mark: str) -> None:
        row.fingerprint = mark
        self._changed.append(self._begin(row, one))

    def _begin(self, row: Arrival, one: Seen) -> Arrival:
        row.quiet_since = row.seen_at = self._now
        row.attempts = 0
        fault = one.acquisition.fault
        row.state = State.QUARANTINED if fault else State.WAITING
        row.code, row.reason = fault or ("", "")
        return row

    def write(self) -> None:
        if self._new:  # another steward may have seen them at the same moment
            Arrival.objects.bulk_create(self._new, ignore_conflicts=True)
        if self._changed:
            fields = ["fingerprint", "quiet_since", "seen_at", "attempts", "state", "code"]
            Arrival.objects.bulk_update(self._changed, [*fields, "reason"], batch_size=500)


def _sift(quiet: list[Due], clock: Clock) -> list[Due]:
    """Keep those with their end marker, not yet registered, whose proposal is known."""
    ended = _with_marker(quiet)
    known = find_known([(one.seen.root, one.seen.rule, one.seen.acquisition) for one in ended])
    _adopt([(one, found) for one, found in zip(ended, known, strict=True) if found], clock)
    unread = [one for one, found in zip(ended, known, strict=True) if not found]
    return _with_proposal(unread, clock)


def _with_marker(quiet: list[Due]) -> list[Due]:
    ended, told = [], []
    for one in quiet:
        name = fill(one.seen.rule.end_marker, one.seen.acquisition.named)
        place = one.path.with_name(name or "-")
        if not name or place.exists():
            ended.append(one)
        elif one.arrival.reason != (reason := f"Waits for its end marker {name}."):
            one.arrival.reason = reason
            told.append(one.arrival)
    if told:
        Arrival.objects.bulk_update(told, ["reason"], batch_size=500)
    return ended


def _adopt(found: Iterable[tuple[Due, Known]], clock: Clock) -> None:
    """Take down as registered what was registered before, without reading it again."""
    rows = []
    for one, known in found:
        row = one.arrival
        row.state, row.code, row.reason = State.REGISTERED, "", ""
        row.dataset_id, row.seen_at = known.dataset, clock.now()
        row.fingerprint = one.seen.acquisition.fingerprint(known.linked)
        rows.append(row)
    fields = ["state", "code", "reason", "dataset", "seen_at", "fingerprint"]
    if rows:
        Arrival.objects.bulk_update(rows, fields, batch_size=500)


def _with_proposal(unread: list[Due], clock: Clock) -> list[Due]:
    """Keep those whose proposal is known: nobody reads a terabyte to find that it is not."""
    chosen = _chosen(unread)
    wanted = [
        (one, chosen.get(one.seen.place, "") or one.seen.acquisition.named.get("proposal", ""))
        for one in unread
    ]
    numbers = {number for _, number in wanted if number}
    rows = Proposal.objects.filter(number__in=numbers) if numbers else Proposal.objects.none()
    known = set(rows.values_list("facility_id", "number"))
    ready, strange = [], []
    for one, number in wanted:
        if not number or (one.seen.rule.instrument.facility_id, number) in known:
            ready.append(Due(one.arrival, one.seen, chosen.get(one.seen.place, "")))
        elif one.arrival.code != NO_PROPOSAL:
            strange.append(_quarantine_for_proposal(one.arrival, number, clock.now()))
    if strange:
        fields = ["state", "code", "reason", "seen_at", "attempts"]
        Arrival.objects.bulk_update(strange, fields, batch_size=500)
    return ready


def _quarantine_for_proposal(row: Arrival, number: str, now: datetime) -> Arrival:
    row.state, row.code, row.seen_at = State.QUARANTINED, NO_PROPOSAL, now
    row.attempts += 1
    row.reason = (
        f"Proposal {number} is not known. It is registered by itself once the proposal is "
        "added, or choose another one."
    )
    return row


def _chosen(due: Sequence[Due]) -> dict[tuple[int, str], str]:
    """Return the proposals that people have named, by the audit log: the last word counts."""
    subjects = {str(one.arrival)[:200] for one in due}
    rules = {one.seen.rule.slug: one.seen.rule.pk for one in due}
    events = AuditEvent.objects.filter(act=CHOSEN, subject__in=subjects).order_by("at", "id")
    said = [event.new or {} for event in events] if subjects else []
    return {
        (rules[new["rule"]], new["key"]): new["proposal"]
        for new in said
        if new.get("rule") in rules
    }
