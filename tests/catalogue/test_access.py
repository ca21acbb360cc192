"""Who may see which dataset, and from when."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.access import access_state, get_dataset, visible_datasets
from catalogue.embargo.dates import opening_date
from catalogue.errors import UnknownDatasetError
from catalogue.models import Guard, Proposal
from tests.builders import World, a_dataset
from tests.catalogue.closing import guarded


@pytest.mark.parametrize(
    ("base", "zone", "months", "opens"),
    [
        ("2024-02-28T23:30:00Z", "Europe/Paris", 36, date(2027, 2, 28)),  # local 29 February
        ("2026-03-31T10:00:00Z", "Europe/Berlin", 36, date(2029, 3, 31)),
        ("2025-08-31T12:00:00Z", "Europe/Berlin", 6, date(2026, 2, 28)),
        ("2026-12-31T23:59:59Z", "Europe/Paris", 12, date(2028, 1, 1)),  # local 1 January 2027
        ("2026-05-05T10:00:00Z", "Europe/Paris", 0, date(2026, 5, 5)),
    ],
)
def test_an_embargo_counts_calendar_months_in_the_facilitys_zone(
    base: str, zone: str, months: int, opens: date
) -> None:
    assert opening_date(datetime.fromisoformat(base), months, zone) == opens


@pytest.mark.parametrize(
    ("person", "sees_closed"),
    [
        ("ines", True),
        ("carlo", True),
        ("ivo", True),
        ("dana", True),
        ("sten", False),
        ("rea", False),
        (None, False),
    ],
)
def test_a_closed_dataset_is_for_its_team_staff_and_stewards(
    world: World, person: str | None, *, sees_closed: bool
) -> None:
    closed, opened = a_dataset(world), a_dataset(world, is_open=True)
    who = getattr(world, person) if person else AnonymousUser()
    expected = {closed, opened} if sees_closed else {opened}
    assert set(visible_datasets(who)) == expected


def test_data_open_at_midnight_of_the_facility_without_anything_running(world: World) -> None:
    today = datetime.now(ZoneInfo("Europe/Paris")).date()
    opened = a_dataset(world, opens_on=today)
    closed = a_dataset(world, opens_on=today + timedelta(days=1))
    assert get_dataset(world.sten, opened.pid) == opened
    assert access_state(opened).is_open
    assert access_state(closed).opens_on == today + timedelta(days=1)
    with pytest.raises(UnknownDatasetError):
        get_dataset(world.sten, closed.pid)


def test_a_day_begins_in_the_facilitys_zone_not_in_utc(world: World) -> None:
    # Kiribati is 14 hours ahead of UTC: between 10:00 and 24:00 UTC its date is tomorrow's.
    dataset = a_dataset(world)
    now = datetime.now(UTC)
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        world.facility.timezone = zone
        world.facility.save()
        local = now.astimezone(ZoneInfo(zone)).date()
        guarded(dataset, opens_on=local, listed_on=local)
        assert access_state(dataset).is_open
        later = local + timedelta(days=1)
        guarded(dataset, opens_on=later, listed_on=later)
        assert not access_state(dataset).is_open


def test_a_dataset_of_two_proposals_needs_membership_of_both(world: World) -> None:
    dataset = a_dataset(world)
    other = Proposal.objects.create(facility=world.facility, number="hg-200", title="Other")
    Guard.objects.create(dataset=dataset, proposal=other)
    with pytest.raises(UnknownDatasetError):
        get_dataset(world.ines, dataset.pid)
    other.memberships.create(person=world.ines, role="member")
    assert get_dataset(world.ines, dataset.pid) == dataset


def test_a_dataset_without_any_guard_is_shown_to_stewards_only(world: World) -> None:
    dataset = a_dataset(world)
    dataset.guards.all().delete()
    assert not visible_datasets(world.ines).exists()
    assert visible_datasets(world.dana).get() == dataset


def test_a_malformed_identifier_is_an_unknown_one(world: World) -> None:
    with pytest.raises(UnknownDatasetError):
        get_dataset(world.ines, "no-uuid")
