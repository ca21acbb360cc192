"""
Who is on the team of a proposal, and who lets people in by hand.

A principal investigator changes the team of a proposal, or a data steward. What the user
office or the sign-in says of a team stands beside it, and is not changed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet

from catalogue import audit
from catalogue.access import LocalToday, Person, memberships, valid_memberships
from catalogue.errors import (
    DescriptionError,
    Fault,
    NotPermittedError,
    TransitionError,
    UnknownMembershipError,
    UnknownProposalError,
)
from catalogue.indexing import reindex
from catalogue.models import Guard, Membership, Proposal, User

_PI, _HAND = Membership.Role.PI, Membership.Source.HAND
_ORCID_ADDRESS = "https://orcid.org/"
_LONGEST = 2000  # a reason in the audit log

Facts = Mapping[str, str | None]


@dataclass(frozen=True)
class Stay:
    """Who is to be on a team, by account name or ORCID iD, as what, and on which days."""

    person: str
    role: str = Membership.Role.MEMBER
    valid_from: date | None = None
    valid_to: date | None = None  # the last day


def visible_proposals(person: Person) -> QuerySet[Proposal]:
    """Select the proposals whose team a person may see: those they are on today."""
    if not isinstance(person, User):
        return Proposal.objects.none()
    if person.is_data_steward:
        return Proposal.objects.all()
    return Proposal.objects.filter(pk__in=memberships(person).values("proposal"))


def get_proposal(person: Person, pid: object) -> Proposal:
    """
    Return a proposal whose team a person may see.

    Raises
    ------
    UnknownProposalError
        If there is none, or they are not on it; the two cannot be told apart.
    """
    try:
        return visible_proposals(person).get(pid=str(pid))
    except (Proposal.DoesNotExist, ValidationError) as error:
        raise UnknownProposalError(str(pid)) from error


def list_members(person: Person, proposal: Proposal) -> QuerySet[Membership]:
    """
    Select what each source says of a team; ``is_over`` marks what has ended, at the end.

    Raises
    ------
    UnknownProposalError
        If the person may not see the team.
    """
    get_proposal(person, proposal.pid)
    today = LocalToday(F("proposal__facility__timezone"))
    rows = Membership.objects.filter(proposal=proposal).select_related("person")
    rows = rows.annotate(is_over=Q(valid_to__isnull=False, valid_to__lt=today))
    return rows.order_by("is_over", "person__full_name", "pk")


def get_membership(person: Person, proposal: Proposal, pid: object) -> Membership:
    """
    Return what is said of one person, by hand if it is, else by another source.

    Raises
    ------
    UnknownMembershipError
        If nothing is.
    """
    try:
        rows = list(list_members(person, proposal).filter(person__pid=str(pid)))
    except ValidationError as error:
        raise UnknownMembershipError(str(pid)) from error
    if not rows:
        raise UnknownMembershipError(str(pid))
    return next((row for row in rows if row.source == _HAND), rows[0])


def may_change_team(person: Person, proposal: Proposal) -> bool:
    """Say whether a person leads a proposal today, or is a data steward."""
    if not isinstance(person, User):
        return False
    return (
        person.is_data_steward or memberships(person).filter(proposal=proposal, role=_PI).exists()
    )


@transaction.atomic
def add_member(person: Person, proposal: Proposal, stay: Stay, reason: str) -> Membership:
    """
    Let somebody be on a team; what had ended begins anew.

    Raises
    ------
    UnknownProposalError, NotPermittedError
        If the team is not theirs to change.
    DescriptionError
        Naming every fault of what was said.
    TransitionError
        If they are on it by hand already.
    """
    leader = _require_leader(person, proposal)
    today = _lock(proposal)
    member = _check(stay, reason, today)
    row = Membership.objects.filter(person=member, proposal=proposal, source=_HAND).first()
    if row and (row.valid_to is None or row.valid_to >= today):
        raise TransitionError("add this member", f"{member} is one already. End that stay first.")
    old = facts(row) if row else None
    row = row or Membership(person=member, proposal=proposal, source=_HAND)
    row.role, row.valid_from, row.valid_to = stay.role, stay.valid_from, stay.valid_to
    row.save()
    tell("member.added", proposal, old, facts(row), person=leader, reason=reason.strip())
    return row


@transaction.atomic
def end_membership(person: Person, membership: Membership, reason: str) -> None:
    """
    End what was given by hand: yesterday was the last day.

    What has not had a full day yet is taken away, since it would end before it begins.

    Raises
    ------
    UnknownProposalError, NotPermittedError
        If the team is not theirs to change.
    DescriptionError
        If no reason is given.
    TransitionError
        If another source says it, it is over, or nobody would lead the proposal.
    """
    proposal = membership.proposal
    leader = _require_leader(person, proposal)
    yesterday = _lock(proposal) - timedelta(days=1)
    if faults := _faults_of_reason(reason):
        raise DescriptionError(faults)
    row = Membership.objects.filter(pk=membership.pk).select_related("person").first()
    if row is None or (row.valid_to and row.valid_to <= yesterday):
        raise TransitionError("end this membership", "it has ended already.")
    _require_endable(leader, row)
    old, new = facts(row), None
    if row.valid_from and row.valid_from > yesterday:
        row.delete()
    else:
        row.valid_to = yesterday
        row.save()
        new = facts(row)
    tell("member.ended", proposal, old, new, person=leader, reason=reason.strip())


def facts(row: Membership) -> Facts:
    """Return what the audit log keeps of a membership."""
    days = {"valid_from": row.valid_from, "valid_to": row.valid_to}
    return {
        "person": row.person.username,
        "source": str(row.source),
        "role": str(row.role),
        **{name: day.isoformat() if day else None for name, day in days.items()},
    }


def tell(
    act: str,
    proposal: Proposal,
    old: Facts | None,
    new: Facts | None,
    *,
    person: User | None,
    reason: str,
) -> None:
    """Tell the audit log of a membership, and of a leader the listings, which name them."""
    audit.record(act, proposal, person=person, old=old, new=new, reason=reason)
    if any(said and said["role"] == _PI for said in (old, new)):
        reindex(set(Guard.objects.filter(proposal=proposal).values_list("dataset", flat=True)))


def _require_leader(person: Person, proposal: Proposal) -> User:
    get_proposal(person, proposal.pid)
    if not isinstance(person, User) or not may_change_team(person, proposal):
        who = "a principal investigator of it or a data steward"
        raise NotPermittedError("change the team of this proposal", who)
    return person


def _lock(proposal: Proposal) -> date:
    """Let one team change at a time: two leaders might end each other. Return the local day."""
    rows = Proposal.objects.annotate(today=LocalToday(F("facility__timezone")))
    today: date = rows.select_for_update(of=("self",)).get(pk=proposal.pk).today
    return today


def _require_endable(leader: User, row: Membership) -> None:
    if row.source != _HAND:
        reason = f"it comes from the {row.get_source_display()}, and can only be ended there."
        raise TransitionError("end this membership", reason)
    others = valid_memberships().filter(proposal=row.proposal_id, role=_PI).exclude(pk=row.pk)
    if row.role == _PI and row.person_id == leader.pk and not others.exists():
        reason = "nobody else leads the proposal. Add another principal investigator first."
        raise TransitionError("end your own membership", reason)


def _check(stay: Stay, reason: str, today: date) -> User:
    found = _find_people(stay.person.strip())
    faults = _faults_of_reason(reason)
    if not found:
        text = "No account has this name or ORCID iD. Ask a data steward to add the person."
        faults.append(Fault("#/person", text))
    elif len(found) > 1:
        faults.append(Fault("#/person", "Several accounts have this ORCID iD. Name the account."))
    if stay.role not in Membership.Role.values:
        faults.append(Fault("#/role", f"must be one of {', '.join(Membership.Role.values)}"))
    if stay.valid_to and stay.valid_to < max(today, stay.valid_from or today):
        text = "The last day must not be past, nor before the first."
        faults.append(Fault("#/valid_to", text))
    if faults:
        raise DescriptionError(faults)
    return found[0]


def _find_people(name: str) -> list[User]:
    """Find the account of a name; only where there is none, those with this ORCID iD."""
    if not name or "\x00" in name:
        return []
    active = User.objects.filter(is_active=True)
    orcid = name.removeprefix(_ORCID_ADDRESS)
    return list(active.filter(username=name) or active.filter(orcid=orcid)[:2])


def _faults_of_reason(reason: str) -> list[Fault]:
    if reason.strip() and len(reason) <= _LONGEST and "\x00" not in reason:
        return []
    return [Fault("#/reason", f"must be text of 1 to {_LONGEST} characters")]
