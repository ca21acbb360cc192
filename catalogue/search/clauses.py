"""What each condition of a query means in SQL, over ``catalogue_listing AS l``."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Q

from catalogue.access import Person, get_dataset, readable_datasets
from catalogue.errors import RetractedError, UnknownDatasetError
from catalogue.lineage import descendants
from catalogue.models import Collection, ParameterKey
from catalogue.query import (
    DateCondition,
    FieldCondition,
    Interval,
    NumberCondition,
    Search,
    TextCondition,
    Words,
    stands_for,
)
from catalogue.search.calendar import facility_zone, midnight
from catalogue.search.sizing import finds_at_most, is_frequent
from catalogue.words import LONGEST_WORD, fold


@dataclass(frozen=True)
class Clause:
    """
    A condition that a listing meets.

    Attributes
    ----------
    where : str
        What must hold, about ``l`` or about the tables of ``source``.
    values : sequence
        For its placeholders, in order.
    others : tuple of str
        Alternatives to ``where``, each to be answered by an index of its own; their
        values follow.
    source, column : str
        Other tables, and their column that names the dataset; empty if ``l`` is enough.
    is_negated : bool
        Whether the listings that do not meet it are wanted.
    """

    where: str
    values: Sequence[Any] = ()
    source: str = ""
    column: str = ""
    others: tuple[str, ...] = ()
    is_negated: bool = False
    field: str = ""  # of the query, where a facet asks again without it

    @property
    def near(self) -> str:
        """The form that is asked of one listing after the other."""
        if not self.source:
            return f"({self.where}) IS {'NOT ' * self.is_negated}TRUE"
        found = (
            f"(SELECT TRUE FROM {self.source} WHERE {self.column} = l.dataset_id "
            f"AND ({' OR '.join([self.where, *self.others])}) LIMIT 1)"
        )
        return f"{found} IS {'NOT ' * self.is_negated}TRUE"

    @property
    def far(self) -> str:
        """The form that collects all that meet it by the indexes of its own tables."""
        if not self.source:
            return f"({self.where}) IS NOT TRUE" if self.is_negated else self.where
        if self.is_negated:
            where = " OR ".join(f"({test})" for test in (self.where, *self.others))
            return (
                f"NOT EXISTS (SELECT FROM {self.source} "
                f"WHERE {self.column} = l.dataset_id AND ({where}))"
            )
        # As an array: nobody can guess how many there are, and an index takes an array of
        # any length well, where a join that was planned for ten rows does not.
        return f"l.dataset_id = ANY(ARRAY({self.found}))"

    @property
    def is_collected(self) -> bool:
        """Whether other tables name the datasets that meet it."""
        return bool(self.source) and not self.is_negated

    def is_narrow(self, most: int) -> bool:
        """Say whether they name no more than so many; alternatives mostly name the same."""
        most *= 1 + len(self.others)
        return self.is_collected and finds_at_most(self.found, self.values, most)

    @property
    def found(self) -> str:
        """The datasets that meet it, by the indexes of its own tables."""
        return " UNION ALL ".join(
            f"SELECT {self.column} FROM {self.source} WHERE {where}"
            for where in (self.where, *self.others)
        )


NOTHING = Clause("FALSE")


def clauses_of(search: Search, person: Person) -> list[Clause]:
    """
    Write the conditions of a query, but for those that are choices.

    Parameters
    ----------
    search : Search
        What is asked for.
    person : User or AnonymousUser
        Who asks: products, collections and files that they may not see do not help to
        find anything.
    """
    found = _words(search) if search.words or search.excluded else []
    found += [
        replace(_FIELDS[condition.name](condition, person), field=condition.name)
        for condition in search.fields
        if condition.name in _FIELDS
    ]
    found += [_dates(condition) for condition in search.dates]
    if search.ranges or search.texts:
        keys = _Keys()
        found += [_number(condition, keys) for condition in search.ranges]
        found += [_text(condition, keys) for condition in search.texts]
    return found


def _words(search: Search) -> list[Clause]:
    """
    Write the words, those without an end apart.

    Of a beginning like "1" an index has half the catalogue to list; where other words
    leave few datasets, it is rather asked of these, by the function that no index serves.
    """
    whole = [_tsquery(words) for words in search.words if not words.is_prefix]
    endless = [_tsquery(words) for words in search.words if words.is_prefix]
    refused = [f"!({_tsquery(words)})" for words in search.excluded]
    if whole and endless and not is_frequent(" & ".join(whole)):
        return [
            Clause("l.words @@ %s::tsquery", [" & ".join([*whole, *refused])]),
            Clause("ts_match_vq(l.words, %s::tsquery)", [" & ".join(endless)]),
        ]
    return [Clause("l.words @@ %s::tsquery", [" & ".join([*whole, *endless, *refused])])]


def text_query(search: Search) -> str:
    """Return what a listing's relevance is judged by; empty without words."""
    return " & ".join(_tsquery(words) for words in search.words)


