"""What people may decide about the day on which data open, and what follows from it."""

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection

from catalogue.access import State, access_state, get_readable
from catalogue.embargo import rulings
from catalogue.embargo.dates import add_months, settle
from catalogue.errors import NotPermittedError, TransitionError, UnknownDatasetError
from catalogue.models import AuditEvent, Dataset, EmbargoPolicy, Guard, Tombstone, User
from tests.builders import World, a_dataset, a_world
from tests.catalogue.closing import (
    a_product,
    a_proposal,
    closed_for,
    day_of,
    guarded,
    in_days,
    today,
)

Act = Callable[[World, Dataset], object]

ACTS: dict[str, Act] = {
    "extend": lambda world, dataset: rulings.extend(world.dana, dataset, "why"),
    "release": lambda world, dataset: rulings.release(world.ines, dataset, "why"),
    "rule": lambda world, dataset: rulings.rule(world.dana, dataset, in_days(world, 5), "why"),
    "open": lambda world, dataset: rulings.open_proprietary(
        world.dana, dataset, in_days(world, 5), "why"
    ),
}


def in_state(world: World, state: str) -> Dataset:
    """A dataset of Ines in one of the states of the catalogue."""
    if state == "collecting":
        return closed_for(world, None)
    if state == "proprietary":
        return guarded(closed_for(world, None), is_proprietary=True)
    if state == "open":
        return closed_for(world, 0)
    if state == "retracted":
        dataset = closed_for(world, 30)
        Tombstone.objects.create(dataset=dataset, kind="retracted", reason="wrong")
        return dataset
    return closed_for(world, 30)


@pytest.mark.parametrize(
    ("act", "possible"),
    [
        ("extend", {"embargoed"}),
        ("release", {"collecting", "embargoed"}),
        ("rule", {"collecting", "embargoed"}),
        ("open", {"proprietary"}),
    ],
)
@pytest.mark.parametrize("state", ["collecting", "embargoed", "proprietary", "open", "retracted"])
def test_each_act_is_possible_in_its_states_only_and_else_nothing_is_written(
    world: World, act: str, possible: set[str], state: str
) -> None:
    dataset = in_state(world, state)
    before = list(Guard.objects.values())
    if state in possible:
        ACTS[act](world, dataset)
        assert list(Guard.objects.values()) != before
        return
    with pytest.raises(TransitionError):
        ACTS[act](world, dataset)
    assert list(Guard.objects.values()) == before
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("act", "who_may"),
    [("extend", {"dana"}), ("release", {"ines"}), ("rule", {"dana"}), ("open", {"dana"})],
)
@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana", "sten"])
def test_each_act_is_for_those_whose_it_is(
    world: World, act: str, who_may: set[str], name: str
) -> None:
    dataset = closed_for(world, 30, listed_in=-1)  # the page is public, so nobody gets a 404
    if act == "open":
        guarded(dataset, is_proprietary=True, opens_on=None)
    person, day = getattr(world, name), in_days(world, 5)
    acts: dict[str, Callable[[], object]] = {
        "extend": lambda: rulings.extend(person, dataset, "why"),
        "release": lambda: rulings.release(person, dataset, "why"),
        "rule": lambda: rulings.rule(person, dataset, day, "why"),
        "open": lambda: rulings.open_proprietary(person, dataset, day, "why"),
    }
    if name in who_may:
        acts[act]()
        assert AuditEvent.objects.get().person == person
    else:
        with pytest.raises(NotPermittedError):
            acts[act]()


def test_what_is_hidden_cannot_be_ruled_on(world: World) -> None:
    dataset = closed_for(world, 30)
    with pytest.raises(UnknownDatasetError):
        rulings.release(world.sten, dataset, "why")


def test_an_extension_counts_by_the_calendar_from_the_old_day(world: World) -> None:
    leap = date(2032, 2, 29)
    dataset = guarded(a_dataset(world), opens_on=leap, listed_on=leap)
    assert rulings.extend(world.dana, dataset, "the thesis is late") == date(2033, 2, 28)
    assert access_state(dataset).state == State.EXTENDED
    assert access_state(dataset).opens_on == date(2033, 2, 28)
    guard = dataset.guards.get()
    assert guard.listed_on == guard.opens_on, "the page appears with the data"


