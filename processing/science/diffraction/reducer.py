"""Reduce ranges of frames of one scan, in the way that was chosen for it."""

import math
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.integrator import FrameIntegrator, Pattern
from processing.science.diffraction.patterns import LANES, Patterns, State, make_room
from processing.science.diffraction.tiers import Tier, choose_tier, find_need_of_pyfai
from processing.science.frames import FrameStack
from processing.science.markers import has_counts

if TYPE_CHECKING:
    from processing.science.diffraction.chunks import ChunkedFrames
    from processing.science.diffraction.matrix import TiledMatrix
    from processing.science.diffraction.sums import Sums

BLOCK_BYTES = 2**26  # of decoded frames, read at once
MOST_BYTES = 2**28  # of them, where chunks hold many frames

Monitor = NDArray[np.float64]


class Reducer:
    """
    One scan and one way to reduce its frames; threads may share it.

    Parameters
    ----------
    stack : FrameStack
        Where frames are read from.
    integrator : FrameIntegrator
        Geometry and choices, and the last word: a frame with a pixel that only it can judge
        is integrated by pyFAI in every tier.
    cache : Path, optional
        Folder for what can be made again.
    """

    def __init__(
        self, stack: FrameStack, integrator: FrameIntegrator, cache: Path | None = None
    ) -> None:
        self.stack = stack
        self.integrator = integrator
        self._matrix: TiledMatrix | None = None
        self._chunks: ChunkedFrames | None = None
        self._pyfai = Lock()  # it uses all cores by itself
        self.tier = self._prepare(cache)

    def _prepare(self, cache: Path | None) -> Tier:
        integrator = self.integrator
        need = find_need_of_pyfai(integrator.choices, integrator.corrections, self.stack.n_frames)
        if not need:
            # Compiled code takes half a second to import.
            from processing.science.diffraction.chunks import find_chunks  # noqa: PLC0415 - as said
            from processing.science.diffraction.matrix import find_matrix  # noqa: PLC0415 - as said

            self._matrix = find_matrix(integrator, cache)
            self._chunks = None if self._matrix is None else find_chunks(self.stack)
        return choose_tier(
            need, has_matrix=self._matrix is not None, has_chunks=self._chunks is not None
        )

    @property
    def radial(self) -> NDArray[np.float64]:
        """Centres of the bins along the radial axis, in its unit."""
        return self.integrator.radial if self._matrix is None else self._matrix.radial

    def prepare_pyfai(self) -> None:
        """Have pyFAI build what it integrates with; it takes a second for large detectors."""
        with self._pyfai:
            _ = self.integrator.radial

    def reduce(self, first: int, monitor: Monitor) -> Patterns:
        """
        Reduce neighbouring frames.

        Parameters
        ----------
        first : int
            Number of the first frame.
        monitor : ndarray of shape (n_frames,)
            Of each of them, relative to its reference: intensities are divided by it.

        Returns
        -------
        Patterns
            In the order of the frames.

        Raises
        ------
        ShapeError
            If a frame has another shape than the first of the scan.
        """
        patterns = make_room(len(monitor), self.integrator.choices)
        left = np.ones(len(monitor), bool)
        for place, sums in self._sum_up(first, len(monitor)):
            left[place : place + len(sums.state)] = self._take(patterns, place, sums, monitor)
        for place in map(int, np.flatnonzero(left)):
            self._ask_pyfai(patterns, place, first, float(monitor[place]))
        return patterns

    def _sum_up(self, first: int, count: int) -> Iterator[tuple[int, "Sums"]]:
        """Yield sums and the place of their first frame, as far as compiled code makes them."""
        if self._matrix is None:
            return
        # Compiled code takes half a second to import.
        from processing.science.diffraction.blocks import reduce_frames  # noqa: PLC0415 - as said
        from processing.science.diffraction.fused import reduce_chunks  # noqa: PLC0415 - as said

        if self._chunks is not None:
            numbers = range(first, first + count)
            yield 0, reduce_chunks(self._chunks, numbers, self._matrix)
            return
        step = self._frames_per_block()
        for start in range(0, count, step):
            block = self.stack.read_block(first + start, first + min(start + step, count))
            if block is not None and block.shape[1:] == self.integrator.frame_shape:
                yield start, reduce_frames(block, self._matrix)

    def _frames_per_block(self) -> int:
        pixels = math.prod(self.stack.shape)
        together = math.lcm(LANES, self.stack.frames_per_chunk)
        if 4 * pixels * together > MOST_BYTES:
            together = LANES  # a chunk is then decompressed again for each block of it
        return max(1, BLOCK_BYTES // (4 * pixels * together)) * together

    def _take(
        self, patterns: Patterns, place: int, sums: "Sums", monitor: Monitor
    ) -> NDArray[np.bool_]:
        """
        Turn sums into patterns; return True for each frame that is left to pyFAI.

        I = S / (N m) and sigma = sqrt(V) / (N m), with the signal S, its variance V, the
        normalisation N and the relative monitor m.
        """
        from processing.science.diffraction.sums import SumState  # noqa: PLC0415 - as above

        assert self._matrix is not None  # noqa: S101 - there are sums
        part = slice(place, place + len(sums.state))
        relative = monitor[part]
        reached = self._matrix.normalisation > 0
        good = (sums.state == SumState.OK) & reached.any()
        beam = relative > 0
        dark = np.where(beam, State.EMPTY, State.NO_BEAM)
        patterns.states[part] = np.where(good & beam, State.VALID, dark)
        lit = np.flatnonzero(good & beam)
        weight = np.where(reached, self._matrix.normalisation, np.nan) * relative[lit, None]
        patterns.intensity[place + lit] = sums.signal[lit] / weight
        if patterns.sigma is not None and sums.variance is not None:
            patterns.sigma[place + lit] = np.sqrt(sums.variance[lit]) / weight
        return np.isin(sums.state, (SumState.MARKED, SumState.UNREADABLE))

    def _ask_pyfai(self, patterns: Patterns, place: int, first: int, monitor: float) -> None:
        patterns.states[place] = State.EMPTY
        found = self.integrate(first + place, monitor)
        if isinstance(found, State):
            patterns.states[place] = found
        else:
            patterns.put(place, found)

    def integrate(self, number: int, monitor: float) -> Pattern | State:
        """
        Integrate one frame by pyFAI.

        Parameters
        ----------
        number : int
            Of the frame, from 0.
        monitor : float
            Relative to its reference.

        Returns
        -------
        Pattern or State
            The pattern, or why there is none.

        Raises
        ------
        ShapeError
            If it has another shape than the first frame.
        """
        try:
            frame = self.stack.read(number)
        except OSError:
            return State.UNREADABLE
        if not monitor > 0:
            return State.NO_BEAM
        if not has_counts(frame):
            return State.EMPTY
        with self._pyfai:
            return self.integrator.integrate(frame, monitor)
