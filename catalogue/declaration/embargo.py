"""
Embargo policies as facility.toml declares them: [embargo.<id>].

A changed policy moves the closed data that follow it, in the same transaction. Open data
never close, and what a person has ruled stays.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.db.models.functions import Now
from license_expression import get_spdx_licensing  # type: ignore[import-untyped]  # it has none
from pydantic import AfterValidator, Field

from catalogue.declaration.comparing import Change, Section, report_undeclared, sync
from catalogue.embargo.dates import recompute, settle
from catalogue.models import Dataset, EmbargoPolicy, Facility, Guard

_PERIOD = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?")
_DAYS = re.compile(r"P(?:(\d{1,4})D|(\d{1,3})W)")
_LONGEST_MONTHS = 1200
_LONGEST_LICENCE = 40  # what a dataset's row holds


def read_months(period: str) -> int:
    """
    Read an ISO 8601 period of years and months; never 365-day years.

    Raises
    ------
    ValueError
        If it says anything else.
    """
    found = _PERIOD.fullmatch(period)
    if not found or not any(found.groups()):
        raise ValueError("must be a period of years and months, such as P3Y or P6M")
    years, months = (int(part or 0) for part in found.groups())
    if 12 * years + months > _LONGEST_MONTHS:
        raise ValueError("must be a century at most; for data that never open leave them closed")
    return 12 * years + months


def read_days(period: str) -> int:
    """
    Read an ISO 8601 period of days or weeks.

    Raises
    ------
    ValueError
        If it says anything else.
    """
    found = _DAYS.fullmatch(period)
    if not found:
        raise ValueError("must be a period of days or weeks, such as P14D or P2W")
    days, weeks = (int(part or 0) for part in found.groups())
    return days + 7 * weeks


def _check_months(period: str) -> str:
    read_months(period)
    return period


def _check_days(period: str) -> str:
    read_days(period)
    return period


@cache
def _spdx() -> Any:
    return get_spdx_licensing()


def _check_licence(licence: str) -> str:
    found = _spdx().validate(licence)
    if found.errors or not found.normalized_expression:
        raise ValueError("must be a licence of the SPDX list, such as CC-BY-4.0")
    if len(found.normalized_expression) > _LONGEST_LICENCE:
        raise ValueError(f"must be {_LONGEST_LICENCE} characters at most")
    return str(found.normalized_expression)


Months = Annotated[str, AfterValidator(_check_months)]
Days = Annotated[str, AfterValidator(_check_days)]


class Extension(Section):
    """How much longer, how often, and how long before the end it must be asked for."""

    period: Months = "P1Y"
    times: int = Field(default=1, ge=0, le=100)
    notice: Days = "P14D"


class After(Section):
    access: Literal["open"] = "open"
    licence: Annotated[str, AfterValidator(_check_licence)] = "CC-BY-4.0"


class EmbargoSection(Section):
    period: Months = "P3Y"
    starts_with: Literal[
        "proposal.end_time", "dataset.end_time", "dataset.registered", "publication"
    ] = Field(default="dataset.end_time", alias="from")
    metadata: Literal["at_end", "at_release", "never"] = "at_release"
    extension: Extension = Extension()
    early_release: Literal["pi", "team"] = "pi"
    products: Literal["inherit", "releasable"] = "inherit"
    proprietary: bool = False
    remind: list[Days] = Field(default=["P90D", "P30D", "P7D"], max_length=20)
    after: After = After()
    retention: Months = "P10Y"


def _values(policy: EmbargoSection) -> dict[str, Any]:
    return {
        "months": read_months(policy.period),
        "starts_with": policy.starts_with,
        "metadata": policy.metadata,
        "extension_months": read_months(policy.extension.period),
        "extension_times": policy.extension.times,
        "extension_notice_days": read_days(policy.extension.notice),
        "early_release": policy.early_release,
        "products": policy.products,
        "proprietary": policy.proprietary,
        "remind_days": sorted(set(map(read_days, policy.remind)), reverse=True),
        "licence": policy.after.licence,
        "retention_months": read_months(policy.retention),
    }


def apply_embargo(policies: Mapping[str, EmbargoSection]) -> list[Change]:
    """Make the policies agree with the file, and closed data with the policies."""
    changes: list[Change] = []
    changed = []
    for slug, policy in policies.items():
        made = sync(EmbargoPolicy, "embargo", slug, _values(policy))
        changes += made
        changed += [slug for change in made if change.action == "change"]
    for slug in changed:
        changes += _recompute(slug)
    return changes + report_undeclared(EmbargoPolicy, "embargo", policies)


def _recompute(slug: str) -> list[Change]:
    """Give the data under a changed policy their new days; say how many move."""
    policy = EmbargoPolicy.objects.get(slug=slug)
    follows = Q(proposal__policy=policy)
    follows |= Q(proposal__policy__isnull=True, dataset__policy=policy)
    reason = f"The policy {slug} has changed in facility.toml."
    moved = recompute(Guard.objects.filter(follows), reason=reason)
    if not moved:
        return []
    what = f"{len(moved)} closed dataset{'s' * (len(moved) != 1)} under embargo {slug}"
    return [Change("move", what, _tell_days(moved))]


def _tell_days(moved: Collection[Dataset]) -> str:
    """Say from which days to which; of many only the first and the last."""
    guards = Guard.objects.filter(dataset__in=[dataset.pk for dataset in moved])
    days: set[date | None] = set(guards.values_list("opens_on", flat=True).distinct())
    dated = sorted(day for day in days if day)
    parts = []
    if dated:
        last = f" to {dated[-1]}" if len(dated) > 1 else ""
        parts.append(f"to open on {dated[0]}{last}")
    if None in days:
        parts.append("without a day")
    return ", or ".join(parts)


def move_midnights(facility: Facility) -> None:
    """Let closed data open at the midnight of the time zone that the facility has now."""
    guards = Guard.objects.filter(dataset__facility=facility)
    closed = guards.filter(Q(dataset__opens_at__isnull=True) | Q(dataset__opens_at__gt=Now()))
    settle(set(closed.values_list("dataset", flat=True)))
