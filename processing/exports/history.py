"""
Ask the database for a record: the only place of the exports that does.

The walk goes back from a dataset to its raw data, generation by generation, with four
statements for each, however wide it is; what a reader may know is asked once, at the end.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from django.conf import settings
from django.db.models import Q

from catalogue.access import Person, cleared_datasets, readable_datasets, visible_datasets
from catalogue.models import Activity, DataFile, Dataset, Generated, Tombstone, Used, User
from processing.errors import ExportError
from processing.exports.record import (
    Link,
    Place,
    Record,
    RecordedActivity,
    RecordedDataset,
    RecordedFile,
    RecordedParameter,
    RecordedPerson,
    TakenBack,
)
from processing.models import ProcessingRun, Recipe

MOST_NODES = 2_000
MOST_GENERATIONS = 200
MOST_FILES = 10_000

_Edge = tuple[int, int, str]  # activity, dataset, role


def operator() -> User:
    """Return whoever sits at the machine itself: they see everything, and have no account."""
    return User(username="operator", is_data_steward=True)


def history_of(
    person: Person,
    dataset: Dataset,
    *,
    most_nodes: int = MOST_NODES,
    most_generations: int = MOST_GENERATIONS,
) -> Record:
    """
    Record the history of a dataset back to its raw data.

    Parameters
    ----------
    person : User or AnonymousUser
        Who reads it.
    dataset : Dataset
        One that they may see.
    most_nodes : int
        Beyond so many datasets and activities the record ends, and says where.
    most_generations : int
        Nor does it go back further: each generation costs four statements.
    """
    walk = _Walk(most_nodes)
    walk.go_back([dataset.pk], most_generations)
    return _Telling(person, walk).tell([dataset.pk])


def history_of_run(person: Person, run: ProcessingRun) -> Record:
    """
    Record one processing run with its inputs and, if it succeeded, its outputs.

    Raises
    ------
    ExportError
        If it has not ended: there is no history yet; or if it is a replay.
    """
    if run.purpose == ProcessingRun.Purpose.REPLAY:
        raise ExportError("This processing run is a replay: it published nothing. "
                          "Export the run that it repeats.")  # fmt: skip
    if not run.is_final:
        raise ExportError(f"This processing run is {run.state}. Export it when it has ended.")
    if run.activity is None:
        return _of_failure(person, run, _Walk(MOST_NODES))
    return history_of_activity(person, run.activity)


def history_of_activity(person: Person, activity: Activity) -> Record:
    """Record one activity with what it used and generated."""
    walk = _Walk(MOST_NODES)
    walk.take([activity])
    return _Telling(person, walk).tell([dataset for _, dataset, _ in walk.generated])


def _of_failure(person: Person, run: ProcessingRun, walk: "_Walk") -> Record:
    """Tell of a run that left no activity, since it made nothing."""
    failed = Activity(
        pid=run.uuid,
        kind=Activity.Kind.PROCESSING,
        title=f"{run.recipe.title}: {run.state}",
        recipe=run.recipe.name,
        version=run.recipe.version,
        run_key=run.run_key,
        parameters=run.parameters,
        environment=json.loads(run.recipe.manifest)["environment"],
        person=run.requested_by,
        started_at=run.started_at,
        ended_at=run.finished_at,
    )
    walk.activities[0] = failed
    walk.used = [(0, given.dataset_id, given.role) for given in run.inputs.all()]
    walk.datasets = dict.fromkeys(dataset for _, dataset, _ in walk.used)
    reason = (run.problem or {}).get("message", "") or f"It was {run.state}."
    return _Telling(person, walk, errors={0: reason}).tell([])


class _Walk:
    """The shape of a history, by primary keys."""

    def __init__(self, most_nodes: int) -> None:
        self._most = most_nodes
        self.datasets: dict[int, None] = {}  # in the order in which they were met
        self.activities: dict[int, Activity] = {}
        self.used: list[_Edge] = []
        self.generated: list[_Edge] = []
        self.cut: set[int] = set()  # datasets behind which there is more

    def go_back(self, frontier: list[int], generations: int) -> None:
        """Follow datasets to what made them, until they are raw or the record is full."""
        self.datasets |= dict.fromkeys(frontier)
        while frontier:
            rows = Generated.objects.filter(dataset__in=frontier).order_by("activity_id")
            made = {row.dataset_id: row.activity_id for row in rows}
            news = [pk for pk in dict.fromkeys(made.values()) if pk not in self.activities]
            wanted = news[: max(0, self._room)] if generations else []
            generations -= 1
            left = set(news) - set(wanted)
            self.cut |= {dataset for dataset, activity in made.items() if activity in left}
            frontier = self.take(Activity.objects.filter(pk__in=wanted).select_related("person"))

    @property
    def _room(self) -> int:
        return self._most - len(self.datasets) - len(self.activities)

    def take(self, activities: Iterable[Activity]) -> list[int]:
        """Add activities with their edges; return the datasets that are new and were used."""
        taken = {row.pk: row for row in activities}
        if not taken:
            return []
        self.activities |= taken
        known = set(self.datasets)
        for kind, edges in ((Generated, self.generated), (Used, self.used)):
            rows = kind.objects.filter(activity__in=taken).order_by("activity_id", "id")
            found = list(rows.values_list("activity_id", "dataset_id", "role")[: self._most + 1])
            edges.extend(found[: self._most])
            if len(found) > self._most:
                self.cut |= {dataset for _, dataset, _ in self.generated}
            self.datasets |= dict.fromkeys(dataset for _, dataset, _ in edges)
        return [
            dataset
            for dataset in dict.fromkeys(pk for _, pk, _ in self.used)
            if dataset not in known
        ]


class _Telling:
    """What of a walk a person may know."""

    def __init__(
        self, person: Person, walk: _Walk, errors: Mapping[int, str] | None = None
    ) -> None:
        self._walk = walk
        self._errors = errors or {}
        pks = list(walk.datasets)
        seen = visible_datasets(person).select_related("facility")
        self._seen: dict[int, Dataset] = seen.in_bulk(pks)
        self._cleared = _pks(cleared_datasets(person).filter(pk__in=pks))
        self._readable = _pks(readable_datasets(person).filter(pk__in=pks))
        self._stones = Tombstone.objects.in_bulk(list(self._seen))
        self._files, self._overfull = _files(self._cleared)
        self._units = _units(walk.activities.values())

    def tell(self, subjects: list[int]) -> Record:
        datasets = dict(self._tell_datasets())
        activities = dict(self._tell_activities())
        return Record(
            base=settings.PALIMPSEST_URL.rstrip("/"),
            place=self._place(),
            subjects=tuple(datasets[pk].key for pk in subjects if pk in datasets),
            datasets={row.key: row for row in datasets.values()},
            activities={row.key: row for row in activities.values()},
            used=_links(self._walk.used, activities, datasets),
            generated=_links(self._walk.generated, activities, datasets),
        ).without_titles_of_hidden()

    def _place(self) -> Place:
        home = next((row.facility for row in self._seen.values()), None)
        return Place(home.name, home.ror) if home else Place("Palimpsest")

    def _tell_datasets(self) -> Iterator[tuple[int, RecordedDataset]]:
        numbers = count(1)
        for pk in self._walk.datasets:
            row = self._seen.get(pk)
            if row is None:
                yield pk, RecordedDataset(f"hidden-{next(numbers)}")
                continue
            stone = self._stones.get(pk)
            yield (
                pk,
                RecordedDataset(
                    key=str(row.pid),
                    pid=row.pid,
                    kind=row.kind,
                    content=row.content,
                    title=row.title,
                    licence=row.licence,
                    # Checksums and names of files are for those to whom the bytes are open.
                    digest=row.digest if pk in self._cleared else "",
                    registered_at=row.registered_at,
                    files=tuple(self._files.get(pk, ())),
                    taken_back=TakenBack(stone.kind, stone.reason, stone.made_at)
                    if stone
                    else None,
                    is_readable=pk in self._readable,
                    is_cut=pk in self._walk.cut or pk in self._overfull,
                ),
            )

    def _tell_activities(self) -> Iterator[tuple[int, RecordedActivity]]:
        numbers = count(1)
        known = {activity for activity, dataset, _ in self._walk.generated if dataset in self._seen}
        for pk, row in self._walk.activities.items():
            if pk in known or pk in self._errors:
                yield pk, self._tell_activity(pk, row)
            else:
                yield pk, RecordedActivity(f"hidden-activity-{next(numbers)}")

    def _tell_activity(self, pk: int, row: Activity) -> RecordedActivity:
        units = self._units.get((row.recipe, row.version), {})
        digest = row.environment.get("digest", "")
        return RecordedActivity(
            key=str(row.pid),
            pid=row.pid,
            kind=row.kind,
            title=row.title,
            recipe=row.recipe,
            version=row.version,
            run_key=row.run_key,
            parameters=tuple(
                RecordedParameter(name, value, units.get(name, ""))
                for name, value in sorted(row.parameters.items())
            ),
            packages=_packages(row.environment),
            environment=digest if isinstance(digest, str) else "",
            person=_person(row.person),
            started_at=row.started_at,
            ended_at=row.ended_at,
            error=self._errors.get(pk, ""),
        )


def _pks(datasets: Any) -> set[int]:
    return set(datasets.values_list("pk", flat=True))


def _files(datasets: set[int]) -> tuple[dict[int, list[RecordedFile]], set[int]]:
    """Return the files of datasets, and those datasets of which not all are returned."""
    files = DataFile.objects.filter(dataset__in=datasets).order_by("dataset_id", "position")
    told: dict[int, list[RecordedFile]] = {}
    columns = ("dataset_id", "uuid", "path", "size", "sha256", "media_type")
    for pk, *values in files.values_list(*columns)[:MOST_FILES]:
        told.setdefault(pk, []).append(RecordedFile(*values))
    if sum(map(len, told.values())) < MOST_FILES:
        return told, set()
    there = Counter(files.values_list("dataset_id", flat=True))
    return told, {pk for pk, number in there.items() if number > len(told.get(pk, ()))}


def _units(activities: Iterable[Activity]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the units of parameters, from the manifests of all recipes in one statement."""
    made_with = {(row.recipe, row.version) for row in activities if row.recipe}
    wanted = Q(pk__in=[])
    for name, version in made_with:
        wanted |= Q(name=name, version=version)
    return {
        (row.name, row.version): {
            name: said.get("unit", "")
            for name, said in json.loads(row.manifest)["parameters"].get("properties", {}).items()
        }
        for row in Recipe.objects.filter(wanted)
    }


def _packages(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return package and version, whether written by our engine or by software elsewhere."""
    packages = environment.get("packages", environment)
    if not isinstance(packages, Mapping):
        return {}
    told = {name: version for name, version in packages.items() if isinstance(version, str)}
    if isinstance(python := environment.get("python"), str):
        told["python"] = python
    return dict(sorted(told.items()))


def _person(row: User | None) -> RecordedPerson | None:
    return RecordedPerson(row.pid, str(row), row.orcid) if row else None


def _links(
    edges: Iterable[_Edge],
    activities: Mapping[int, RecordedActivity],
    datasets: Mapping[int, RecordedDataset],
) -> tuple[Link, ...]:
    return tuple(
        Link(activities[activity].key, datasets[dataset].key, role)
        for activity, dataset, role in edges
    )
