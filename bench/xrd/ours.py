"""Our map: as a process, through catalogue and engine, and without the sums (the floor)."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from bench.xrd.peers import Map
from bench.xrd.scans import BINS, POLARIZATION, Files
from processing.recipes.environments import kernel_cache
from processing.science.diffraction.chunks import ChunkedFrames, find_chunks
from processing.science.diffraction.fused import reduce_chunks
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.nexus import NexusStack

THREADS = 2
_AT_ONCE = 100
_LOOK_S = 0.02  # to ask the database more often would slow down who computes


def run_bare(files: Files, shape: tuple[int, int], splitting: str, out: Path, cache: Path) -> None:
    """Integrate a scan by the recipe, in a process of its own."""
    scan = (
        [files.scan]
        if files.scan.name == "scan.h5"
        else [files.scan, files.scan.with_name("scan.h5")]
    )
    words = [",".join(map(str, scan)), files.poni, files.mask, out, cache, splitting, *shape]
    subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.xrd.bare", *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **kernel_cache(cache)},
    )


def read_map(path: Path) -> Map:
    """Return intensity and sigma, of shape (frames, bins)."""
    with h5py.File(path) as file:
        found = file["entry/map"]
        return found["intensity"][()].reshape(-1, BINS), found["errors"][()].reshape(-1, BINS)


def decode_s(files: Files) -> dict[str, float]:
    """
    Return what decoding all frames takes, in two threads, with nothing done to them.

    Once by the C library of the bitshuffle filter, and once by our kernel with a matrix that
    has no element.
    """
    stack = NexusStack((files.scan,))
    frames = find_chunks(stack)
    stack.close()
    assert frames is not None  # noqa: S101 - we wrote it so
    nothing = _empty_matrix(frames)

    def by_us(numbers: range) -> None:
        reduce_chunks(frames, numbers, nothing)

    by_us(range(8))  # compiled
    return {"c": _timed(frames, _by_c(frames)), "ours": _timed(frames, by_us)}


def _timed(frames: ChunkedFrames, decode: Callable[[range], None]) -> float:
    n = len(frames.sizes)
    parts = [range(first, min(first + _AT_ONCE, n)) for first in range(0, n, _AT_ONCE)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decode, parts))
    return time.perf_counter() - begun


def _empty_matrix(frames: ChunkedFrames) -> TiledMatrix:
    from processing.science.kernels.fused import TILE  # noqa: PLC0415 - compiled code

    tiles = -(-frames.n_pixels // TILE)
    return TiledMatrix(
        limits=np.zeros(tiles + 1, np.int64),
        starts=np.zeros(1, np.int32),
        bins=np.zeros(0, np.int32),
        places=np.zeros(0, np.uint16),
        weights=np.zeros(0, np.float32),
        squares=np.zeros(0, np.float32),
        normalisation=np.zeros(1),
        ignored=np.full(-(-frames.n_pixels // 8), 255, np.uint8),
        radial=np.zeros(1),
    )


def _by_c(frames: ChunkedFrames) -> Callable[[range], None]:
    folder = Path(hdf5plugin.__file__).parent / "plugins"
    decompress = ctypes.CDLL(str(folder / "libh5bshuf.so")).bshuf_decompress_lz4
    decompress.restype = ctypes.c_int64
    decompress.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]

    def decode(numbers: range) -> None:
        chunk = np.empty(int(frames.sizes.max()), np.uint8)
        frame = np.empty(frames.n_pixels * frames.itemsize, np.uint8)
        with frames.opened() as reader:
            for number in numbers:
                reader.read(number, chunk)
                decompress(
                    chunk.ctypes.data + 12, frame.ctypes.data, frames.n_pixels, frames.itemsize,
                    frames.block,
                )  # fmt: skip

    return decode


class Facility:
    """
    A small facility whose worker stands: see ``open_facility``.

    Registers files once; each map has a run of its own, by a parameter that does nothing here.
    """

    def __init__(self, world: Any) -> None:
        self._world = world
        self._inputs: dict[Path, Any] = {}
        self._made = 0

    def make(self, files: Files, shape: tuple[int, int]) -> tuple[float, Path]:
        """
        Have a worker make the map of a scan.

        Returns
        -------
        tuple of float and Path
            Seconds from submission until the result is there, and where it is.
        """
        from catalogue.models import DataFile, Dataset  # noqa: PLC0415 - needs Django, set up
        from catalogue.places import local_path  # noqa: PLC0415 - the same
        from processing.recipes.xrd_map import xrd_map  # noqa: PLC0415 - the same
        from processing.submission import submit  # noqa: PLC0415 - the same
        from tests.builders import a_recipe  # noqa: PLC0415 - the same

        inputs = self._register(files)
        self._made += 1
        parameters: dict[str, Any] = {
            "bins": BINS,
            "shape": list(shape),
            "polarization": POLARIZATION,
            "splitting": "bbox",
            "phase_background": 8 + self._made,  # of phases, and there are none
        }
        recipe = a_recipe(xrd_map.manifest)
        begun = time.perf_counter()
        run = submit(self._world.ines, recipe, inputs, parameters).processing_run
        while not run.is_final:
            time.sleep(_LOOK_S)
            run.refresh_from_db(fields=["state"])
        seconds = time.perf_counter() - begun
        run.refresh_from_db()
        assert run.state == "succeeded", run.problem  # noqa: S101 - a benchmark of nothing else
        result = Dataset.objects.get(generated_by__activity=run.activity_id)
        return seconds, local_path(DataFile.objects.get(dataset=result, path="map.nxs"))

    def _register(self, files: Files) -> dict[str, list[Any]]:
        from catalogue.ingest import register_path  # noqa: PLC0415 - needs Django, set up

        inputs = {}
        for role, path in (("scan", files.scan), ("geometry", files.poni), ("mask", files.mask)):
            if path not in self._inputs:
                place = Path(self._world.raw.root, path.parent.name, path.name)
                place.parent.mkdir(exist_ok=True)
                os.link(path, place)
                found = register_path(place, person=None, instrument="id13", proposal="hg-172")
                self._inputs[path] = found.dataset
            inputs[role] = [self._inputs[path]]
        return inputs


@contextmanager
def open_facility(folder: Path) -> Iterator[Facility]:
    """Start a facility with one worker; its stores share the kernels of whoever made them."""
    from bench.overhead.ours import clean_up, worker  # noqa: PLC0415 - needs Django, set up
    from tests.builders import a_world  # noqa: PLC0415 - the same

    clean_up()
    os.environ.update(kernel_cache(folder / "cache"))
    stores = folder / f"stores-{time.time_ns()}"
    world = a_world(stores)
    try:
        with worker("in-process"):
            yield Facility(world)
    finally:
        shutil.rmtree(stores)
