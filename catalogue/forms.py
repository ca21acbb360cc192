"""The search form: its address holds all that it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from catalogue.search import Facet


@dataclass(frozen=True)
class Chip:
    """A chosen filter in words, and the same search without it."""

    label: str
    remaining: QueryDict

    @property
    def address(self) -> str:
        return f"?{self.remaining.urlencode()}"


def read_lists(parameters: QueryDict) -> Mapping[str, Sequence[str]]:
    """Return the values of each parameter; PostgreSQL knows no text with a zero byte."""
    return {
        name: [value.replace("\x00", "") for value in values] for name, values in parameters.lists()
    }


def list_chips(parameters: QueryDict, facets: Sequence[Facet]) -> list[Chip]:
    """Name every filter in force, the words of the search box first."""
    chips = []
    if words := " ".join(parameters.getlist("q")).strip():
        chips.append(Chip(f"“{words}”", _without(parameters, "q")))
    chips += [
        Chip(f"{facet.label}: {value.label}", _without(parameters, facet.name, value.value))
        for facet in facets
        for value in facet.values
        if value.is_chosen
    ]
    return chips


def _without(parameters: QueryDict, name: str, value: str | None = None) -> QueryDict:
    """Take one filter away, and the page number, which belonged to the old results."""
    remaining = parameters.copy()
    kept = [] if value is None else [v for v in parameters.getlist(name) if v != value]
    remaining.setlist(name, kept)
    remaining.pop("page", None)
    return remaining
