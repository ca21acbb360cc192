"""What the names of a run's files tell before anything is read."""

from pathlib import Path

import numpy as np
import pytest

from demo.makers.detectors import Clock, write_jungfrau_run
from processing.science.euxfel.run import open_run

FIRST = "RAW-R0001-JNGFR01-S00000.h5"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose module has three files."""
    words = {1: np.zeros((3, 1, 512, 1024), np.uint16)}
    return write_jungfrau_run(tmp_path / "run", words, clock=Clock(sequences=3))


def warnings_of(run: Path) -> list[str]:
    with open_run(sorted(run.glob("*.h5"))) as opened:
        return opened.warnings


def test_a_file_that_is_not_there_is_missed_by_its_number(run: Path) -> None:
    assert warnings_of(run) == []
    (run / FIRST.replace("S00000", "S00001")).unlink()
    (told,) = warnings_of(run)
    assert told.startswith("JNGFR01 lacks 1 of its files, the first is sequence 00001")


def test_a_huge_number_in_a_name_costs_no_time(run: Path) -> None:
    (run / FIRST.replace("S00000", "S00002")).rename(run / FIRST.replace("S00000", f"S{10**15}"))
    (told,) = warnings_of(run)
    assert f"lacks {10**15 - 2} of its files, the first is sequence 00002" in told


def test_control_data_of_an_agipd_have_files_of_their_own_since_2020(run: Path) -> None:
    """Without them no condition of constants is compared."""
    (control,) = run.glob("*JNGFRCTRL00*")
    control.rename(run / "RAW-R0001-AGIPD1MCTRL00-S00000.h5")
    with open_run(sorted(run.iterdir())) as opened:
        assert opened.control_sources == ["SPB_IRDA_JF4M/DET/CONTROL"]
