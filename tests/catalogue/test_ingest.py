"""Real files from a real store into the database, and what must never come in."""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils.timezone import localdate
from PIL import Image

from catalogue.access import visible_datasets
from catalogue.errors import (
    ContentChangedError,
    NotPermittedError,
    RefusedFileError,
    RegistrationError,
    StoreError,
)
from catalogue.ingest import register_path, watch_expression
from catalogue.models import Dataset, EmbargoPolicy, IngestRule, Instrument, Proposal, Store
from catalogue.places import picture_path
from tests.builders import World, a_technique
from tests.makers import hostile
from tests.makers.nexus import write_nexus_scan

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "nexus"

ClientOf = Callable[[str | None], Client]


def a_scan(world: World, name: str = "hg-172/ceria/scan_0001.h5", **changes: object) -> Path:
    """A real file of ID13 and proposal hg-172 in the raw store."""
    path = Path(world.raw.root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"instrument": "id13", "proposal": "hg-172"} | changes
    return write_nexus_scan(path, **said)  # type: ignore[arg-type]  # as the maker takes them


def a_rule(world: World, watch: str, **changes: object) -> IngestRule:
    fields = {
        "slug": "scans",
        "instrument": world.instrument,
        "store": world.raw,
        "policy": world.policy,
    }
    return IngestRule.objects.create(watch=watch, **(fields | changes))


def another_instrument(world: World, slug: str = "id22") -> Instrument:
    return Instrument.objects.create(slug=slug, name=slug.upper(), facility=world.facility)


def count_rows() -> dict[str, int]:
    """Count the rows of every model of ours."""
    models = [
        model for name in ("catalogue", "processing") for model in apps.get_app_config(name).models
    ]
    return {
        name: apps.get_app_config(label).get_model(name)._default_manager.count()
        for label in ("catalogue", "processing")
        for name in models
        if name in apps.get_app_config(label).models
    }


def products_of(world: World) -> list[str]:
    """Name all files in the store of results and pictures."""
    return sorted(path.name for path in Path(world.products.root).rglob("*") if path.is_file())


def test_a_scan_becomes_a_dataset_with_all_that_its_file_says(world: World) -> None:
    path = a_scan(world)
    registered = register_path(path, person=world.ivo)
    dataset = registered.dataset
    assert registered.is_new
    assert (dataset.kind, dataset.content, dataset.title) == (
        "raw", "nexus-scan", "Ceria on a grid",
    )  # fmt: skip
    assert (dataset.instrument, dataset.owner, dataset.licence) == (
        world.instrument, world.ivo, "CC-BY-4.0",
    )  # fmt: skip
    assert dataset.start_time == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert dataset.end_time == datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    assert [sample.name for sample in dataset.samples.all()] == ["CeO2"]
    assert dataset.samples.get().proposal == world.proposal
    assert dataset.warnings == []

    (file,) = dataset.files.all()
    body = path.read_bytes()
    assert (file.path, file.key) == ("scan_0001.h5", "hg-172/ceria/scan_0001.h5")
    assert file.size == dataset.size == len(body)
    assert file.sha256 == dataset.digest == hashlib.sha256(body).hexdigest()


def test_its_quantities_are_kept_as_written_and_in_si_units(world: World) -> None:
    dataset = register_path(a_scan(world), person=None).dataset
    found = {it.name: it for it in dataset.parameters.all()}
    energy = found["photon_energy"]
    assert (energy.number, energy.unit, energy.si_unit) == (12.4, "keV", "kg*m**2/s**2")
    assert energy.si_number == pytest.approx(12.4e3 * 1.602176634e-19)
    assert found["photon_wavelength"].si_number == pytest.approx(12.398419843 / 12.4 * 1e-10)
    distance = found["detector.distance"]
    assert (distance.number, distance.unit) == (120, "mm")
    assert distance.si_number == pytest.approx(0.12)
    assert distance.si_unit == "m"
    assert (found["frames"].number, found["frames"].si_unit) == (6, "")


