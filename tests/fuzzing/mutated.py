"""
Give spoilt chunks to the compiled kernels, between guarded pages.

``python -m tests.fuzzing.mutated --count 100000 --seed 5`` prints one JSON object. The number
of the chunk at work goes to standard error beforehand, now and then: if the process dies, run
from there with ``--first``.
"""

import argparse
import json
import random
import sys
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.sums import SumState
from processing.science.kernels.lanes import LANES
from tests.fuzzing.guarded import Arena, guarded
from tests.fuzzing.mutations import mutate
from tests.makers.chunks import decode, encode
from tests.makers.eights import Eight, Shape, expect

SHAPES = (
    Shape(203, "<u4", 64),
    Shape(203, "<u2", 64),
    Shape(333, "|u1", 128),
    Shape(203, "<i4", 64),
    Shape(205, "<i2", 32),
    Shape(207, "|i1", 64),
    Shape(5, "<u4", 64),
    Shape(64, "<u2", 64),
    Shape(9003, "<u4", 2048),  # more than a tile
)
_WEIGHTS = (20, 20, 20, 20, 10, 10, 4, 10, 1)
_LAST = LANES - 1
_OTHER_BLOCK = 0.03  # of all chunks: one of another block size among the eight


class Bench:
    """Eight frames of one shape, of which the last is spoilt and ends before a guard."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.ignored = np.zeros(shape.pixels, bool)
        self.ignored[shape.pixels // 3 :: 7] = True
        self.frames = [_a_frame(shape, seed, self.ignored) for seed in range(LANES)]
        self.chunks = [encode(frame, shape.block) for frame in self.frames]
        self.other = encode(self.frames[0], 2 * shape.block)
        self.eight = Eight(shape, ignored=self.ignored)
        self.eight.scratch = tuple(guarded(array) for array in self.eight.scratch)
        self.eight.signal = guarded(self.eight.signal)
        self.eight.variance = guarded(self.eight.variance)
        self.eight.ignored = guarded(self.eight.ignored)
        self.rows = Arena(LANES * 4 * max(map(len, self.chunks)) + 2**12)

    def try_one(self, draw: random.Random) -> SumState:
        """Spoil a chunk, sum it among others; return what became of it, or raise."""
        spoilt = mutate(draw.choice(self.chunks), self.shape, draw)
        if draw.random() < _OTHER_BLOCK:
            spoilt = self.other
        longest = max(1, len(spoilt))
        rows = self.rows.last(LANES * longest).reshape(LANES, longest)
        bodies = [body[:longest] for body in self.chunks[:_LAST]] + [spoilt]
        for row, body in enumerate(bodies):
            rows[row, : len(body)] = np.frombuffer(body, np.uint8)
            self.eight.sizes[row] = len(body)
        self.eight.reduce(rows)
        for lane, body in enumerate(bodies):
            is_whole = lane < _LAST and len(body) == len(self.chunks[lane])
            self._check(lane, self.frames[lane] if is_whole else self._decode(body))
        return SumState(self.eight.states[_LAST])

    def _decode(self, body: bytes) -> "NDArray[np.integer] | None":
        return decode(body, self.shape.pixels, self.shape.dtype, self.shape.block)

    def _check(self, lane: int, frame: "NDArray[np.integer] | None") -> None:
        state, counts = expect(frame, self.ignored)
        if self.eight.states[lane] != state:
            raise AssertionError(f"lane {lane}: {self.eight.states[lane]} instead of {state!r}")
        if counts is not None:
            kept = ~self.ignored
            np.testing.assert_array_equal(self.eight.signal[kept, lane], counts[kept])
            np.testing.assert_array_equal(
                self.eight.variance[kept, lane], np.maximum(1, counts[kept])
            )


def _a_frame(shape: Shape, seed: int, ignored: "NDArray[np.bool_]") -> "NDArray[np.integer]":
    """Make a few photons per pixel, some spots, and markers where nobody looks."""
    random_ = np.random.default_rng(seed)
    largest = np.iinfo(shape.kind).max
    frame = random_.poisson(0.5 * seed, shape.pixels)
    spots = random_.integers(0, shape.pixels, seed)
    frame[spots] = random_.integers(0, largest, seed)
    frame[ignored & (random_.random(shape.pixels) < 0.5)] = largest
    return frame.astype(shape.dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    benches = [Bench(shape) for shape in SHAPES]
    states: Counter[str] = Counter()
    for number in range(arguments.first, arguments.first + arguments.count):
        if number % 100 == 0:
            sys.stderr.write(f"{number}\n")
        draw = random.Random(f"{arguments.seed} {number}")  # noqa: S311 - no secret
        states[draw.choices(benches, _WEIGHTS)[0].try_one(draw).name] += 1
    sys.stdout.write(json.dumps({"chunks": arguments.count, **states}) + "\n")


if __name__ == "__main__":
    main()
