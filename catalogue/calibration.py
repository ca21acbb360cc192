"""
What a dataset calibrates: for which detector, from when to when, under which conditions.

Rules pick constants by this. Saying it anew makes the products stale that it concerns, and
no others; what was picked before stays in the record of each run.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from django.db import transaction
from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, WithJsonSchema

from catalogue import audit
from catalogue.access import Person
from catalogue.errors import DescriptionError, Fault
from catalogue.models import CalibrationConstant, Dataset, User
from catalogue.permissions import Act, require, require_account
from catalogue.statements import Said, text

_Text = Annotated[str, text(200)]


def _check_names(conditions: dict[str, float | str]) -> dict[str, float | str]:
    if any(not 0 < len(name) <= 60 or "\x00" in name for name in conditions):
        raise ValueError("must have names of 1 to 60 characters")
    return conditions


def _check_instant(at: datetime) -> datetime:
    """Refuse what is outside of the calendar in another time zone: nobody could read it."""
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("must lie in the years 1000 to 9000")
    return at


_EARLIEST, _LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9001, 1, 1, tzinfo=UTC)
_Instant = Annotated[AwareDatetime, AfterValidator(_check_instant)]


class Validity(Said):
    """When and for what a dataset calibrates others."""

    kind: Annotated[str, text(40, is_needed=True), Field(description="poni, dark, flat.")]
    detector: Annotated[str, text(100)] = ""
    module: Annotated[str, text(100)] = ""
    valid_from: _Instant
    valid_to: Annotated[
        _Instant | None,
        WithJsonSchema({"type": "string", "format": "date-time", "nullable": True}),
        Field(description="Null: until there is a newer one."),
    ] = None
    conditions: Annotated[
        dict[str, FiniteFloat | _Text],
        AfterValidator(_check_names),
        Field(max_length=50, description='What rules compare: {"energy_kev": 12.4}.'),
    ] = {}
    reason: Annotated[str, text(2000), Field(description="Why; for the audit log.")] = ""


@transaction.atomic
def declare(person: Person, dataset: Dataset, said: Validity) -> CalibrationConstant:
    """
    Say what a dataset calibrates, in place of what was said before.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to say.
    DescriptionError
        If it ends before it begins.
    """
    user = require_account(person)
    require(user, Act.EDIT, dataset)
    if said.valid_to is not None and said.valid_to <= said.valid_from:
        raise DescriptionError([Fault("#/valid_to", "must be later than valid_from")])
    old = CalibrationConstant.objects.filter(dataset=dataset).first()
    values = said.model_dump(exclude={"reason"})
    constant, _ = CalibrationConstant.objects.update_or_create(dataset=dataset, defaults=values)
    _record(user, dataset, old, constant, said.reason)
    return constant


@transaction.atomic
def forget(person: Person, dataset: Dataset, reason: str) -> None:
    """
    Say that a dataset calibrates nothing; harmless if it never did.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to say.
    """
    user = require_account(person)
    require(user, Act.EDIT, dataset)
    old = CalibrationConstant.objects.filter(dataset=dataset).first()
    if old is not None:
        CalibrationConstant.objects.filter(dataset=dataset).delete()
        _record(user, dataset, old, None, reason)


def _record(
    user: User,
    dataset: Dataset,
    old: CalibrationConstant | None,
    new: CalibrationConstant | None,
    reason: str,
) -> None:
    then, now = (facts_of(row) if row else None for row in (old, new))
    if then != now:
        audit.record("calibration.said", dataset, person=user, old=then, new=now, reason=reason)


def facts_of(constant: CalibrationConstant) -> Mapping[str, Any]:
    """Return what is said of a constant, as JSON takes it."""
    return {
        "kind": constant.kind,
        "detector": constant.detector,
        "module": constant.module,
        "valid_from": _instant(constant.valid_from),
        "valid_to": _instant(constant.valid_to),
        "conditions": constant.conditions,
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
