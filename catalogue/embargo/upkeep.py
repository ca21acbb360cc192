"""
What the steward process does for the catalogue in each pass, beside reconciling.

Level-triggered: each pass looks at what there is and remembers nothing, so two at once,
or none for a week, do no harm. Data open without it; it sees to the consequences.
"""

import logging
from dataclasses import dataclass
from datetime import date

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from catalogue import audit
from catalogue.access import LocalToday
from catalogue.embargo.dates import due_openings, local_date, note_opening
from catalogue.embargo.decisions import carry_out_release, lapse
from catalogue.embargo.reminders import remind
from catalogue.embargo.teams import members_of
from catalogue.indexing import reindex
from catalogue.mailing import send_digests
from catalogue.models import Dataset, Guard, Notice, Request, Tombstone
from catalogue.notices import tell_all

_log = logging.getLogger(__name__)

_BATCH = 500
# Days do not pass faster than that, and it asks about every embargo.
_REMIND_EVERY_S = 600.0
_MAIL_EVERY_S = 60.0


@dataclass
class Kept:
    """What one pass has done."""

    opened: int = 0
    released: int = 0
    lapsed: int = 0
    mailed: int = 0


def keep_up() -> Kept:
    """Do all that is due."""
    done = Kept(released=carry_out_releases())
    done.opened = note_openings()
    done.lapsed = lapse_requests()
    if cache.add("upkeep-reminders", 1, _REMIND_EVERY_S):
        remind()
    if cache.add("upkeep-mail", 1, _MAIL_EVERY_S):
        done.mailed = send_digests()
    return done


def note_openings() -> int:
    """
    See to the consequences of data that have opened, a batch to a transaction.

    The event is written, the team is told, and names of files become words to search
    for. Of data that came in open nobody is told.

    Returns
    -------
    int
        How many datasets have opened since the last time.
    """
    total = 0
    while batch := _note_batch():
        total += len(batch)
    if total:
        _log.info("Datasets that have opened: %d", total)
    return total


@transaction.atomic
def _note_batch() -> list[Dataset]:
    held = due_openings().select_for_update(of=("self",), skip_locked=True)
    batch = list(held[:_BATCH])
    pks = [dataset.pk for dataset in batch]
    reindex(pks)
    note_opening(pks)
    gone = set(Tombstone.objects.filter(dataset__in=pks).values_list("dataset", flat=True))
    opened = {row.pk: _opened_on(row) for row in batch if row.pk not in gone}
    news = [row for row in batch if opened.get(row.pk)]
    told = [(row, None, {"opens_on": f"{opened[row.pk]}"}) for row in news]
    audit.record_all("embargo.opened", told, person=None)
    _tell_of_openings({row.pk: row for row in news}, opened)
    return batch


def _opened_on(dataset: Dataset) -> date | None:
    """Return the day on which data opened; None if they were open when they came in."""
    if dataset.opens_at is None or dataset.opens_at <= dataset.registered_at:
        return None
    return local_date(dataset.opens_at, dataset.facility.timezone)


def _tell_of_openings(news: dict[int, Dataset], opened: dict[int, date | None]) -> None:
    """Tell each team once a day, however many of its datasets have opened."""
    guards = Guard.objects.filter(dataset__in=news).select_related("proposal").order_by("pk")
    told = set()
    for guard in guards:
        proposal, day = guard.proposal, opened[guard.dataset_id]
        if proposal is None or (proposal.pk, day) in told:
            continue
        told.add((proposal.pk, day))
        tell_all(
            members_of(proposal),
            Notice.Kind.OPENED,
            f"Data of {proposal.number} have opened: since {day} everybody may read them.",
            once=f"opened {proposal.pid} {day}",
            dataset=news[guard.dataset_id],
        )


def carry_out_releases() -> int:
    """Open the data to whose early release no member of the team has objected in time."""
    today = LocalToday(F("dataset__facility__timezone"))
    waiting = Request.objects.filter(kind=Request.Kind.RELEASE, state=Request.State.OPEN)
    due = waiting.annotate(today=today).filter(due_on__lte=F("today"))
    return sum(map(carry_out_release, due.select_related("dataset__facility")))


def lapse_requests() -> int:
    """Close the requests about data that have opened meanwhile; return how many."""
    past = Request.objects.filter(state=Request.State.OPEN, dataset__opens_at__lte=Now())
    extension = Request.Kind.EXTENSION
    late = lapse(past.filter(kind=extension), "The embargo ended before it was decided.")
    return late + lapse(past.exclude(kind=extension), "The data are open to all now.")
