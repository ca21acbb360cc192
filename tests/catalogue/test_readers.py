import base64
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
from PIL import Image

from catalogue.description import Description
from catalogue.errors import RefusedFileError
from catalogue.readers.child import read_in_child
from catalogue.readers.choice import read
from catalogue.readers.quantities import KEV_ANGSTROM, photon_pair
from catalogue.readers.thumbnail import draw_curve, draw_image
from demo.makers.detectors import write_agipd_run, write_jungfrau_run
from demo.makers.euxfel import FIRST_TRAIN, write_euxfel_run
from tests.catalogue.children import readers_at_work
from tests.makers import hostile
from tests.makers.malformed import rename_source
from tests.makers.nexus import write_nexus_scan


def look(path: Path, *required: str) -> Description:
    return read(path, progress=lambda _done, _total: None, required=required)


def refusal(path: Path, *required: str) -> RefusedFileError:
    with pytest.raises(RefusedFileError) as refused:
        look(path, *required)
    assert str(path.parent) not in str(refused.value)
    return refused.value


def quantities(found: Description) -> dict[str, tuple[float | str, str | None]]:
    return {it.name: (it.value, it.unit) for it in found.parameters}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "visit"
    folder.mkdir()
    return folder


def edit(path: Path, change: Callable[[h5py.Group], object]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file["entry"])
    return path


# NeXus


def test_a_scan_is_described_in_its_own_words(folder: Path) -> None:
    path = write_nexus_scan(folder / "grid é.nxs", definition="NXsas")
    found = look(path)
    assert found.content == "nexus-scan"
    assert found.title == "Ceria on a grid"
    assert found.start_time == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert found.end_time == datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    assert (found.instrument, found.proposal, found.sample) == ("ID99", "HC-4821", "CeO2")
    assert found.techniques == ("PaNET01188",)
    assert found.warnings == ()
    assert quantities(found) == {
        "photon_energy": (12.4, "keV"),
        "photon_wavelength": (pytest.approx(0.99987257, rel=1e-8), "angstrom"),
        "frames": (6, None),
        "frame.rows": (16, "pixel"),
        "frame.columns": (24, "pixel"),
        "detector.distance": (120, "mm"),
        "detector.count_time": (0.1, "s"),
    }


