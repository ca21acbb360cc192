"""Files that facilities and the NeXus committee wrote; they lie beside the checkout."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalogue.description import Description
from catalogue.errors import RefusedFileError
from catalogue.panet import SUBSET
from catalogue.readers.child import read_in_child
from catalogue.readers.nexus import TECHNIQUES

FOLDER = Path(__file__).parents[2] / ".." / "shared" / "data" / "nexus"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason="the real NeXus files (shared/data/nexus) are not beside the checkout",
)


def look(name: str) -> Description:
    return read_in_child(FOLDER / name)


def quantity(found: Description, name: str) -> tuple[float | str, str | None]:
    return next((it.value, it.unit) for it in found.parameters if it.name == name)


def test_the_silver_behenate_frame_of_aps() -> None:
    found = look("AgBehenate_228.hdf5")
    assert found.content == "nexus-scan"
    assert (found.title, found.sample) == ("Glassy carbon C6 fixed", "Glassy carbon C6 fixed")
    assert (found.instrument, found.proposal) == ("USAXS", "GUP26110")
    assert found.techniques == ("PaNET01188",)
    # start_time is blank in the file; it was written at 14:28:20-06:00.
    assert found.start_time == datetime(2011, 10, 23, 20, 28, 20, tzinfo=UTC)
    assert quantity(found, "photon_energy") == (pytest.approx(16.9001, abs=1e-4), "keV")
    assert quantity(found, "photon_wavelength") == (pytest.approx(0.73363, abs=1e-5), "angstrom")
    assert quantity(found, "frame.rows") == (195, "pixel")
    assert quantity(found, "frame.columns") == (487, "pixel")
    assert found.thumbnail is not None


def test_the_unfinished_file_of_aps_is_refused_as_incomplete() -> None:
    with pytest.raises(RefusedFileError) as refused:
        look("ID34_not_complete.h5")
    assert refused.value.code == "file-incomplete"
    assert "not filled in" in refused.value.reason


def test_the_grid_scan_of_diamond_survives_its_absent_image_file() -> None:
    found = look("p45-1168.nxs")
    assert found.content == "nexus"
    assert [it.path for it in found.files] == ["p45-1168.nxs"]
    assert "6 links: the linked file p45-1168-mic.hdf5 is not there." in found.warnings
    assert quantity(found, "stagex.max") == (pytest.approx(0.9), None)


@pytest.mark.parametrize(
    ("name", "energy", "value"),
    [
        ("Sample_Image_2021-03-16_095.hdf5", "photon_energy", 350),
        ("Sample_Line_2021-03-16_096.hdf5", "photon_energy.max", 320),
    ],
)
def test_the_microscope_scans_of_pollux(name: str, energy: str, value: float) -> None:
    found = look(name)
    assert found.content == "nexus"  # a map of motor positions, no frames
    assert found.title == "Sample"
    assert found.techniques == ("PaNET01219",)
    assert found.start_time is not None
    assert found.start_time.date().isoformat() == "2021-03-16"
    assert quantity(found, energy) == (value, "eV")
    assert quantity(found, "chamber_pressure")[1] == "mbar"
    assert found.thumbnail is not None


def test_the_sample_geometry_of_diamond_holds_no_measurement() -> None:
    found = look("sample_capillary.nxs")
    assert found.content == "nexus"
    assert found.title == "sample_capillary"
    assert [it for it in found.warnings if "no measured data" in it]


@pytest.mark.parametrize(
    ("name", "technique"),
    [
        ("NXcanSAS.hdf5", "PaNET01188"),
        ("NXtomo.hdf5", "PaNET01129"),  # its source names neutrons
        ("NXxas.hdf5", "PaNET01196"),
    ],
)
def test_the_application_definitions_hint_at_their_technique(name: str, technique: str) -> None:
    found = look(name)
    assert found.content == "nexus"
    assert found.techniques == (technique,)
    assert found.sample == "SAMPLE-CHAR-DATA"


def test_every_hinted_technique_is_in_panet() -> None:
    table = (FOLDER.parent / "PaNET.csv").read_text(encoding="utf-8")
    hinted = {it for pair in TECHNIQUES.values() for it in pair if it}
    assert [it for it in hinted if f"PaNET/{it}," not in table] == []


def test_every_technique_that_a_reader_hints_at_is_shipped_under_its_official_name() -> None:
    with (FOLDER.parent / "PaNET.csv").open(encoding="utf-8", newline="") as table:
        official = {row[1].rpartition("/")[2]: row[2].strip() for row in csv.reader(table)}
    hinted = {pid for pair in TECHNIQUES.values() for pid in pair if pid}
    assert hinted <= set(SUBSET)
    assert {pid: official.get(pid) for pid in SUBSET} == SUBSET
