"""
Who passes the guards of a dataset before they open it to everybody: the rule, in SQL.

Spelled out here and not put together from querysets: every page asks by it several times,
and putting it together took longer than PostgreSQL takes to answer.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func
from django.db.models.sql.compiler import SQLCompiler

from catalogue.models import User

_TODAY = (
    "(statement_timestamp() AT TIME ZONE "
    "(SELECT t.timezone FROM catalogue_facility AS t WHERE t.id = {facility}))::date"
)
_CLOSED = f"g.dataset_id = {{pk}} AND (g.{{day}} IS NULL OR g.{{day}} > {_TODAY})"
_LOCAL = "(statement_timestamp() AT TIME ZONE f.timezone)::date"
_IS_MEMBER = f"""EXISTS (
    SELECT FROM catalogue_membership AS m
    JOIN catalogue_proposal AS p ON p.id = m.proposal_id
    JOIN catalogue_facility AS f ON f.id = p.facility_id
    WHERE m.person_id = %s AND m.proposal_id = g.proposal_id
        AND (m.valid_from IS NULL OR m.valid_from <= {_LOCAL})
        AND (m.valid_to IS NULL OR m.valid_to >= {_LOCAL}))"""
_IS_STAFF = """EXISTS (
    SELECT FROM catalogue_instrument_staff AS s
    WHERE s.user_id = %s AND s.instrument_id = g.instrument_id)"""
# Of raw data without a proposal: whoever registered it must be able to find it.
_IS_OWNER = "(g.proposal_id IS NULL AND {owner} = %s AND {kind} = 'raw') IS TRUE"
_IS_GUEST = f"""EXISTS (
    SELECT FROM catalogue_guest AS v
    WHERE v.dataset_id = {{pk}} AND v.person_id = %s AND v.valid_to >= {_TODAY})"""

_PASSES = f"""(
    (EXISTS (SELECT FROM catalogue_guard AS g WHERE {_CLOSED})
     AND NOT EXISTS (
        SELECT FROM catalogue_guard AS g
        WHERE {_CLOSED} AND NOT ({_IS_MEMBER} OR {_IS_STAFF} OR {_IS_OWNER})))
    OR {_IS_GUEST})"""  # noqa: S608 - our own text, put together once
_COLUMNS = ("pk", "facility", "owner", "kind")


class Passes(Func):
    """
    Whether a person passes each guard of a dataset that is closed today, or is a guest.

    Parameters
    ----------
    person : User
        Member of the proposals, staff of the instruments, or owner.
    day : str
        The column of a guard's day: "listed_on" for the page, "opens_on" for the bytes.
    """

    output_field = BooleanField()

    def __init__(self, person: User, day: str) -> None:
        super().__init__(*(F(column) for column in _COLUMNS))
        self._person, self._day = person.pk, day

    def as_sql(  # type: ignore[override]  # it takes no template from a caller
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 - Django gives it
    ) -> tuple[str, list[Any]]:
        """Write the rule about the row of the query in which it stands."""
        columns = [compiler.compile(column)[0] for column in self.source_expressions]
        named = dict(zip(_COLUMNS, columns, strict=True))
        return _PASSES.format(day=self._day, **named), [self._person] * _PASSES.count("%s")
