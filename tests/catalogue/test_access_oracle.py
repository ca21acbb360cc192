"""The rule of access in SQL and the same rule in slow, plain Python agree."""

import itertools
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.access import (
    Person,
    cleared_datasets,
    readable_datasets,
    visible_datasets,
)
from catalogue.embargo.dates import settle
from catalogue.models import (
    Dataset,
    Guard,
    Guest,
    Instrument,
    Membership,
    Proposal,
    Tombstone,
    User,
)
from tests.builders import World
from tests.catalogue.closing import today

_numbers = itertools.count(1)
# Days from today around which everything turns; None is never, or for ever.
DAY = st.sampled_from([None, -30, -1, 0, 1, 30])
PROPOSAL = st.sampled_from([None, 0, 1])
INSTRUMENT = st.sampled_from([None, 0, 1])


@dataclass(frozen=True)
class Condition:
    proposal: int | None
    instrument: int | None
    opens: int | None
    listed: int | None

    @property
    def origin(self) -> tuple[int | None, int | None]:
        return self.proposal, self.instrument


@dataclass(frozen=True)
class Case:
    """A dataset with guards, and one person's relations to it."""

    guards: list[Condition]
    teams: dict[int, tuple[int | None, int | None]]  # valid from, valid to
    staffed: frozenset[int]
    kind: str
    is_owner: bool
    visit: int | None  # the last day of a guest; None is no guest
    stone: str | None
    standing: str = field(default="person")


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    opens, listed = draw(DAY), draw(DAY)
    if opens is not None and listed is not None:
        listed = min(opens, listed)
    return Condition(draw(PROPOSAL), draw(INSTRUMENT), opens, listed)


CASES = st.builds(
    Case,
    guards=st.lists(conditions(), max_size=3, unique_by=lambda one: one.origin),
    teams=st.dictionaries(st.sampled_from([0, 1]), st.tuples(DAY, DAY)),
    staffed=st.frozensets(st.sampled_from([0, 1])),
    kind=st.sampled_from(["raw", "derived"]),
    is_owner=st.booleans(),
    visit=DAY,
    stone=st.sampled_from([None, None, None, "retracted", "withdrawn"]),
    standing=st.sampled_from(["person", "person", "person", "steward", "nobody"]),
)


def is_past(days: int | None) -> bool:
    return days is not None and days <= 0


def is_member(case: Case, proposal: int | None) -> bool:
    if proposal not in case.teams:
        return False
    start, end = case.teams[proposal]
    return (start is None or start <= 0) and (end is None or end >= 0)


def lets_in(case: Case, guard: Condition) -> bool:
    """Say whether a guard lets the person pass before its day."""
    owns = case.is_owner and case.kind == "raw" and guard.proposal is None
    return is_member(case, guard.proposal) or guard.instrument in case.staffed or owns


def is_own(case: Case, days: list[int | None]) -> bool:
    if case.standing == "nobody":
        return False
    closed = [g for g, day in zip(case.guards, days, strict=True) if not is_past(day)]
    is_team = bool(closed) and all(lets_in(case, guard) for guard in closed)
    return is_team or (case.visit is not None and case.visit >= 0)


def sees(case: Case) -> bool:
    if case.standing == "steward":
        return True
    days = [guard.listed for guard in case.guards]
    is_listed = bool(days) and all(is_past(day) for day in days)
    return (is_listed or is_own(case, days)) and case.stone != "withdrawn"


def is_cleared(case: Case) -> bool:
    days = [guard.opens for guard in case.guards]
    is_open = bool(days) and all(is_past(day) for day in days)
    return sees(case) and (case.standing == "steward" or is_open or is_own(case, days))


def reads(case: Case) -> bool:
    return is_cleared(case) and case.stone is None


def make(world: World, case: Case) -> tuple[Person, Dataset]:
    """Write a case into the database, beside what is there."""
    now, number = today(world), next(_numbers)

    def day(days: int | None) -> date | None:
        return None if days is None else now + timedelta(days=days)

    proposals = [
        Proposal.objects.create(facility=world.facility, number=f"{number}-{n}", title="Any")
        for n in (0, 1)
    ]
    instruments = [
        Instrument.objects.create(slug=f"i{number}-{n}", name="Any", facility=world.facility)
        for n in (0, 1)
    ]
    person = User.objects.create(
        username=f"person-{number}", is_data_steward=case.standing == "steward"
    )
    for proposal, (start, end) in case.teams.items():
        Membership.objects.create(
            person=person, proposal=proposals[proposal], valid_from=day(start), valid_to=day(end)
        )
    person.instruments.set(instruments[n] for n in case.staffed)
    dataset = Dataset.objects.create(
        kind=case.kind, content="nexus", title="Any", facility=world.facility, digest="d" * 64,
        owner=person if case.is_owner else None,
    )  # fmt: skip
    for guard in case.guards:
        Guard.objects.create(
            dataset=dataset, opens_on=day(guard.opens), listed_on=day(guard.listed),
            proposal=None if guard.proposal is None else proposals[guard.proposal],
            instrument=None if guard.instrument is None else instruments[guard.instrument],
        )  # fmt: skip
    if case.visit is not None:
        Guest.objects.create(dataset=dataset, person=person, valid_to=day(case.visit))
    if case.stone:
        Tombstone.objects.create(dataset=dataset, kind=case.stone, reason="why")
    settle([dataset.pk])
    return (AnonymousUser() if case.standing == "nobody" else person), dataset


@given(case=CASES)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.timeout(600)
def test_sql_and_plain_python_decide_alike(world: World, case: Case) -> None:
    with transaction.atomic():
        person, dataset = make(world, case)
        found = [
            select(person).filter(pk=dataset.pk).exists()
            for select in (visible_datasets, cleared_datasets, readable_datasets)
        ]
        transaction.set_rollback(True)
    assert found == [sees(case), is_cleared(case), reads(case)]
