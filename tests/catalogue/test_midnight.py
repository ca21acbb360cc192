"""Data open at the first second of their day, where the facility is, with nothing running."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from catalogue.access import access_state, closed_guards
from catalogue.embargo.dates import local_date
from catalogue.models import Dataset, Facility, Listing
from tests.builders import World, a_dataset
from tests.catalogue.closing import closed_for, guarded, today

ClientOf = Callable[[str | None], Client]


@pytest.mark.parametrize(
    ("opens_on", "zone", "instant"),
    [
        (date(2027, 2, 28), "Europe/Paris", "2027-02-27T23:00:00Z"),
        (date(2029, 3, 31), "Europe/Berlin", "2029-03-30T22:00:00Z"),  # summer time
        (date(2026, 2, 28), "Europe/Berlin", "2026-02-27T23:00:00Z"),
        (date(2028, 1, 1), "Europe/Paris", "2027-12-31T23:00:00Z"),
        (date(2027, 5, 1), "Pacific/Kiritimati", "2027-04-30T10:00:00Z"),
        (date(2027, 5, 1), "America/St_Johns", "2027-05-01T02:30:00Z"),  # half an hour
        (date(2027, 3, 28), "Europe/Berlin", "2027-03-27T23:00:00Z"),  # the day of the change
    ],
)
def test_the_instant_of_opening_is_the_midnight_of_the_facility(
    world: World, opens_on: date, zone: str, instant: str
) -> None:
    dataset = a_dataset(world)
    Facility.objects.update(timezone=zone)
    guarded(dataset, opens_on=opens_on, listed_on=opens_on)
    assert dataset.opens_at == dataset.listed_at == datetime.fromisoformat(instant)
    assert local_date(datetime.fromisoformat(instant), zone) == opens_on
    assert local_date(datetime.fromisoformat(instant) - timedelta(seconds=1), zone) < opens_on


def at_local_time(clock: str) -> date:
    """
    Move the facility to where it is this time of day now; return the local date.

    PostgreSQL reads offsets to the second, "X-05:37:21" is so much ahead of Greenwich.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    wanted = datetime.fromisoformat(f"{now.date()}T{clock}+00:00")
    ahead = wanted - now
    if ahead < timedelta(0):
        ahead += timedelta(days=1)
    seconds = round(ahead.total_seconds())
    offset = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    Facility.objects.update(timezone=f"X-{offset}")
    return (now + ahead).date()


def test_before_midnight_data_are_closed_and_after_it_open(world: World) -> None:
    dataset = a_dataset(world)
    evening = at_local_time("23:59:45")  # in time for a busy machine
    tomorrow = evening + timedelta(days=1)
    dataset.guards.update(opens_on=tomorrow, listed_on=tomorrow)
    assert access_state(dataset).opens_on == tomorrow
    assert closed_guards([dataset.pk]).exists()

    morning = at_local_time("00:00:01")
    dataset.guards.update(opens_on=morning, listed_on=morning)
    assert access_state(dataset).is_open
    assert not closed_guards([dataset.pk]).exists()


def test_all_doors_open_together_at_the_instant(client_of: ClientOf, world: World) -> None:
    dataset = closed_for(world, 100, title="Awaited", sample="Lapis")
    file = dataset.files.get()
    instant = Now() + timedelta(seconds=1.5)
    Dataset.objects.update(opens_at=instant, listed_at=instant)
    opens_at = Dataset.objects.get().opens_at
    Listing.objects.update(opens_at=opens_at, listed_at=opens_at)
    dataset.guards.update(opens_on=today(world), listed_on=today(world))
    client = client_of("sten")

    def look() -> list[object]:
        facets = client.get("/api/v1/datasets/facets/?sample=Lapis").json()["facets"]
        samples = next(facet for facet in facets if facet["name"] == "sample")["values"]
        fetched = client.get(f"/files/{file.uuid}/")
        for _ in getattr(fetched, "streaming_content", ()):
            pass
        return [
            client.get(f"/datasets/{dataset.pid}/").status_code,
            fetched.status_code,
            client.get(f"/api/v1/datasets/{dataset.pid}/files/").status_code,
            len(client.get("/api/v1/datasets/?q=awaited").json()["results"]),
            "Awaited" in client.get("/?q=awaited").content.decode(),
            samples[0]["count"],
        ]

    assert look() == [404, 404, 404, 0, False, 0]
    assert opens_at is not None
    time.sleep(max(0.0, (opens_at - datetime.now(UTC)).total_seconds() + 0.2))
    assert look() == [200, 200, 200, 1, True, 1]