def test_it_stays_closed_for_three_years_of_the_calendar(world: World) -> None:
    dataset = register_path(a_scan(world), person=None).dataset
    guard = dataset.guards.get()
    assert (guard.proposal, guard.instrument) == (world.proposal, world.instrument)
    assert guard.opens_on == date(2029, 3, 2)
    seen_by = {
        name: visible_datasets(getattr(world, name)).filter(pk=dataset.pk).exists()
        for name in ("ines", "carlo", "ivo", "dana", "sten", "rea")
    }
    assert seen_by == {
        "ines": True, "carlo": True, "ivo": True, "dana": True, "sten": False, "rea": False,
    }  # fmt: skip


def test_the_embargo_ends_on_the_last_day_of_a_shorter_month(world: World) -> None:
    # 23:30 UTC on the 28th is 29 February in Paris; 2027 has none.
    leap = a_scan(world, start="2024-02-28T23:00:00Z", end="2024-02-28T23:30:00Z")
    assert register_path(leap, person=None).dataset.guards.get().opens_on == date(2027, 2, 28)


def test_its_picture_lies_in_the_content_store_under_its_checksum(world: World) -> None:
    dataset = register_path(a_scan(world), person=None).dataset
    picture = picture_path(dataset.thumbnail).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert hashlib.sha256(picture).hexdigest() == dataset.thumbnail
    assert products_of(world) == [dataset.thumbnail]


def test_how_it_was_taken_is_part_of_its_history(world: World) -> None:
    dataset = register_path(a_scan(world), person=world.ivo).dataset
    taken = dataset.generated_by.activity
    assert (taken.kind, taken.title) == ("acquisition", "Measured at ID13 micro-XRD")
    assert (taken.started_at, taken.ended_at) == (dataset.start_time, dataset.end_time)
    assert not taken.used.exists()


def test_a_technique_comes_from_the_rule_the_file_or_the_instrument(world: World) -> None:
    powder, tomography = a_technique(), a_technique("PaNET01207", "x-ray tomography")
    fluorescence = a_technique("PaNET01095", "x-ray fluorescence")
    world.instrument.techniques.add(fluorescence)
    a_rule(world, "ruled/{scan}.h5", technique=powder)
    found = {
        name: [it.name for it in register_path(path, person=None).dataset.techniques.all()]
        for name, path in {
            "rule": a_scan(world, "ruled/a.h5"),
            "file": a_scan(world, "b.h5", definition="NXtomo"),
            "instrument": a_scan(world, "c.h5"),
        }.items()
    }
    assert found == {
        "rule": [powder.name],
        "file": [tomography.name],
        "instrument": [fluorescence.name],
    }


def test_the_same_file_again_is_the_same_dataset(world: World) -> None:
    first = register_path(a_scan(world), person=world.ivo)
    rows, kept = count_rows(), products_of(world)
    again = register_path(a_scan(world), person=world.dana)
    assert (again.is_new, again.dataset) == (False, first.dataset)
    assert (count_rows(), products_of(world)) == (rows, kept)


def test_the_same_name_with_other_content_changes_nothing(world: World) -> None:
    dataset = register_path(a_scan(world), person=world.ivo).dataset
    rows, kept = count_rows(), products_of(world)
    changed = a_scan(world, seed=7, title="Other counts", sample="Al2O3")
    with pytest.raises(ContentChangedError, match="Register the new files under another name"):
        register_path(changed, person=world.ivo)
    assert (count_rows(), products_of(world)) == (rows, kept)
    assert Dataset.objects.get().title == dataset.title


