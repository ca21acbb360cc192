"""Constants and corrected runs do not depend on who computes, nor memory on their length."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from distributed import LocalCluster
from extra_data.tests.mockdata import write_file
from extra_data.tests.mockdata.detectors import AGIPDModule

from processing.recipes.base import Input, Workspace, working_in
from processing.recipes.dark_characterise import dark_characterise
from processing.recipes.detector_correct import detector_correct
from processing.science.calibration.constants_file import DarkConstants, write_constants
from processing.science.process import Provenance
from tests.makers.clusters import on, two_workers

GAINS = ("high", "medium", "low")
LEVELS = (5200, 6100, 6900)  # ADU, of signal and gain level
SOURCE = "SPB_DET_AGIPD1M-1/DET/0CH0"
SHAPE = (512, 128)
CELLS = 3
SMALL: dict[str, Any] = {"min_trains": 5, "max_bad": 1.0}


def write_sparse_run(folder: Path, number: int, level: int, trains: int, cells: int = 1) -> Path:
    """A run of which only the first frame was ever written: the others read as one number."""
    folder.mkdir(parents=True)
    path = folder / f"RAW-R{number:04d}-AGIPD00-S00000.h5"
    write_file(
        path,
        [AGIPDModule(SOURCE, frames_per_train=cells)],
        ntrains=trains,
        firsttrain=1 + 100_000 * number,
        chunksize=1,
        format_version="1.2",
    )
    with h5py.File(path, "r+") as file:
        start_ns = 1_590_998_400_000_000_000 + number * 10**12
        file["INDEX/timestamp"][:] = start_ns + 10**8 * np.arange(trains, dtype=np.uint64)
        image = file[f"INSTRUMENT/{SOURCE}:xtdf/image"]
        del image["data"]
        shape = (trains * cells, 2, *SHAPE)
        data = image.create_dataset("data", shape, "<u2", chunks=(1, *shape[1:]), fillvalue=level)
        data[0] = level + np.arange(SHAPE[1]) % 5
    return path


@pytest.fixture(scope="module")
def darks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("darks")
    return [
        write_sparse_run(folder / gain, place, LEVELS[place], 6, CELLS)
        for place, gain in enumerate(GAINS)
    ]


@pytest.fixture(scope="module")
def constants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_level_constants(tmp_path_factory.mktemp("constants"))


def write_level_constants(folder: Path) -> Path:
    """Constants of level planes, but for offsets of high gain that hardly compress."""

    def level(*values: float) -> Any:
        planes = np.reshape(np.array(values, np.float32), (-1, 1, 1, 1))
        return np.broadcast_to(planes, (len(values), CELLS, *SHAPE)).copy()

    offset = level(5000, 5200, 5100)
    offset[0] += np.random.default_rng(0).standard_normal(offset.shape[1:], np.float32)
    known = DarkConstants(
        "AGIPD", "AGIPD00", offset, level(5, 5, 5), np.zeros(offset.shape, np.uint32),
        level(5000, 6000, 7000), level(5500, 6500),
    )  # fmt: skip
    path = folder / "dark-AGIPD00.h5"
    write_constants(path, known, Provenance("test", "1"))
    return path


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with two_workers(threads=2) as cluster:
        yield cluster


def written(folder: Path, compute: Callable[[], Any], **wanted: Any) -> dict[str, bytes]:
    """Compute into a folder; return every file that was declared."""
    folder.mkdir()
    work = Workspace(folder, **wanted)
    with working_in(work):
        compute()
    return {name: (folder / name).read_bytes() for name in work.declared}


def characterise(darks: list[Path]) -> Any:
    return dark_characterise(*(Input([path]) for path in darks), **SMALL)


def correct(run: Path, constants: Path) -> Any:
    return detector_correct([run], [constants], common_mode=True)


def test_a_cluster_of_any_size_makes_the_same_constants(
    darks: list[Path], tmp_path: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell per task, so that workers have something to share."""
    monkeypatch.setattr("processing.science.calibration.darks.SAMPLE_BYTES", 1)
    alone = written(tmp_path / "alone", lambda: characterise(darks))
    assert len(alone) == 4
    for slots in (2, 4):
        opener = on(cluster, dark_characterise, slots)
        there = written(tmp_path / str(slots), lambda: characterise(darks), open_executor=opener)
        assert there == alone


def test_a_cluster_of_any_size_corrects_alike(
    darks: list[Path],
    constants: Path,
    tmp_path: Path,
    cluster: LocalCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One cell and four frames per task."""
    monkeypatch.setattr("processing.science.calibration.correcting.PLANES_BYTES", 1)
    monkeypatch.setattr("processing.science.calibration.correcting.TASK_BYTES", 2**20)
    run = darks[0]
    alone = written(tmp_path / "alone", lambda: correct(run, constants))
    for slots in (2, 4):
        opener = on(cluster, detector_correct, slots)
        there = written(
            tmp_path / str(slots), lambda: correct(run, constants), open_executor=opener
        )
        assert there == alone


CHARACTERISE = """
from processing.recipes.dark_characterise import dark_characterise
dark_characterise(*sorted(folder.glob("run-*/RAW*")), max_bad=1.0)
"""
CORRECT = """
from processing.recipes.detector_correct import detector_correct
from processing.science.calibration import correcting
correcting.TASK_BYTES = 2**22  # sixteen frames
detector_correct(sorted(folder.glob("run-*/RAW*"))[:1], [folder / "dark-AGIPD00.h5"])
"""
AROUND = """
import sys
from pathlib import Path
from processing.recipes.base import Workspace, working_in

folder = Path(sys.argv[1])
with working_in(Workspace(folder)):
    exec(sys.argv[2])
# Not getrusage: that begins with what the parent had in memory.
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def peak_of(folder: Path, program: str, trains: int) -> int:
    """Compute runs of so many trains in a process of its own; kB of memory at most."""
    for place, level in enumerate(LEVELS):
        write_sparse_run(folder / f"run-{place}", place, level, trains)
    write_level_constants(folder)
    told = subprocess.run(
        [sys.executable, "-c", AROUND, folder, program], check=True, capture_output=True
    )
    return int(told.stdout.split()[-1])


# Trains of AGIPD in MB: 0.25 raw, of which 0.125 are a sample of the median; 0.2 corrected.
@pytest.mark.parametrize(
    ("program", "short", "long"),
    [(CHARACTERISE, 520, 1040), (CORRECT, 150, 450)],
    ids=["constants", "correction"],
)
def test_memory_does_not_grow_with_the_number_of_trains(
    tmp_path: Path, program: str, short: int, long: int
) -> None:
    few, many = (peak_of(tmp_path / str(it), program, it) for it in (short, long))
    assert many < 1.5 * 2**20
    assert many - few < 30 * 2**10