def _tsquery(words: Words, weight: str = "") -> str:
    marks = [f"'{word[:LONGEST_WORD]}'" + (f":{weight}" if weight else "") for word in words.words]
    if words.is_prefix:
        marks[-1] = f"{marks[-1]}{'' if weight else ':'}*"
    return f"({(' <-> ' if words.is_phrase else ' & ').join(marks)})"


def _any_of(condition: FieldCondition, part: Callable[[str], tuple[str, list[Any]]]) -> Any:
    parts = [part(value) for value in condition.values]
    where = " OR ".join(f"({text})" for text, _ in parts) or "FALSE"
    return f"({where})", [value for _, values in parts for value in values]


def _in_words(weight: str) -> Callable[[FieldCondition, Person], Clause]:
    """Find values among the words of one weight."""

    def make(condition: FieldCondition, _: Person) -> Clause:
        groups = [tuple(fold(value).split()) for value in condition.values]
        marks = [_tsquery(Words(group, is_prefix=True), weight) for group in groups if group]
        if not marks:
            return NOTHING
        query = [" | ".join(marks)]
        return Clause("l.words @@ %s::tsquery", query, is_negated=condition.negated)

    return make


def _in_table(
    source: str, column: str, test: str, prepare: Callable[[str], Any] = str
) -> Callable[[FieldCondition, Person], Clause]:
    """Find values in a table beside the dataset; ``test`` has one placeholder."""

    def make(condition: FieldCondition, _: Person) -> Clause:
        where, values = _any_of(condition, lambda value: (test, [prepare(value)]))
        return Clause(where, values, source, column, is_negated=condition.negated)

    return make


def _from(condition: FieldCondition, person: Person) -> Clause:
    """Find what stems from datasets, as far as the person sees them."""
    found: set[int] = set()
    for pid in condition.values:
        try:
            found |= descendants(get_dataset(person, pid))
        except (UnknownDatasetError, RetractedError):
            continue
    return Clause("l.dataset_id = ANY(%s)", [sorted(found)], is_negated=condition.negated)


def _product(condition: FieldCondition, person: Person) -> Clause:
    """Find what a recipe has made a product of that the person may read."""
    # A set of the products that may be seen would be as large as the catalogue: the
    # few of one recipe are asked for instead.
    seen, values = _compile(readable_datasets(person).values("pk"))
    return Clause(
        f"a.recipe = ANY(%s) AND g.dataset_id IN ({seen})",
        [list(condition.values), *values],
        "catalogue_used AS u JOIN catalogue_activity AS a ON a.id = u.activity_id "
        "JOIN catalogue_generated AS g ON g.activity_id = a.id",
        "u.dataset_id",
        is_negated=condition.negated,
    )


def _collection(condition: FieldCondition, person: Person) -> Clause:
    """Find the members of collections that the person sees, by pid or title."""
    named = Q()
    for value in condition.values:
        named |= Q(pid=value) if _is_uuid(value) else Q(title__iexact=value)
    seen = Q(is_shared=True) | (Q(owner=person.pk) if person.pk else Q(pk__in=[]))
    pks = list(Collection.objects.filter(named, seen).values_list("pk", flat=True))
    return Clause(
        "i.collection_id = ANY(%s)",
        [pks],
        "catalogue_collectionitem AS i",
        "i.dataset_id",
        is_negated=condition.negated,
    )


def _has(condition: FieldCondition, person: Person) -> Clause:
    seen, values = _compile(readable_datasets(person).values("pk"))
    mine = f"d.id IN ({seen})"
    exists = {
        "picture": (f"d.thumbnail <> '' AND {mine}", values),
        "products": (
            (
                "EXISTS (SELECT FROM catalogue_used AS u JOIN catalogue_generated AS g "
                "ON g.activity_id = u.activity_id WHERE u.dataset_id = d.id "
                f"AND g.dataset_id IN ({seen}))"
            ),
            values,
        ),
        "notes": (
            f"EXISTS (SELECT FROM catalogue_note AS n WHERE n.dataset_id = d.id) AND {mine}",
            values,
        ),
        "publication": (
            "EXISTS (SELECT FROM catalogue_publication_datasets AS p WHERE p.dataset_id = d.id)",
            [],
        ),
        "flag": (
            f"EXISTS (SELECT FROM catalogue_qualityflag AS q WHERE q.dataset_id = d.id) AND {mine}",
            values,
        ),
    }
    where, found = _any_of(condition, lambda value: (exists[value][0], list(exists[value][1])))
    return Clause(where, found, "catalogue_dataset AS d", "d.id", is_negated=condition.negated)


