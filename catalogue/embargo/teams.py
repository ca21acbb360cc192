"""Who stands behind a dataset, and is told of what happens to it."""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from catalogue.access import closed_guards, valid_memberships
from catalogue.models import Dataset, Guard, Membership, Proposal, User


def team_of(datasets: Collection[int]) -> QuerySet[User]:
    """Select the members of all proposals that datasets belong to, by primary keys."""
    proposals = Guard.objects.filter(dataset__in=datasets).values("proposal")
    members = valid_memberships().filter(proposal__in=proposals)
    return _active().filter(pk__in=members.values("person"))


def members_of(proposal: Proposal, *roles: Membership.Role) -> QuerySet[User]:
    """Select who is on the team of a proposal, in any role or in one of those named."""
    members = valid_memberships().filter(proposal=proposal)
    if roles:
        members = members.filter(role__in=roles)
    return _active().filter(pk__in=members.values("person"))


def leaders_of(dataset: Dataset) -> QuerySet[User]:
    """
    Select the principal investigators whom a dataset waits for.

    They lead the proposals that keep it closed, or any that it stems from if it is
    open. Data that belong to no proposal are in the hands of the instrument's staff.
    """
    guards = closed_guards([dataset.pk])
    if not guards.exists():
        guards = Guard.objects.filter(dataset=dataset)
    leading = valid_memberships().filter(
        role=Membership.Role.PI, proposal__in=guards.values("proposal")
    )
    staffed = guards.filter(proposal__isnull=True).values("instrument")
    wanted = Q(pk__in=leading.values("person")) | Q(instruments__in=staffed)
    return _active().filter(wanted).distinct()


def stewards() -> QuerySet[User]:
    """Select the data stewards."""
    return _active().filter(is_data_steward=True)


def _active() -> QuerySet[User]:
    return User.objects.filter(is_active=True)