def test_an_extension_leaves_a_page_that_is_public_as_it_is(world: World) -> None:
    dataset = closed_for(world, 30, listed_in=-10)
    rulings.extend(world.dana, dataset, "why")
    assert dataset.guards.get().listed_on == in_days(world, -10)


def test_no_embargo_is_extended_more_often_than_its_policy_says(world: World) -> None:
    dataset = closed_for(world, 30)
    rulings.extend(world.dana, dataset, "why")
    with pytest.raises(TransitionError, match="no further extension"):
        rulings.extend(world.dana, dataset, "why")
    EmbargoPolicy.objects.update(extension_times=2, extension_months=6)
    expected = add_months(add_months(in_days(world, 30), 12), 6)
    assert rulings.extend(world.dana, dataset, "again") == expected


def test_released_data_are_open_at_once_and_for_good(world: World) -> None:
    dataset = closed_for(world, 30)
    rulings.release(world.ines, dataset, "the paper is out")
    assert get_readable(world.sten, dataset.pid) == dataset
    assert access_state(dataset).state == State.RELEASED_EARLY
    with pytest.raises(TransitionError, match="open data never close"):
        rulings.rule(world.dana, dataset, in_days(world, 100), "regret")
    assert get_readable(world.sten, dataset.pid) == dataset


def test_data_whose_page_is_never_public_get_one_when_somebody_opens_them(world: World) -> None:
    dataset = closed_for(world, 30, listed_in=None)
    rulings.release(world.ines, dataset, "why")
    assert get_readable(world.sten, dataset.pid) == dataset


def test_a_steward_sets_a_day_but_none_in_the_past(world: World) -> None:
    dataset = closed_for(world, 30)
    with pytest.raises(TransitionError, match="lies in the past"):
        rulings.rule(world.dana, dataset, in_days(world, -1), "why")
    rulings.rule(world.dana, dataset, in_days(world, 400), "patent pending")
    assert access_state(dataset).opens_on == in_days(world, 400)
    rulings.rule(world.dana, dataset, today(world), "patent granted")
    assert get_readable(world.sten, dataset.pid) == dataset


def test_proprietary_data_open_on_the_day_that_is_named(world: World) -> None:
    dataset = in_state(world, "proprietary")
    rulings.open_proprietary(world.dana, dataset, in_days(world, 10), "paid, and published")
    assert access_state(dataset).state == State.EMBARGOED
    assert access_state(dataset).opens_on == in_days(world, 10)


def test_a_ruling_is_audited_with_old_and_new_day_and_its_reason(world: World) -> None:
    dataset = closed_for(world, 30)
    rulings.rule(world.dana, dataset, in_days(world, 60), "patent pending")
    event = AuditEvent.objects.get()
    assert (event.act, event.subject, event.who) == ("embargo.ruled", str(dataset.pid), "Dana")
    assert event.reason == "patent pending"
    for told, days in ((event.old, 30), (event.new, 60)):
        day = in_days(world, days).isoformat()
        assert told == {"opens_on": day, "listed_on": day}


def test_products_follow_their_inputs_through_all_generations(world: World) -> None:
    scan, geometry = closed_for(world, 30), closed_for(world, 60)
    mapped = a_product(world, scan, geometry)
    figure = a_product(world, mapped)
    assert day_of(mapped) == day_of(figure) == in_days(world, 60)

    rulings.rule(world.dana, geometry, in_days(world, 90), "why")
    assert day_of(mapped) == day_of(figure) == in_days(world, 90)
    rulings.release(world.ines, geometry, "why")
    assert day_of(mapped) == day_of(figure) == in_days(world, 30), "the scan keeps them closed"
    rulings.release(world.ines, scan, "why")
    assert get_readable(world.sten, figure.pid) == figure
    moved = AuditEvent.objects.filter(act="embargo.followed", subject=str(figure.pid))
    assert [event.new["opens_on"] for event in moved.order_by("id")] == [
        in_days(world, days).isoformat() for days in (90, 30, 0)
    ]


