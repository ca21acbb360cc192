"""
When data open: dates by policy, kept true for a dataset and all that stems from it.

Nothing here opens anything; a date passes by itself. What is written is the date of each
guard, the latest of them on the dataset, and the same on its listing.
"""

import calendar
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from catalogue import audit
from catalogue.access import LocalToday
from catalogue.errors import RegistrationError
from catalogue.indexing import reindex
from catalogue.models import Dataset, EmbargoPolicy, Generated, Guard, Proposal, Used, User

# A dataset with its dates before and after, as the audit log tells them.
Told = tuple[Dataset, dict[str, str | None], dict[str, str | None]]


@dataclass(frozen=True)
class Dates:
    """From when everybody may read the bytes, and see the page; None is never."""

    opens_on: date | None
    listed_on: date | None
    is_proprietary: bool = False


def add_months(day: date, months: int) -> date:
    """
    Count months by the calendar.

    Parameters
    ----------
    day : date
        From which to count.
    months : int
        How many; a day that the last month lacks becomes its last day.
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def local_date(instant: datetime, timezone: str) -> date:
    """Return the day it is at an instant, in an IANA time zone."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def opening_date(base: datetime, months: int, timezone: str) -> date:
    """
    Return the first open day: months by the calendar after a local date.

    Parameters
    ----------
    base : datetime
        Aware instant from which the embargo counts.
    months : int
        Length of the embargo.
    timezone : str
        IANA name of the facility's zone, in which days begin.

    Returns
    -------
    date
        Open from 00:00 of this day, in the facility's zone.
    """
    return add_months(local_date(base, timezone), months)


def policy_dates(dataset: Dataset, policy: EmbargoPolicy, proposal: Proposal | None) -> Dates:
    """
    Return the dates that a policy gives a raw dataset.

    Parameters
    ----------
    dataset : Dataset
        With its times and its facility.
    policy : EmbargoPolicy
        What the proposal, else the ingest rule, names.
    proposal : Proposal or None
        Whose end the embargo may count from.

    Raises
    ------
    RegistrationError
        If the dataset ends at a time from which nothing can be counted.
    """
    zone = dataset.facility.timezone
    ended = dataset.end_time or dataset.start_time
    try:
        base = _base_day(dataset, policy, proposal)
        opens_on = None if base is None else add_months(base, policy.months)
        ended_on = local_date(ended, zone) if ended else None
    except (ValueError, OverflowError) as error:
        reason = f"The data end on {ended}; no embargo can count from then. Correct the time."
        raise RegistrationError("end_time", reason) from error
    if policy.proprietary:
        return Dates(None, None, is_proprietary=True)
    listed_on = {
        EmbargoPolicy.Metadata.AT_END: ended_on,
        EmbargoPolicy.Metadata.AT_RELEASE: opens_on,
        EmbargoPolicy.Metadata.NEVER: None,
    }[EmbargoPolicy.Metadata(policy.metadata)]
    if listed_on and opens_on:
        listed_on = min(listed_on, opens_on)
    return Dates(opens_on, listed_on)


def _base_day(dataset: Dataset, policy: EmbargoPolicy, proposal: Proposal | None) -> date | None:
    zone = dataset.facility.timezone
    if policy.starts_with == "proposal.end_time":
        return proposal.end_date if proposal else None
    if policy.starts_with == "publication":
        first = dataset.publication_links.order_by("linked_at").first() if dataset.pk else None
        return local_date(first.linked_at, zone) if first else None
    base = {
        "dataset.end_time": dataset.end_time or dataset.start_time,
        "dataset.registered": dataset.registered_at,
    }[policy.starts_with]
    return local_date(base, zone) if base else None


