"""
Find one page of a list, best or newest first, in time that the page decides.

A word or a number that few datasets have is collected by its index, and words are ranked.
For what many have, the newest few thousand datasets are looked through, which nearly always
fills the page; only if it does not, everything is collected, or of each combination of
facets the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload
from uuid import UUID

from catalogue.access import Person, visible_datasets
from catalogue.models import Dataset
from catalogue.search.asking import Asked, Query
from catalogue.search.selecting import (
    access_test_of,
    rest_of,
    sources_of,
    start,
    strata_of,
    tests_of,
)
from catalogue.search.sizing import is_frequent
from catalogue.search.statement import Statement

MOST_RANKED = 2_000
_WINDOW = 5_000
_NARROW = 12_000  # to collect so many takes as long as to look through a window
_FEW_COMBINATIONS = 300  # of which the heads are quicker than a window


@dataclass(frozen=True)
class Position:
    """Where a page ends: the dataset there, by the columns of the order."""

    rank: float
    newest: datetime
    pid: UUID

    def as_list(self) -> list[Any]:
        return [self.rank, self.newest.isoformat(), str(self.pid)]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> "Position":
        """Read what ``as_list`` wrote and somebody signed."""
        rank, newest, pid = values
        return cls(float(rank), datetime.fromisoformat(newest), UUID(pid))


@dataclass(frozen=True)
class Found:
    """
    Some datasets in order.

    Attributes
    ----------
    pks : list of int
        Primary keys, not for others' eyes.
    positions : list of Position
        Of each of them.
    has_more : bool
        Whether there are more in the direction that was asked for.
    is_ranked : bool
        Best first; otherwise the newest first, because there is no text, or so many
        match that relevance says little.
    """

    pks: list[int]
    positions: list[Position]
    has_more: bool
    is_ranked: bool


def find(
    person: Person,
    query: Query,
    size: int,
    *,
    beside: Position | None = None,
    is_backward: bool = False,
) -> Found:
    """
    Find a page of what a person may see and asks for.

    Parameters
    ----------
    person : User or AnonymousUser
        Who asks.
    query : Query
        What for.
    size : int
        How many at most.
    beside : Position, optional
        The page begins after it; by default it is the first.
    is_backward : bool
        The page ends before ``beside`` instead.
    """
    return find_asked(Asked.by(person, query), size, beside=beside, is_backward=is_backward)


def find_asked(
    asked: Asked, size: int, *, beside: Position | None = None, is_backward: bool = False
) -> Found:
    """Find a page of a compiled query; see ``find``."""
    order = _Order(beside, is_backward, size + 1)
    rows, is_ranked = _rows(asked, order)
    rows, has_more = rows[:size], len(rows) > size
    if is_backward:
        rows.reverse()
    positions = [Position(rank, newest, pid) for _, rank, newest, pid in rows]
    return Found([row[0] for row in rows], positions, has_more, is_ranked)


_Rows = list[tuple[int, float, datetime, UUID]]


@dataclass(frozen=True)
class _Order:
    """From where, in which direction, and how many."""

    beside: Position | None
    is_backward: bool
    limit: int

    @property
    def by_newest(self) -> str:
        return "newest ASC, pid DESC" if self.is_backward else "newest DESC, pid ASC"

    @property
    def by_rank(self) -> str:
        return f"rank {'ASC' if self.is_backward else 'DESC'}, {self.by_newest}"

    def beyond(self) -> tuple[str, list[Any]]:
        """Return the condition on ``l`` that begins the page; an index can start there."""
        if self.beside is None:
            return "TRUE", []
        at = self.beside
        near, far, tie = (">=", ">", "<") if self.is_backward else ("<=", "<", ">")
        test = f"l.newest {near} %s AND (l.newest {far} %s OR l.pid {tie} %s)"
        return test, [at.newest, at.newest, at.pid]

    def beyond_rank(self) -> tuple[str, list[Any]]:
        if self.beside is None:
            return "TRUE", []
        at = self.beside
        far = ">" if self.is_backward else "<"
        test, values = self.beyond()
        return f"(rank {far} %s OR (rank = %s AND {test}))", [at.rank, at.rank, *values]


def _rows(asked: Asked, order: _Order) -> tuple[_Rows, bool]:
    """Find in the way that is quickest for this question; say whether by rank."""
    if not (asked.may_be_open or asked.may_be_closed):
        return [], False
    if order.beside and order.beside.rank >= 0:
        return _rank(asked, order), True  # as the page before, however many there are by now
    if asked.text and not order.beside and not is_frequent(asked.text):
        rows = _rank(asked, order, most=MOST_RANKED)
        if rows is not None:
            return rows, True
    return (_by_clauses if asked.clauses else _by_choices)(asked, order), False


def _by_clauses(asked: Asked, order: _Order) -> _Rows:
    if any(clause.is_narrow(_NARROW) for clause in asked.clauses):
        return _pick(asked, order)
    rows = _look_through(asked, order)
    return _collect(asked, order) if rows is None else rows


def _by_choices(asked: Asked, order: _Order) -> _Rows:
    if asked.combinations is None:
        return _newest(asked, order)
    if len(asked.combinations) <= _FEW_COMBINATIONS:
        return _merge_combinations(asked, order)
    rows = _look_through(asked, order)
    return _merge_combinations(asked, order) if rows is None else rows


@overload
def _rank(asked: Asked, order: _Order) -> _Rows: ...
@overload
def _rank(asked: Asked, order: _Order, *, most: int) -> _Rows | None: ...
def _rank(asked: Asked, order: _Order, *, most: int | None = None) -> _Rows | None:
    """Rank all that match; None if they are more than ``most``."""
    tests, values = tests_of(asked, are_near=False)
    statement, seen, persons = _begin(asked)
    some = f"LIMIT {most + 1}" if most else ""
    statement.add(
        "hits AS MATERIALIZED (SELECT l.dataset_id, l.newest, l.pid, l.words "
        f"FROM catalogue_listing AS l WHERE {tests} AND {seen} {some})",
        [*values, *persons],
    )
    test, beyond = order.beyond_rank()
    statement.add(
        ", ranked AS (SELECT h.dataset_id, h.newest, h.pid, "
        "ts_rank(h.words, %s::tsquery)::float8 AS rank FROM hits AS h) "
        "SELECT (SELECT count(*) FROM hits), dataset_id, rank, newest, pid "
        f"FROM ranked AS l WHERE {test} ORDER BY {order.by_rank} LIMIT {order.limit}",
        [asked.text, *beyond],
    )
    rows = statement.rows()
    if most and rows and rows[0][0] > most:
        return None
    return [(pk, rank, newest, pid) for _, pk, rank, newest, pid in rows]


def _begin(asked: Asked) -> tuple[Statement, str, list[Any]]:
    """
    Begin a statement about few datasets, with the test whether one is seen and its values.

    Somebody with few teams has few closed data, which are quickly named; of somebody with
    many it is rather asked about each of the few.
    """
    if asked.scope.has_many_teams:
        return Statement().add("WITH"), *asked.scope.near
    return start(asked).add(","), asked.scope.where, []


def _newest(asked: Asked, order: _Order) -> _Rows:
    """Take the head of each source; an index has them in this order."""
    test, beyond = order.beyond()
    near, values = tests_of(asked, are_near=True)
    sources = sources_of(asked)
    heads = [
        f"(SELECT l.dataset_id, {_BY_NEWEST}, l.newest, l.pid FROM {source} AND {test} AND {near} "
        f"ORDER BY {order.by_newest} LIMIT {order.limit})"
        for source in sources
    ]
    statement = start(asked).add(_all_of(heads), [*beyond, *values] * len(heads))
    return _rows_of(statement.add(_last(order)))


def _look_through(asked: Asked, order: _Order) -> _Rows | None:
    """Look through the newest of each source; None if that does not settle the page."""
    test, beyond = order.beyond()
    near, values = tests_of(asked, are_near=True)
    statement = start(asked)
    sources = sources_of(asked)
    for number, source in enumerate(sources):
        statement.add(
            f", seen{number} AS MATERIALIZED (SELECT l.* FROM {source} AND {test} "
            f"ORDER BY {order.by_newest} LIMIT {_WINDOW})"
            f", hits{number} AS MATERIALIZED (SELECT l.dataset_id, l.newest, l.pid "
            f"FROM seen{number} AS l WHERE {near} ORDER BY {order.by_newest} "
            f"LIMIT {order.limit})",
            [*beyond, *values],
        )
    settled = " AND ".join(
        f"((SELECT count(*) FROM hits{number}) >= {order.limit} "
        f"OR (SELECT count(*) FROM seen{number}) < {_WINDOW})"
        for number in range(len(sources))
    )
    hits = " UNION ALL ".join(f"SELECT * FROM hits{number}" for number in range(len(sources)))
    # The first row tells whether the page is settled.
    statement.add(
        f"(SELECT 0, {settled}, NULL, NULL) UNION ALL (SELECT l.dataset_id, NULL, l.newest, "
        f"l.pid FROM ({hits}) AS l ORDER BY {order.by_newest} LIMIT {order.limit})"
    )
    (_, is_settled, _, _), *rows = statement.rows()
    return [(pk, -1.0, newest, pid) for pk, _, newest, pid in rows] if is_settled else None


def _pick(asked: Asked, order: _Order) -> _Rows:
    """Collect the few that match, and ask from the first on which are seen."""
    far, values = tests_of(asked, are_near=False)
    statement, seen, persons = _begin(asked)
    test, beyond = order.beyond()
    statement.add(
        "hits AS MATERIALIZED (SELECT l.dataset_id, l.newest, l.pid, l.listed_at "
        f"FROM catalogue_listing AS l WHERE {far} AND {test}), "
        # Without the offset the question would be asked before the sorting, of all.
        f"sorted AS (SELECT * FROM hits ORDER BY {order.by_newest} OFFSET 0), "
        f"found AS (SELECT * FROM sorted AS l WHERE {seen} LIMIT {order.limit})",
        [*values, *beyond, *persons],
    )
    statement.add(f"SELECT l.dataset_id, {_BY_NEWEST}, l.newest, l.pid FROM found AS l")
    return _rows_of(statement.add(_last(order)))


def _collect(asked: Asked, order: _Order) -> _Rows:
    """Collect all that match and are seen, and sort them."""
    far, values = tests_of(asked, are_near=False)
    test, beyond = order.beyond()
    statement = start(asked).add(
        ", hits AS MATERIALIZED (SELECT l.dataset_id, l.newest, l.pid "
        f"FROM catalogue_listing AS l WHERE {far} AND {asked.scope.where} AND {test})",
        [*values, *beyond],
    )
    statement.add(f"SELECT l.dataset_id, {_BY_NEWEST}, l.newest, l.pid FROM hits AS l")
    return _rows_of(statement.add(_last(order)))


def _merge_combinations(asked: Asked, order: _Order) -> _Rows:
    """Take the head of each combination; an index has them in this order."""
    beyond, at = order.beyond()
    head = (
        f"AND {beyond} AND {access_test_of(asked)} ORDER BY {order.by_newest} LIMIT {order.limit}"
    )
    statement = start(asked).add(", c AS (SELECT unnest(%s::bigint[]) AS id)", [asked.combinations])
    heads = [
        f"(SELECT x.dataset_id, {_BY_NEWEST}, x.newest, x.pid FROM c "
        f"CROSS JOIN LATERAL (SELECT l.dataset_id, l.newest, l.pid FROM {part} "
        f"AND l.combination_id = c.id {head}) AS x)"
        for part in strata_of(asked)
    ]
    heads += [
        f"(SELECT l.dataset_id, {_BY_NEWEST}, l.newest, l.pid FROM {part} "
        f"AND l.combination_id IN (SELECT id FROM c) {head})"
        for part in rest_of(asked)
    ]
    return _rows_of(statement.add(_all_of(heads), at * len(heads)).add(_last(order)))


_BY_NEWEST = "-1::float8 AS rank"  # what a position says that is not ranked


def _all_of(heads: list[str]) -> str:
    return f"SELECT * FROM ({' UNION ALL '.join(heads)}) AS heads"


def _last(order: _Order) -> str:
    return f"ORDER BY {order.by_newest} LIMIT {order.limit}"


def _rows_of(statement: Statement) -> _Rows:
    return [(pk, rank, newest, pid) for pk, rank, newest, pid in statement.rows()]


def in_order(person: Person, found: Found) -> list[Dataset]:
    """
    Return the datasets of a page in its order.

    They pass ``visible_datasets`` once more: what closed meanwhile is left out.
    """
    seen = visible_datasets(person).filter(pk__in=found.pks)
    rows = seen.select_related("instrument", "facility")
    by_key = {row.pk: row for row in rows}
    return [by_key[pk] for pk in found.pks if pk in by_key]
