"""
Write who is on the team of which proposal, as the user office says.

Rows of other sources are never touched, and none is deleted: a membership that is over
gets a last day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Q

from catalogue.models import Membership, Proposal, User
from catalogue.user_office.changes import (
    BATCH,
    Action,
    Change,
    Differences,
    Written,
    differing,
    tell,
)
from catalogue.user_office.checking import Known, Wanted

_Key = tuple[str, str]  # account, number of the proposal
_PI, _MEMBER = Membership.Role.PI, Membership.Role.MEMBER


@dataclass(frozen=True)
class Teams:
    """All that a delivery names, stored: people by account, proposals by number."""

    people: Mapping[str, User]
    proposals: Mapping[str, Proposal]


@dataclass(frozen=True)
class _Stay:
    """On a team as what, from when, until when."""

    role: str
    valid_from: date | None = None
    valid_to: date | None = None


def write_memberships(wanted: Wanted, known: Known, teams: Teams, *, is_complete: bool) -> Written:
    """
    Create, change and end memberships.

    Parameters
    ----------
    wanted, known : Wanted, Known
        The delivery, and what there was.
    teams : Teams
        The people and proposals of the delivery.
    is_complete : bool
        Whether a membership that is not delivered has ended.
    """
    stored = _read_stored(known, teams, is_complete=is_complete)
    stays = dict(_said(wanted, stored))
    if not is_complete:
        stays |= dict(_former_leaders(wanted, stored, stays))
    written = Written()
    rows = []
    for (account, number), stay in stays.items():
        row = stored.get((account, number))
        if row is None:
            row = Membership(
                person=teams.people[account],
                proposal=teams.proposals[number],
                source=Membership.Source.USER_OFFICE,
                **vars(stay),
            )
            _note(written, "create", row, {}, None)
            rows.append(row)
        else:
            rows += _change(written, "change", row, vars(stay))
    if is_complete:
        yesterday = known.today - timedelta(days=1)
        for key, row in stored.items():
            if key not in stays and (row.valid_to is None or row.valid_to > yesterday):
                rows += _change(written, "end", row, {"valid_to": yesterday})
    Membership.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["person", "proposal", "source"],
        update_fields=["role", "valid_from", "valid_to"],
    )
    return written


def _read_stored(known: Known, teams: Teams, *, is_complete: bool) -> dict[_Key, Membership]:
    named = [proposal.pk for proposal in teams.proposals.values()]
    scope = Q(proposal__facility=known.facility) if is_complete else Q(proposal__in=named)
    rows = Membership.objects.filter(scope, source=Membership.Source.USER_OFFICE)
    rows = rows.select_related("person", "proposal").order_by("pk")
    return {(row.person.username, row.proposal.number): row for row in rows}


def _said(wanted: Wanted, stored: Mapping[_Key, Membership]) -> Iterator[tuple[_Key, _Stay]]:
    """Yield what the delivery says of each membership: its own row, or its proposal's."""
    leads = set(_leads(wanted))
    for key, placed in wanted.memberships.items():
        row = placed.row
        role = row.role or (_PI if key in leads else _MEMBER)
        yield key, _Stay(role, row.valid_from, row.valid_to)
    for key in sorted(leads - wanted.memberships.keys()):
        known = stored.get(key)
        yield key, _Stay(_PI, known.valid_from if known else None)


def _former_leaders(
    wanted: Wanted, stored: Mapping[_Key, Membership], stays: Mapping[_Key, _Stay]
) -> Iterator[tuple[_Key, _Stay]]:
    """Who led a proposal before somebody else was said to stays on its team."""
    led = {number for _, number in _leads(wanted)}
    for key, row in stored.items():
        if row.role == _PI and key[1] in led and key not in stays:
            yield key, _Stay(_MEMBER, row.valid_from, row.valid_to)


def _leads(wanted: Wanted) -> Iterator[_Key]:
    for number, placed in wanted.proposals.items():
        if placed.row.pi:
            yield placed.row.pi, number


def _change(
    written: Written, action: Action, row: Membership, values: Mapping[str, Any]
) -> list[Membership]:
    """Give a membership new values; return it if it differed."""
    old = _state(row)
    found = differing(row, values)
    if found:
        _note(written, action, row, found, old)
    return [row] if found else []


def _note(
    written: Written,
    action: Action,
    row: Membership,
    found: Differences,
    old: dict[str, str | None] | None,
) -> None:
    what = f"membership {row.person.username} in {row.proposal.number}"
    written.changes.append(Change(action, what, tell(found) or str(row.role)))
    act = {"create": "added", "change": "changed", "end": "ended"}[action]
    event = (row.proposal, old, _state(row))
    written.events.setdefault(f"membership.{act}", []).append(event)
    roles = found.get("role", ()) if old else (row.role,)
    if _PI in roles:  # listings hold the names of those who lead
        written.reworded.add(row.proposal_id)


def _state(row: Membership) -> dict[str, str | None]:
    days = {"valid_from": row.valid_from, "valid_to": row.valid_to}
    return {
        "person": row.person.username,
        "source": row.source,
        "role": str(row.role),
        **{name: day.isoformat() if day else None for name, day in days.items()},
    }
