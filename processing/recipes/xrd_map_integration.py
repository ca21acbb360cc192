"""Integrate all frames of a scan, range by range and anywhere, into the rows of one map."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from processing.recipes.base import RecipeError, Workspace
from processing.recipes.fan_out import in_threads
from processing.science.diffraction.checking import (
    choose_frames,
    measure_deviation,
    refuse_deviation,
)
from processing.science.diffraction.integrator import (
    Corrections,
    FrameIntegrator,
    Pattern,
    Reduction,
)
from processing.science.diffraction.patterns import Patterns, State, frames_per_range, make_room
from processing.science.diffraction.poni import read_poni
from processing.science.diffraction.reducer import Reducer
from processing.science.errors import ShapeError, UnreadableFramesError
from processing.science.frames import Beam, FrameStack, open_frames, read_image
from processing.science.maps.map_file import MapFile
from processing.science.maps.raster import Raster

MAX_UNREADABLE = 0.1


@dataclass(frozen=True)
class Job:
    """
    What a process must be told to integrate frames of a scan: small, and it travels.

    Attributes
    ----------
    scan, mask, dark, flat : tuple of Path
        Files of the scan and of images of the detector; empty where there is none.
    geometry : Path
        PONI file.
    shape : tuple of int, optional
        Pixels of the detector, (slow, fast), to tell images from other fields.
    images : str, optional
        Path of the images in an HDF5 file.
    orientation : int
        Corner of the detector where the first pixel lies, 1 to 4.
    choices : Reduction
        What to do to every frame.
    cache : Path, optional
        Folder for what can be made again.
    """

    scan: tuple[Path, ...]
    geometry: Path
    orientation: int
    choices: Reduction
    shape: tuple[int, int] | None = None
    images: str | None = None
    mask: tuple[Path, ...] = ()
    dark: tuple[Path, ...] = ()
    flat: tuple[Path, ...] = ()
    cache: Path | None = None

    def make_integrator(self, frame_shape: tuple[int, int]) -> FrameIntegrator:
        """Set up pyFAI for frames of one shape; may raise what science refuses."""
        dark, flat = (
            read_image(files, frame_shape, name).astype(np.float32) if files else None
            for name, files in (("dark", self.dark), ("flat", self.flat))
        )
        mask = read_image(self.mask, frame_shape, "mask") != 0 if self.mask else None
        return FrameIntegrator(
            read_poni(self.geometry),
            self.choices,
            frame_shape=frame_shape,
            orientation=self.orientation,
            mask=mask,
            corrections=Corrections(dark, flat),
        )


@dataclass(frozen=True)
class FrameRange:
    """Neighbouring frames of a job, with the relative monitor of each."""

    job: Job
    first: int
    monitor: tuple[float, ...]

    def __repr__(self) -> str:
        """Name it without the server's paths: messages quote it."""
        last = self.first + len(self.monitor) - 1
        return f"frames {self.first} to {last} of {self.job.scan[0].name}"


@dataclass
class _Refused(Patterns):
    """In place of patterns: what the whole run is refused for, trying again is no use."""

    message: str = ""


@dataclass
class _Opened:
    """The reducers that this process holds, by their job."""

    lock: Lock = field(default_factory=Lock)
    reducers: dict[Job, Reducer] = field(default_factory=dict)
    to_close: ExitStack = field(default_factory=ExitStack)

    def get(self, job: Job) -> Reducer:
        with self.lock:
            if job not in self.reducers:
                self.to_close.close()
                self.reducers.clear()
                stack = self.to_close.enter_context(open_frames(job.scan, job.images, job.shape))
                self.reducers[job] = Reducer(stack, job.make_integrator(stack.shape), job.cache)
            return self.reducers[job]

    @contextmanager
    def lent(self, job: Job, reducer: Reducer) -> Iterator[None]:
        """Have the threads of this process share what the recipe itself has opened."""
        with self.lock:
            self.reducers[job] = reducer
        try:
            yield
        finally:
            with self.lock:
                self.reducers.pop(job, None)


_opened = _Opened()


