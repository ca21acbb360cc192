"""
The graph about a dataset, as far as a person may see it: shape for all, content for some.

What is hidden keeps its place and its kind, and a number that holds in one answer only.
Nothing of it is in the graph: no title, no time, no role, nothing made from its identifier.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from catalogue.access import Person, visible_datasets
from catalogue.models import Activity, Dataset, Generated, Tombstone, Used

FURTHEST = 20  # generations
MOST = 2_000  # nodes

_Table = type[Used] | type[Generated]


@dataclass(frozen=True)
class Node:
    """
    A dataset or an activity.

    Attributes
    ----------
    name : str
        Its identifier, or "hidden-1" and so on, of which the next answer knows nothing.
    type : str
        "dataset" or "activity".
    row : Dataset, Activity or None
        None where the reader may not see it.
    is_retracted : bool
        Of a dataset that is seen.
    """

    name: str
    type: str
    row: Dataset | Activity | None
    is_retracted: bool = False


@dataclass(frozen=True)
class Link:
    """From what was used to the activity, or from the activity to what it generated."""

    source: str
    target: str
    role: str  # empty where the activity is hidden


@dataclass(frozen=True)
class Graph:
    """``cut`` says what was left out, in a sentence; it is empty if nothing was."""

    nodes: list[Node]
    links: list[Link]
    cut: str = ""


@dataclass(frozen=True)
class _Step:
    activity: int
    dataset: int
    role: str
    is_use: bool


@dataclass
class _Walk:
    """What was reached so far, by primary keys."""

    limit: int
    datasets: set[int]
    activities: set[int] = field(default_factory=set)
    steps: set[_Step] = field(default_factory=set)
    is_cut: bool = False

    def go(self, start: int, generations: int, *, is_up: bool) -> None:
        """Walk up or down, generation by generation, as long as there is room."""
        into, out_of = (Generated, Used) if is_up else (Used, Generated)
        frontier = {start}
        for _ in range(generations):
            made = self._look(into, "dataset", frontier)
            activities = {step.activity for step in made} - self.activities
            self.activities |= activities
            found = self._look(out_of, "activity", activities)
            frontier = {step.dataset for step in found} - self.datasets
            self.datasets |= frontier
            if not frontier:
                return
        self.is_cut |= into.objects.filter(dataset__in=frontier).exists()

    def _look(self, table: _Table, near: str, pks: Collection[int]) -> list[_Step]:
        """Take as many edges as there is room for nodes at their far ends, the newest."""
        room = self.limit - len(self.datasets) - len(self.activities)
        rows: QuerySet[Used] | QuerySet[Generated] = table.objects.filter(**{f"{near}__in": pks})
        # In the order of an index: by id, a limit would have PostgreSQL read the whole table.
        far = "activity" if near == "dataset" else "dataset"
        named = rows.order_by(f"-{near}", f"-{far}").values_list("activity", "dataset", "role")
        found = [_Step(*row, is_use=table is Used) for row in named[: max(room, 0) + 1]]
        if len(found) > room:
            self.is_cut, found = True, found[: max(room, 0)]
        self.steps |= set(found)
        return found


def graph(
    person: Person, dataset: Dataset, *, up: int = 5, down: int = 5, limit: int = 500
) -> Graph:
    """
    Return what a dataset stems from and what stems from it, cut to what a person may see.

    Parameters
    ----------
    person : User or AnonymousUser
        Who looks.
    dataset : Dataset
        That they see.
    up, down : int
        Generations; one is an activity and the datasets behind it.
    limit : int
        Nodes, hidden ones too.

    Returns
    -------
    Graph
        A dataset is hidden where its page is; an activity where the pages of all its
        results are.
    """
    walk = _Walk(limit, {dataset.pk})
    walk.go(dataset.pk, up, is_up=True)
    walk.go(dataset.pk, down, is_up=False)
    numbers = count(1)
    datasets, activities = _datasets(person, walk, numbers), _activities(person, walk, numbers)
    links = [_link(step, activities[step.activity], datasets[step.dataset]) for step in walk.steps]
    links.sort(key=lambda link: (link.source, link.target, link.role))
    return Graph([*datasets.values(), *activities.values()], links, _tell(walk))


def _datasets(person: Person, walk: _Walk, numbers: Iterator[int]) -> dict[int, Node]:
    seen = visible_datasets(person).in_bulk(walk.datasets)
    stones = set(Tombstone.objects.filter(dataset__in=seen).values_list("dataset", flat=True))
    pids = dict(Dataset.objects.filter(pk__in=walk.datasets).values_list("pk", "pid"))
    return {
        pk: Node(_id(seen.get(pk), numbers), "dataset", seen.get(pk), is_retracted=pk in stones)
        for pk in _in_order(pids, seen)
    }


def _activities(person: Person, walk: _Walk, numbers: Iterator[int]) -> dict[int, Node]:
    shown = visible_datasets(person).filter(generated_by__activity=OuterRef("pk"))
    seen = Activity.objects.filter(Exists(shown)).in_bulk(walk.activities)
    pids = dict(Activity.objects.filter(pk__in=walk.activities).values_list("pk", "pid"))
    return {
        pk: Node(_id(seen.get(pk), numbers), "activity", seen.get(pk))
        for pk in _in_order(pids, seen)
    }


def _id(row: Dataset | Activity | None, numbers: Iterator[int]) -> str:
    return str(row.pid) if row else f"hidden-{next(numbers)}"


def _in_order(pids: Mapping[int, UUID], seen: Collection[int]) -> list[int]:
    """Put what is seen first; among the hidden, not even the order tells which is older."""
    return sorted(pids, key=lambda pk: (pk not in seen, pids[pk]))


def _link(step: _Step, activity: Node, dataset: Node) -> Link:
    source, target = (dataset, activity) if step.is_use else (activity, dataset)
    return Link(source.name, target.name, step.role if activity.row else "")


def _tell(walk: _Walk) -> str:
    if not walk.is_cut:
        return ""
    return (
        f"Only {len(walk.datasets)} datasets and {len(walk.activities)} activities are told: "
        "there are more. Ask for more generations or nodes, or about a dataset further on."
    )