def _quality(condition: FieldCondition, person: Person) -> Clause:
    """Find verdicts where they are shown: to whoever may read the data."""
    seen, values = _compile(readable_datasets(person).values("pk"))
    where = f"q.verdict = ANY(%s) AND q.dataset_id IN ({seen})"
    found = [list(condition.values), *values]
    return Clause(where, found, f"{_FLAGS} AS q", "q.dataset_id", is_negated=condition.negated)


_SAMPLES = (
    "catalogue_dataset_samples AS ds JOIN catalogue_sample AS s ON s.id = ds.sample_id",
    "ds.dataset_id",
)
_FLAGS = (
    "(SELECT DISTINCT ON (dataset_id) * FROM catalogue_qualityflag ORDER BY dataset_id, id DESC)"
)

# Those that are choices (instrument, technique, access, ...) are not here.
_FIELDS: dict[str, Callable[[FieldCondition, Person], Clause]] = {
    "title": _in_words("A"),
    "file": _in_words("C"),
    "person": _in_words("D"),
    "sample": _in_table(*_SAMPLES, "lower(s.name) = %s", str.lower),
    "formula": _in_table(*_SAMPLES, "lower(s.chemical_formula) = %s", str.lower),
    "proposal": _in_table(
        "catalogue_guard AS g JOIN catalogue_proposal AS r ON r.id = g.proposal_id",
        "g.dataset_id",
        "lower(r.number) = %s",
        str.lower,
    ),
    "tag": _in_table("catalogue_tag AS t", "t.dataset_id", "t.name = %s"),
    "quality": _quality,
    "licence": _in_table("catalogue_dataset AS d", "d.id", "lower(d.licence) = %s", str.lower),
    "publication": _in_table(
        "catalogue_publication_datasets AS pd "
        "JOIN catalogue_publication AS p ON p.id = pd.publication_id",
        "pd.dataset_id",
        "lower(p.doi) = %s",
        str.lower,
    ),
    "from": _from,
    "product": _product,
    "collection": _collection,
    "has": _has,
}


def _dates(condition: DateCondition) -> Clause:
    zone = facility_zone()
    column = "l.newest" if condition.name == "date" else "d.registered_at"
    parts, values = [], []
    for span in condition.spans:
        # A dataset without a start stands in the year 1, which no span may reach.
        tests = [f"{column} >= %s"]
        values.append(midnight(span.start or date(1000, 1, 1), zone))
        if span.end:
            tests.append(f"{column} < %s")
            values.append(midnight(span.end, zone))
        parts.append(" AND ".join(tests))
    where = " OR ".join(f"({part})" for part in parts)
    if condition.name == "date":
        return Clause(f"({where})", values, is_negated=condition.negated)
    table = "catalogue_dataset AS d"
    return Clause(f"({where})", values, table, "d.id", is_negated=condition.negated)


class _Keys:
    """All keys of parameters there are; a query may mean several by one name."""

    def __init__(self) -> None:
        self._rows = list(ParameterKey.objects.values_list("pk", "name", "si_unit"))

    def find(self, key: str, si_unit: str | None = None) -> list[int]:
        return [
            pk for pk, name, unit in self._rows if stands_for(key, name) and si_unit in {None, unit}
        ]


_PARAMETERS = ("catalogue_parameter AS p", "p.dataset_id")


def _text(condition: TextCondition, keys: _Keys) -> Clause:
    where = "p.key_id = ANY(%s) AND lower(p.text) = ANY(%s) AND p.text <> ''"
    values = [keys.find(condition.key), [value.lower() for value in condition.values]]
    return Clause(where, values, *_PARAMETERS, is_negated=condition.negated)


def _number(condition: NumberCondition, keys: _Keys) -> Clause:
    parts = [_interval(interval, keys) for interval in condition.alternatives]
    if not parts:
        return replace(NOTHING, is_negated=condition.negated)
    (where, _), *others = parts
    values = [value for _, some in parts for value in some]
    alternatives = tuple(text for text, _ in others)
    return Clause(where, values, *_PARAMETERS, alternatives, is_negated=condition.negated)


def _interval(interval: Interval, keys: _Keys) -> tuple[str, list[Any]]:
    pks = sorted({pk for name in interval.names for pk in keys.find(name, interval.si_unit)})
    tests = ["p.key_id = ANY(%s)", "p.si_number IS NOT NULL"]
    values: list[Any] = [pks]
    bounds: Iterable[tuple[str, float | None, bool]] = (
        (">", interval.low, interval.low_inclusive),
        ("<", interval.high, interval.high_inclusive),
    )
    for sign, number, is_inclusive in bounds:
        if number is not None:
            tests.append(f"p.si_number {sign}{'=' * is_inclusive} %s")
            values.append(number)
    return " AND ".join(tests), values


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _compile(rows: Any) -> tuple[str, list[Any]]:
    """Return a query set's statement for use inside another."""
    sql, values = rows.query.sql_with_params()
    return sql, list(values)
