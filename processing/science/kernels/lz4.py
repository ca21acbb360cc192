"""
Decode one LZ4 block, trusting none of its bytes.

The format is a sequence of: a token, literals, and a match in what was written before.
Every length and offset is checked before it is used, and the end of a block by the rules
of the format. Whatever is taken the reference decoder takes, too, and gives the same bytes;
beyond that it takes offsets of 0, and on a short cut matches that reach into the last bytes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel
from processing.science.kernels.lanes import copy_sixteen

SLACK = 64
"""Bytes behind the output that moves of sixteen may spoil."""

_WIDE = 32  # bytes of input that must be left for a move of sixteen
_LAST_LITERALS = 5  # the format ends every block with so many
_LAST_MATCH = 12  # no match begins nearer to the end of the output
_LAST_INPUT = 8  # what a match and the literals after it take at least
_SHORTEST = 4  # match
_GOES_ON = 15  # as a length: bytes follow that add to it


@kernel
def decode_lz4(source: NDArray[Any], start: int, end: int, target: NDArray[Any], size: int) -> bool:
    """
    Decode ``source[start:end]`` into ``target[:size]``.

    Parameters
    ----------
    source : ndarray of uint8
        Holds the block; ``0 <= start <= end <= len(source)`` is the caller's promise.
    start, end : int
        Where the block lies.
    target : ndarray of uint8
        At least ``size + SLACK`` bytes.
    size : int
        Bytes that the block must give.

    Returns
    -------
    bool
        Whether it was a block of exactly that size; else the target is spoilt.
    """
    s, o = start, 0
    while s < end:
        token = np.int64(source[s])
        s, n = s + 1, token >> 4
        if n == _GOES_ON:
            s, n = _read_length(source, s, end, size)
        if n < 0 or n > end - s or n > size - o:
            return False
        if n <= 16 and end - s >= _WIDE:  # as most are
            copy_sixteen(target, o, source, s)
        else:
            _copy_literals(source, s, end, target, o, n)
        s += n
        o += n
        if o > size - _LAST_MATCH or s > end - _LAST_INPUT:
            return s == end and o == size
        offset = np.int64(source[s]) | np.int64(source[s + 1]) << 8
        if offset == 0 or offset > o:
            return False
        s, n = s + 2, token & 15
        if n == _GOES_ON:
            s, n = _read_length(source, s, end, size)
        if n < 0 or n + _SHORTEST > size - o - _LAST_LITERALS:
            return False
        _copy_match(target, o, offset, n + _SHORTEST)
        o += n + _SHORTEST
    return False


@kernel
def _read_length(source: NDArray[Any], s: int, end: int, most: int) -> Any:
    """Return where a long length ends, and the length; -1 if it has no end or is too much."""
    n, more = np.int64(_GOES_ON), np.int64(255)
    while more == 255:
        if s >= end or n > most:
            return s, np.int64(-1)
        more = np.int64(source[s])
        s += 1
        n += more
    return s, n


@kernel
def _copy_literals(
    source: NDArray[Any], s: int, end: int, target: NDArray[Any], o: int, n: int
) -> None:
    """Copy bytes by sixteen, as long as the input surely has them, and else one by one."""
    done = 0
    while done < n and end - s - done >= _WIDE:
        copy_sixteen(target, o + done, source, s + done)
        done += 16
    while done < n:
        target[o + done] = source[s + done]
        done += 1


@kernel
def _copy_match(target: NDArray[Any], o: int, offset: int, length: int) -> None:
    """Repeat what lies ``offset`` bytes before ``o``; the two may overlap."""
    done = 0
    if offset < 16:
        # The first bytes one by one; after them the same lies a multiple further back.
        while done < 16:
            target[o + done] = target[o + done - offset]
            done += 1
        offset *= (15 + offset) // offset
    while done < length:
        copy_sixteen(target, o + done, target, o + done - offset)
        done += 16
