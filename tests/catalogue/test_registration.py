"""Descriptions become rows, all of them or none; results inherit what closes their inputs."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from catalogue.access import visible_datasets
from catalogue.description import Description, FoundFile, FoundParameter
from catalogue.errors import ContentChangedError, RegistrationError
from catalogue.models import (
    Activity,
    DataFile,
    Dataset,
    Guard,
    Instrument,
    Membership,
    Parameter,
    Proposal,
    Sample,
)
from catalogue.registration import (
    ActivityRecord,
    DerivedDataset,
    RawOrigin,
    Registered,
    register_derived,
    register_raw,
)
from catalogue.search import Query, find
from tests.builders import World, a_dataset, a_technique

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_file(name: str = "scan.h5", body: bytes = b"counts") -> FoundFile:
    return FoundFile(
        path=name,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        media_type="application/x-hdf5",
    )


def a_description(**changes: Any) -> Description:
    fields: dict[str, Any] = {
        "content": "nexus-scan",
        "root": "/",
        "title": "Fragment",
        "files": (a_file(),),
        "end_time": NOON,
    }
    return Description(**(fields | changes))


def register(world: World, description: Description | None = None, **origin: Any) -> Registered:
    fields: dict[str, Any] = {
        "instrument": world.instrument,
        "store": world.raw,
        "key_prefix": "visit/",
        "policy": world.policy,
        "proposal": world.proposal,
    }
    return register_raw(description or a_description(), RawOrigin(**(fields | origin)))


def derive(world: World, *sources: Dataset, title: str = "A map") -> Dataset:
    """Register a result of datasets, without files, by Ines."""
    result = DerivedDataset("result", "xrd-map", title, files=[], digest=title)
    record = ActivityRecord(
        title="Integrate",
        used={"scan": sources},
        generated=[result],
        store=world.products,
        person=world.ines,
    )
    with transaction.atomic():
        return register_derived(record).generated.get().dataset


def test_the_order_of_files_is_kept_and_does_not_change_their_digest(world: World) -> None:
    files = a_file("master.h5"), a_file("data_2.h5", b"2"), a_file("data_1.h5", b"1")
    dataset = register(world, a_description(files=files)).dataset
    assert [it.path for it in dataset.files.all()] == ["master.h5", "data_2.h5", "data_1.h5"]
    assert (dataset.file_count, dataset.size) == (3, len(b"counts21"))
    again = register(world, a_description(files=(files[0], files[2], files[1])))
    assert (again.is_new, again.dataset) == (False, dataset)


@pytest.mark.parametrize(
    "files",
    [
        (a_file(body=b"other"),),
        (a_file(), a_file("added.h5")),
    ],
)
def test_a_place_that_is_taken_by_other_content_is_refused(
    world: World, files: tuple[FoundFile, ...]
) -> None:
    known = register(world).dataset
    with pytest.raises(ContentChangedError) as refused:
        register(world, a_description(files=files))
    assert (refused.value.pid, refused.value.file) == (str(known.pid), "scan.h5")
    assert (Dataset.objects.count(), DataFile.objects.count()) == (1, 1)


def test_the_same_name_in_another_folder_or_store_is_another_dataset(world: World) -> None:
    datasets = {
        register(world).dataset,
        register(world, key_prefix="other/").dataset,
        register(world, store=world.archive).dataset,
    }
    assert len(datasets) == 3


def test_a_quantity_named_twice_counts_once_and_an_unknown_unit_stays_text(world: World) -> None:
    found = (
        FoundParameter(name="temperature", value=20.0, unit="degC"),
        FoundParameter(name="temperature", value=80.0, unit="degC"),
        FoundParameter(name="flux", value=3.0, unit="a.u."),
        FoundParameter(name="mode", value="step", unit=None),
        FoundParameter(name="n" * 300, value=1.0, unit="u" * 100),
        FoundParameter(name="note", value="x" * 5000),
    )
    dataset = register(world, a_description(parameters=found)).dataset
    rows = {row.name: row for row in dataset.parameters.all()}
    assert len(rows) == 5
    assert rows["temperature"].number == 80
    assert rows["temperature"].si_number == pytest.approx(353.15)
    assert (rows["flux"].number, rows["flux"].unit, rows["flux"].si_number) == (3, "a.u.", None)
    assert (rows["mode"].text, rows["mode"].number) == ("step", None)
    assert len(rows["note"].text) == 1000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 501}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"sample": "x" * 201}, "sample"),
        ({"files": (a_file("x/" * 500 + "a.h5"),)}, "path"),
        ({"end_time": datetime(9998, 1, 1, tzinfo=UTC)}, "end_time"),
    ],
)
def test_a_description_that_no_row_can_hold_leaves_none(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(RegistrationError) as refused:
        register(world, a_description(**changes))
    assert refused.value.field == field
    for model in (Dataset, DataFile, Sample, Parameter, Guard, Activity):
        assert not model._default_manager.exists(), model


def test_a_sample_is_one_row_per_proposal(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    for name, proposal in (("a", world.proposal), ("b", world.proposal), ("c", other), ("d", None)):
        files = (a_file(f"{name}.h5"),)
        register(world, a_description(files=files, sample="CeO2"), proposal=proposal)
    assert Sample.objects.filter(name="CeO2").count() == 3


def test_data_that_never_ended_stay_closed(world: World) -> None:
    dataset = register(world, a_description(end_time=None)).dataset
    assert dataset.guards.get().opens_on is None


def test_an_embargo_may_count_from_registration(world: World) -> None:
    world.policy.starts_with = "dataset.registered"
    dataset = register(world, a_description(end_time=None)).dataset
    opens_on = dataset.guards.get().opens_on
    assert opens_on is not None
    assert opens_on.year == dataset.registered_at.year + 3


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_register_one_dataset(world: World) -> None:
    together = Barrier(8)

    def act(_: int) -> Registered:
        try:
            together.wait()
            return register(world, a_description(sample="CeO2"))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(act, range(8)))
    assert {it.dataset for it in found} == {Dataset.objects.get()}
    assert sum(it.is_new for it in found) == 1


def test_a_result_opens_with_the_last_of_its_inputs(world: World) -> None:
    early = a_dataset(world, opens_on=date(2027, 1, 1))
    late = a_dataset(world, opens_on=date(2028, 1, 1))
    assert derive(world, early, late).guards.get().opens_on == date(2028, 1, 1)
    never = a_dataset(world)
    never.guards.update(opens_on=None)
    assert derive(world, late, never, title="never").guards.get().opens_on is None
    assert derive(world, never, late, title="nor").guards.get().opens_on is None


def test_a_result_of_two_proposals_needs_both_memberships(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    Membership.objects.create(person=world.ines, proposal=other)
    Membership.objects.create(person=world.sten, proposal=other)
    result = derive(world, a_dataset(world), a_dataset(world, proposal=other))
    assert {guard.proposal for guard in result.guards.all()} == {world.proposal, other}
    seen_by = {
        name: visible_datasets(getattr(world, name)).filter(pk=result.pk).exists()
        for name in ("ines", "carlo", "sten", "ivo", "dana", "rea")
    }
    assert seen_by == {
        "ines": True, "carlo": False, "sten": False, "ivo": True, "dana": True, "rea": False,
    }  # fmt: skip


def test_a_result_of_two_instruments_needs_the_staff_of_both(world: World) -> None:
    id22 = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    result = derive(world, a_dataset(world), a_dataset(world, instrument=id22))
    assert not visible_datasets(world.ivo).filter(pk=result.pk).exists()
    id22.staff.add(world.ivo)
    assert visible_datasets(world.ivo).filter(pk=result.pk).exists()


def test_a_result_of_a_result_inherits_all_the_same(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    closed = a_dataset(world, proposal=other)
    grandchild = derive(world, derive(world, closed, a_dataset(world)), title="second")
    assert {guard.proposal for guard in grandchild.guards.all()} == {world.proposal, other}


def test_a_result_is_found_by_the_words_of_its_inputs(world: World) -> None:
    powder = a_technique()
    scan = a_dataset(world, sample="Lazurite", technique=powder.pid)
    result = derive(world, scan, title="Map")
    assert [it.name for it in result.samples.all()] == ["Lazurite"]
    assert [it.name for it in result.techniques.all()] == [powder.name]
    assert (result.instrument, result.facility) == (world.instrument, world.facility)
    for word in ("lazurite", "powder", "hg", "map"):
        assert result.pk in find(world.ines, Query(word), 10).pks, word


def test_two_results_of_one_activity_are_both_registered_or_neither(world: World) -> None:
    scan = a_dataset(world)
    results = [
        DerivedDataset(role, "xrd-map", "A map", files=[], digest=role) for role in ("a", "a" * 61)
    ]
    record = ActivityRecord(
        title="Integrate", used={"scan": [scan]}, generated=results, store=world.products
    )
    before = Activity.objects.count()
    with pytest.raises(Exception, match="value too long"), transaction.atomic():
        register_derived(record)
    assert Dataset.objects.filter(kind="derived").count() == 0
    assert Activity.objects.count() == before
