"""
Who may see what, and from when: the only place that decides.

Every reader of datasets starts here. Seeing the page and reading the bytes are two
questions: a policy may show the metadata of closed data. Hidden and absent are the same:
404. Data open by the clock; nothing has to run for that.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import DateField, Exists, F, Func, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from catalogue.errors import (
    EmbargoError,
    NotPermittedError,
    RetractedError,
    UnknownDatasetError,
    UnknownFileError,
)
from catalogue.guarding import Passes
from catalogue.models import (
    DataFile,
    Dataset,
    Guard,
    Guest,
    Instrument,
    Membership,
    Tombstone,
    User,
)

Person = User | AnonymousUser


class LocalToday(Func):
    """The date it is now in a time zone, by the database's clock."""

    function = "timezone"
    template = "(%(function)s(%(expressions)s, statement_timestamp()))::date"
    output_field = DateField()


class State(StrEnum):
    """How closed data are; retraction lies across."""

    COLLECTING = "collecting"  # nobody knows yet when they end
    EMBARGOED = "embargoed"
    EXTENDED = "extended"
    PROPRIETARY = "proprietary"
    OPEN = "open"
    RELEASED_EARLY = "released-early"


@dataclass(frozen=True)
class AccessState:
    """How closed a dataset is today; ``opens_on`` is None where nothing says when."""

    state: State
    opens_on: date | None

    @property
    def is_open(self) -> bool:
        return self.state in {State.OPEN, State.RELEASED_EARLY}


def visible_datasets(person: Person) -> QuerySet[Dataset]:
    """
    Select the datasets whose page a person may see today.

    Parameters
    ----------
    person : User or AnonymousUser
        A data steward sees all; everybody what is listed; a team, the staff of the
        instrument and guests what is theirs.

    Returns
    -------
    QuerySet
        Without order, and with retracted ones, whose page is a tombstone; what was
        withdrawn only stewards see. A dataset without any guard is shown to nobody but
        stewards.
    """
    if _is_steward(person):
        return Dataset.objects.all()
    return _shown(person).exclude(Exists(_stones(kind=Tombstone.Kind.WITHDRAWN)))


def readable_datasets(person: Person) -> QuerySet[Dataset]:
    """
    Select the datasets whose bytes a person may read, and process, today.

    Parameters
    ----------
    person : User or AnonymousUser
        Who asks; the rules are those of ``visible_datasets``, by the day on which data
        open.

    Returns
    -------
    QuerySet
        Without order; nobody reads what is retracted.
    """
    return cleared_datasets(person).exclude(Exists(_stones()))


def cleared_datasets(person: Person) -> QuerySet[Dataset]:
    """
    Select the datasets that are open to a person, also those that were retracted.

    Nobody reads these any more, but what was done with them may still be seen by whom
    they were open to.
    """
    seen = visible_datasets(person)
    if _is_steward(person):
        return seen
    return seen.filter(Q(opens_at__lte=Now()) | _own(person, "opens_on"))


def _is_steward(person: Person) -> bool:
    return isinstance(person, User) and person.is_data_steward


def _shown(person: Person) -> QuerySet[Dataset]:
    """Select what is listed, or a person's own, whatever was taken back since."""
    return Dataset.objects.filter(Q(listed_at__lte=Now()) | _own(person, "listed_on"))


def _stones(**wanted: str) -> QuerySet[Tombstone]:
    return Tombstone.objects.filter(dataset=OuterRef("pk"), **wanted)


def _own(person: Person, day: str) -> Q:
    """Say whether each guard of a dataset lets a person pass before its day."""
    return Q(Passes(person, day)) if isinstance(person, User) else Q(pk__in=[])


def memberships(person: User) -> QuerySet[Membership]:
    """Select the memberships of a person that are valid today."""
    return valid_memberships().filter(person=person)


def valid_memberships() -> QuerySet[Membership]:
    """Select everybody's memberships that are valid today, where the facility is."""
    today = LocalToday(F("proposal__facility__timezone"))
    return Membership.objects.filter(
        Q(valid_from__isnull=True) | Q(valid_from__lte=today),
        Q(valid_to__isnull=True) | Q(valid_to__gte=today),
    )


def visits(person: User, dataset: OuterRef | Dataset) -> QuerySet[Guest]:
    """Select what lets a person into one dataset as a guest today."""
    today = LocalToday(F("dataset__facility__timezone"))
    return Guest.objects.filter(person=person, dataset=dataset, valid_to__gte=today)


def closed_guards(datasets: Collection[int]) -> QuerySet[Guard]:
    """Select the guards that keep datasets closed today, by the datasets' primary keys."""
    guards = Guard.objects.filter(dataset__in=datasets)
    return guards.exclude(opens_on__lte=LocalToday(F("dataset__facility__timezone")))


