"""Embargoes that end soon: once per proposal and day, however many datasets there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Min
from django.db.models.functions import Coalesce, Now

from catalogue.access import LocalToday
from catalogue.embargo.teams import members_of
from catalogue.models import Dataset, EmbargoPolicy, Guard, Membership, Notice, Proposal
from catalogue.notices import tell_all


@dataclass(frozen=True)
class Ending:
    """Embargoes of one proposal that end on one day."""

    proposal: Proposal
    policy: EmbargoPolicy
    opens_on: date
    days: int  # from today
    datasets: int
    example: Dataset


def endings(within_days: int) -> list[Ending]:
    """
    Return which embargoes end soon, the first ones first.

    Parameters
    ----------
    within_days : int
        How far to look ahead.

    Returns
    -------
    list of Ending
        One for each proposal and day; of raw data, which their products follow.
    """
    today = LocalToday(F("dataset__facility__timezone"))
    soon = Guard.objects.filter(
        proposal__isnull=False,
        dataset__kind=Dataset.Kind.RAW,
        dataset__opening_noted=False,
        dataset__opens_at__gt=Now(),
        # A day more: midnights differ by zone.
        dataset__opens_at__lte=Now() + timedelta(days=within_days + 1),
        dataset__tombstone__isnull=True,
    )
    policy = Coalesce("proposal__policy", "dataset__policy")
    groups = soon.values("proposal", "opens_on", wanted=policy, today=today).annotate(
        example=Min("dataset"), datasets=Count("dataset")
    )
    return _name(list(groups.order_by("opens_on", "proposal")), within_days)


def _name(groups: Sequence[Mapping[str, Any]], within_days: int) -> list[Ending]:
    proposals = Proposal.objects.in_bulk({group["proposal"] for group in groups})
    policies = EmbargoPolicy.objects.in_bulk({group["wanted"] for group in groups})
    # Read as an example of a guard, which knows its dataset.
    guards = Guard.objects.filter(dataset__in=[group["example"] for group in groups])
    examples = {guard.dataset_id: guard.dataset for guard in guards.select_related("dataset")}
    return [
        Ending(
            proposals[group["proposal"]],
            policies[group["wanted"]],
            group["opens_on"],
            (group["opens_on"] - group["today"]).days,
            group["datasets"],
            examples[group["example"]],
        )
        for group in groups
        if group["wanted"] and (group["opens_on"] - group["today"]).days <= within_days
    ]


def remind() -> None:
    """Remind those who lead a proposal before its embargo ends, as often as its policy says."""
    distances = EmbargoPolicy.objects.values_list("remind_days", flat=True)
    longest = max((days for each in distances for days in each), default=0)
    for ending in endings(longest) if longest else ():
        reached = [days for days in ending.policy.remind_days if days >= ending.days]
        if reached:
            _remind_of(ending, min(reached))


def _remind_of(ending: Ending, days: int) -> None:
    proposal, opens_on = ending.proposal, ending.opens_on
    what = f"{ending.datasets} dataset{'s' * (ending.datasets != 1)} of {proposal.number}"
    text = f"The embargo of {what} ends in {ending.days} days: on {opens_on} they open to all."
    latest = opens_on - timedelta(days=ending.policy.extension_notice_days)
    if ending.policy.extension_times and ending.days > ending.policy.extension_notice_days:
        text += f" A longer one can be asked for until {latest}."
    tell_all(
        members_of(proposal, Membership.Role.PI, Membership.Role.CO_PROPOSER),
        Notice.Kind.REMINDER,
        text,
        once=f"reminder {proposal.pid} {opens_on} {days}",
        dataset=ending.example,
    )
