"""Datasets that were taken back: what stays, for whom, and what they are told."""

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.access import (
    get_dataset,
    get_file,
    get_readable,
    readable_datasets,
    visible_datasets,
)
from catalogue.embargo.retraction import Kind, take_back
from catalogue.embargo.wishes import ask_access
from catalogue.errors import (
    NotPermittedError,
    RetractedError,
    TransitionError,
    UnknownDatasetError,
    UnknownFileError,
)
from catalogue.lineage import origin
from catalogue.models import AuditEvent, Dataset, Listing, Notice, Request, Tombstone
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_product, closed_for


def test_a_retracted_dataset_keeps_its_page_and_loses_its_bytes(world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    file = dataset.files.get()
    take_back(world.ines, dataset, Kind.RETRACTED, "the wrong sample")
    for person in (AnonymousUser(), world.sten, world.ines, world.dana):
        assert get_dataset(person, dataset.pid).tombstone.reason == "the wrong sample"
        with pytest.raises(RetractedError, match="the wrong sample"):
            get_readable(person, dataset.pid)
        with pytest.raises(RetractedError):
            get_file(person, file.uuid)
        assert not readable_datasets(person).exists()
    assert not Listing.objects.exists()


def test_a_hidden_dataset_stays_hidden_when_it_is_retracted(world: World) -> None:
    dataset = closed_for(world, 100)
    take_back(world.ines, dataset, Kind.RETRACTED, "the wrong sample")
    with pytest.raises(UnknownDatasetError):
        get_dataset(world.sten, dataset.pid)
    with pytest.raises(UnknownFileError):
        get_file(world.sten, dataset.files.get().uuid)


def test_of_a_withdrawn_dataset_all_but_stewards_hear_only_why(world: World) -> None:
    dataset = a_dataset(world, is_open=True, title="Somebody's X-ray")
    file = dataset.files.get()
    take_back(world.dana, dataset, Kind.WITHDRAWN, "personal data")
    for person in (AnonymousUser(), world.sten, world.ines):
        assert dataset not in visible_datasets(person)
        for look in (
            lambda who=person: get_dataset(who, dataset.pid),
            lambda who=person: get_readable(who, dataset.pid),
            lambda who=person: get_file(who, file.uuid),
        ):
            with pytest.raises(RetractedError, match="personal data") as told:
                look()
            assert "Somebody" not in str(told.value)
    assert get_dataset(world.dana, dataset.pid) == dataset


def test_who_could_not_see_it_does_not_hear_that_it_was_withdrawn(world: World) -> None:
    dataset = closed_for(world, 100)
    take_back(world.dana, dataset, Kind.WITHDRAWN, "personal data")
    with pytest.raises(UnknownDatasetError):
        get_dataset(world.sten, dataset.pid)
    with pytest.raises(UnknownFileError):
        get_file(world.sten, dataset.files.get().uuid)
    with pytest.raises(RetractedError):
        get_dataset(world.carlo, dataset.pid)


def test_a_withdrawn_input_is_not_named_in_the_lineage_of_its_products(world: World) -> None:
    scan = a_dataset(world, is_open=True)
    product = a_product(world, scan)
    take_back(world.dana, scan, Kind.WITHDRAWN, "personal data")
    step = origin(world.sten, product)
    assert step is not None
    assert [edge.dataset for edge in step.used] == [None]


@pytest.mark.parametrize(
    ("kind", "who_may"), [(Kind.RETRACTED, {"ines", "dana"}), (Kind.WITHDRAWN, {"dana"})]
)
@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana", "sten"])
def test_who_may_take_a_dataset_back(
    world: World, kind: Kind, who_may: set[str], name: str
) -> None:
    dataset = a_dataset(world, is_open=True)
    if name in who_may:
        assert take_back(getattr(world, name), dataset, kind, "why").kind == kind
        return
    with pytest.raises(NotPermittedError):
        take_back(getattr(world, name), dataset, kind, "why")
    assert not Tombstone.objects.exists()


def test_a_member_retracts_their_own_product_only(world: World) -> None:
    scan = a_dataset(world)
    own, other = a_product(world, scan, owner=world.carlo), a_product(world, scan)
    take_back(world.carlo, own, Kind.RETRACTED, "wrong calibration")
    with pytest.raises(NotPermittedError):
        take_back(world.carlo, other, Kind.RETRACTED, "why")


def test_what_was_retracted_may_still_be_withdrawn_but_not_the_other_way(world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    take_back(world.dana, dataset, Kind.RETRACTED, "wrong")
    with pytest.raises(TransitionError, match="retracted before"):
        take_back(world.dana, dataset, Kind.RETRACTED, "again")
    take_back(world.dana, dataset, Kind.WITHDRAWN, "personal data")
    for kind in Kind:
        with pytest.raises(TransitionError, match="withdrawn before"):
            take_back(world.dana, dataset, kind, "again")
    acts = AuditEvent.objects.order_by("id").values_list("act", "old", "new", "reason")
    assert list(acts) == [
        ("dataset.retracted", None, "retracted", "wrong"),
        ("dataset.withdrawn", "retracted", "withdrawn", "personal data"),
    ]


def test_the_team_and_the_owner_are_told_without_what_must_not_be_shown(world: World) -> None:
    product = a_product(world, a_dataset(world), owner=world.rea)
    take_back(world.ines, product, Kind.RETRACTED, "wrong calibration")
    texts = {notice.person.username: notice.text for notice in Notice.objects.all()}
    assert set(texts) == {"carlo", "rea"}
    assert texts["carlo"] == "“A map” was retracted: wrong calibration"
    Notice.objects.all().delete()
    take_back(world.dana, product, Kind.WITHDRAWN, "personal data")
    for notice in Notice.objects.all():
        assert notice.text == f"The dataset {product.pid} was withdrawn: personal data"
        assert notice.dataset is None


def test_requests_about_what_was_taken_back_are_closed(world: World) -> None:
    dataset: Dataset = closed_for(world, 100, listed_in=-1)
    ask_access(world.rea, dataset, "why")
    take_back(world.ines, dataset, Kind.RETRACTED, "the wrong sample")
    request = Request.objects.get()
    assert (request.state, request.answer) == ("lapsed", "The dataset was retracted.")
