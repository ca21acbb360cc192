"""Find datasets by words and facets; the same query serves page and REST."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import ExtractYear

from catalogue.access import Person, visible_datasets
from catalogue.models import Dataset
from catalogue.words import fold

# Facet name -> label, lookup of its value, lookup of the value's label.
_FACETS = {
    "instrument": ("Instrument", "instrument__slug", "instrument__name"),
    "technique": ("Technique", "techniques__pid", "techniques__name"),
    "sample": ("Sample", "samples__name", "samples__name"),
    "kind": ("Kind", "kind", "kind"),
    "content": ("Content", "content", "content"),
    "year": ("Year", "year", "year"),
}
_MOST_VALUES = 20
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_MOST_WORDS = 100  # of a query; PostgreSQL refuses tens of thousands


@dataclass(frozen=True)
class Query:
    """What a person asks for: free text, and chosen values for each facet."""

    text: str = ""
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FacetValue:
    value: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    name: str
    label: str
    values: tuple[FacetValue, ...]

    @property
    def chosen(self) -> int:
        return sum(value.is_chosen for value in self.values)


def read_query(parameters: Mapping[str, Sequence[str]]) -> Query:
    """Read a query from the lists of a URL's parameters; unknown names are not ours."""
    text = " ".join(parameters.get("q", []))
    chosen = {name: tuple(parameters[name]) for name in _FACETS if parameters.get(name)}
    return Query(text, chosen)


def find(person: Person, query: Query) -> QuerySet[Dataset]:
    """Select what a person may see and asks for, best or newest first."""
    found = _with_facets(_with_text(_listed(person), query.text), query.chosen)
    newest = (F("start_time").desc(nulls_last=True), "-id")
    if fold(query.text):
        rank = SearchRank(F("listing__words"), _text_query(query.text))
        return found.annotate(rank=rank).order_by("-rank", *newest)
    return found.order_by(*newest)


def count_facets(person: Person, query: Query) -> list[Facet]:
    """Count the values of each facet under all other filters, most frequent first."""
    matching = _with_text(_listed(person), query.text)
    return [_count_facet(matching, name, query) for name in _FACETS]


def _count_facet(matching: QuerySet[Dataset], name: str, query: Query) -> Facet:
    label, lookup, label_lookup = _FACETS[name]
    others = {other: values for other, values in query.chosen.items() if other != name}
    rows = (
        _with_facets(matching, others)
        .annotate(year=ExtractYear("start_time"))
        .exclude(**{f"{lookup}__isnull": True})
        .values_list(lookup, label_lookup)
        .annotate(datasets=Count("pk", distinct=True))
        .order_by("-datasets", label_lookup)
    )
    chosen = [str(value) for value in query.chosen.get(name, ())]
    counted = {str(value): (str(text), count) for value, text, count in rows[:_MOST_VALUES]}
    if rare := [value for value in _storable(name, chosen) if str(value) not in counted]:
        found = rows.filter(**{f"{lookup}__in": rare})
        counted |= {str(value): (str(text), count) for value, text, count in found}
    counted |= {value: (value, 0) for value in chosen if value not in counted}
    return Facet(
        name,
        label,
        tuple(
            FacetValue(value, text, count, value in chosen)
            for value, (text, count) in counted.items()
        ),
    )


def _listed(person: Person) -> QuerySet[Dataset]:
    """Select what a person may see, without what was taken back."""
    return visible_datasets(person).filter(listing__isnull=False)


def _with_text(datasets: QuerySet[Dataset], text: str) -> QuerySet[Dataset]:
    return datasets.filter(listing__words=_text_query(text)) if fold(text) else datasets


def _text_query(text: str) -> SearchQuery:
    """All words must occur; the last one may be the beginning of a word."""
    words = fold(text).split()[:_MOST_WORDS]
    raw = " & ".join([*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"])
    return SearchQuery(raw, config="simple", search_type="raw")


def _with_facets(
    datasets: QuerySet[Dataset], chosen: Mapping[str, Sequence[str]]
) -> QuerySet[Dataset]:
    """Any value inside a facet, all facets together."""
    for name, texts in chosen.items():
        values = _storable(name, texts)
        if name == "year":
            datasets = datasets.filter(start_time__year__in=values)
        elif name in {"technique", "sample"}:
            lookup = _FACETS[name][1]
            tagged = Dataset.objects.filter(Q(**{f"{lookup}__in": values}))
            datasets = datasets.filter(pk__in=tagged.values("pk"))
        else:
            datasets = datasets.filter(**{f"{_FACETS[name][1]}__in": values})
    return datasets


def _storable(name: str, values: Sequence[str]) -> list[str] | list[int]:
    """Leave out what no dataset can have: no year, or text that PostgreSQL cannot hold."""
    if name == "year":
        return [int(value) for value in values if value.isdecimal() and len(value) == 4]
    return [value for value in values if not _NO_TEXT.search(value)]
