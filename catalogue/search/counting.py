"""
Count what a query finds, in all and by facet, in one statement.

Rows are counted by combination and access; every facet, also one that ignores its own
choice, is a sum over those few. Without further conditions the counts are in a ledger.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from catalogue.access import Person
from catalogue.models import Facility, Instrument, Technique
from catalogue.search.asking import FACETS, Asked, Query, is_text
from catalogue.search.choices import STATES, Combined
from catalogue.search.selecting import sources_of, start, tests_of
from catalogue.search.statement import Statement

_MOST_VALUES = 20
_MOST_SAMPLED = 5_000  # datasets of which the samples are counted


@dataclass(frozen=True)
class FacetValue:
    value: str
    label: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """
    A facet with its most frequent values.

    ``is_cut`` says that there are more values, or too many datasets to count them: the
    rest is found by typing.
    """

    name: str
    label: str
    values: tuple[FacetValue, ...]
    is_cut: bool = False

    @property
    def chosen(self) -> int:
        return sum(value.is_chosen for value in self.values)


@dataclass(frozen=True)
class Counted:
    """How many datasets a query finds, and the facets under all other filters."""

    total: int
    facets: tuple[Facet, ...]


@dataclass(frozen=True)
class _Group:
    """Datasets of one combination and one state of access."""

    combined: Combined
    state: str
    datasets: int


def count(person: Person, query: Query) -> Counted:
    """
    Count what a person may see and asks for.

    Parameters
    ----------
    person : User or AnonymousUser
        Who asks.
    query : Query
        What for.

    Returns
    -------
    Counted
        The counts of a facet do not heed what is chosen of it.
    """
    return count_asked(Asked.by(person, query), query)


def count_asked(asked: Asked, query: Query) -> Counted:
    """Count for a compiled query; see ``count``."""
    groups = _groups(asked)
    total = sum(group.datasets for group in groups if _lets(asked, group))
    tallies = {name: _tally(name, asked, groups) for name in FACETS if name != "sample"}
    labels = _labels(tallies)
    facets = {
        name: _facet(name, tally, labels.get(name, {}), query) for name, tally in tallies.items()
    }
    facets["sample"] = _count_samples(asked, total, query)
    shown = [facets[name] for name in FACETS]
    return Counted(total, tuple(facet for facet in shown if _tells_something(facet)))


def _tells_something(facet: Facet) -> bool:
    """Leave out what is no choice: the only facility, or no value at all."""
    return len(facet.values) > (facet.name == "facility") or bool(facet.chosen) or facet.is_cut


def _lets(asked: Asked, group: _Group, but: str = "") -> bool:
    """Say whether a group passes all choices, but for those of one facet."""
    if but != "access" and not all(choice.allows(group.state) for choice in asked.access):
        return False
    return all(choice.allows(group.combined) for choice in asked.choices if choice.facet != but)


def _groups(asked: Asked) -> list[_Group]:
    """Count by combination and state, under all conditions that are no choices."""
    statement = _counts(asked)
    sums = ", ".join(f"n.{state}" for state in STATES)
    statement.add(
        "SELECT c.facility_id, c.instrument_id, c.kind, c.content, c.year, c.techniques, "
        f"ARRAY[{sums}]::bigint[] "
        "FROM counts AS n JOIN catalogue_combination AS c ON c.id = n.combination_id"
    )
    return [
        _Group(Combined(*values), state, number)
        for *values, numbers in statement.rows()
        for state, number in zip(STATES, numbers, strict=True)
        if number
    ]


def _counts(asked: Asked) -> Statement:
    """Begin a statement with a table of counts, a row for each combination or two."""
    scope, values = asked.scope, [value for clause in asked.clauses for value in clause.values]
    far = " AND ".join(clause.far for clause in asked.clauses)
    counted = f"{_by_state('count(*)')} FROM catalogue_listing AS l WHERE {far}"
    own = f"{_by_state('count(*)')} FROM own AS l"
    if not asked.clauses:
        ledger = f"{_by_state('sum(l.datasets)')} FROM catalogue_listingcount AS l"
        counts = f"{ledger} WHERE {scope.public} GROUP BY 1 UNION ALL {own} GROUP BY 1"
    elif any(clause.is_collected for clause in asked.clauses):
        counts = f"{counted} AND {scope.where} GROUP BY 1"
    else:
        # In two parts: only what everybody sees can be counted by several workers at once.
        near = " AND ".join(clause.near for clause in asked.clauses)
        counts = f"{counted} AND {scope.public} GROUP BY 1 UNION ALL {own} WHERE {near} GROUP BY 1"
        values = [*values, *values]
    return start(asked).add(f", counts AS ({counts})", values)


def _by_state(number: str) -> str:
    """Count by combination; a column for each state leaves the planner few groups to expect."""
    columns = [f"{number} FILTER (WHERE {is_it}) AS {state}" for state, is_it in STATES.items()]
    return f"SELECT l.combination_id, {', '.join(columns)}"


def _tally(name: str, asked: Asked, groups: Iterable[_Group]) -> Counter[Any]:
    """Add up the groups by the values of a facet, whatever is chosen of that facet."""
    let_in = [group for group in groups if _lets(asked, group, but=name)]
    if name == "technique":
        return _tally_techniques(let_in)
    tally: Counter[Any] = Counter()
    for group in let_in:
        if name == "access":
            tally["open" if group.state == "open" else "closed"] += group.datasets
        else:
            tally[getattr(group.combined, name)] += group.datasets
    tally.pop(None, None)
    return tally


def _tally_techniques(groups: Iterable[_Group]) -> Counter[Any]:
    """Count a dataset for each of its techniques, and for those above one of them."""
    by_techniques: Counter[tuple[int, ...]] = Counter()
    for group in groups:
        by_techniques[tuple(group.combined.techniques)] += group.datasets
    tagged = {technique for techniques in by_techniques for technique in techniques}
    above: dict[int, set[int]] = {technique: set() for technique in tagged}
    closure = Technique.ancestors.through.objects.filter(
        from_technique__in=tagged, to_technique__in=tagged
    )
    for lower, upper in closure.values_list("from_technique_id", "to_technique_id"):
        above[lower].add(upper)
    tally: Counter[Any] = Counter()
    for techniques, datasets in by_techniques.items():
        for technique in set().union(*({it} | above[it] for it in techniques)):
            tally[technique] += datasets
    return tally


def _labels(tallies: dict[str, Counter[Any]]) -> dict[str, dict[int, tuple[str, str]]]:
    """Return value and label of what tallies name by primary key."""
    sources = (
        ("facility", Facility, "slug"),
        ("instrument", Instrument, "slug"),
        ("technique", Technique, "pid"),
    )
    return {
        name: {
            pk: (value, label)
            for pk, value, label in model._default_manager.filter(pk__in=tallies[name]).values_list(
                "pk", value, "name"
            )
        }
        for name, model, value in sources
    }


def _facet(
    name: str, tally: Counter[Any], labels: dict[int, tuple[str, str]], query: Query
) -> Facet:
    # An address may say ID13, or the whole name, for id13.
    chosen = {str(value).casefold(): str(value) for value in dict(query.chosen).get(name, ())}

    def is_chosen(*names: str) -> bool:
        return any(one.casefold() in chosen for one in names)

    counted = [
        (*labels.get(key, (str(key), str(key))), datasets) for key, datasets in tally.items()
    ]
    counted.sort(key=lambda item: (-item[2], item[1]))
    shown = [
        item for place, item in enumerate(counted) if place < _MOST_VALUES or is_chosen(*item[:2])
    ]
    values = [FacetValue(value, label, n, is_chosen(value, label)) for value, label, n in shown]
    known = {text.casefold() for item in shown for text in item[:2]}
    missing = sorted(value for folded, value in chosen.items() if folded not in known)
    values += [FacetValue(value, value, 0, is_chosen=True) for value in missing]
    return Facet(name, FACETS[name], tuple(values), is_cut=len(counted) > _MOST_VALUES)


def _count_samples(asked: Asked, total: int, query: Query) -> Facet:
    """
    Count names of samples where so few datasets match that it takes no time.

    There are as many samples as there are proposals, many times over: a list of them
    tells something only once the search is narrow.
    """
    chosen = [value for value in dict(query.chosen).get("sample", ()) if is_text(value)]
    if total > _MOST_SAMPLED and not chosen:
        return Facet("sample", FACETS["sample"], (), is_cut=True)
    others = replace(asked, clauses=tuple(c for c in asked.clauses if c.field != "sample"))
    tests, values = tests_of(others, are_near=False)
    sources = sources_of(others)
    if not sources:  # neither open nor closed data are wanted
        return _facet("sample", Counter(), {}, query)
    hits = " UNION ALL ".join(
        f"(SELECT l.dataset_id FROM {source} AND {tests} LIMIT {_MOST_SAMPLED + 1})"
        for source in sources
    )
    rows = (
        start(others)
        .add(
            f", hits AS MATERIALIZED ({hits}) "
            "SELECT s.name, count(DISTINCT h.dataset_id), (SELECT count(*) FROM hits) "
            "FROM hits AS h JOIN catalogue_dataset_samples AS ds ON ds.dataset_id = h.dataset_id "
            "JOIN catalogue_sample AS s ON s.id = ds.sample_id GROUP BY s.name "
            f"ORDER BY s.name = ANY(%s) DESC, 2 DESC, 1 LIMIT {_MOST_VALUES + len(chosen) + 1}",
            [*values * len(sources), list(chosen)],
        )
        .rows()
    )
    if rows and rows[0][2] > _MOST_SAMPLED:
        rows = []
    return _facet("sample", Counter({name: n for name, n, _ in rows}), {}, query)