@in_threads
def integrate_range(frames: FrameRange) -> Patterns:
    """Integrate neighbouring frames, in any process that reaches the files of their job."""
    reducer = _opened.get(frames.job)
    try:
        return reducer.reduce(frames.first, np.array(frames.monitor, np.float64))
    except ShapeError as error:
        nothing = make_room(0, frames.job.choices)
        return _Refused(nothing.intensity, None, nothing.states, message=str(error))


def integrate_scan(
    work: Workspace, job: Job, reducer: Reducer, beam: Beam, raster: Raster, written: MapFile
) -> NDArray[np.uint8]:
    """Integrate all frames into the map; return what became of each, as in ``State``."""
    stack, choices = reducer.stack, job.choices
    if choices.split != choices.splitting:
        work.warn(
            f"Pixels are not split, though splitting is {choices.splitting}: clipping judges "
            "whole pixels. Say splitting no to silence this."
        )
    work.log(f"Frames are integrated in the tier {reducer.tier.name}: {reducer.tier.reason}.")
    states = np.full(stack.n_frames, State.EMPTY, np.uint8)

    def collect(parts: Iterator[Patterns]) -> None:
        first = unreadable = 0
        for part in parts:
            if isinstance(part, _Refused):
                raise RecipeError("xrd-shape", part.message)
            written.write_frames(raster, first, part)
            states[first : first + len(part)] = part.states
            first += len(part)
            unreadable += int((part.states == State.UNREADABLE).sum())
            if unreadable > MAX_UNREADABLE * len(states):
                raise _too_many(states)

    with _opened.lent(job, reducer):
        work.map(
            integrate_range,
            _cut(job, stack, beam),
            collect,
            total=stack.n_frames,
            stage="integrating",
            weigh=len,
        )
    _tell_lost(work, states)
    return states


def _cut(job: Job, stack: FrameStack, beam: Beam) -> Iterator[FrameRange]:
    step = frames_per_range(job.choices, stack.frames_per_chunk)
    for first in range(0, stack.n_frames, step):
        numbers = range(first, min(first + step, stack.n_frames))
        yield FrameRange(job, first, tuple(beam.relative(number) for number in numbers))


def _too_many(states: NDArray[np.uint8]) -> UnreadableFramesError:
    first = np.flatnonzero(states == State.UNREADABLE)[0]
    return UnreadableFramesError(
        f"More than 10 % of the {len(states)} frames cannot be read, the first is frame {first}. "
        "Copy the files again from where they were taken."
    )


def _tell_lost(work: Workspace, states: NDArray[np.uint8]) -> None:
    unreadable = np.flatnonzero(states == State.UNREADABLE)
    if len(unreadable):
        numbers = ", ".join(map(str, unreadable[:5]))
        work.warn(f"{len(unreadable)} frames cannot be read ({numbers}): left empty.")
    if lost := int((states != State.VALID).sum()):
        work.warn(f"{lost} of {len(states)} frames have no valid pattern and are empty in the map.")


def verify_map(
    work: Workspace, reducer: Reducer, beam: Beam, raster: Raster, written: MapFile, count: int
) -> None:
    """Integrate a few frames again by pyFAI alone, and refuse a map that differs."""
    largest, where = 0.0, 0
    for number in choose_frames(reducer.stack.n_frames, count, work.seed):
        pattern = reducer.integrate(number, beam.relative(number))
        deviation = _deviation(written, raster, number, pattern)
        if deviation > largest:
            largest, where = deviation, number
    refuse_deviation(largest, where)
    work.quantity("largest_deviation", largest)


def _deviation(written: MapFile, raster: Raster, number: int, pattern: Pattern | State) -> float:
    intensity, sigma = written.read_pattern(raster, number)
    if isinstance(pattern, State):
        return 0.0 if np.isnan(intensity).all() else float("inf")
    deviation = measure_deviation(intensity, pattern.intensity, pattern.sigma)
    if sigma is None or pattern.sigma is None:
        return deviation
    return max(deviation, measure_deviation(sigma, pattern.sigma))
