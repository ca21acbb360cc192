"""Read the audit log: of one dataset for its team, all of it for data stewards."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet

from catalogue.access import Person
from catalogue.models import AuditEvent, Dataset
from catalogue.permissions import Act, may, require_steward


@dataclass(frozen=True)
class Wanted:
    """
    Which events somebody looks for; what is empty does not matter.

    Attributes
    ----------
    act : str
        What happened, or its beginning: "embargo." for all about embargoes.
    subject : str
        The public identifier of what it happened to.
    who : str
        A part of the name of whoever did it.
    since, until : date or None
        Days in UTC, as the log shows its times; both of them wanted.
    before : datetime or None
        Only what is older: the next page.
    """

    act: str = ""
    subject: str = ""
    who: str = ""
    since: date | None = None
    until: date | None = None
    before: datetime | None = None


def history_of(person: Person, dataset: Dataset) -> QuerySet[AuditEvent]:
    """Select what has happened to a dataset, the latest first; nothing for outsiders."""
    if not may(person, Act.EDIT, dataset):
        return AuditEvent.objects.none()
    return AuditEvent.objects.filter(subject_kind="dataset", subject=str(dataset.pid))


def find_events(person: Person, wanted: Wanted) -> QuerySet[AuditEvent]:
    """
    Select events for a data steward, the latest first.

    Raises
    ------
    NotPermittedError
        If the person is none: reasons are confidential.
    """
    require_steward(person, "read the audit log")
    events = AuditEvent.objects.all()
    if wanted.act:
        events = events.filter(act__startswith=wanted.act)
    if wanted.subject:
        events = events.filter(subject=wanted.subject)
    if wanted.who:
        events = events.filter(who__icontains=wanted.who)
    if wanted.since:
        events = events.filter(at__date__gte=wanted.since)
    if wanted.until:
        events = events.filter(at__date__lte=wanted.until)
    if wanted.before:
        events = events.filter(at__lt=wanted.before)
    return events