@transaction.atomic
def recompute(guards: QuerySet[Guard], *, reason: str = "") -> list[Dataset]:
    """
    Give closed raw data the dates of their policy as it is now, and audit each.

    Parameters
    ----------
    guards : QuerySet
        Of any datasets; those on which a person has ruled, those of derived data and
        those that are open already stay as they are: open data never close.
    reason : str, optional
        For the audit log: what has changed.

    Returns
    -------
    list of Dataset
        Whose dates have changed, not counting what stems from them.
    """
    today = LocalToday(F("dataset__facility__timezone"))
    closed = guards.filter(
        Q(opens_on__isnull=True) | Q(opens_on__gt=today) | Q(listed_on__isnull=True),
        dataset__kind=Dataset.Kind.RAW,
        ruling=Guard.Ruling.POLICY,
    )
    rows = closed.select_related("dataset__facility", "dataset__policy", "proposal__policy")
    rows = rows.annotate(today=today)
    changed: list[Guard] = []
    told: list[Told] = []
    for guard in rows.select_for_update(of=("self",)).iterator(chunk_size=2000):
        old = tell_dates([guard])
        if _follow_policy(guard):
            changed.append(guard)
            told.append((guard.dataset, old, tell_dates([guard])))
    Guard.objects.bulk_update(changed, ["opens_on", "listed_on", "is_proprietary"], batch_size=1000)
    audit.record_all("embargo.recomputed", told, person=None, reason=reason)
    datasets = [guard.dataset for guard in changed]
    settle({dataset.pk for dataset in datasets}, reason=reason)
    return datasets


def _follow_policy(guard: Guard) -> bool:
    """Set a guard's dates by its policy; say whether they differ."""
    proposal = guard.proposal
    policy = (proposal.policy if proposal else None) or guard.dataset.policy
    if policy is None:
        return False
    old = Dates(guard.opens_on, guard.listed_on, guard.is_proprietary)
    new = policy_dates(guard.dataset, policy, proposal)
    if guard.opens_on and guard.opens_on <= guard.today:  # type: ignore[attr-defined]  # annotated
        # Only its page may become public: what is open stays so.
        listed_on = new.listed_on and min(new.listed_on, guard.opens_on)
        new = Dates(guard.opens_on, listed_on)
    guard.opens_on, guard.listed_on = new.opens_on, new.listed_on
    guard.is_proprietary = new.is_proprietary
    return new != old


_SETTLE = """
UPDATE catalogue_dataset AS d SET
    opens_at = g.opens_at, listed_at = g.listed_at,
    opening_noted = d.opening_noted AND g.opens_at IS NOT NULL AND g.opens_at <= now()
FROM (
    SELECT g.dataset_id,
        CASE WHEN bool_or(g.opens_on IS NULL) THEN NULL
             ELSE max(g.opens_on)::timestamp AT TIME ZONE max(f.timezone) END AS opens_at,
        CASE WHEN bool_or(g.listed_on IS NULL) THEN NULL
             ELSE max(g.listed_on)::timestamp AT TIME ZONE max(f.timezone) END AS listed_at
    FROM catalogue_guard AS g
    JOIN catalogue_dataset AS d ON d.id = g.dataset_id
    JOIN catalogue_facility AS f ON f.id = d.facility_id
    WHERE g.dataset_id = ANY(%s)
    GROUP BY g.dataset_id
) AS g
WHERE g.dataset_id = d.id
"""


@transaction.atomic
def settle(datasets: Collection[int], *, person: User | None = None, reason: str = "") -> None:
    """
    Carry the guards of datasets to their rows, their listings and all that stems from them.

    Parameters
    ----------
    datasets : collection of int
        Primary keys of datasets whose guards were written.
    person : User, optional
        Who has moved them, for the audit log of the data that follow.
    reason : str, optional
        Why, likewise.
    """
    generation = set(datasets)
    while generation:
        pks = sorted(generation)
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE, [pks])
        reindex(pks)
        moved = _inherit(pks)
        followed = [each for each in moved.values() if each[1] != each[2]]
        audit.record_all("embargo.followed", followed, person=person, reason=reason)
        generation = set(moved)


