"""Ancestry, one step up and down or all the way, cut to what a person may see."""

from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Exists, OuterRef

from catalogue.access import Person, visible_datasets
from catalogue.models import Activity, Dataset, Generated, Used

_LATEST = 1_000  # uses of one dataset that its page looks at


@dataclass(frozen=True)
class Edge:
    """A dataset in a role of an activity; None where it is not visible to the reader."""

    role: str
    dataset: Dataset | None


@dataclass(frozen=True)
class Step:
    """One activity with what it used and generated."""

    activity: Activity
    used: list[Edge] = field(default_factory=list)
    generated: list[Edge] = field(default_factory=list)


_WALK = """
WITH RECURSIVE reached (dataset_id) AS (
    SELECT %s::bigint
  UNION
    SELECT target.dataset_id
      FROM reached
      JOIN {source} source ON source.dataset_id = reached.dataset_id
      JOIN {target} target ON target.activity_id = source.activity_id)
"""
_OTHERS = "SELECT dataset_id FROM reached WHERE dataset_id <> %s"

# The head of a statement: ``reached`` holds the dataset whose key is its one parameter, and
# all that stem from it. No column of depth: it would defeat UNION, which sees each but once.
DOWNWARDS = _WALK.format(source=Used._meta.db_table, target=Generated._meta.db_table)
_UPWARDS = _WALK.format(source=Generated._meta.db_table, target=Used._meta.db_table)


def origin(person: Person, dataset: Dataset) -> Step | None:
    """
    Return the activity that generated a dataset, with its inputs.

    Returns
    -------
    Step or None
        None for raw data whose acquisition nobody recorded.
    """
    made = Generated.objects.filter(dataset=dataset).select_related("activity__person").first()
    return _steps(person, [made.activity])[0] if made else None


def uses(person: Person, dataset: Dataset, *, limit: int = 50) -> list[Step]:
    """
    Return the newest activities that used a dataset and of which something is visible.

    Only the latest thousand are looked at: a calibration may have been used by a million.
    """
    latest = Used.objects.filter(dataset=dataset).order_by("-activity")[:_LATEST]
    seen = Generated.objects.filter(activity=OuterRef("pk"), dataset__in=visible_datasets(person))
    activities = Activity.objects.filter(Exists(seen), pk__in=latest.values("activity"))
    return _steps(person, list(activities.select_related("person").order_by("-id")[:limit]))


def ancestors(dataset: Dataset) -> set[int]:
    """Return the primary keys of all datasets that a dataset stems from."""
    return _walk(dataset, _UPWARDS)


def descendants(dataset: Dataset) -> set[int]:
    """Return the primary keys of all datasets that stem from a dataset."""
    return _walk(dataset, DOWNWARDS)


def _walk(dataset: Dataset, head: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(head + _OTHERS, [dataset.pk, dataset.pk])
        return {row[0] for row in cursor.fetchall()}


def _steps(person: Person, activities: list[Activity]) -> list[Step]:
    if not activities:
        return []
    steps = {activity.pk: Step(activity) for activity in activities}
    used = list(Used.objects.filter(activity__in=steps).order_by("id"))
    generated = list(Generated.objects.filter(activity__in=steps).order_by("id"))
    pks = {row.dataset_id for row in used} | {row.dataset_id for row in generated}
    visible = visible_datasets(person).in_bulk(pks)
    for row in used:
        steps[row.activity_id].used.append(Edge(row.role, visible.get(row.dataset_id)))
    for made in generated:
        steps[made.activity_id].generated.append(Edge(made.role, visible.get(made.dataset_id)))
    return list(steps.values())
