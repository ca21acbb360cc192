"""
A fuzzer that looks for new paths through the decoder, beside the reference decoder.

``python -m tests.fuzzing.guided CORPUS [options of libFuzzer]`` with NUMBA_DISABLE_JIT=1: the
decoder runs as the plain Python that it is compiled from, and each of its branches is seen.
"""

import sys
from typing import Any

import atheris

from tests.fuzzing.seeds import from_input
from tests.makers.lz4 import decode, decode_plainly

with atheris.instrument_imports(include=["processing.science.kernels.lz4"]):
    from processing.science.kernels.lz4 import SLACK, decode_lz4

START = 3  # so that a step below the block is seen


class Source:
    """Bytes that can be read within their bounds only; numpy would count from the end."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.begin, self.known = START, len(data)

    def __getitem__(self, place: Any) -> Any:
        first, stop = _bounds(place)
        if not self.begin <= first <= stop <= self.known:
            raise IndexError(f"reads {first} to {stop} of {self.begin} to {self.known}")
        return self.data[place]


class Target(Source):
    """Bytes that are written without gaps, and read only where they are written."""

    def __init__(self, size: int) -> None:
        super().__init__(bytes(size))
        self.begin, self.known = 0, 0

    def __setitem__(self, place: Any, value: Any) -> None:
        first, stop = _bounds(place)
        if not 0 <= first <= self.known or stop > len(self.data):
            raise IndexError(f"writes {first} to {stop}; {self.known} are written")
        self.data[place] = value
        self.known = max(self.known, stop)


def _bounds(place: Any) -> tuple[int, int]:
    if isinstance(place, slice):
        return place.start, place.stop
    return place, place + 1


def compare(given: bytes) -> None:
    """Let the decoder and the reference decode the same bytes."""
    size, block = from_input(given)
    target: Any = Target(size + SLACK)
    source: Any = Source(bytes(START) + block)
    is_valid = decode_lz4(source, START, START + len(block), target, size)
    expected = decode(block, size)
    if is_valid != (expected is not None):
        raise AssertionError(f"accepted: {is_valid}, by the reference: {not is_valid}")
    if is_valid and target.data[:size] != expected:
        raise AssertionError("accepted, but decoded to other bytes")
    if decode_plainly(block, size) != expected:
        raise AssertionError("the judges do not agree")


if __name__ == "__main__":
    atheris.Setup(sys.argv, compare)
    atheris.Fuzz()
