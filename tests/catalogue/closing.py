"""Closed data for tests: with a day, without one, and what was made of them."""

from datetime import date, timedelta
from typing import Any

from django.db.models import F

from catalogue.access import LocalToday
from catalogue.embargo.dates import settle
from catalogue.models import Dataset, Facility, Guard, Membership, Proposal, User
from tests.api.results import an_activity
from tests.builders import World, a_dataset

NEVER = None


def today(world: World) -> date:
    """The day it is at the facility, by the database's clock."""
    facility = Facility.objects.annotate(today=LocalToday(F("timezone")))
    return facility.get(pk=world.facility.pk).today


def in_days(world: World, days: int) -> date:
    return today(world) + timedelta(days=days)


def closed_for(
    world: World, days: int | None, *, listed_in: int | None = 0, **told: Any
) -> Dataset:
    """
    A dataset that opens in so many days, None for never; 0 is today.

    Its page is listed in so many days, None for never, by default with the data.
    """
    dataset = a_dataset(world, **told)
    opens_on = in_days(world, days) if days is not None else NEVER
    listed_on = opens_on if listed_in == 0 else NEVER
    if listed_in:
        listed_on = in_days(world, listed_in)
    return guarded(dataset, opens_on=opens_on, listed_on=listed_on)


def guarded(dataset: Dataset, **values: Any) -> Dataset:
    """Write to all guards of a dataset, and let its dates follow."""
    Guard.objects.filter(dataset=dataset).update(**values)
    settle([dataset.pk])
    dataset.refresh_from_db()
    return dataset


def a_product(world: World, *inputs: Dataset, owner: User | None = None) -> Dataset:
    """A dataset derived from others, by Ines unless said otherwise."""
    activity = an_activity(world, {"scan": list(inputs)}, person=owner or world.ines)
    return activity.generated.get().dataset


def a_proposal(world: World, number: str, **team: str) -> Proposal:
    """A proposal with people of the story in their roles: ``a_proposal(w, "x", rea="pi")``."""
    proposal = Proposal.objects.create(
        facility=world.facility, number=number, title=f"Title of {number}", policy=world.policy
    )
    for name, role in team.items():
        Membership.objects.create(person=getattr(world, name), proposal=proposal, role=role)
    return proposal


def day_of(dataset: Dataset) -> date | None:
    """The day on which a dataset opens: the latest of its guards."""
    days = list(Guard.objects.filter(dataset=dataset).values_list("opens_on", flat=True))
    return None if None in days else max(day for day in days if day)
