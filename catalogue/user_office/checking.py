"""What a delivery says, held against what the catalogue knows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import F, Q
from django.db.models.functions import Lower

from catalogue.access import LocalToday
from catalogue.models import EmbargoPolicy, Facility, Membership, Proposal, User
from catalogue.user_office.faults import UserOfficeError, UserOfficeFault
from catalogue.user_office.merging import affiliations_of, merge
from catalogue.user_office.reading import Delivery, Placed
from catalogue.user_office.rows import (
    AffiliationRow,
    MembershipRow,
    PersonRow,
    ProposalRow,
    Row,
    SampleRow,
)

DEFAULT_POLICY = "default"


@dataclass(frozen=True)
class Wanted:
    """A delivery without repetitions: each thing once, by what names it."""

    people: dict[str, Placed[PersonRow]]
    affiliations: dict[tuple[str, str], Placed[AffiliationRow]]
    proposals: dict[str, Placed[ProposalRow]]
    memberships: dict[tuple[str, str], Placed[MembershipRow]]
    samples: dict[tuple[str, str], Placed[SampleRow]]

    @property
    def accounts(self) -> set[str]:
        leaders = {placed.row.pi for placed in self.proposals.values() if placed.row.pi}
        return {*self.people, *leaders, *(account for account, _ in self.memberships)}

    @property
    def numbers(self) -> set[str]:
        of_teams = {number for _, number in self.memberships}
        return {*self.proposals, *of_teams, *(number for number, _ in self.samples)}


@dataclass(frozen=True)
class Known:
    """What there is already of all that a delivery names."""

    facility: Facility
    today: date  # at the facility
    people: dict[str, User]
    proposals: dict[str, Proposal]
    policies: dict[str, EmbargoPolicy]


class _Names:
    """Names that may be referred to; two that differ only in case are a typing error."""

    def __init__(self, what: str, where: str, known: Iterable[str]) -> None:
        self.what, self.where = what, where
        self.exact = set(known)
        self.spelt = {name.casefold(): name for name in self.exact}

    def add(self, name: str) -> str | None:
        """Take in a name; return the fault if it is known in another spelling."""
        if fault := self._misspelt(name):
            return fault
        self.exact.add(name)
        self.spelt[name.casefold()] = name
        return None

    def look_up(self, name: str) -> str | None:
        """Return the fault if there is no such name."""
        if name in self.exact:
            return None
        return self._misspelt(name) or f"there is no {self.what} {name}; deliver it in {self.where}"

    def _misspelt(self, name: str) -> str | None:
        spelt = self.spelt.get(name.casefold(), name)
        if name in self.exact or spelt == name:
            return None
        return f"{name} is the {self.what} {spelt} in other letters; write it the same way"


def make_unique(delivery: Delivery, faults: list[UserOfficeFault]) -> Wanted:
    """Merge what is delivered more than once."""
    people = merge(delivery.people, lambda row: row.account, faults)
    return Wanted(
        people=people,
        affiliations=affiliations_of(people.values(), faults),
        proposals=merge(delivery.proposals, lambda row: row.number, faults),
        memberships=merge(delivery.memberships, lambda row: (row.account, row.proposal), faults),
        samples=merge(delivery.samples, lambda row: (row.proposal, row.name), faults),
    )


def read_known(wanted: Wanted) -> Known:
    """
    Read what a delivery names, and let no second import in until this one has ended.

    Raises
    ------
    UserOfficeError
        If there is no facility yet.
    """
    facility = (
        Facility.objects.select_for_update(no_key=True)
        .annotate(today=LocalToday(F("timezone")))
        .order_by("pk")
        .first()
    )
    if facility is None:
        reason = "there is no facility yet; declare it first: manage.py apply facility.toml"
        raise UserOfficeError([UserOfficeFault("", "", "", reason)])
    accounts, numbers = wanted.accounts, wanted.numbers
    people = User.objects.annotate(folded=Lower("username")).filter(
        Q(username__in=accounts) | Q(folded__in={account.lower() for account in accounts})
    )
    proposals = Proposal.objects.annotate(folded=Lower("number")).filter(
        Q(number__in=numbers) | Q(folded__in={number.lower() for number in numbers}),
        facility=facility,
    )
    return Known(
        facility=facility,
        today=facility.today,
        people={row.username: row for row in people},
        proposals={row.number: row for row in proposals},
        policies={policy.slug: policy for policy in EmbargoPolicy.objects.all()},
    )


def check(wanted: Wanted, known: Known, *, is_complete: bool) -> Iterator[UserOfficeFault]:
    """Yield what cannot be true of rows that are each in order."""
    accounts = _Names("account", "people", known.people)
    numbers = _Names("proposal", "proposals", known.proposals)
    yield from _check_people(wanted, known, accounts)
    yield from _check_proposals(wanted, known, accounts, numbers)
    yield from _check_memberships(wanted, accounts, numbers)
    yield from _refer(wanted.samples.values(), "proposal", numbers)
    if is_complete and not wanted.memberships:
        reason = "a complete delivery without memberships would end them all; add them"
        yield UserOfficeFault("", "", "memberships", reason)


def _check_people(wanted: Wanted, known: Known, accounts: _Names) -> Iterator[UserOfficeFault]:
    for account, placed in wanted.people.items():
        if fault := accounts.add(account):
            yield placed.fault("account", fault)
        elif account not in known.people and not placed.row.name:
            yield placed.fault("full_name", "is missing; or give given_name and family_name")


def _check_proposals(
    wanted: Wanted, known: Known, accounts: _Names, numbers: _Names
) -> Iterator[UserOfficeFault]:
    for number, placed in wanted.proposals.items():
        row, old = placed.row, known.proposals.get(number)
        if fault := numbers.add(number):
            yield placed.fault("number", fault)
        if row.pi and (fault := accounts.look_up(row.pi)):
            yield placed.fault("pi", fault)
        policy = row.embargo or ("" if old else DEFAULT_POLICY)
        if policy and policy not in known.policies:
            declared = ", ".join(sorted(known.policies)) or "none"
            yield placed.fault("embargo", f"there is no policy {policy}; declared are {declared}")
        starts = row.start_date or (old.start_date if old else None)
        ends = row.end_date or (old.end_date if old else None)
        if starts and ends and ends < starts:
            yield placed.fault("end_date", f"{ends} is before the start, {starts}")


def _check_memberships(
    wanted: Wanted, accounts: _Names, numbers: _Names
) -> Iterator[UserOfficeFault]:
    yield from _refer(wanted.memberships.values(), "account", accounts)
    yield from _refer(wanted.memberships.values(), "proposal", numbers)
    for (account, number), placed in wanted.memberships.items():
        row, proposal = placed.row, wanted.proposals.get(number)
        if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
            yield placed.fault("valid_to", f"{row.valid_to} is before {row.valid_from}")
        leads = proposal is not None and proposal.row.pi == account
        if leads and row.role not in {None, Membership.Role.PI}:
            yield placed.fault("role", f"contradicts {proposal}, where {account} is the pi")


def _refer(rows: Iterable[Placed[Row]], name: str, names: _Names) -> Iterator[UserOfficeFault]:
    for placed in rows:
        if fault := names.look_up(getattr(placed.row, name)):
            yield placed.fault(name, fault)
