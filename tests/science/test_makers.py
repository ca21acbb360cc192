"""The demonstration's data are what they claim to be."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from extra_data import RunDirectory
from extra_data.file_access import FileAccess
from extra_data.validation import FileValidator

from demo.makers.euxfel import HUTCH, TRANSMISSION, TUNNEL, write_euxfel_run
from demo.makers.xrd import Geometry, Scan, write_xrd_scan


@pytest.mark.parametrize("format_version", ["1.0", "1.2"])
def test_a_made_run_is_one_that_extra_data_accepts(tmp_path: Path, format_version: str) -> None:
    folder = write_euxfel_run(tmp_path, format_version=format_version)

    (path,) = folder.iterdir()
    assert path.name == "RAW-R0149-DA01-S00000.h5"
    assert FileValidator(FileAccess(path)).run_checks() == []
    with RunDirectory(str(folder)) as run:
        assert len(run.train_ids) == 200
        assert run.run_metadata()["proposalNumber"] == 700_000
        assert run.run_metadata()["runNumber"] == 149
        assert str(run.train_timestamps()[0]).startswith("2020-06-01T08:00:00")


def test_the_two_gas_monitors_agree_as_they_were_made_to(tmp_path: Path) -> None:
    folder = write_euxfel_run(tmp_path)

    with RunDirectory(str(folder)) as run:
        tunnel, hutch = (
            run[device, "pulseEnergy.photonFlux"].ndarray() for device in (TUNNEL, HUTCH)
        )
        pulses = run[f"{TUNNEL}:output", "data.intensityTD"].ndarray()
        assert run[TUNNEL, "pulseEnergy.photonFlux"].units == "μJ"
    slope, _ = np.polyfit(tunnel, hutch, 1)
    assert slope == pytest.approx(TRANSMISSION, abs=0.01)
    assert (pulses[:, 20:] == 1.0).all()  # unused slots
    assert not (pulses[:, :20] == 1.0).all(axis=0).any()


def test_a_made_scan_tells_its_story_and_ends_with_its_end(tmp_path: Path) -> None:
    scan = Scan(shape=(2, 2), geometry=Geometry("Pilatus100k"))
    (path,) = write_xrd_scan(tmp_path, scan).files

    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["end_time"].asstr()[()] > entry["start_time"].asstr()[()]
        assert entry["instrument/monochromator/energy"].attrs["units"] == "keV"
        # E = hc / lambda: 12.398 keV angstrom over 0.9 angstrom
        assert entry["instrument/monochromator/energy"][()] == pytest.approx(13.776, abs=0.001)
        assert file["1.1/measurement/pilatus"].shape == (4, 195, 487)
        assert entry["measurement"].attrs["signal"] == "pilatus"


def test_a_made_scan_is_the_same_each_time(tmp_path: Path) -> None:
    scan = Scan(shape=(1, 2), geometry=Geometry("Pilatus100k"))
    first, second = (
        write_xrd_scan(tmp_path, scan, name=name).files[0].read_bytes() for name in ("a.h5", "b.h5")
    )

    assert first == second


def test_gaps_of_the_detector_are_marked(tmp_path: Path) -> None:
    (path,) = write_xrd_scan(tmp_path, Scan(shape=(1, 1))).files

    with h5py.File(path) as file:
        frame = file["entry/instrument/pilatus/data"][0]
    # A Pilatus 300K has three modules of 195 rows with 17 rows between them.
    assert (frame[195:212] == -1).all()
    assert (frame[:195] >= 0).all()
