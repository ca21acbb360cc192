"""
The rule of ``catalogue.access`` over listings, for sets of any size.

What a person sees is what is listed, and what is not but theirs; the two are disjoint.
A test holds both spellings of the rule against each other.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from django.db import connection

from catalogue.access import Person, memberships, visible_datasets
from catalogue.models import User

# Closed datasets that a person sees as a member, staff or owner: candidates by a guard of
# theirs, of which each guard "o" that is closed today must be theirs; and as a guest. The
# day before today in UTC is today or earlier everywhere: an index finds candidates by it,
# and the listing has the last word.
_CANDIDATES = " UNION ALL ".join(
    f"SELECT dataset_id FROM catalogue_guard WHERE {mine} AND {closed}"
    for mine in ("proposal_id = ANY(%s)", "instrument_id = ANY(%s)")
    for closed in (
        "listed_on > (statement_timestamp() - interval '1 day')::date",
        "listed_on IS NULL",
    )
)
_MINE = f"""
SELECT DISTINCT c.dataset_id FROM (
    {_CANDIDATES} UNION ALL
    SELECT o.dataset_id FROM catalogue_dataset AS d
    JOIN catalogue_guard AS o ON o.dataset_id = d.id AND o.proposal_id IS NULL
    WHERE d.owner_id = %s AND d.kind = 'raw'
) AS c
WHERE NOT EXISTS (
    SELECT FROM catalogue_guard AS o
    JOIN catalogue_dataset AS d ON d.id = o.dataset_id
    JOIN catalogue_facility AS f ON f.id = d.facility_id
    WHERE o.dataset_id = c.dataset_id
        AND (o.listed_on IS NULL
            OR o.listed_on > (statement_timestamp() AT TIME ZONE f.timezone)::date)
        AND (o.proposal_id = ANY(%s)) IS NOT TRUE
        AND (o.instrument_id = ANY(%s)) IS NOT TRUE
        AND (o.proposal_id IS NULL AND d.owner_id = %s AND d.kind = 'raw') IS NOT TRUE)
UNION
SELECT v.dataset_id FROM catalogue_guest AS v
JOIN catalogue_dataset AS d ON d.id = v.dataset_id
JOIN catalogue_facility AS f ON f.id = d.facility_id
WHERE v.person_id = %s
    AND v.valid_to >= (statement_timestamp() AT TIME ZONE f.timezone)::date
"""

_TABLES = """
fresh AS MATERIALIZED (
    SELECT * FROM catalogue_listing
    WHERE NOT is_listed AND listed_at <= statement_timestamp()),
opened AS MATERIALIZED (
    SELECT * FROM catalogue_listing
    WHERE NOT is_open AND opens_at <= statement_timestamp()),
own AS NOT MATERIALIZED (
    SELECT * FROM catalogue_listing
    WHERE dataset_id = ANY(ARRAY(SELECT dataset_id FROM mine))
        AND (listed_at <= statement_timestamp()) IS NOT TRUE)
