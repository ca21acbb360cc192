"""A map does not depend on who integrates it, and its memory not on its length."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from distributed import LocalCluster

from processing.chunks.cluster import open_executor
from processing.chunks.place import Place
from processing.recipes.base import Workspace, working_in
from processing.recipes.fan_out import Processes, Threads, in_threads, open_local
from processing.recipes.xrd_map import xrd_map
from processing.ticket import Cluster, Event, Progress
from tests.makers.clusters import Opener, on, two_workers
from tests.makers.layouts import BINS, Compression, Layout, make_frames, write_geometry, write_scan

FRAMES = 300  # three ranges


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans, of which some frames have dead pixels: all ways of integrating are needed."""
    folder = tmp_path_factory.mktemp("scans")
    write_geometry(folder)
    frames = make_frames("<u4", FRAMES)
    frames[13] = 0
    for compression in ("lz4", "gzip"):
        (folder / compression).mkdir()
        write_scan(folder / compression, frames, Layout(compression))
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with two_workers(threads=1) as cluster:
        yield cluster


def integrate(
    folder: Path,
    outputs: Path,
    *,
    compression: Compression = "lz4",
    cores: int = 1,
    opener: Opener = open_local,
    emit: Callable[[Event], None] = lambda _: None,
) -> bytes:
    outputs.mkdir()
    work = Workspace(outputs, cores=cores, open_executor=opener, emit=emit)
    with working_in(work):
        result = xrd_map(
            folder / compression / "scan.h5",
            folder / "geometry.poni",
            bins=BINS,
            splitting="bbox",
            shape=(15, 20),
        )
    written: bytes = result.read_bytes()
    return written


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
def test_one_two_and_four_threads_write_the_same_bytes(
    compression: Any, folder: Path, tmp_path: Path
) -> None:
    alone, *others = (
        integrate(folder, tmp_path / str(cores), compression=compression, cores=cores)
        for cores in (1, 2, 4)
    )
    assert all(other == alone for other in others)


def test_processes_and_a_cluster_write_the_same_bytes(
    folder: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    alone = integrate(folder, tmp_path / "alone")
    assert integrate(folder, tmp_path / "far", opener=on(cluster, xrd_map, slots=2)) == alone
    assert integrate(folder, tmp_path / "apart", opener=lambda *_: Processes(2)) == alone


def abs_of(number: int) -> int:
    return abs(number)


def test_a_cluster_no_larger_than_the_run_is_not_asked(
    folder: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    """Threads at home share what is opened already; so many elsewhere would gain nothing."""
    where = Cluster(scheduler=cluster.scheduler_address, slots=2)
    place = Place(
        run="m.2", entry="", manifest="", environment="", clock="", seed=0, cores=2, memory_bytes=1
    )
    executor = open_executor(where, place, print, 2, in_threads(abs_of))
    assert isinstance(executor, Threads)
    executor.close()


def test_progress_counts_frames(folder: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    integrate(folder, tmp_path / "outputs", emit=seen.append)
    told = [(e.done, e.total) for e in seen if isinstance(e, Progress) and e.stage == "integrating"]
    assert told == [(128, FRAMES), (256, FRAMES), (FRAMES, FRAMES)]


LONG = """
import resource, sys
from pathlib import Path
from processing.recipes.base import Workspace, working_in
from processing.recipes.xrd_map import xrd_map

folder, rows = Path(sys.argv[1]), int(sys.argv[2])
with working_in(Workspace(folder, cores=2)):
    xrd_map(folder / "scan.h5", folder / "geometry.poni", bins=500, splitting="bbox",
            error_model="none", shape=(rows, 250))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_of(folder: Path, rows: int) -> int:
    """Integrate a scan of 250 columns, most of it never written; kB of memory at most."""
    folder.mkdir()
    write_geometry(folder)
    lit = make_frames("<u4", 8, masked=False)
    with h5py.File(folder / "scan.h5", "w") as file:
        shape = (rows * 250, *lit.shape[1:])
        options = {"compression": 32008, "compression_opts": (0, 2), "chunks": (1, *shape[1:])}
        frames = file.create_dataset("entry/frames", shape, "<u4", **options)
        for frame, number in zip(lit, np.linspace(0, shape[0] - 1, len(lit)), strict=True):
            frames[int(number)] = frame
    told = subprocess.run(
        [sys.executable, "-c", LONG, folder, str(rows)], check=True, capture_output=True
    )
    return int(told.stdout.split()[-1])


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    short, long = peak_of(tmp_path / "short", 200), peak_of(tmp_path / "long", 400)
    assert long < 1.5 * 2**20
    # Patterns of the 50,000 frames more would take 100 MB as float32.
    assert long - short < 50 * 2**10