def test_files_come_with_size_and_checksum_and_progress_in_bytes(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs", frames=(4, 4), detector=(200, 200))
    told: list[tuple[int, int]] = []
    found = read(path, progress=lambda done, total: told.append((done, total)))
    size = path.stat().st_size
    summed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert found.files[0].path == "scan.nxs"
    assert found.files[0].size == size
    assert found.files[0].sha256 == summed.stdout.split()[0]
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert len(told) > 2


def test_linked_files_of_the_folder_come_along(folder: Path) -> None:
    path = hostile.numbered_virtual_source(folder, blocks=2)
    assert [it.path for it in look(path).files] == ["scan.nxs", "block_0.h5", "block_1.h5"]


@pytest.mark.parametrize(
    ("make", "code"), hostile.REFUSED.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_a_hostile_file_is_not_described(make: hostile.Maker, code: str, folder: Path) -> None:
    assert refusal(make(folder)).code == code


def test_a_file_that_names_no_zone_is_taken_as_utc_and_says_so(folder: Path) -> None:
    found = look(write_nexus_scan(folder / "scan.nxs", start="2026-03-02T08:00:00"))
    assert found.start_time == datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert [it for it in found.warnings if "no time zone" in it]


def test_a_time_that_is_none_is_left_out_with_a_warning(folder: Path) -> None:
    found = look(write_nexus_scan(folder / "scan.nxs", end="last Tuesday"))
    assert found.end_time is None
    assert [it for it in found.warnings if "last Tuesday" in it]


def test_a_file_without_an_entry_says_what_can_be_registered(folder: Path) -> None:
    with h5py.File(folder / "plain.h5", "w") as file:
        file["values"] = np.arange(3)
    refused = refusal(folder / "plain.h5")
    assert refused.code == "file-no-entry"
    assert "Register a NeXus file" in refused.reason


def test_the_default_entry_is_described(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    with h5py.File(path, "r+") as file:
        file.create_group("a_first").attrs["NX_class"] = np.bytes_("NXentry")
        file["a_first/title"] = "Alignment"
    found = look(path)
    assert found.title == "Ceria on a grid"
    assert [it for it in found.warnings if "Of 2 entries" in it]


def test_energy_follows_from_wavelength_and_an_ampere_is_no_wavelength(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        mono = entry["instrument/monochromator"]
        del mono["energy"]
        mono["wavelength"] = 0.5
        mono["wavelength"].attrs["units"] = "A"

    found = quantities(look(edit(write_nexus_scan(folder / "scan.nxs"), change)))
    assert found["photon_wavelength"] == (0.5, "angstrom")
    assert found["photon_energy"] == (pytest.approx(2 * KEV_ANGSTROM), "keV")


def test_a_neutron_has_no_photon_energy(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        source = entry["instrument"].create_group("source")
        source.attrs["NX_class"] = "NXsource"
        source["probe"] = "neutron"

    path = edit(write_nexus_scan(folder / "scan.nxs", definition="NXcanSAS"), change)
    found = look(path)
    assert not [name for name in quantities(found) if "photon" in name]
    assert found.techniques == ("PaNET01189",)


def test_a_wavelength_in_a_unit_of_energy_makes_no_pair() -> None:
    assert photon_pair("photon_wavelength", 12.4, "keV") == []
    assert photon_pair("photon_energy", 0.0, "keV") == []


def test_numbers_that_are_none_and_units_that_are_unknown_do_no_harm(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        entry["sample/temperature"] = np.nan
        entry["sample/pressure"] = 3.0
        entry["sample/pressure"].attrs["units"] = np.bytes_(b"\xb5bar")  # Latin-1
        entry["sample/thickness"] = 2.0
        entry["sample/thickness"].attrs["units"] = "fathoms of rope"

    found = look(edit(write_nexus_scan(folder / "scan.nxs"), change))
    assert "sample.temperature" not in quantities(found)
    assert quantities(found)["sample.pressure"] == (3.0, "µbar")
    assert quantities(found)["sample.thickness"] == (2.0, "fathoms of rope")
    assert [it for it in found.warnings if "fathoms of rope" in it]


def test_a_map_of_motor_positions_is_no_stack_of_frames(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        del entry["data/data"], entry["instrument/detector/data"]
        entry["data/data"] = np.ones((2, 3))
        entry["data"].attrs["axes"] = ["y", "x"]

    found = look(edit(write_nexus_scan(folder / "scan.nxs"), change))
    assert found.content == "nexus"
    assert found.thumbnail is not None


@pytest.mark.parametrize("dtype", [">u2", "<f2", "i1", "f8"])
def test_frames_of_any_number_type_are_drawn(folder: Path, dtype: str) -> None:
    frames = np.arange(2 * 8 * 8).reshape(2, 8, 8).astype(dtype)
    path = write_nexus_scan(folder / "scan.nxs", frames=(2,), detector=(8, 8), data=frames)
    assert look(path).thumbnail is not None


# Completeness


def test_a_scan_that_has_begun_and_measured_nothing_is_incomplete(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        del entry["data"], entry["instrument/detector"], entry["end_time"]

    assert refusal(edit(write_nexus_scan(folder / "s.nxs"), change)).code == "file-incomplete"


def test_frames_that_were_announced_and_never_written_are_incomplete(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        del entry["data/data"], entry["instrument/detector/data"]
        entry["instrument/detector"].create_dataset("data", (2, 3, 16, 24), "u4", chunks=True)

    refused = refusal(edit(write_nexus_scan(folder / "s.nxs"), change))
    assert refused.code == "file-incomplete"
    assert "2 x 3 x 16 x 24" in refused.reason


@pytest.mark.parametrize("end", [None, "2026-03-02T10:05:00+01:00"])
def test_half_of_the_frames_are_an_aborted_scan_only_if_it_has_ended(
    folder: Path, end: str | None
) -> None:
    def change(entry: h5py.Group) -> None:
        del entry["data/data"], entry["instrument/detector/data"]
        field = entry["instrument/detector"].create_dataset(
            "data", (10, 16, 24), "u4", chunks=(1, 16, 24)
        )
        field[:6] = 1

    path = edit(write_nexus_scan(folder / "s.nxs", end=end), change)
    if end is None:
        assert "60% of /entry/instrument/detector/data" in refusal(path).reason
    else:
        assert [it for it in look(path).warnings if it.startswith("Only 60%")]


def test_a_field_with_a_fill_value_of_its_own_may_be_sparse(folder: Path) -> None:
    def change(entry: h5py.Group) -> None:
        del entry["data/data"], entry["instrument/detector/data"]
        entry["instrument/detector"].create_dataset(
            "data", (10, 16, 24), "u4", chunks=(1, 16, 24), fillvalue=7
        )

    look(edit(write_nexus_scan(folder / "s.nxs", end=None), change))


def test_a_scan_that_says_it_is_not_finished_is_incomplete(folder: Path) -> None:
    path = write_nexus_scan(folder / "s.nxs")
    assert look(edit(path, lambda entry: entry.create_dataset("scan_finished", data=1)))

    def unfinish(entry: h5py.Group) -> None:
        entry["scan_finished"][()] = 0

    assert refusal(edit(path, unfinish)).code == "file-incomplete"


def test_an_end_marker_is_required_only_where_a_rule_requires_it(folder: Path) -> None:
    path = write_nexus_scan(folder / "s.nxs", end=None)
    assert [it for it in look(path).warnings if "no end_time" in it]
    refused = refusal(path, "/entry/instrument", "/entry/end_time")
    assert refused.code == "file-incomplete"
    assert "/entry/end_time" in refused.reason
    look(write_nexus_scan(folder / "t.nxs"), "/entry/instrument", "/entry/end_time")


def test_a_blank_end_marker_is_none(folder: Path) -> None:
    path = write_nexus_scan(folder / "s.nxs", end="")
    assert refusal(path, "/entry/end_time").code == "file-incomplete"


def test_what_a_full_disk_leaves_is_incomplete_for_a_rule_with_an_end_marker(
    folder: Path,
) -> None:
    """HDF5 closes such a file cleanly, with the first of its objects only."""
    whole = write_nexus_scan(folder / "whole.nxs")
    with h5py.File(whole, "r") as source, h5py.File(folder / "cut.nxs", "w") as cut:
        cut.create_group("entry").attrs["NX_class"] = "NXentry"
        for name in ("title", "start_time", "instrument"):
            source.copy(source["entry"][name], cut["entry"], name)
    assert refusal(folder / "cut.nxs", "/entry/end_time").code == "file-incomplete"


def test_a_file_that_grows_while_it_is_hashed_is_still_changing(folder: Path) -> None:
    path = write_nexus_scan(folder / "s.nxs")

    def append(done: int, _total: int) -> None:
        if done == 0:
            with path.open("ab") as file:
                file.write(b"more")

    with pytest.raises(RefusedFileError) as refused:
        read(path, progress=append)
    assert refused.value.code == "file-changing"


def test_a_file_that_its_writer_holds_open_is_still_changing(folder: Path) -> None:
    path = write_nexus_scan(folder / "s.nxs")
    with path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert refusal(path).code == "file-changing"
    look(path)


# Names and places


def test_a_symbolic_link_is_not_registered(folder: Path, tmp_path: Path) -> None:
    secret = write_nexus_scan(tmp_path / "secret.nxs")
    (folder / "scan.nxs").symlink_to(secret)
    assert refusal(folder / "scan.nxs").code == "file-unsafe"
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)
    assert refusal(folder / "link").code == "file-unsafe"


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "scan.nxs")
    assert refusal(folder / "scan.nxs").code == "file-unsafe"


def test_a_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    path = folder / os.fsdecode(b"caf\xe9.nxs")
    write_nexus_scan(folder / "scan.nxs").rename(path)
    refused = refusal(path)
    assert refused.code == "file-unsafe"
    refused.file.encode()  # what is told about it can be stored


# European XFEL runs


def test_a_run_is_described_by_its_trains_and_its_gas_monitor(folder: Path) -> None:
    found = look(write_euxfel_run(folder, trains=50))
    assert found.content == "euxfel-run"
    assert (found.title, found.proposal) == ("Run 149 of proposal 700000", "700000")
    assert (found.run_number, found.instrument) == (149, "SPB")
    assert found.start_time == datetime(2020, 6, 1, 8, 0, tzinfo=UTC)
    assert found.end_time == datetime(2020, 6, 1, 8, 0, 5, tzinfo=UTC)
    known = quantities(found)
    assert known["trains"] == (50, None)
    assert known["train.first"] == (FIRST_TRAIN, None)
    assert known["pulse_energy"][0] == pytest.approx(1200, rel=0.05)
    assert known["photon_wavelength"] == (0.133, "nm")
    assert known["photon_energy"] == (pytest.approx(9.322, rel=1e-3), "keV")
    assert found.thumbnail is not None
    assert [it.path for it in found.files] == ["RAW-R0149-DA01-S00000.h5"]


def test_a_run_tells_its_detector_and_how_it_was_set(folder: Path) -> None:
    """By these a product rule finds the calibration constants that fit."""
    pixels = np.zeros((2, 3, 512, 128), np.uint16)
    known = quantities(look(write_agipd_run(folder / "r1", {0: (pixels, pixels)}, bias_v=200)))
    assert known["detector.name"] == ("SPB_DET_AGIPD1M-1", None)
    assert known["detector.memory_cells"] == (3, None)
    assert known["detector.bias_voltage"] == (200, "V")
    assert known["detector.repetition_rate"] == (1.1, "MHz")


def test_control_data_of_an_agipd_may_have_files_of_their_own(folder: Path) -> None:
    """RAW-R0001-AGIPD1MCTRL00-S00000.h5, since 2020."""
    pixels = np.zeros((2, 3, 512, 128), np.uint16)
    run = write_agipd_run(folder / "r1", {0: (pixels, pixels)}, bias_v=200)
    (control,) = run.glob("*-DA01-*")
    control.rename(run / control.name.replace("DA01", "AGIPD1MCTRL00"))
    found = look(run)
    assert quantities(found)["detector.bias_voltage"] == (200, "V")
    assert found.warnings == ()


def test_a_jungfrau_run_tells_its_settings_too(folder: Path) -> None:
    """Without them a rule that compares voltage and cells would wait for ever."""
    words = {1: np.zeros((2, 3, 512, 1024), np.uint16)}
    known = quantities(look(write_jungfrau_run(folder / "r1", words, bias_v=180)))
    assert known["detector.name"] == ("SPB_IRDA_JF4M", None)
    assert known["detector.memory_cells"] == (3, None)
    assert known["detector.bias_voltage"] == (180, "V")
    assert known["detector.integration_time"] == (pytest.approx(1e-5), "s")


def test_a_jungfrau_of_before_2021_is_known_by_its_name(folder: Path) -> None:
    words = {1: np.zeros((2, 1, 512, 1024), np.uint16)}
    run = write_jungfrau_run(folder / "r1", words)
    for path in run.glob("*-JNGFR0*"):
        rename_source(path, "SPB_IRDA_JF4M/DET/JNGFR01", "SPB_IRDA_JNGFR/DET/MODULE_1")
    assert quantities(look(run))["detector.name"] == ("SPB_IRDA_JNGFR", None)


def test_a_run_in_the_old_format_is_described(folder: Path) -> None:
    found = look(write_euxfel_run(folder, trains=20, format_version="0.5"))
    assert (found.run_number, found.proposal) == (149, None)


def test_reading_a_run_leaves_nothing_behind_in_it(folder: Path) -> None:
    run = write_euxfel_run(folder, trains=20)
    look(run)
    assert [it.name for it in run.iterdir()] == ["RAW-R0149-DA01-S00000.h5"]


def _the_file(run: Path) -> Path:
    return run / "RAW-R0149-DA01-S00000.h5"


def _disorder_trains(run: Path) -> None:
    with h5py.File(_the_file(run), "r+") as file:
        file["INDEX/trainId"][5] = file["INDEX/trainId"][3]


def _empty_it(run: Path) -> None:
    with h5py.File(_the_file(run), "r+") as file:
        file["INDEX/trainId"][:] = 0


def _add_corrected(run: Path) -> None:
    shutil.copy(_the_file(run), run / "CORR-R0149-DA01-S00000.h5")


def _add_other_run(run: Path) -> None:
    shutil.copy(_the_file(run), run / "RAW-R0150-DA01-S00000.h5")


def _add_other_proposal(run: Path) -> None:
    copy = shutil.copy(_the_file(run), run / "RAW-R0149-DA02-S00000.h5")
    with h5py.File(copy, "r+") as file:
        file["METADATA/proposalNumber"][...] = 700001


def _add_stray(run: Path) -> None:
    copy = shutil.copy(_the_file(run), run / "RAW-R0149-DA02-S00000.h5")
    with h5py.File(copy, "r+") as file:
        file["INDEX/trainId"][:] += 1000


def _remove_index(run: Path) -> None:
    with h5py.File(_the_file(run), "r+") as file:
        del file["INDEX"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_disorder_trains, "euxfel-index"),
        (_remove_index, "euxfel-index"),
        (_empty_it, "euxfel-empty"),
        (_add_corrected, "euxfel-mixed"),
        (_add_other_run, "euxfel-mixed"),
        (_add_other_proposal, "euxfel-mixed"),
        (_add_stray, "euxfel-no-common-trains"),
    ],
)
def test_a_run_that_is_not_in_order_is_refused(
    spoil: Callable[[Path], None], code: str, folder: Path
) -> None:
    run = write_euxfel_run(folder, trains=20)
    spoil(run)
    assert refusal(run).code == code


def test_a_missing_sequence_is_told_with_its_gap_of_trains(folder: Path) -> None:
    run = write_euxfel_run(folder, trains=20)
    copy = shutil.copy(_the_file(run), run / "RAW-R0149-DA01-S00002.h5")
    with h5py.File(copy, "r+") as file:
        file["INDEX/trainId"][:] += 100
    expected = f"no trains between {FIRST_TRAIN + 19} and {FIRST_TRAIN + 100}"
    assert [it for it in look(run).warnings if "00001" in it and expected in it]


def test_a_folder_without_a_run_or_images_tells_what_to_register(folder: Path) -> None:
    write_nexus_scan(folder / "scan.nxs")
    refused = refusal(folder)
    assert refused.code == "euxfel-not-a-run"
    assert "Register the NeXus file" in refused.reason


# Images and geometries


def test_images_of_a_folder_are_one_series_in_natural_order(folder: Path) -> None:
    for number in (10, 2, 1):
        fabio.edfimage.EdfImage(data=np.full((8, 9), number, "u2")).write(
            folder / f"f_{number}.edf"
        )
    (folder / "notes.txt").write_text("none")
    found = look(folder)
    assert found.content == "image-series"
    assert [it.path for it in found.files] == ["f_1.edf", "f_2.edf", "f_10.edf"]
    assert quantities(found)["frames"] == (3, None)
    assert [it for it in found.warnings if "1 other files" in it]
    assert look(folder / "f_2.edf").content == "image"


def test_text_named_tif_is_no_image(folder: Path) -> None:
    (folder / "a.tif").write_text("not an image")
    assert refusal(folder / "a.tif").code == "file-unreadable"


def test_a_geometry_gives_distance_and_both_energy_and_wavelength(folder: Path) -> None:
    path = folder / "lab6.poni"
    path.write_text(
        "poni_version: 2.1\nDetector: Pilatus100k\nDetector_config: {}\n"
        "Distance: 0.12\nPoni1: 0.0\nPoni2: 0.0\nWavelength: 1e-10\n"
    )
    found = look(path)
    assert found.content == "poni"
    assert quantities(found)["detector.distance"] == (0.12, "m")
    assert quantities(found)["photon_energy"] == (pytest.approx(KEV_ANGSTROM), "keV")
    path.write_text("Dear diary")
    assert refusal(path).code == "file-unreadable"


# Pictures


def test_a_thumbnail_is_small_and_always_the_same() -> None:
    frame = np.random.default_rng(0).poisson(3, (1024, 2048)).astype("u4")
    frame[:, 500:520] = 2**32 - 1  # a gap of an Eiger
    picture = draw_image(frame)
    assert picture is not None
    assert picture == draw_image(frame)
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        assert image.width <= 320
        assert image.height <= 240
        colours = image.convert("RGB")
        gap, field = colours.getpixel((510 * image.width // 2048, 20)), colours.getpixel((20, 20))
    assert sum(gap) < sum(field)  # type: ignore[arg-type]  # an RGB image gives tuples


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    assert draw_image(np.full((4, 4), np.nan)) is None
    assert draw_curve(np.array([1.0])) is None


def test_a_rising_curve_goes_from_the_lower_left_to_the_upper_right() -> None:
    picture = draw_curve(np.arange(10.0))
    assert picture is not None
    with Image.open(io.BytesIO(picture)) as image:
        ink = np.argwhere(np.asarray(image.convert("L")) < 128)
    assert np.corrcoef(ink[:, 0], ink[:, 1])[0, 1] < -0.99  # rows count downwards


# The child process


def test_the_child_says_the_same_as_the_reader(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    told: list[tuple[int, int]] = []
    found = read_in_child(path, progress=lambda done, total: told.append((done, total)))
    assert found == look(path)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_the_child_speaks_json_lines_on_its_standard_output(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    said = subprocess.run(
        [sys.executable, "-m", "catalogue.readers", path], capture_output=True, check=True
    )
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert lines[0] == {"progress": [0, path.stat().st_size]}
    thumbnail = base64.urlsafe_b64decode(lines[-1]["description"]["thumbnail"])
    assert thumbnail.startswith(b"\x89PNG")


def test_a_refusal_in_the_child_reaches_the_parent_with_its_reason(folder: Path) -> None:
    path = hostile.absolute_external_link(folder)
    with pytest.raises(RefusedFileError) as refused:
        read_in_child(path)
    assert (refused.value.code, refused.value.file) == ("file-external-link", "scan.nxs")
    with pytest.raises(RefusedFileError, match="/entry/end_mark"):
        read_in_child(write_nexus_scan(folder / "s.nxs"), required=["/entry/end_mark"])


def test_a_crash_of_the_child_is_a_finding(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")

    def crash(_done: int, _total: int) -> None:
        for child in readers_at_work():
            child.send_signal(11)  # as HDF5 does on some damaged files

    with path.open("r+b") as file:
        file.truncate(1 << 28)  # large enough that hashing is not over at once
    with pytest.raises(RefusedFileError, match="SIGSEGV") as refused:
        read_in_child(path, progress=crash)
    assert refused.value.code == "file-unreadable"


def test_a_child_that_takes_too_long_is_given_up(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    with pytest.raises(RefusedFileError, match="took too long"):
        read_in_child(path, timeout_s=0.05)
    assert readers_at_work() == []


def test_a_child_without_enough_memory_is_a_finding(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    with pytest.raises(RefusedFileError) as refused:
        read_in_child(path, memory=100 << 20)
    assert refused.value.code == "file-unreadable"


def test_one_entry_under_two_names_is_one_entry(tmp_path: Path) -> None:
    path = write_nexus_scan(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        file["1.1"] = h5py.SoftLink("/entry")
    found = read(path, progress=lambda _done, _total: None)
    assert not [warning for warning in found.warnings if "entries" in warning]