def test_a_proprietary_input_makes_its_products_proprietary(world: World) -> None:
    scan, paid = closed_for(world, 30), in_state(world, "proprietary")
    mapped = a_product(world, scan, paid)
    assert access_state(mapped).state == State.PROPRIETARY
    rulings.open_proprietary(world.dana, paid, in_days(world, 10), "why")
    assert access_state(mapped).state == State.EMBARGOED
    assert day_of(mapped) == in_days(world, 30)


def test_products_of_two_proposals_are_for_those_who_are_in_both(world: World) -> None:
    other = a_proposal(world, "hg-200", rea="pi")
    mine, theirs = closed_for(world, 30), closed_for(world, 60, proposal=other)
    mapped = a_product(world, mine, theirs)
    for person in (world.ines, world.rea, world.sten):
        with pytest.raises(UnknownDatasetError):
            get_readable(person, mapped.pid)
    rulings.release(world.rea, theirs, "why")
    assert get_readable(world.ines, mapped.pid) == mapped
    with pytest.raises(UnknownDatasetError):
        get_readable(world.rea, mapped.pid)


def test_a_product_opens_before_its_inputs_only_where_the_policy_lets_it_go(world: World) -> None:
    scan = closed_for(world, 30)
    mapped = a_product(world, scan)
    with pytest.raises(TransitionError, match="last of their inputs"):
        rulings.release(world.ines, mapped, "why")
    EmbargoPolicy.objects.update(products="releasable")
    rulings.release(world.ines, mapped, "a figure of the paper")
    assert get_readable(world.sten, mapped.pid) == mapped
    assert access_state(scan).state == State.EMBARGOED
    rulings.extend(world.dana, scan, "why")
    assert get_readable(world.sten, mapped.pid) == mapped, "open data never close"


def test_what_a_steward_has_ruled_on_a_product_its_inputs_do_not_move(world: World) -> None:
    scan = closed_for(world, 30)
    mapped = a_product(world, scan)
    figure = a_product(world, mapped)
    rulings.rule(world.dana, mapped, in_days(world, 200), "why")
    assert day_of(figure) == in_days(world, 200)
    rulings.extend(world.dana, scan, "why")
    assert day_of(mapped) == day_of(figure) == in_days(world, 200)


def test_the_embargo_of_a_product_is_extended_with_its_inputs_only(world: World) -> None:
    mapped = a_product(world, closed_for(world, 30))
    with pytest.raises(TransitionError, match="Ask for those"):
        rulings.extend(world.dana, mapped, "why")


def test_data_that_nothing_guards_are_not_ruled_on(world: World) -> None:
    dataset = a_dataset(world)
    dataset.guards.all().delete()
    settle([dataset.pk])
    with pytest.raises(TransitionError, match="no proposal"):
        rulings.rule(world.dana, dataset, in_days(world, 5), "why")


@pytest.mark.django_db(transaction=True)
def test_two_stewards_at_once_extend_an_embargo_once(tmp_path: object) -> None:
    world = a_world(tmp_path)  # type: ignore[arg-type]  # pytest's own Path
    dataset = closed_for(world, 30)
    start, refused = threading.Barrier(2), []

    def extend(person: User) -> None:
        start.wait()
        try:
            rulings.extend(person, dataset, "at once")
        except TransitionError as error:
            refused.append(error)
        finally:
            connection.close()

    world.carlo.is_data_steward = True
    world.carlo.save()
    threads = [threading.Thread(target=extend, args=[who]) for who in (world.dana, world.carlo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert day_of(dataset) == add_months(in_days(world, 30), 12)
    assert AuditEvent.objects.count() == 1


def test_days_before_the_end_are_counted_where_the_facility_is(world: World) -> None:
    # Kiritimati is 14 hours ahead: there, data open up to a day before they do in Paris.
    dataset = closed_for(world, 1)
    paris = dataset.opens_at
    world.facility.timezone = "Pacific/Kiritimati"
    world.facility.save()
    settle([dataset.pk])
    dataset.refresh_from_db()
    assert paris is not None
    assert dataset.opens_at is not None
    assert timedelta(hours=12) <= paris - dataset.opens_at <= timedelta(hours=13)
