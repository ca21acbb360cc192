"""Collections: whose they are, and that they open nothing."""

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.access import Person
from catalogue.collecting import (
    add_dataset,
    count_hidden,
    edit_collection,
    get_collection,
    make_collection,
    move_dataset,
    remove_collection,
    remove_dataset,
    visible_collections,
    visible_items,
)
from catalogue.errors import (
    DescriptionError,
    NotPermittedError,
    UnknownCollectionError,
    UnknownDatasetError,
)
from catalogue.models import AuditEvent, Collection, Dataset, Guest
from tests.builders import World, a_dataset
from tests.catalogue.closing import closed_for, in_days


def titles(person: Person, collection: Collection) -> list[str]:
    return [item.dataset.title for item in visible_items(person, collection)]


def filled(world: World, *datasets: Dataset, is_shared: bool = True) -> Collection:
    """A collection of Ines."""
    collection = make_collection(world.ines, "Reds", is_shared=is_shared)
    for dataset in datasets:
        add_dataset(world.ines, collection.pid, dataset.pid)
    return collection


def test_a_shared_list_shows_each_reader_what_they_may_see(world: World) -> None:
    shown = a_dataset(world, is_open=True, title="open")
    collection = filled(world, shown, closed_for(world, 100, title="hidden"))
    for person in (AnonymousUser(), world.sten):
        assert titles(person, collection) == ["open"]
        assert count_hidden(person, collection) is None
    assert titles(world.carlo, collection) == ["open", "hidden"]
    assert count_hidden(world.carlo, collection) is None


def test_only_its_owner_is_told_how_many_more_there_are(world: World) -> None:
    dataset = closed_for(world, 100)
    visit = Guest.objects.create(dataset=dataset, person=world.rea, valid_to=in_days(world, 9))
    collection = make_collection(world.rea, "Mine", is_shared=True)
    add_dataset(world.rea, collection.pid, dataset.pid)
    assert count_hidden(world.rea, collection) == 0
    visit.delete()
    assert titles(world.rea, collection) == []
    assert count_hidden(world.rea, collection) == 1
    assert count_hidden(world.ines, collection) is None
    assert count_hidden(AnonymousUser(), collection) is None


@pytest.mark.parametrize("name", ["sten", "carlo", "dana"])
def test_a_collection_that_is_not_shared_is_absent_for_others(world: World, name: str) -> None:
    collection = filled(world, is_shared=False)
    person = getattr(world, name)
    with pytest.raises(UnknownCollectionError):
        get_collection(person, collection.pid)
    with pytest.raises(UnknownCollectionError):
        remove_collection(person, collection.pid)
    assert not visible_collections(person).exists()
    assert visible_collections(world.ines).get() == collection


@pytest.mark.parametrize("pid", ["no-uuid", "00000000-0000-0000-0000-000000000007", "\x00"])
def test_a_collection_that_does_not_exist_is_as_absent(world: World, pid: str) -> None:
    with pytest.raises(UnknownCollectionError):
        get_collection(world.ines, pid)


def test_nobody_but_its_owner_changes_a_shared_collection(world: World) -> None:
    dataset = a_dataset(world, is_open=True, title="red")
    collection = filled(world, dataset)
    for person in (AnonymousUser(), world.sten, world.dana):
        for act in (
            lambda who=person: edit_collection(who, collection.pid, title="Mine"),
            lambda who=person: add_dataset(who, collection.pid, dataset.pid),
            lambda who=person: remove_dataset(who, collection.pid, dataset.pid),
            lambda who=person: move_dataset(who, collection.pid, dataset.pid, 1),
            lambda who=person: remove_collection(who, collection.pid),
        ):
            with pytest.raises(NotPermittedError):
                act()
    assert titles(world.ines, collection) == ["red"]
    collection.refresh_from_db()
    assert collection.title == "Reds"


def test_nobody_makes_a_collection_without_signing_in(world: World) -> None:
    with pytest.raises(NotPermittedError):
        make_collection(AnonymousUser(), "Reds")


def test_a_hidden_dataset_cannot_be_added_nor_probed_for(world: World) -> None:
    collection = make_collection(world.sten, "Mine")
    hidden = closed_for(world, 100)
    for pid in (hidden.pid, "00000000-0000-0000-0000-000000000007", "no-uuid"):
        with pytest.raises(UnknownDatasetError):
            add_dataset(world.sten, collection.pid, pid)
        with pytest.raises(UnknownDatasetError):
            remove_dataset(world.sten, collection.pid, pid)
    assert not collection.items.exists()


def test_a_dataset_is_in_a_collection_once_and_in_its_order(world: World) -> None:
    rows = [a_dataset(world, title=title) for title in "abc"]
    collection = filled(world, *rows, rows[0])
    assert titles(world.ines, collection) == ["a", "b", "c"]
    move_dataset(world.ines, collection.pid, rows[2].pid, 1)
    assert titles(world.ines, collection) == ["c", "a", "b"]
    move_dataset(world.ines, collection.pid, rows[2].pid, 99)
    assert titles(world.ines, collection) == ["a", "b", "c"]
    remove_dataset(world.ines, collection.pid, rows[1].pid)
    add_dataset(world.ines, collection.pid, rows[1].pid)
    assert titles(world.ines, collection) == ["a", "c", "b"]


def test_every_change_of_a_collection_is_in_the_log(world: World) -> None:
    rows = [a_dataset(world) for _ in range(2)]
    collection = filled(world, *rows)
    move_dataset(world.ines, collection.pid, rows[1].pid, 1)
    edit_collection(world.ines, collection.pid, title="Blues")
    edit_collection(world.ines, collection.pid, title="Blues")  # changes nothing
    remove_dataset(world.ines, collection.pid, rows[0].pid)
    remove_collection(world.ines, collection.pid)
    events = AuditEvent.objects.filter(subject=str(collection.pid)).order_by("id")
    assert [event.act.split(".")[1] for event in events] == [
        "made", "added", "added", "moved", "edited", "taken", "removed",
    ]  # fmt: skip
    assert {event.who for event in events} == {"Ines"}


def test_datasets_outlive_their_collection(world: World) -> None:
    dataset = a_dataset(world)
    remove_collection(world.ines, filled(world, dataset).pid)
    assert not Collection.objects.exists()
    dataset.refresh_from_db()


@pytest.mark.parametrize("title", ["", " ", "x" * 501, "half\x00"])
def test_a_title_that_cannot_be_kept_is_refused(world: World, title: str) -> None:
    with pytest.raises(DescriptionError):
        make_collection(world.ines, title)
    collection = make_collection(world.ines, "Reds")
    with pytest.raises(DescriptionError):
        edit_collection(world.ines, collection.pid, title=title)