def get_dataset(person: Person, pid: str | UUID) -> Dataset:
    """
    Return a dataset whose page the person may see.

    Raises
    ------
    UnknownDatasetError
        If there is none, or it is hidden; the two cannot be told apart.
    RetractedError
        If they could see it until it was withdrawn.
    """
    wanted = visible_datasets(person).select_related(
        "facility", "instrument", "tombstone", "calibration"
    )
    try:
        return wanted.get(pid=pid)
    except (Dataset.DoesNotExist, ValidationError) as error:
        _refuse_withdrawn(person, pid=pid)
        raise UnknownDatasetError(str(pid)) from error


def _refuse_withdrawn(person: Person, **named: str | UUID) -> None:
    """Tell those who would see a dataset that it was withdrawn, and nobody else."""
    stones = Tombstone.objects.filter(kind=Tombstone.Kind.WITHDRAWN)
    try:
        stone = stones.filter(dataset__in=_shown(person).filter(**named)).first()
    except ValidationError:
        return  # no identifier at all
    if stone:
        raise _retracted(stone)


def _retracted(stone: Tombstone) -> RetractedError:
    dataset = stone.dataset
    day = stone.made_at.astimezone(ZoneInfo(dataset.facility.timezone)).date()
    return RetractedError(str(dataset.pid), stone.kind, stone.reason, day)


def get_readable(person: Person, pid: str | UUID) -> Dataset:
    """
    Return a dataset whose bytes the person may read.

    Raises
    ------
    UnknownDatasetError
        If there is none, or its page is hidden.
    EmbargoError
        If the page may be seen but the data are closed; it tells the date.
    RetractedError
        If the dataset was taken back.
    """
    dataset = get_dataset(person, pid)
    if not may_read(person, dataset):
        refuse_bytes(dataset)
    return dataset


def may_read(person: Person, dataset: Dataset) -> bool:
    """Say whether a person may read the bytes of a dataset that they see."""
    return readable_datasets(person).filter(pk=dataset.pk).exists()


def refuse_bytes(dataset: Dataset) -> None:
    """
    Refuse the bytes of a dataset whose page may be seen.

    Raises
    ------
    RetractedError
        If it was taken back.
    EmbargoError
        Otherwise, with the day on which it opens.
    """
    if stone := Tombstone.objects.filter(dataset=dataset).first():
        raise _retracted(stone)
    raise EmbargoError(str(dataset.pid), access_state(dataset).opens_on)


def visible_files(person: Person) -> QuerySet[DataFile]:
    """Select the files of all datasets whose bytes a person may read."""
    return DataFile.objects.filter(dataset__in=readable_datasets(person))


def get_file(person: Person, uuid: str | UUID) -> DataFile:
    """
    Return a file that the person may read.

    Raises
    ------
    UnknownFileError
        If there is none, or its dataset is hidden.
    EmbargoError, RetractedError
        As of ``get_readable``.
    """
    seen = DataFile.objects.filter(dataset__in=visible_datasets(person))
    try:
        file = seen.select_related("dataset", "store").get(uuid=uuid)
    except (DataFile.DoesNotExist, ValidationError) as error:
        _refuse_withdrawn(person, files__uuid=uuid)
        raise UnknownFileError(str(uuid)) from error
    if not may_read(person, file.dataset):
        refuse_bytes(file.dataset)
    return file


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
    found: dict[int, list[Guard]] = {pk: [] for pk in pks}
    for guard in dated_guards(pks):
        found[guard.dataset_id].append(guard)
    return {pk: judge(guards) for pk, guards in found.items()}


def dated_guards(datasets: Collection[int]) -> QuerySet[Guard]:
    """Select the guards of datasets with ``today``, the day it is where they were measured."""
    today = LocalToday(F("dataset__facility__timezone"))
    return Guard.objects.filter(dataset__in=datasets).annotate(today=today)


def judge(guards: list[Guard]) -> AccessState:
    """
    Judge by all guards of a dataset: the last one opens it, one without date never.

    Parameters
    ----------
    guards : list of Guard
        As ``dated_guards`` selects them.
    """
    today: date | None = getattr(guards[0], "today", None) if guards else None
    closed = [g for g in guards if today and (g.opens_on is None or g.opens_on > today)]
    days = [guard.opens_on for guard in closed if guard.opens_on is not None]
    rulings = {guard.ruling for guard in guards}
    if guards and not closed:
        early = Guard.Ruling.RELEASED in rulings
        return AccessState(State.RELEASED_EARLY if early else State.OPEN, None)
    if any(guard.is_proprietary for guard in guards):
        return AccessState(State.PROPRIETARY, None)
    if not closed or len(days) < len(closed):
        return AccessState(State.COLLECTING, None)
    extended = Guard.Ruling.EXTENDED in {guard.ruling for guard in closed}
    return AccessState(State.EXTENDED if extended else State.EMBARGOED, max(days))


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
