"""
Decode one LZ4 block, trusting none of its bytes.

The format is a sequence of: a token, literals, and a match in what was written before.
Every length and offset is checked before it is used, by the rules of the reference
decoder for the end of a block, so that the two accept the same blocks.
"""

from typing import Any

from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel
from processing.science.kernels.lanes import copy_sixteen

SLACK = 64
"""Bytes behind the output that moves of sixteen may spoil."""

_WIDE = 32  # bytes of input that must be left for a move of sixteen
_LAST_LITERALS = 5
_LAST_MATCH = 12  # no match begins nearer to the end of the output


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
        token = source[s]
        s += 1
        n = token >> 4
        if n == 15:
            more = 255
            while more == 255:
                if s >= end or n > size:
                    return False
                more = source[s]
                s += 1
                n += more
        if n > end - s or n > size - o:
            return False
        if n <= 16 and end - s >= _WIDE:
            copy_sixteen(target, o, source, s)
        else:
            done = 0
            while done < n and end - s - done >= _WIDE:
                copy_sixteen(target, o + done, source, s + done)
                done += 16
            while done < n:
                target[o + done] = source[s + done]
                done += 1
        s += n
        o += n
        if o > size - _LAST_MATCH or s > end - 8:
            return s == end and o == size
        offset = source[s] | (source[s + 1] << 8)
        s += 2
        if offset == 0 or offset > o:
            return False
        m = token & 15
        if m == 15:
            more = 255
            while more == 255:
                if s >= end or m > size:
                    return False
                more = source[s]
                s += 1
                m += more
        m += 4
        if m > size - o - _LAST_LITERALS:
            return False
        _copy_match(target, o, offset, m)
        o += m
    return False


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
