"""
The rule of ``catalogue.access`` over listings, for sets of any size.

What a person sees is what is listed, and what is not but theirs; the two are disjoint.
A test holds both spellings of the rule against each other.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from catalogue.access import Person, memberships
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
own AS MATERIALIZED (
    SELECT l.* FROM mine JOIN catalogue_listing AS l ON l.dataset_id = mine.dataset_id
    WHERE (l.listed_at <= statement_timestamp()) IS NOT TRUE)
"""


@dataclass(frozen=True)
class Scope:
    """
    What a person sees, as SQL over ``catalogue_listing AS l``.

    Attributes
    ----------
    person : User or AnonymousUser
        Who asks.
    values : tuple
        For the placeholders of ``prelude``; empty if there is none.
    """

    person: Person
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, person: Person) -> "Scope":
        """Look up once to which teams and instruments a person belongs today."""
        if not isinstance(person, User) or person.is_data_steward:
            return cls(person)
        teams = sorted(set(memberships(person).values_list("proposal", flat=True)))
        staffed = sorted(person.instruments.values_list("pk", flat=True))
        me = person.pk
        return cls(person, (teams, teams, staffed, staffed, me, teams, staffed, me, me))

    @cached_property
    def sees_all(self) -> bool:
        return isinstance(self.person, User) and self.person.is_data_steward

    @property
    def has_own(self) -> bool:
        """Whether there may be closed data that this person sees."""
        return bool(self.values)

    @property
    def prelude(self) -> str:
        """
        Common tables for the beginning of a statement.

        ``mine`` names what the person sees though it is not listed, ``own`` holds these
        listings, ``fresh`` what has been listed since the steward last looked.
        """
        mine = _MINE if self.has_own else "SELECT 0::bigint AS dataset_id WHERE FALSE"
        return f"WITH mine AS MATERIALIZED ({mine}), {_TABLES}"

    @property
    def where(self) -> str:
        """All that the person sees; for counting."""
        if self.sees_all:
            return "TRUE"
        listed = "l.listed_at <= statement_timestamp()"
        own = "l.dataset_id IN (SELECT dataset_id FROM mine)"
        return f"({listed} OR {own})" if self.has_own else listed

    @property
    def sources(self) -> list[str]:
        """
        The same in disjoint parts, each a table named ``l`` with a condition.

        The first is served by an index in the order of the list, the others are small.
        """
        if self.sees_all:
            return ["catalogue_listing AS l WHERE TRUE"]
        parts = [
            "catalogue_listing AS l WHERE l.is_listed AND l.listed_at <= statement_timestamp()",
            "fresh AS l WHERE TRUE",
        ]
        return [*parts, "own AS l WHERE TRUE"] if self.has_own else parts