"""
_FEW_TEAMS = 50
_LISTED = "l.listed_at <= statement_timestamp()"


def ask_access(person: User) -> tuple[str, list[Any]]:
    """Return the question to ``catalogue.access`` whether a person sees ``l``, with values."""
    seen, values = _visible()
    mine = [person.pk if value == _SOMEBODY else value for value in values]
    return f"(SELECT TRUE FROM ({seen}) AS v WHERE v.pk = l.dataset_id LIMIT 1)", mine


_SOMEBODY = -1  # the primary key of nobody


@cache
def _visible() -> tuple[str, tuple[Any, ...]]:
    """Write the rule of access once; to write it takes longer than to ask by it."""
    rows = visible_datasets(User(pk=_SOMEBODY)).values("pk")
    sql, values = rows.query.sql_with_params()
    return sql, tuple(values)


@dataclass(frozen=True)
class Scope:
    """
    What a person sees, as SQL over ``catalogue_listing AS l``.

    Attributes
    ----------
    person : User or AnonymousUser
        Who asks.
    teams, staffed : tuple of int
        The proposals and instruments whose closed data they see, by primary key.
    """

    person: Person
    teams: tuple[int, ...] = ()
    staffed: tuple[int, ...] = ()

    @classmethod
    def of(cls, person: Person) -> "Scope":
        """Look up once to which teams and instruments a person belongs today."""
        if not isinstance(person, User) or person.is_data_steward:
            return cls(person)
        teams = sorted(set(memberships(person).values_list("proposal", flat=True)))
        staffed = sorted(person.instruments.values_list("pk", flat=True))
        return cls(person, tuple(teams), tuple(staffed))

    @cached_property
    def sees_all(self) -> bool:
        return isinstance(self.person, User) and self.person.is_data_steward

    @cached_property
    def mine(self) -> list[int]:
        """
        What the person sees though it is not listed, by primary key; some have become so.

        It takes longer than most questions, so all statements of a search share it.
        """
        if not isinstance(self.person, User) or self.sees_all:
            return []
        teams, staffed, me = list(self.teams), list(self.staffed), self.person.pk
        with connection.cursor() as cursor:
            cursor.execute(_MINE, [teams, teams, staffed, staffed, me, teams, staffed, me, me])
            return [pk for (pk,) in cursor.fetchall()]

    @property
    def has_many_teams(self) -> bool:
        """Whether to know ``mine`` may take longer than a short question."""
        return bool(self.staffed) or len(self.teams) > _FEW_TEAMS

    @property
    def prelude(self) -> str:
        """
        Common tables for the beginning of a statement, with one placeholder for ``mine``.

        ``own`` holds the listings of ``mine`` that are not listed, ``fresh`` what has been
        listed since the steward last looked, ``opened`` what has opened since.
        """
        mine = "SELECT unnest(%s::bigint[]) AS dataset_id"
        return f"WITH mine AS MATERIALIZED ({mine}), {_TABLES}"

    @property
    def public(self) -> str:
        """What a listing must be to be seen at a glance; the rest is ``own``."""
        return "TRUE" if self.sees_all else _LISTED

    @property
    def where(self) -> str:
        """All that the person sees."""
        if not self.mine:
            return self.public
        return f"({_LISTED} OR l.dataset_id IN (SELECT dataset_id FROM mine))"

    @property
    def near(self) -> tuple[str, list[Any]]:
        """
        The same about one listing after the other, with values; for a few thousand.

        Then it is quicker than ``where``, which has to know ``mine``.
        """
        if not isinstance(self.person, User) or self.sees_all:
            return self.public, []
        judged, values = ask_access(self.person)
        return f"({_LISTED} OR {judged})", values

    @property
    def source(self) -> str:
        """
        Most of the same as a table named ``l``, which an index has in the order of lists.

        It and ``others`` are disjoint.
        """
        marked = "TRUE" if self.sees_all else "l.is_listed"
        return f"catalogue_listing AS l WHERE {marked} AND {self.public}"

    @property
    def others(self) -> list[str]:
        """The rest, in disjoint parts that are small."""
        if self.sees_all:
            return []
        return ["fresh AS l WHERE TRUE", *(["own AS l WHERE TRUE"] if self.mine else [])]

    def strata(self, *, is_open: bool) -> list[str]:
        """
        Cut ``source`` so that an index has each part in order, and each combination of it.

        Parameters
        ----------
        is_open : bool
            The part that is marked so; what has opened since is among the rest.
        """
        marks = (True, False) if self.sees_all else (True,)
        return [
            f"catalogue_listing AS l WHERE l.is_listed = {listed} AND l.is_open = {is_open} "
            f"AND {self.public}"
            for listed in marks
        ]

    @property
    def just_opened(self) -> str:
        """The part of ``source`` that is open without being marked so yet."""
        marked = "TRUE" if self.sees_all else "l.is_listed"
        return f"opened AS l WHERE {marked} AND {self.public}"
