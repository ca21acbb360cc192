"""The facets that are counted together: what is chosen of them, and what fits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q

from catalogue.models import Facility, Instrument
from catalogue.query import FieldCondition
from catalogue.search.statement import Statement
from catalogue.techniques import descendants, resolve

_Key = int | str


class Combined(NamedTuple):
    """The values of one combination, in the order of its columns."""

    facility: int
    instrument: int | None
    kind: str
    content: str
    year: int | None
    techniques: list[int]


@dataclass(frozen=True)
class Choice:
    """
    Any of some values of one facet; negated, none of them.

    Attributes
    ----------
    facet : str
        "instrument", "technique" and so on.
    keys : frozenset
        As combinations hold them; of techniques with all that stands below.
    """

    facet: str
    keys: frozenset[_Key]
    is_negated: bool = False

    def allows(self, combined: Combined) -> bool:
        """Say whether a combination fits; counting asks it a thousand times."""
        if self.facet == "technique":
            fits = not self.keys.isdisjoint(combined.techniques)
        else:
            fits = getattr(combined, self.facet) in self.keys
        return fits != self.is_negated

    @property
    def where(self) -> str:
        """The same for the database, with one placeholder."""
        column, _ = _COLUMNS[self.facet]
        test = (
            f"c.{column} && %s::bigint[]" if self.facet == "technique" else f"c.{column} = ANY(%s)"
        )
        return f"({test}) IS {'NOT ' * self.is_negated}TRUE"


# Facet -> column, and how the values of a query become its keys.
_COLUMNS: dict[str, tuple[str, Callable[[Iterable[str]], Iterable[_Key]]]] = {}


def _by_name(model: type[Facility] | type[Instrument]) -> Callable[[Iterable[str]], list[_Key]]:
    def find(values: Iterable[str]) -> list[_Key]:
        named = Q(pk__in=[])
        for value in values:
            named |= Q(slug__iexact=value) | Q(name__iexact=value)
        return list(model._default_manager.filter(named).values_list("pk", flat=True))

    return find


def _techniques(values: Iterable[str]) -> Iterable[_Key]:
    return descendants(term for value in values for term in resolve(value))


def _years(values: Iterable[str]) -> list[_Key]:
    return [int(value) for value in values if value.isdecimal() and len(value) == 4]


_COLUMNS |= {
    "facility": ("facility_id", _by_name(Facility)),
    "instrument": ("instrument_id", _by_name(Instrument)),
    "kind": ("kind", lambda values: [value.lower() for value in values]),
    "content": ("content", lambda values: [value.lower() for value in values]),
    "year": ("year", _years),
    "technique": ("techniques", _techniques),
}


# When a listing is in a state, and which states a value of the query means.
STATES = {
    "open": "l.opens_at <= statement_timestamp()",
    "embargoed": "l.opens_at > statement_timestamp()",
    "undated": "l.opens_at IS NULL",
}
_MEANT = {"open": {"open"}, "embargoed": {"embargoed"}, "closed": {"embargoed", "undated"}}


@dataclass(frozen=True)
class AccessChoice:
    """Open or closed data, or closed ones with a date."""

    states: frozenset[str]
    is_negated: bool = False

    def allows(self, state: str) -> bool:
        return (state in self.states) != self.is_negated

    @property
    def where(self) -> str:
        """The same for the database."""
        tests = [test for state, test in STATES.items() if self.allows(state)]
        return f"({' OR '.join(tests) or 'FALSE'})"


def access_choices(conditions: Iterable[FieldCondition]) -> list[AccessChoice]:
    """Return what is chosen of access."""
    return [
        AccessChoice(
            frozenset(state for value in condition.values for state in _MEANT.get(value, ())),
            condition.negated,
        )
        for condition in conditions
        if condition.name == "access"
    ]


def choices_of(conditions: Iterable[FieldCondition]) -> list[Choice]:
    """Return what is chosen of the facets that a combination decides."""
    return [
        Choice(condition.name, frozenset(read(condition.values)), condition.negated)
        for condition in conditions
        if condition.name in _COLUMNS
        for _, read in [_COLUMNS[condition.name]]
    ]


def allowed_combinations(choices: Iterable[Choice]) -> list[int] | None:
    """Return the keys of the combinations that fit all choices; None if any does."""
    choices = list(choices)
    if not choices:
        return None
    where = " AND ".join(choice.where for choice in choices)
    statement = Statement().add(
        f"SELECT c.id FROM catalogue_combination AS c WHERE {where}",
        [sorted(choice.keys, key=str) for choice in choices],
    )
    return [pk for (pk,) in statement.rows()]
