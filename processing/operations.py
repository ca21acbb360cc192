"""
How an installation is doing, in numbers: runs, copies, stores, new data.

Each number is one statement. The page asks every ten seconds, so what grows with the
catalogue is counted every five minutes only.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from catalogue.access import Person
from catalogue.errors import NotPermittedError
from catalogue.models import Arrival, DataFile, IngestRule, Store, User
from catalogue.watching import NAME as WATCHER
from processing.access import visible_processing_runs
from processing.models import ArchiveCopy, ProcessingRun
from processing.rooms import Room, look_at

State = ProcessingRun.State

_RECENT = timedelta(days=7)
_MOST_LEASES = 50
_COUNTED_FOR_S = 300


def require_operator(person: Person) -> None:
    """
    Refuse whoever neither operates the installation nor curates its data.

    Raises
    ------
    NotPermittedError
        Naming who may.
    """
    if not (isinstance(person, User) and (person.is_data_steward or person.is_staff)):
        raise NotPermittedError("see how this installation is doing", "its operator")


@dataclass(frozen=True)
class Failures:
    """Runs of one recipe that failed in the last seven days, for one reason."""

    recipe: str
    code: str
    count: int
    latest: datetime


@dataclass(frozen=True)
class Runs:
    """
    The queue.

    ``leases`` are the runs under way, the one that ends first first; ``visible`` are the
    primary keys of those whose pages this person may see.
    """

    states: list[tuple[str, int]]
    oldest: datetime | None
    leases: list[ProcessingRun]
    visible: set[int]
    now: datetime
    failures: list[Failures]


@dataclass(frozen=True)
class Copies:
    """Archive copies for one store in one state; the next one is ``due`` then."""

    store: str
    state: str
    label: str
    count: int
    due: datetime | None
    attempts: int


@dataclass
class Rule:
    """An ingest rule and what became of the acquisitions that it found."""

    row: IngestRule
    arrivals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Watch:
    """The connections that look for new data, and when one of them last said a word."""

    watchers: int
    heard: datetime | None
    rules: list[Rule]


@dataclass(frozen=True)
class Holding:
    """A store, its room, and what of the catalogue lies in it; ``size`` in bytes."""

    store: Store
    room: Room
    datasets: int
    size: int


@dataclass(frozen=True)
class Holdings:
    stores: list[Holding]
    counted: datetime


def ask_runs(person: Person) -> Runs:
    """Ask for the queue, what is under way, and what failed."""
    states = dict(ProcessingRun.objects.order_by().values_list("state").annotate(Count("pk")))
    under_way = ProcessingRun.objects.filter(state=State.RUNNING).select_related("recipe")
    leases = list(under_way.order_by("lease_until")[:_MOST_LEASES])
    seen = visible_processing_runs(person).filter(pk__in=[run.pk for run in leases])
    queued = ProcessingRun.objects.filter(state=State.QUEUED)
    return Runs(
        [(label, states.get(value, 0)) for value, label in State.choices],
        queued.aggregate(oldest=Min("queued_at"))["oldest"],
        leases,
        set(seen.values_list("pk", flat=True)),
        timezone.now(),
        _ask_failures(),
    )


def _ask_failures() -> list[Failures]:
    failed = ProcessingRun.objects.filter(
        state=State.FAILED, finished_at__gte=Now() - _RECENT
    ).order_by()
    rows = failed.values_list("recipe__name", "recipe__version", "problem__code").annotate(
        count=Count("pk"), latest=Max("finished_at")
    )
    found = [Failures(f"{row[0]}@{row[1]}", row[2] or "", row[3], row[4]) for row in rows]
    return sorted(found, key=lambda it: (-it.count, it.recipe, it.code))


def ask_copies() -> list[Copies]:
    """Ask for the archive copies that are not there yet, or never will be."""
    open_ones = ArchiveCopy.objects.exclude(state=ArchiveCopy.State.ARCHIVED).order_by()
    rows = open_ones.values_list("store__slug", "state").annotate(
        count=Count("pk"), due=Min("not_before"), attempts=Max("attempt")
    )
    labels = dict(ArchiveCopy.State.choices)
    return sorted(
        (Copies(store, state, labels[state], *rest) for store, state, *rest in rows),
        key=lambda it: (it.store, it.state),
    )


def ask_watch() -> Watch:
    """Ask which rules watch, what became of what they found, and whether anybody looks."""
    rules = {
        row.pk: Rule(row)
        for row in IngestRule.objects.select_related("instrument", "store").order_by("slug")
    }
    # What is registered is as much as the catalogue holds: it is not counted here.
    found = Arrival.objects.filter(~Q(state=Arrival.State.REGISTERED)).order_by()
    for rule, state, count in found.values_list("rule", "state").annotate(Count("pk")):
        rules[rule].arrivals[state] = count
    watchers, heard = _ask_watchers()
    return Watch(watchers, heard, list(rules.values()))


def _ask_watchers() -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), max(state_change) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = %s",
            [WATCHER],
        )
        watchers, heard = cursor.fetchone()
    return watchers, heard


def ask_holdings() -> Holdings:
    """Ask for the room of each store, and for what lies in it."""
    stores = list(Store.objects.order_by("slug"))
    held, counted = cache.get_or_set("palimpsest.holdings", _count, _COUNTED_FOR_S) or _count()
    rooms = look_at(stores)
    return Holdings(
        [Holding(store, rooms[store.pk], *held.get(store.pk, (0, 0))) for store in stores],
        counted,
    )


def _count() -> tuple[dict[int, tuple[int, int]], datetime]:
    """Count datasets and bytes by store: files lie in one, copies of them in others."""
    # Each dataset has one first file; to count distinct datasets would be to sort all files.
    files = DataFile.objects.order_by().values_list("store")
    copies = ArchiveCopy.objects.filter(state=ArchiveCopy.State.ARCHIVED).order_by()
    rows = [
        *files.annotate(held=Count("pk", filter=Q(position=0)), bytes=Sum("size")),
        *copies.values_list("store").annotate(held=Count("pk"), bytes=Sum("dataset__size")),
    ]
    held, sizes = Counter[int](), Counter[int]()
    for store, count, size in rows:
        held[store] += count
        sizes[store] += size
    return {pk: (held[pk], sizes[pk]) for pk in held}, timezone.now()
