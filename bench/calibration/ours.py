"""What ours do, in memory and from file to file."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from processing.science.calibration.constants_file import DarkConstants, write_constants
from processing.science.calibration.corrected_file import corrected_name, create_corrected
from processing.science.calibration.correcting import (
    Corrected,
    Correction,
    correct_arrays,
    plan,
)
from processing.science.calibration.packing import correct_task
from processing.science.calibration.planes import as_integers
from processing.science.calibration.raw_module import read_raw_module
from processing.science.kernels.agipd import PLACES as AGIPD_PLACES
from processing.science.kernels.agipd import correct_frames
from processing.science.kernels.dark_sums import add_frames
from processing.science.kernels.jungfrau import PLACES, correct_words
from processing.science.process import Provenance

MODULES, MODULE_PIXELS = 8, 512 * 1024
TRAINS = 32  # of the run from file to file: one task for each module
_WRONG_GAIN = 1 << 21


class Ours:
    """Kernels over the data of the benchmark, in as many threads as there are cores."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)
        loaded = {
            path.stem: np.load(path) for path in folder.glob("*.npy") if path.suffixes == [".npy"]
        }
        self.data = {name: values for name, values in loaded.items() if "answer" not in name}
        self.offset = self._by_code(self.data["pedestal"], 0)
        self.scale = self._by_code(self.data["scale"], np.nan)
        self.bits = np.where(np.isnan(self.scale), np.uint32(1), np.uint32(0))
        self.bits[2] = _WRONG_GAIN
        self.thresholds = as_integers(self.data["agipd_threshold"])
        self.agipd_bits = np.zeros(self.data["agipd_offset"].shape, np.uint32)

    def _room(self, name: str, shape: tuple[int, ...], kind: Any) -> Any:
        if name not in self.data:
            self.data[name] = np.empty(shape, kind)
        return self.data[name]

    def _by_code(self, planes: Any, invalid: float) -> Any:
        return np.stack([planes[0], planes[1], np.full_like(planes[0], invalid), planes[2]])

    def _spread(self, pixels: int, work: Callable[[int, int], None]) -> None:
        edges = [pixels * part // self.threads // 8 * 8 for part in range(self.threads)] + [pixels]
        list(self.pool.map(work, edges[:-1], edges[1:]))

    def jungfrau(self, *, marks: bool = False) -> Any:
        """Fill memory that is there, as a task does after its first."""
        words = self.data["words"]
        signal = self._room("signal", words.shape, np.float32)
        gain = self._room("gain", words.shape, np.uint8) if marks else None
        mask = self._room("mask", words.shape, np.uint32) if marks else None
        rows, quads = np.arange(len(words)), words.view(np.uint64)

        def work(start: int, stop: int) -> None:
            correct_words(words, quads, rows, start, stop, self.offset, self.scale, self.bits,
                          signal, gain, mask, np.empty(PLACES, np.uint32))  # fmt: skip

        self._spread(words.shape[1], work)
        return signal

    def jungfrau_with_marks(self) -> Any:
        return self.jungfrau(marks=True)

    def agipd(self) -> Any:
        """Gain stages come with the signal: the kernel needs them."""
        raw = self.data["agipd"]
        shape = len(raw), raw.shape[2]
        signal = self._room("agipd signal", shape, np.float32)
        gain = self._room("agipd gain", shape, np.uint8)
        rows, eights = np.arange(len(raw)), gain.view(np.uint64)

        def work(start: int, stop: int) -> None:
            correct_frames(raw, rows, start, stop, self.data["agipd_offset"],
                           self.data["agipd_scale"], self.thresholds, self.agipd_bits, signal,
                           gain, eights, None, np.empty(AGIPD_PLACES, np.uint32))  # fmt: skip

        self._spread(raw.shape[2], work)
        return signal

    def dark(self) -> Any:
        """Sums and squares of every pixel; the mean is what the peer answers."""
        frames = self.data["darks"].reshape(len(self.data["darks"]), -1)
        pixels = frames.shape[1:]
        kinds = {"counts": np.uint32, "sums": np.uint64, "squares": np.uint64}
        mean = self._room("mean", pixels, np.float64)
        rooms = [
            [self._room(f"{name} of {part}", pixels, kind) for name, kind in kinds.items()]
            for part in range(self.threads)
        ]

        def add(part: Any, room: list[Any]) -> None:
            for it in room:
                it.fill(0)
            add_frames(part, 0, 65_536, *room)

        list(self.pool.map(add, np.array_split(frames, self.threads), rooms))
        (counts, sums, squares), *others = rooms
        for more in others:
            counts += more[0]
            sums += more[1]
            squares += more[2]
        np.divide(sums, counts, out=mean)
        return mean.reshape(self.data["darks"].shape[1:])

    def floor(self) -> Any:
        """Copy words to float32: what must happen anyway."""
        words = self.data["words"]
        signal = self._room("signal", words.shape, np.float32)
        self._spread(words.shape[1], lambda a, b: np.copyto(signal[:, a:b], words[:, a:b]))
        return signal

    def write_run(self) -> None:
        """Write a raw run of eight modules, and their constants."""
        from demo.makers.detectors import write_jungfrau_run  # noqa: PLC0415 - EXtra-data is slow to import

        if (self.folder / "raw").exists():
            return
        words = np.resize(self.data["words"], (TRAINS, MODULES, 1, 512, 1024))
        modules = {m + 1: words[:, m] for m in range(MODULES)}
        for module in modules:
            part = np.s_[:, (module - 1) * MODULE_PIXELS : module * MODULE_PIXELS]
            planes = self.data["pedestal"][part].reshape(3, 1, 512, 1024)
            bad = np.isnan(self.data["scale"][part]).reshape(3, 1, 512, 1024)
            name = f"JNGFR{module:02d}"
            constants = DarkConstants("JUNGFRAU", name, planes, planes, bad.astype(np.uint32))
            write_constants(self.folder / f"dark-{name}.h5", constants, Provenance("bench", "1"))
        write_jungfrau_run(self.folder / "raw", modules)

    def clear_files(self, *, gzip: bool = False) -> None:
        """Remove what was written before: to shorten a file takes as long as to write it."""
        folder = self.folder / _folder_of(gzip=gzip)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def to_file(self, correction: Correction, *, gzip: bool = False) -> list[Path]:
        """Correct the run from file to file, synchronised to the disk."""
        raws = [read_raw_module(path) for path in sorted((self.folder / "raw").glob("*-JNGFR0*"))]
        tasks = [
            task
            for raw in raws
            for task in plan(raw, self.folder / f"dark-{raw.source.module}.h5", None, correction)
        ]
        folder = self.folder / _folder_of(gzip=gzip)
        # Threads have a task each, as in the recipe. Arrays are overwritten by the next task, so
        # that for gzip, which takes most of the time, they share one.
        parts: Iterator[Any] = (
            (correct_arrays(task, self.pool.map) for task in tasks)
            if gzip
            else self.pool.map(correct_task, tasks)
        )
        written = []
        for raw in raws:
            target = folder / corrected_name(raw.source.path)
            if gzip:
                self._write_gzip(target, raw, next(parts))
            else:
                with create_corrected(target, raw, correction) as file:
                    file.write(next(parts))
            with target.open("rb") as made:
                os.fsync(made.fileno())
            written.append(target)
        return written

    def plain(self, module: int, train: int) -> Any:
        """Plain numpy's answer for a frame of the run, in ADU."""
        part = slice(module * MODULE_PIXELS, (module + 1) * MODULE_PIXELS)
        words = self.data["words"][train % len(self.data["words"]), part]
        code, value = words >> 14, (words & 0x3FFF).astype(np.float32)
        high, medium, low = (value - offset[part] for offset in self.data["pedestal"])
        signal = np.where(code == 0, high, np.where(code == 1, medium, low))
        is_bad = np.isnan(self.data["scale"][:, part]).any(axis=0) | np.isin(
            words, (0x3FFF, 0xC000)
        )
        return np.where(is_bad, np.float32(np.nan), signal)

    def _write_gzip(self, target: Path, raw: Any, done: Corrected) -> None:
        """Write the same arrays as the facility's files have them: gzip, level 1, by h5py."""
        chunk, shape = raw.source.chunk, (raw.rows, raw.source.cells_per_row, *raw.source.shape)
        with h5py.File(target, "w") as file:
            for name, values in (("adc", done.signal), ("gain", done.gain), ("mask", done.mask)):
                file.create_dataset(name, data=values.reshape(shape), chunks=chunk,
                                    compression="gzip", compression_opts=1)  # fmt: skip


def _folder_of(*, gzip: bool) -> str:
    return "gzip" if gzip else "corrected"


def timed(work: Callable[[], Any]) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}