@pytest.mark.parametrize(
    ("make", "code"), hostile.REFUSED.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_a_hostile_file_leaves_no_trace(make: hostile.Maker, code: str, world: World) -> None:
    visit = Path(world.raw.root, "visit")
    visit.mkdir()
    path = make(visit)
    before = count_rows()
    with pytest.raises(RefusedFileError) as refused:
        register_path(path, person=world.ivo, instrument="id13", proposal="hg-172")
    assert refused.value.code == code
    assert str(world.folder) not in str(refused.value)
    assert str(Path(__file__).parents[2]) not in str(refused.value)
    assert count_rows() == before
    assert products_of(world) == []


@pytest.mark.parametrize(
    "make",
    [
        hostile.upward_external_link,
        hostile.external_raw_storage,
        hostile.group_inside_itself,
        hostile.huge_attribute,
        hostile.damaged_inside,
    ],
)
def test_nor_does_it_by_rest(make: hostile.Maker, world: World, client_of: ClientOf) -> None:
    visit = Path(world.raw.root, "visit")
    visit.mkdir()
    path = make(visit)
    before = count_rows()
    body = {"store": "raw", "path": f"visit/{path.name}", "instrument": "id13"}
    response = client_of("ivo").post(
        "/api/v1/datasets/", body, content_type="application/json"
    )  # fmt: skip
    assert response.status_code == 422
    assert response.json()["code"] == hostile.REFUSED[make]
    assert str(world.folder) not in response.content.decode()
    assert count_rows() == before
    assert products_of(world) == []


@pytest.mark.skipif(
    not REAL.is_dir(),
    reason="the real NeXus files (shared/data/nexus) are not beside the checkout",
)
@pytest.mark.parametrize(
    ("name", "title", "day", "quantity"),
    [
        ("AgBehenate_228.hdf5", "Glassy carbon C6 fixed", "2011-10-23", "photon_wavelength"),
        ("NXcanSAS.hdf5", "SAMPLE-CHAR-DATA", None, "sample.thickness"),
        ("NXtomo.hdf5", "SAMPLE-CHAR-DATA", None, "sample.rotation_angle"),
        ("NXxas.hdf5", "SAMPLE-CHAR-DATA", None, "source.probe"),
        ("Sample_Image_2021-03-16_095.hdf5", "Sample", "2021-03-16", "photon_energy"),
        ("Sample_Line_2021-03-16_096.hdf5", "Sample", "2021-03-16", "photon_energy.max"),
        ("p45-1168.nxs", "p45-1168", None, "stagex.max"),
        ("sample_capillary.nxs", "sample_capillary", None, None),
    ],
)
def test_a_file_of_a_real_instrument_is_registered(
    world: World, name: str, title: str, day: str | None, quantity: str | None
) -> None:
    path = Path(world.raw.root, name)
    path.write_bytes((REAL / name).read_bytes())
    dataset = register_path(path, person=world.dana, instrument="id13").dataset
    assert dataset.title == title
    assert dataset.start_time is not None
    if day:
        assert dataset.start_time.date().isoformat() == day
    else:
        assert date(2000, 1, 1) < dataset.start_time.date() <= localdate()
    assert dataset.files.get().sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert quantity in {None, *dataset.parameters.values_list("key__name", flat=True)}
    assert str(world.folder) not in " ".join(dataset.warnings)


@pytest.mark.skipif(
    not REAL.is_dir(),
    reason="the real NeXus files (shared/data/nexus) are not beside the checkout",
)
def test_the_unfinished_file_of_a_real_instrument_is_not(world: World) -> None:
    path = Path(world.raw.root, "ID34_not_complete.h5")
    path.write_bytes((REAL / path.name).read_bytes())
    before = count_rows()
    with pytest.raises(RefusedFileError) as refused:
        register_path(path, person=world.dana, instrument="id13")
    assert refused.value.code == "file-incomplete"
    assert count_rows() == before


@pytest.mark.parametrize("name", ["ines", "carlo", "sten", "rea"])
@pytest.mark.parametrize("path", ["hg-172/ceria/scan_0001.h5", "absent.h5", "../elsewhere.h5"])
def test_who_registers_nothing_learns_nothing_of_a_path(world: World, name: str, path: str) -> None:
    a_scan(world, instrument="")
    with pytest.raises(NotPermittedError) as refused:
        register_path(Path(world.raw.root, path), person=getattr(world, name))
    assert str(refused.value) == (
        "You may not register data. Ask the staff of its instrument, or a data steward."
    )


def test_who_is_not_signed_in_registers_nothing(world: World) -> None:
    with pytest.raises(NotPermittedError, match="sign in"):
        register_path(a_scan(world), person=AnonymousUser())


def test_naming_somebody_elses_instrument_does_not_help(world: World) -> None:
    another_instrument(world)
    with pytest.raises(NotPermittedError, match="register data of ID22"):
        register_path(a_scan(world), person=world.ivo, instrument="id22")


def test_naming_ones_own_instrument_opens_no_data_that_a_rule_gives_to_another(
    world: World,
) -> None:
    a_rule(world, "{proposal}/{sample}/{scan}.h5", instrument=another_instrument(world))
    path = a_scan(world, instrument="")
    with pytest.raises(NotPermittedError, match="register data of ID22"):
        register_path(path, person=world.ivo, instrument="id13")
    assert register_path(path, person=world.dana).dataset.instrument == Instrument.objects.get(
        slug="id22"
    )


def test_nor_data_that_name_another_themselves(world: World) -> None:
    another_instrument(world)
    path = a_scan(world, instrument="ID22")
    with pytest.raises(NotPermittedError, match="register data of ID22"):
        register_path(path, person=world.ivo, instrument="id13")
    assert not Dataset.objects.exists()


def test_nor_data_that_are_registered_with_another(world: World) -> None:
    another_instrument(world)
    path = a_scan(world, instrument="")
    hidden = register_path(path, person=None, instrument="id22").dataset
    for seed in (0, 7):  # the same content, then other content
        a_scan(world, instrument="", seed=seed)
        with pytest.raises(RegistrationError) as refused:
            register_path(path, person=world.ivo, instrument="id13")
        assert refused.value.field == "instrument"
        assert str(hidden.pid) not in str(refused.value)


def test_nor_a_file_inside_a_run_that_a_rule_gives_to_another(world: World) -> None:
    a_rule(world, "{proposal}/raw/{run}", instrument=another_instrument(world))
    path = a_scan(world, "hg-172/raw/r0001/deep/scan.h5", instrument="")
    path.write_bytes(b"no HDF5: whoever read it would say so")
    with pytest.raises(NotPermittedError, match="register data of ID22"):
        register_path(path, person=world.ivo, instrument="id13")
    assert not Dataset.objects.exists()


def a_folder_of_images(world: World) -> Path:
    """Two pictures of a camera, which name no instrument."""
    folder = Path(world.raw.root, "hg-172", "camera")
    folder.mkdir(parents=True)
    for name in ("a.tif", "b.tif"):
        Image.fromarray(np.arange(64, dtype="u2").reshape(8, 8)).save(folder / name)
    return folder


def test_nor_the_folder_around_files_that_a_rule_gives_to_another(world: World) -> None:
    a_rule(world, "{proposal}/camera/b.tif", instrument=another_instrument(world))
    folder = a_folder_of_images(world)
    with pytest.raises(NotPermittedError, match="register data of ID22"):
        register_path(folder, person=world.ivo, instrument="id13")
    assert not Dataset.objects.exists()
    assert register_path(folder / "a.tif", person=world.ivo, instrument="id13").is_new


def test_nor_the_folder_around_a_file_that_is_registered_with_another(world: World) -> None:
    another_instrument(world)
    folder = a_folder_of_images(world)
    hidden = register_path(folder / "b.tif", person=None, instrument="id22").dataset
    with pytest.raises(RegistrationError, match=r"b\.tif is registered with another") as refused:
        register_path(folder, person=world.ivo, instrument="id13")
    assert refused.value.field == "instrument"
    assert str(hidden.pid) not in str(refused.value)
    assert register_path(folder, person=world.dana, instrument="id13").is_new


def test_a_file_that_names_no_instrument_asks_for_one(world: World) -> None:
    with pytest.raises(RegistrationError, match="The file names 'ID99', which is not declared"):
        register_path(a_scan(world, instrument="ID99"), person=world.ivo)
    with pytest.raises(RegistrationError, match=r"no instrument id99\. Declared are: id13"):
        register_path(a_scan(world), person=world.ivo, instrument="id99")


def outside(world: World) -> Path:
    return write_nexus_scan(world.folder / "private.h5", instrument="id13")


def behind_a_link(world: World) -> Path:
    path = Path(world.raw.root, "innocent.h5")
    path.symlink_to(outside(world))
    return path


def behind_a_linked_folder(world: World) -> Path:
    (world.folder / "elsewhere").mkdir()
    write_nexus_scan(world.folder / "elsewhere" / "scan.h5", instrument="id13")
    Path(world.raw.root, "visit").symlink_to(world.folder / "elsewhere")
    return Path(world.raw.root, "visit", "scan.h5")


def by_going_up(world: World) -> Path:
    outside(world)
    return Path(world.raw.root, "..", "private.h5")


def in_the_content_store(world: World) -> Path:
    return write_nexus_scan(Path(world.products.root, "map.nxs"), instrument="id13")


def in_a_content_store_inside_the_raw_one(world: World) -> Path:
    inner = Path(world.raw.root, "results")
    inner.mkdir()
    Store.objects.filter(slug="products").update(root=str(inner))
    return write_nexus_scan(inner / "map.nxs", instrument="id13")


def absent(world: World) -> Path:
    return Path(world.raw.root, "absent.h5")


def the_store_itself(world: World) -> Path:
    return Path(world.raw.root)


def too_long_for_a_name(world: World) -> Path:
    return Path(world.raw.root, "x" * 300)


def a_link_to_itself(world: World) -> Path:
    path = Path(world.raw.root, "circle.h5")
    path.symlink_to(path)
    return path


def not_utf8(world: World) -> Path:
    path = Path(world.raw.root, os.fsdecode(b"scan-\xff.h5"))
    return a_scan(world).rename(path)


@pytest.mark.parametrize(
    "place",
    [
        outside, behind_a_link, behind_a_linked_folder, by_going_up, in_the_content_store,
        in_a_content_store_inside_the_raw_one, absent, the_store_itself, too_long_for_a_name,
        a_link_to_itself, not_utf8,
    ],
)  # fmt: skip
@pytest.mark.parametrize("person", ["ivo", None])
def test_a_path_that_is_no_raw_data_of_a_store_is_refused(
    world: World, place: Callable[[World], Path], person: str | None
) -> None:
    path = place(world)
    with pytest.raises(RegistrationError) as refused:
        register_path(path, person=getattr(world, person) if person else None)
    assert refused.value.field == "path"
    assert str(world.folder) not in str(refused.value)
    assert not Dataset.objects.exists()


def test_a_link_inside_the_store_leads_to_the_file_itself(world: World) -> None:
    path = a_scan(world)
    latest = Path(world.raw.root, "latest.h5")
    latest.symlink_to(path)
    assert register_path(latest, person=None).dataset.files.get().key == (
        "hg-172/ceria/scan_0001.h5"
    )


@pytest.mark.parametrize(
    ("watch", "path", "named"),
    [
        ("{proposal}/{scan}.h5", "hg-172/a.h5", {"proposal": "hg-172", "scan": "a"}),
        ("{proposal}/{scan}.h5", "hg-172/deep/a.h5", None),  # a name is no path
        ("{sample}/{sample}_{scan}.h5", "gold/gold_1.h5", {"sample": "gold", "scan": "1"}),
        ("{sample}/{sample}_{scan}.h5", "gold/silver_1.h5", None),
        ("{scan}.h5", "a.h5.h5", {"scan": "a.h5"}),
        ("{scan}.h5", "axh5", None),  # a dot is a dot
        ("run[0-9]/{scan}.h5", "run1/a.h5", None),  # and a bracket a bracket
        ("{2d}/{scan}.h5", "{2d}/a.h5", {"scan": "a"}),  # no name begins with a digit
    ],
)
def test_a_pattern_reads_names_out_of_a_path(
    watch: str, path: str, named: dict[str, str] | None
) -> None:
    found = watch_expression(watch).fullmatch(path)
    assert (found.groupdict() if found else None) == named


def test_the_rule_of_a_path_names_instrument_proposal_and_embargo(world: World) -> None:
    year = EmbargoPolicy.objects.create(
        slug="year", months=12, starts_with="dataset.end_time", licence="CC0-1.0"
    )
    Proposal.objects.update(policy=None)
    a_rule(world, "{proposal}/{sample}/{sample}_{scan}.h5", policy=year)
    path = a_scan(world, "hg-172/gold/gold_1.h5", instrument="", proposal="HC-4821")
    dataset = register_path(path, person=world.ivo).dataset
    guard = dataset.guards.get()
    assert (guard.instrument, guard.proposal) == (world.instrument, world.proposal)
    assert (guard.opens_on, dataset.licence) == (date(2027, 3, 2), "CC0-1.0")


def test_a_field_that_the_rule_requires_must_be_there(world: World) -> None:
    a_rule(world, "{scan}.h5", required_fields=["/entry/end_time"])
    with pytest.raises(RefusedFileError, match="its ingest rule requires"):
        register_path(a_scan(world, "a.h5", end=None), person=None)
    assert register_path(a_scan(world, "b.h5"), person=None).is_new


def test_a_folder_named_for_an_unknown_proposal_is_refused(world: World) -> None:
    a_rule(world, "{proposal}/{scan}.h5")
    before = count_rows()
    with pytest.raises(RegistrationError, match="Proposal zz-1 is not known") as refused:
        register_path(a_scan(world, "zz-1/a.h5"), person=None)
    assert refused.value.field == "proposal"
    assert (count_rows(), products_of(world)) == (before, [])


def test_whom_the_person_names_wins_over_what_the_file_says(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    dataset = register_path(a_scan(world), person=world.ivo, proposal="ch-9").dataset
    assert dataset.guards.get().proposal == other
    assert not visible_datasets(world.ines).exists()


@pytest.mark.parametrize("said", ["HC-4821", ""])
def test_data_of_an_unknown_proposal_are_for_the_staff_only(world: World, said: str) -> None:
    dataset = register_path(a_scan(world, proposal=said), person=world.dana).dataset
    (warning,) = dataset.warnings
    assert said in warning
    assert dataset.guards.get().proposal is None
    for name in ("ivo", "dana"):
        assert visible_datasets(getattr(world, name)).exists()
    for name in ("ines", "carlo", "sten"):
        assert not visible_datasets(getattr(world, name)).exists()


def test_a_proposal_of_another_facility_with_the_same_number_is_another(world: World) -> None:
    world.proposal.delete()
    world.facility.pk = None
    world.facility.slug = "other"
    world.facility.save()
    Proposal.objects.create(facility=world.facility, number="hg-172", title="Elsewhere")
    assert register_path(a_scan(world), person=None).dataset.guards.get().proposal is None


def test_without_an_embargo_policy_nothing_comes_in(world: World) -> None:
    Proposal.objects.update(policy=None)
    world.policy.delete()
    with pytest.raises(RegistrationError, match=r"Add \[embargo.default\] to facility.toml"):
        register_path(a_scan(world), person=None)
    assert products_of(world) == []


def test_a_store_that_is_gone_says_so(world: World) -> None:
    path = a_scan(world)
    Path(world.raw.root).rename(world.folder / "unplugged")
    with pytest.raises(StoreError, match="Ask the operator to mount it") as refused:
        register_path(path, person=world.ivo)
    assert refused.value.store == "raw"
    assert str(world.folder) not in str(refused.value)


@pytest.mark.parametrize("blocked", ["staging", "store"])
def test_a_content_store_that_cannot_be_written_leaves_nothing_half_registered(
    world: World, client_of: ClientOf, blocked: str
) -> None:
    path = a_scan(world)
    obstacle = Path(world.products.root, blocked)
    obstacle.write_text("a file where a folder has to be")
    before = count_rows()
    with pytest.raises(StoreError, match="Ask the operator") as refused:
        register_path(path, person=world.ivo)
    assert str(world.folder) not in str(refused.value)
    body = {"store": "raw", "path": "hg-172/ceria/scan_0001.h5"}
    response = client_of("ivo").post("/api/v1/datasets/", body, content_type="application/json")
    assert response.status_code == 503
    assert count_rows() == before
    obstacle.unlink()
    assert register_path(path, person=world.ivo).is_new


def test_without_a_content_store_a_picture_has_no_place(world: World) -> None:
    before = count_rows()
    world.products.delete()
    with pytest.raises(StoreError, match=r"Run manage\.py apply facility\.toml"):
        register_path(a_scan(world), person=None)
    assert count_rows() == before | {"store": before["store"] - 1}


def test_a_year_from_which_nothing_can_be_counted_is_refused(world: World) -> None:
    path = a_scan(world, start="9999-12-31T22:00:00Z", end="9999-12-31T23:30:00Z")
    before = count_rows()
    with pytest.raises(RegistrationError, match="no embargo can count from then"):
        register_path(path, person=None)
    assert (count_rows(), products_of(world)) == (before, [])
