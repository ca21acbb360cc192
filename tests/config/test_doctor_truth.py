"""Dates, listings and ledger differ from their rows on purpose; the doctor puts them right."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.utils import timezone

from catalogue.models import Dataset, Guard, Listing, ListingCount, Tombstone
from config.doctor.finding import Level
from tests.builders import World, a_dataset, a_technique
from tests.config.doctoring import found, mend


def test_a_ledger_that_miscounts_is_recounted(world: World) -> None:
    for _ in range(3):
        a_dataset(world)
    assert found("ledger") == []
    ListingCount.objects.update(datasets=7)
    (finding,) = found("ledger")
    assert finding.level == Level.FAIL
    mend("ledger")
    assert found("ledger") == []
    assert sum(ListingCount.objects.values_list("datasets", flat=True)) == 3


def test_a_ledger_that_forgot_everything_is_recounted(world: World) -> None:
    a_dataset(world)
    ListingCount.objects.all().delete()
    assert len(found("ledger")) == 1
    mend("ledger")
    assert found("ledger") == []


def unlist(dataset: Dataset) -> None:
    Listing.objects.filter(dataset=dataset).delete()


def list_as_open(dataset: Dataset) -> None:
    Listing.objects.filter(dataset=dataset).update(opens_at=timezone.now())


def list_as_listed(dataset: Dataset) -> None:
    Listing.objects.filter(dataset=dataset).update(listed_at=timezone.now())


def list_to_all(dataset: Dataset) -> None:
    """By the mark that lets lists skip the date."""
    Listing.objects.filter(dataset=dataset).update(is_listed=True)


def list_among_the_open(dataset: Dataset) -> None:
    """By the mark that lets lists of open data skip the date."""
    Listing.objects.filter(dataset=dataset).update(is_open=True)


def change_kind(dataset: Dataset) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(content="poni")


def change_year(dataset: Dataset) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(
        start_time=dataset.start_time - timedelta(days=366)
    )


def take_back(dataset: Dataset) -> None:
    Tombstone.objects.create(dataset=dataset, kind="retracted", reason="wrong")


def know_a_technique(dataset: Dataset) -> None:
    dataset.techniques.add(a_technique())


@pytest.mark.parametrize(
    "harm",
    [
        unlist,
        list_as_open,
        list_as_listed,
        list_to_all,
        list_among_the_open,
        change_kind,
        change_year,
        take_back,
        know_a_technique,
    ],
)
def test_a_listing_that_differs_from_its_dataset_is_written_anew(
    world: World, harm: Callable[[Dataset], None]
) -> None:
    dataset, other = a_dataset(world), a_dataset(world)
    assert found("listings") == []
    harm(dataset)
    (finding,) = found("listings")
    assert finding.level == Level.FAIL
    assert finding.what.startswith("1 datasets")
    assert mend("listings").startswith("1 datasets")
    assert found("listings") == []
    assert found("ledger") == []
    assert Listing.objects.filter(dataset=other).exists()


@pytest.mark.parametrize("day", [date(2020, 1, 1), date(2100, 6, 30), None])
def test_dates_that_differ_from_the_guards_are_taken_from_them(
    world: World, day: date | None
) -> None:
    dataset = a_dataset(world, opens_on=date(2050, 3, 31))
    assert found("dates") == []
    Guard.objects.filter(dataset=dataset).update(opens_on=day, listed_on=day)
    (finding,) = found("dates")
    assert finding.level == Level.FAIL
    mend("dates")
    assert [*found("dates"), *found("listings")] == []
    dataset.refresh_from_db()
    # Midnight in Paris, where the facility is.
    hours = {1: 23, 6: 22}.get(day.month if day else 0)
    assert (dataset.opens_at.hour if dataset.opens_at else None) == hours


def test_a_dataset_that_its_guards_keep_closed_is_never_left_open(world: World) -> None:
    dataset = a_dataset(world)
    Dataset.objects.filter(pk=dataset.pk).update(opens_at=timezone.now(), listed_at=timezone.now())
    Guard.objects.filter(dataset=dataset).update(opens_on=None, listed_on=None)
    mend("dates")
    dataset.refresh_from_db()
    assert (dataset.opens_at, dataset.listed_at) == (None, None)


@pytest.mark.parametrize(
    ("opens_on", "listed_on"), [(None, date(2020, 1, 1)), (date(2020, 1, 1), None)]
)
def test_one_guard_that_never_opens_keeps_a_dataset_closed(
    world: World, opens_on: date | None, listed_on: date | None
) -> None:
    dataset = a_dataset(world, is_open=True)
    assert found("dates") == []
    Guard.objects.create(dataset=dataset, opens_on=opens_on, listed_on=listed_on)
    assert len(found("dates")) == 1
    mend("dates")
    dataset.refresh_from_db()
    assert (dataset.opens_at is None, dataset.listed_at is None) == (
        opens_on is None,
        listed_on is None,
    )


def test_a_dataset_without_any_guard_is_closed(world: World) -> None:
    dataset = a_dataset(world)
    Guard.objects.filter(dataset=dataset).delete()
    assert len(found("dates")) == 1
