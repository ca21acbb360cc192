"""
Who may see what, and from when: the only place that decides.

Every reader of datasets starts here. Hidden and absent are the same: 404.
"""

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import DateField, Exists, F, Func, OuterRef, Q, QuerySet

from catalogue.errors import NotPermittedError, UnknownDatasetError, UnknownFileError
from catalogue.models import DataFile, Dataset, Guard, Instrument, Membership, User

Person = User | AnonymousUser


class LocalToday(Func):
    """The date it is now in a time zone, by the database's clock."""

    function = "timezone"
    template = "(%(function)s(%(expressions)s, statement_timestamp()))::date"
    output_field = DateField()


@dataclass(frozen=True)
class AccessState:
    """How closed a dataset is today; ``opens_on`` is None where nothing says when."""

    is_open: bool
    opens_on: date | None


def opening_date(base: datetime, months: int, timezone: str) -> date:
    """
    Return the first open day: months by the calendar after a local date.

    Parameters
    ----------
    base : datetime
        Aware instant from which the embargo counts.
    months : int
        Length of the embargo; a day that the last month lacks becomes its last day.
    timezone : str
        IANA name of the facility's zone, in which days begin.

    Returns
    -------
    date
        Open from 00:00 of this day, in the facility's zone.
    """
    local = base.astimezone(ZoneInfo(timezone)).date()
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    return date(year, month, min(local.day, calendar.monthrange(year, month)[1]))


def visible_datasets(person: Person) -> QuerySet[Dataset]:
    """
    Select the datasets that a person may see, list and download today.

    Parameters
    ----------
    person : User or AnonymousUser
        A data steward sees all; others pass a guard from its date, as a member of its
        proposal, or as staff of its instrument.

    Returns
    -------
    QuerySet
        Without order. A dataset without any guard is shown to nobody but stewards.
    """
    if isinstance(person, User) and person.is_data_steward:
        return Dataset.objects.all()
    guards = Guard.objects.filter(dataset=OuterRef("pk"))
    today = LocalToday(F("dataset__facility__timezone"))
    closed = guards.filter(Q(opens_on__isnull=True) | Q(opens_on__gt=today))
    if isinstance(person, User):
        closed = closed.exclude(_is_member(person) | _is_staff(person) | _is_owner(person))
    return Dataset.objects.filter(Exists(guards), ~Exists(closed))


def _is_member(person: User) -> Q:
    mine = Membership.objects.filter(person=person, proposal=OuterRef("proposal"))
    return Q(Exists(mine))


def _is_staff(person: User) -> Q:
    mine = Instrument.staff.through.objects.filter(user=person, instrument=OuterRef("instrument"))
    return Q(Exists(mine))


def _is_owner(person: User) -> Q:
    # Of raw data without a proposal: whoever registered it must be able to find it.
    return Q(proposal__isnull=True, dataset__owner=person, dataset__kind=Dataset.Kind.RAW)


def get_dataset(person: Person, pid: str | UUID) -> Dataset:
    """
    Return a dataset that the person may see.

    Raises
    ------
    UnknownDatasetError
        If there is none, or it is hidden; the two cannot be told apart.
    """
    try:
        return visible_datasets(person).select_related("facility", "instrument").get(pid=pid)
    except (Dataset.DoesNotExist, ValidationError) as error:
        raise UnknownDatasetError(str(pid)) from error


def visible_files(person: Person) -> QuerySet[DataFile]:
    """Select the files of all datasets that a person may see."""
    return DataFile.objects.filter(dataset__in=visible_datasets(person))


def get_file(person: Person, uuid: str | UUID) -> DataFile:
    """
    Return a file of a dataset that the person may see.

    Raises
    ------
    UnknownFileError
        If there is none, or its dataset is hidden.
    """
    try:
        return visible_files(person).select_related("dataset", "store").get(uuid=uuid)
    except (DataFile.DoesNotExist, ValidationError) as error:
        raise UnknownFileError(str(uuid)) from error


def access_state(dataset: Dataset) -> AccessState:
    """Say whether everybody may read a dataset today, and else from when."""
    return access_states([dataset])[dataset.pk]


def access_states(datasets: Iterable[Dataset]) -> dict[int, AccessState]:
    """
    Return the access state of each dataset by primary key, in one query for all.

    Parameters
    ----------
    datasets : iterable of Dataset
        As many as a page shows.
    """
    pks = [dataset.pk for dataset in datasets]
    today = LocalToday(F("dataset__facility__timezone"))
    guards = Guard.objects.filter(dataset__in=pks).annotate(today=today)
    passed: dict[int, list[tuple[date | None, date]]] = {pk: [] for pk in pks}
    for pk, opens_on, now in guards.values_list("dataset", "opens_on", "today"):
        passed[pk].append((opens_on, now))
    return {pk: _judge(dates) for pk, dates in passed.items()}


def _judge(guards: list[tuple[date | None, date]]) -> AccessState:
    """Judge by all guards: the last one opens a dataset, one without date never."""
    closed = [opens_on for opens_on, today in guards if opens_on is None or opens_on > today]
    known = [day for day in closed if day is not None]
    if not closed:
        return AccessState(is_open=bool(guards), opens_on=None)
    return AccessState(is_open=False, opens_on=max(known) if len(known) == len(closed) else None)


def may_process(person: Person) -> bool:
    """Say whether a person may launch recipes on the datasets they see."""
    return isinstance(person, User) and person.is_active


def may_register(person: Person, instrument: Instrument) -> bool:
    """Say whether a person may register data of an instrument."""
    return registrable_instruments(person).filter(pk=instrument.pk).exists()


def registrable_instruments(person: Person) -> QuerySet[Instrument]:
    """Select the instruments whose data a person may register."""
    if not isinstance(person, User):
        return Instrument.objects.none()
    return Instrument.objects.all() if person.is_data_steward else person.instruments.all()


def require_may_register(person: Person, instrument: Instrument) -> None:
    """
    Refuse whoever may not register data of an instrument.

    Raises
    ------
    NotPermittedError
        Naming who may.
    """
    if not may_register(person, instrument):
        raise NotPermittedError(
            f"register data of {instrument}", "the staff of this instrument, or a data steward"
        )
