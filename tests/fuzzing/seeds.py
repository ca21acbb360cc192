"""Valid blocks to begin with: every path of the decoder is taken by one of them."""

from collections.abc import Iterator

import numpy as np

from tests.makers.lz4 import compress, find_size

MOST = 1024
"""Largest block that is tried, decoded: it crosses every limit within the decoder."""

SHORT_CUT = b"\xee" + bytes(range(1, 15)) + b"\x0e\0"
"""Literals and a match on which the reference decoder looks at no rule for the end."""

_HEAD = 2


def as_input(size: int, block: bytes) -> bytes:
    """Return an input of the fuzzer: the size that a block is said to have, and the block."""
    return (size - 1).to_bytes(_HEAD, "little") + block


def from_input(given: bytes) -> tuple[int, bytes]:
    """
    Return size and block of any bytes at all.

    With the highest bit of its head an input leaves the size to the reference decoder: most
    changed blocks would else be refused for it alone.
    """
    head, block = int.from_bytes(given[:_HEAD], "little"), given[_HEAD:]
    size = find_size(block, MOST) if head >> 15 else head % MOST + 1
    return size, block


def seeds() -> Iterator[bytes]:
    random = np.random.default_rng(5)
    for period in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 200):
        pattern = random.integers(0, 256, period, np.uint8).tobytes()
        yield from _of((pattern * MOST)[:MOST])
    for share in (0.0, 0.02, 0.1, 0.5, 1.0):  # of bytes that are not 0, as in bit planes
        noise = random.integers(0, 256, MOST) * (random.random(MOST) < share)
        yield from _of(noise.astype(np.uint8).tobytes())
    for literals in range(8):  # fewer than five at the end are forbidden, and yet taken by some
        end = bytes([literals << 4]) + b"x" * literals
        yield as_input(32 + literals, SHORT_CUT + end)


def _of(data: bytes) -> Iterator[bytes]:
    for size in (1, 5, 13, 16, 64, 300, len(data)):
        block = compress(data[:size])
        yield as_input(size, block)
        yield as_input(2**15 + 1, block)
