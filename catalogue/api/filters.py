"""What a list can be asked for, and which rows that selects for a person."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from catalogue import lineage, search
from catalogue.access import Person, get_dataset, visible_datasets
from catalogue.api.paging import PageQuery
from catalogue.api.resource import StrictSerializer
from catalogue.models import Activity, Dataset, Generated, Used


def _values() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=False),
        default=list,
        max_length=100,
        help_text="Repeat it to take any of several values.",
    )


class SearchQuery(StrictSerializer):
    """Free text and facets, as in the address of the page of datasets."""

    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=2000,
        help_text="Words and conditions, as in the search box: energy:9..12keV pigment.",
    )
    instrument = _values()
    technique = _values()
    sample = _values()
    kind = serializers.ListField(child=serializers.ChoiceField(Dataset.Kind.choices), default=list)
    content = _values()
    year = serializers.ListField(
        child=serializers.IntegerField(min_value=1000, max_value=9999), default=list
    )
    access = serializers.ListField(
        child=serializers.ChoiceField(["open", "closed", "embargoed"]), default=list
    )
    facility = _values()


class DatasetQuery(SearchQuery, PageQuery):
    pass


class ActivityQuery(PageQuery):
    kind = serializers.ChoiceField(Activity.Kind.choices, required=False)
    recipe = serializers.CharField(required=False, max_length=64)
    used = serializers.UUIDField(required=False, help_text="A dataset among its inputs.")


def search_query(asked: dict[str, Any]) -> search.Query:
    """Return checked parameters as the query that pages use, too."""
    values = {
        name: [str(value) for value in given]
        for name, given in asked.items()
        if isinstance(given, list)
    }
    return search.read_query(values | {"q": [asked["q"]]})


def select_activities(person: Person, asked: dict[str, Any]) -> QuerySet[Activity]:
    """
    Select the activities that a person may see and asks for.

    Raises
    ------
    UnknownDatasetError
        If they are to have used a dataset that is hidden.
    """
    activities = visible_activities(person)
    if kind := asked.get("kind"):
        activities = activities.filter(kind=kind)
    if recipe := asked.get("recipe"):
        activities = activities.filter(recipe=recipe)
    if used := asked.get("used"):
        uses = Used.objects.filter(dataset=get_dataset(person, used))
        activities = activities.filter(pk__in=uses.values("activity"))
    return activities


def visible_activities(person: Person) -> QuerySet[Activity]:
    """Select the activities of which a person may see at least one result."""
    seen = Generated.objects.filter(activity=OuterRef("pk"), dataset__in=visible_datasets(person))
    return Activity.objects.filter(Exists(seen)).select_related("person")


def get_step(person: Person, pid: str) -> lineage.Step:
    """
    Return an activity that the person may see, with what it used and generated.

    Raises
    ------
    NotFound
        If there is none, or it is hidden; the two cannot be told apart.
    """
    try:
        results = visible_datasets(person).filter(generated_by__activity__pid=UUID(pid))
    except ValueError:
        results = Dataset.objects.none()
    seen = results.first()
    step = lineage.origin(person, seen) if seen else None
    if step is None:
        raise NotFound(f"There is no activity {pid} that you may see.")
    return step
