"""
LZ4 blocks: the reference library, which hdf5plugin brings, and a plain decoder of the format.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hdf5plugin


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(hdf5plugin.PLUGIN_PATH) / "libh5bshuf.so"))


def compress(data: bytes) -> bytes:
    """Return a block of the reference encoder."""
    room = _library().LZ4_compressBound(len(data))
    block = ctypes.create_string_buffer(room)
    length = _library().LZ4_compress_default(data, block, len(data), room)
    return block.raw[:length]


def decode_by_reference(block: bytes, size: int) -> bytes | None:
    """Return what the reference decoder makes of a block; None unless it is of that size."""
    data = ctypes.create_string_buffer(size)
    came = _library().LZ4_decompress_safe(block, data, len(block), size)
    return data.raw if came == size else None


def find_size(block: bytes, most: int) -> int:
    """Return how many bytes a block gives by the reference; ``most`` if it is damaged."""
    data = ctypes.create_string_buffer(most)
    came: int = _library().LZ4_decompress_safe(block, data, len(block), most)
    return came if came > 0 else most


def decode(block: bytes, size: int) -> bytes | None:
    """
    Return what a block holds; None if it is not valid.

    The judge is the reference decoder, but where it takes what the format forbids: it invents
    zeros for an offset of 0, and on a short cut does not look how near the end it is.
    """
    data = decode_by_reference(block, size)
    return None if data is None or _breaks_a_rule(block, size) else data


def _breaks_a_rule(block: bytes, size: int) -> bool:
    """Tell whether a match is forbidden that ends within ``size`` bytes all the same."""
    return any(
        match.offset == 0 or match.begin > size - 12 or match.begin + match.length > size - 5
        for match in find_matches(block)
    )


@dataclass(frozen=True)
class Match:
    """A match: where its offset stands in the block, and where it begins in the output."""

    place: int
    offset: int
    begin: int
    length: int


def find_matches(block: bytes) -> Iterator[Match]:
    """Yield the matches of a block, as far as it goes."""
    at = out = 0
    while at < len(block):
        token = block[at]
        n, at = _length(block, token >> 4, at + 1)
        at, out = at + n, out + n
        if at + 2 > len(block):
            return
        n, after = _length(block, token & 15, at + 2)
        yield Match(at, block[at] | block[at + 1] << 8, out, n + 4)
        at, out = after, out + n + 4


def decode_plainly(block: bytes, size: int) -> bytes | None:
    """Do the same as the format says it, without a thought for speed."""
    out, at = bytearray(), 0
    while at < len(block):
        token = block[at]
        n, at = _length(block, token >> 4, at + 1)
        literals, at = block[at : at + n], at + n
        out += literals
        if len(literals) < n or len(out) > size:
            return None
        if len(out) > size - 12 or at > len(block) - 8:
            return bytes(out) if len(out) == size and at == len(block) else None
        offset, at = block[at] | block[at + 1] << 8, at + 2
        n, at = _length(block, token & 15, at)
        if not 0 < offset <= len(out) or len(out) + n + 4 > size - 5:
            return None
        for _ in range(n + 4):
            out.append(out[-offset])
    return None


def _length(block: bytes, n: int, at: int) -> tuple[int, int]:
    if n < 15:
        return n, at
    while at < len(block):
        n, at = n + block[at], at + 1
        if block[at - 1] < 255:
            return n, at
    return 2**62, at  # it has no end