def _inherit(parents: list[int]) -> dict[int, Told]:
    """Write the guards of the next generation anew; return whose have changed, and how."""
    activities = Used.objects.filter(dataset__in=parents).values("activity")
    children = set(
        Generated.objects.filter(activity__in=activities).values_list("dataset", flat=True)
    )
    if not children:
        return {}
    present: dict[int, list[Guard]] = {child: [] for child in children}
    for guard in Guard.objects.filter(dataset__in=children).select_for_update():
        present[guard.dataset_id].append(guard)
    before = {child: tell_dates(guards) for child, guards in present.items()}
    wanted = inherited_guards(children)
    changed = [child for child in children if _replace(present[child], wanted[child])]
    rows = Dataset.objects.in_bulk(changed)
    return {pk: (row, before[pk], tell_dates(present[pk])) for pk, row in rows.items()}


def inherited_guards(children: Iterable[int]) -> dict[int, list[Guard]]:
    """Return the guards that derived datasets take from their inputs, not saved."""
    inputs = Used.objects.filter(activity__generated__dataset__in=list(children))
    pairs = set(inputs.values_list("activity__generated__dataset", "dataset"))
    of_input: dict[int, list[Guard]] = {}
    for guard in Guard.objects.filter(dataset__in={source for _, source in pairs}):
        of_input.setdefault(guard.dataset_id, []).append(guard)
    found: dict[int, list[Guard]] = {child: [] for child in children}
    for child, source in pairs:
        found[child] += of_input.get(source, [])
    return {child: merge_guards(child, guards) for child, guards in found.items()}


def merge_guards(dataset: int, guards: Iterable[Guard]) -> list[Guard]:
    """Keep one guard per origin, with the latest of its dates; never beats every date."""
    merged: dict[tuple[int | None, int | None], Guard] = {}
    for guard in guards:
        origin = (guard.proposal_id, guard.instrument_id)
        kept = merged.setdefault(
            origin,
            Guard(
                dataset_id=dataset,
                proposal_id=guard.proposal_id,
                instrument_id=guard.instrument_id,
                opens_on=guard.opens_on,
                listed_on=guard.listed_on,
            ),
        )
        kept.opens_on = _later(kept.opens_on, guard.opens_on)
        kept.listed_on = _later(kept.listed_on, guard.listed_on)
        kept.is_proprietary |= guard.is_proprietary
    return list(merged.values())


def _later(one: date | None, other: date | None) -> date | None:
    return None if one is None or other is None else max(one, other)


def _replace(present: list[Guard], wanted: list[Guard]) -> bool:
    """Write what differs, but for guards on which a person has ruled."""
    kept = {(g.proposal_id, g.instrument_id): g for g in present}
    changed = False
    for guard in wanted:
        old = kept.get((guard.proposal_id, guard.instrument_id))
        if old is None:
            guard.save()
            present.append(guard)
            changed = True
        elif old.ruling == Guard.Ruling.POLICY and _dates(old) != _dates(guard):
            old.opens_on, old.listed_on = guard.opens_on, guard.listed_on
            old.is_proprietary = guard.is_proprietary
            old.save()
            changed = True
    return changed


def _dates(guard: Guard) -> Dates:
    return Dates(guard.opens_on, guard.listed_on, guard.is_proprietary)


def tell_dates(guards: Collection[Guard]) -> dict[str, str | None]:
    """Return from when a dataset opens and is listed, as the audit log tells it."""
    told: dict[str, str | None] = {}
    for name in ("opens_on", "listed_on"):
        days = [getattr(guard, name) for guard in guards]
        told[name] = max(days).isoformat() if days and None not in days else None
    if any(guard.is_proprietary for guard in guards):
        told["is"] = "proprietary"
    return told


def due_openings() -> QuerySet[Dataset]:
    """Select what has opened and whose consequences nobody has seen to, the first ones first."""
    due = Dataset.objects.filter(opening_noted=False, opens_at__lte=Now())
    return due.select_related("facility").order_by("opens_at", "pk")


def note_opening(datasets: Collection[int]) -> None:
    """Write down that the consequences of an opening have been seen to."""
    Dataset.objects.filter(pk__in=datasets).update(opening_noted=True)
