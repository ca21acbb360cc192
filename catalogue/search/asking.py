"""What a person asks for: one text, and values chosen beside it, from an address."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from catalogue.access import Person
from catalogue.query import FieldCondition, Search, parse
from catalogue.scope import Scope
from catalogue.search.calendar import facility_today
from catalogue.search.choices import (
    AccessChoice,
    Choice,
    access_choices,
    allowed_combinations,
    choices_of,
)
from catalogue.search.clauses import Clause, clauses_of, text_query

# The facets that can be chosen beside the text, in the order in which pages show them.
FACETS = {
    "instrument": "Instrument",
    "technique": "Technique",
    "kind": "Kind",
    "content": "Content",
    "year": "Year",
    "access": "Access",
    "sample": "Sample",
    "facility": "Facility",
}


_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Say whether PostgreSQL can hold a text at all."""
    return not _NO_TEXT.search(value)


@dataclass(frozen=True)
class Query:
    """Free text in the query language, and chosen values for each facet."""

    text: str = ""
    chosen: Mapping[str, Sequence[str]] = ()  # type: ignore[assignment]  # an empty mapping

    @cached_property
    def search(self) -> Search:
        """Both as one search: a chosen value is a condition like one in the text."""
        asked = parse(self.text, today=facility_today())
        chosen = tuple(
            FieldCondition(name, tuple(value for value in values if is_text(value)))
            for name, values in dict(self.chosen).items()
        )
        return replace(asked, fields=(*asked.fields, *chosen))


def read_query(parameters: Mapping[str, Sequence[str]]) -> Query:
    """Read a query from the lists of a URL's parameters; unknown names are not ours."""
    text = " ".join(parameters.get("q", []))
    chosen = {name: tuple(parameters[name]) for name in FACETS if parameters.get(name)}
    return Query(text, chosen)


@dataclass(frozen=True)
class Asked:
    """A query, compiled for one person."""

    scope: Scope
    clauses: tuple[Clause, ...]
    choices: tuple[Choice, ...]
    access: tuple[AccessChoice, ...]
    text: str  # for relevance, as tsquery; empty without words

    @classmethod
    def by(cls, person: Person, query: Query) -> "Asked":
        """Look up what names of the query mean, and what the person belongs to."""
        search = query.search
        return cls(
            Scope.of(person),
            tuple(clauses_of(search, person)),
            tuple(choices_of(search.fields)),
            tuple(access_choices(search.fields)),
            text_query(search),
        )

    @cached_property
    def combinations(self) -> list[int] | None:
        """The combinations that the choices allow; None if all."""
        return allowed_combinations(self.choices)

    @property
    def may_be_open(self) -> bool:
        """Whether the choice of access lets open data in."""
        return self._allows("open")

    @property
    def may_be_closed(self) -> bool:
        """Whether it lets any closed data in."""
        return self._allows("embargoed") or self._allows("undated")

    def _allows(self, state: str) -> bool:
        return all(choice.allows(state) for choice in self.access)
