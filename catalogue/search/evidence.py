"""
Evidence that a person sees something, found in time that no catalogue can stretch.

Lists and counts take all that somebody sees, which for the staff of an instrument are tens
of thousands of closed datasets. Suggestions are made between two keystrokes: they look at
a bounded number of datasets, each judged by ``catalogue.access``. They may miss one, and
never show what is not to be seen.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from catalogue.access import Person, memberships
from catalogue.models import User
from catalogue.scope import Scope, ask_access
from catalogue.search.statement import Statement

_SOME = 100  # closed datasets of a person's teams, and as many of their instruments
_JUDGED = 5  # closed datasets for each thing that might be suggested

# The day before today in UTC is today or earlier everywhere.
_CLOSED = "(g.listed_on > (statement_timestamp() - interval '1 day')::date) IS NOT FALSE"
_LATEST = (
    "FROM catalogue_guard AS g WHERE g.{owner}_id = {id} ORDER BY g.listed_on DESC NULLS FIRST"
)


def _latest(owner: str) -> str:
    """Take the same share of each team or instrument of which anything is closed."""
    latest = _LATEST.format(owner=owner, id="t.id")
    return (
        f"(WITH closed AS MATERIALIZED (SELECT t.id FROM unnest(%s::bigint[]) AS t(id) "
        f"WHERE (SELECT {_CLOSED} {latest} LIMIT 1)) "
        f"SELECT x.dataset_id FROM closed AS t CROSS JOIN LATERAL (SELECT g.dataset_id {latest} "
        f"LIMIT (SELECT 1 + {_SOME} / greatest(count(*), 1) FROM closed)) AS x)"
    )


_CANDIDATES = f"""
SELECT dataset_id FROM (
    {_latest("proposal")} UNION {_latest("instrument")} UNION
    (SELECT v.dataset_id FROM catalogue_guest AS v WHERE v.person_id = %s LIMIT {_SOME}) UNION
    (SELECT d.id FROM catalogue_dataset AS d
     WHERE d.owner_id = %s AND d.kind = 'raw' LIMIT {_SOME})
) AS candidates
"""
_LISTING = "JOIN catalogue_listing AS l ON l.dataset_id = h.dataset_id"


@dataclass(frozen=True)
class Evidence:
    """
    Some of what a person sees.

    Attributes
    ----------
    person : User or AnonymousUser
        Who asks.
    """

    person: Person

    @cached_property
    def sees_all(self) -> bool:
        return Scope(self.person).sees_all

    @property
    def listed(self) -> str:
        """What a listing ``l`` must be for the person to see it at a glance."""
        return "TRUE" if self.sees_all else "l.listed_at <= statement_timestamp()"

    @cached_property
    def own(self) -> list[int]:
        """
        Some of what the person sees and not everybody.

        Returns
        -------
        list of int
            Primary keys: of the latest datasets of each team and instrument of theirs.
        """
        if not isinstance(self.person, User) or self.sees_all:
            return []
        teams = sorted(set(memberships(self.person).values_list("proposal", flat=True)))
        staffed = sorted(self.person.instruments.values_list("pk", flat=True))
        test, values = ask_access(self.person)
        me = self.person.pk
        statement = Statement().add(
            f"WITH h AS MATERIALIZED ({_CANDIDATES})", [teams, staffed, me, me]
        )
        # Without a listing it was taken back.
        statement.add(f"SELECT h.dataset_id FROM h {_LISTING} WHERE {test}", values)
        return [pk for (pk,) in statement.rows()]

    def first(self, holders: str) -> tuple[str, list[Any]]:
        """
        Take from some datasets the first one that the person sees.

        Parameters
        ----------
        holders : str
            A query of ``text`` and ``dataset_id``, with a limit and without placeholders.

        Returns
        -------
        sql : str
            A query of the text of one row, or none.
        values : list
            For its placeholders.
        """
        listed = f"SELECT h.text FROM ({holders}) AS h {_LISTING} WHERE {self.listed} LIMIT 1"
        if not isinstance(self.person, User) or self.sees_all:
            return listed, []
        test, values = ask_access(self.person)
        near = (
            f"SELECT h.text FROM (SELECT * FROM ({holders}) AS h LIMIT {_JUDGED}) AS h {_LISTING} "
            f"WHERE {test} LIMIT 1"
        )
        return f"({listed}) UNION ALL ({near}) LIMIT 1", values
