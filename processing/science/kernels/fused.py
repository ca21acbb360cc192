"""
From compressed chunks straight into sums: eight frames, tile by tile.

A tile of pixels is decoded for eight frames and summed while it lies in the cache, so no
frame is ever written to memory. A frame that turns out damaged stops there, and its lane is
worthless from then on; the other seven go on as if nothing had happened.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.bits import any_unmarked, find_markers, gather_bytes
from processing.science.kernels.compiling import kernel
from processing.science.kernels.lanes import LANES, spread, spread_more
from processing.science.kernels.lz4 import decode_lz4
from processing.science.kernels.sums import sum_tile

TILE = 8192
"""Pixels of a tile: eight frames of them fill a quarter of a second-level cache."""

HEADER = 12
OK, DAMAGED, MARKED, EMPTY = 0, 1, 2, 3
_LENGTH = 4  # bytes before each block
_OCTET = 8
_FEW = 3  # frames with high counts in a block, up to which they are added one by one


@kernel
def check_header(chunk: NDArray[Any], size: int, n_bytes: int, block_bytes: int) -> bool:
    """Tell whether a chunk begins as the bitshuffle filter writes it, for this frame."""
    if size < HEADER:
        return False
    total, block = np.uint64(0), np.uint64(0)
    for i in range(8):
        total = total << np.uint64(8) | np.uint64(chunk[i])
    for i in range(8, HEADER):
        block = block << np.uint64(8) | np.uint64(chunk[i])
    return total == np.uint64(n_bytes) and block == np.uint64(block_bytes)


@kernel
def open_block(
    chunk: NDArray[Any], position: int, size: int, target: NDArray[Any], n_bytes: int
) -> int:
    """
    Decode the block at a position; return where the next begins, -1 if it is damaged.

    Parameters
    ----------
    chunk : ndarray of uint8
        At least ``size`` bytes.
    position, size : int
        Where the block's length stands, and where the chunk ends.
    target : ndarray of uint8
        Takes ``n_bytes``, and needs room for ``lz4.SLACK`` more.
    n_bytes : int
        Of the block, decoded.
    """
    start = position + _LENGTH
    if start > size:
        return -1
    length = (
        np.int64(chunk[position]) << 24
        | np.int64(chunk[position + 1]) << 16
        | np.int64(chunk[position + 2]) << 8
        | np.int64(chunk[position + 3])
    )
    if length > size - start:
        return -1
    if not decode_lz4(chunk, start, start + length, target, n_bytes):
        return -1
    return start + length


@kernel
def reduce_eight(
    chunks: NDArray[Any],
    sizes: NDArray[Any],
    layout: Any,
    matrix: Any,
    scratch: Any,
    signal: NDArray[Any],
    variance: NDArray[Any],
    states: NDArray[Any],
) -> None:
    """
    Sum eight compressed frames into bins.

    Parameters
    ----------
    chunks : ndarray of uint8 of shape (8, longest)
        A chunk of bitshuffle+LZ4 in each row.
    sizes : ndarray of int64 of shape (8,)
        Bytes of each chunk.
    layout : tuple
        Pixels of a frame, bytes of a pixel, whether it is signed, pixels of a block (which
        divides the tile), and the ``ignored`` pixels as bits, the first the lowest.
    matrix : tuple of ndarray
        First row of each tile and one more, then what ``sum_tile`` takes.
    scratch : tuple of ndarray
        ``planes`` u1 of (8, block bytes + slack), ``words`` u8 of (8 x octets of a block),
        ``marks`` u1 of (octets of a block), ``pixels`` f4 of (tile, 8).
    signal, variance : ndarray of float64 of shape (bins, 8)
        Zeroed here; take S and V of ``sum_tile``.
    states : ndarray of uint8 of shape (8,)
        OK; DAMAGED if it cannot be decoded; MARKED if a pixel that takes part holds no
        count; EMPTY if no pixel is above 0. Sums of other than OK mean nothing.
    """
    n_pixels, itemsize, is_signed, block, ignored = layout
    limits, starts, bins, places, weights, squares = matrix
    planes, words, marks, pixels = scratch
    positions = np.full(LANES, HEADER, np.int64)
    signal[:] = 0.0
    variance[:] = 0.0
    for frame in range(LANES):
        is_ours = check_header(chunks[frame], sizes[frame], n_pixels * itemsize, block * itemsize)
        states[frame] = EMPTY if is_ours else DAMAGED
    whole = n_pixels - n_pixels % _OCTET
    rows = (starts, bins, places, weights, squares)
    for tile in range(len(limits) - 1):
        first = tile * TILE
        for start in range(first, min(first + TILE, whole), block):
            n = min(block, whole - start)
            _decode_eight(chunks, sizes, positions, (n, itemsize), planes, states)
            kept_out = ignored[start // _OCTET : (start + n) // _OCTET]
            _judge_eight(planes, (n, itemsize, is_signed), kept_out, marks, states)
            _spread_eight(planes, (n, itemsize), kept_out, words, pixels, start - first)
        if first + TILE > whole and whole < n_pixels:
            _take_rest(chunks, sizes, positions, layout, pixels, first, states)
        sum_tile(pixels, rows, limits[tile], limits[tile + 1], signal, variance)
    for frame in range(LANES):
        if states[frame] != DAMAGED and positions[frame] != sizes[frame]:
            states[frame] = DAMAGED


@kernel
def _decode_eight(
    chunks: NDArray[Any],
    sizes: NDArray[Any],
    positions: NDArray[Any],
    shape: Any,
    planes: NDArray[Any],
    states: NDArray[Any],
) -> None:
    n, itemsize = shape
    for frame in range(LANES):
        if states[frame] == DAMAGED:
            continue
        after = open_block(
            chunks[frame], positions[frame], sizes[frame], planes[frame], n * itemsize
        )
        if after < 0:
            states[frame] = DAMAGED
        else:
            positions[frame] = after


@kernel
def _judge_eight(
    planes: NDArray[Any],
    shape: Any,
    ignored: NDArray[Any],
    marks: NDArray[Any],
    states: NDArray[Any],
) -> None:
    """Find pixels without a count in a block of each frame, and whether any is above 0."""
    n, itemsize, is_signed = shape
    width = n // _OCTET
    top = (8 * itemsize - 1) * width
    for frame in range(LANES):
        if states[frame] == DAMAGED:
            continue
        # A marker has the highest bit, or, of signed types, the one below: it is rarely seen
        # where it counts.
        if _any_bit(planes[frame], top, width, ignored) or (
            is_signed and _any_bit(planes[frame], top - width, width, ignored)
        ):
            find_markers(planes[frame], 8 * itemsize, width, is_signed, marks)
            if _any_bit(marks, 0, width, ignored):
                states[frame] = MARKED
        if states[frame] == EMPTY:
            find_markers(planes[frame], 8 * itemsize, width, is_signed, marks)
            if any_unmarked(planes[frame], 0, 8 * itemsize, width, marks):
                states[frame] = OK


@kernel
def _any_bit(plane: NDArray[Any], first: int, width: int, ignored: NDArray[Any]) -> bool:
    """Tell whether a plane has a bit where no pixel is ignored."""
    start, found = np.uint64(first), np.uint8(0)
    for i in range(np.uint64(width)):
        found |= plane[start + i] & ~ignored[i]
    return found != 0


@kernel
def _spread_eight(
    planes: NDArray[Any],
    shape: Any,
    ignored: NDArray[Any],
    words: NDArray[Any],
    pixels: NDArray[Any],
    row: int,
) -> None:
    """Turn a block of each frame into counts, frames side by side; high bytes are rare."""
    n, itemsize = shape
    width = n // _OCTET
    for frame in range(LANES):
        gather_bytes(planes[frame], 0, width, words, frame * width)
    for octet in range(width):
        spread(words, octet, width, pixels, row + _OCTET * octet)
    scale = np.float32(1.0)
    for byte in range(1, itemsize):
        scale *= np.float32(256.0)
        _spread_high(planes, (8 * byte * width, width), ignored, words, (pixels, row), scale)


@kernel
def _spread_high(
    planes: NDArray[Any],
    part: Any,
    ignored: NDArray[Any],
    words: NDArray[Any],
    into: Any,
    scale: Any,
) -> None:
    """Add a higher byte to the counts of the frames that have any: most have none."""
    first, width = part
    pixels, row = into
    high, n_high = 0, 0
    for frame in range(LANES):
        if any_unmarked(planes[frame], first, 8, width, ignored):
            high |= 1 << frame
            n_high += 1
    if n_high > _FEW:
        for frame in range(LANES):
            gather_bytes(planes[frame], first, width, words, frame * width)
        for octet in range(width):
            spread_more(words, octet, width, pixels, row + _OCTET * octet, scale)
    elif n_high:
        for frame in range(LANES):
            if high >> frame & 1:
                gather_bytes(planes[frame], first, width, words, 0)
                _add_high(words, width, pixels, (row, frame), scale)


@kernel
def _add_high(
    words: NDArray[Any], width: int, pixels: NDArray[Any], corner: Any, scale: Any
) -> None:
    """Add a higher byte of the pixels of one frame, of which most are 0."""
    row, frame = corner
    for octet in range(np.uint64(width)):
        word = words[octet]
        at = np.uint64(row) + np.uint64(_OCTET) * octet
        while word:
            value = word & np.uint64(255)
            if value:
                pixels[at, frame] += scale * np.float32(value)
            word >>= np.uint64(8)
            at += np.uint64(1)


@kernel
def _take_rest(
    chunks: NDArray[Any],
    sizes: NDArray[Any],
    positions: NDArray[Any],
    layout: Any,
    pixels: NDArray[Any],
    first: int,
    states: NDArray[Any],
) -> None:
    """Take the last pixels, fewer than eight, which lie as they are at the end."""
    n_pixels, itemsize, is_signed, _, ignored = layout
    rest = n_pixels % _OCTET
    start = n_pixels - rest
    largest = np.uint64(2) ** np.uint64(8 * itemsize) - np.uint64(1)
    for frame in range(LANES):
        at = positions[frame]
        if states[frame] == DAMAGED or at + rest * itemsize > sizes[frame]:
            states[frame] = DAMAGED
            continue
        for i in range(rest):
            value = np.uint64(0)
            for byte in range(itemsize - 1, -1, -1):
                value = value << np.uint64(8) | np.uint64(chunks[frame, at + i * itemsize + byte])
            is_ignored = ignored[start // _OCTET] >> np.uint8(i) & np.uint8(1)
            is_marked = value >= largest >> np.uint64(1) if is_signed else value == largest
            if is_marked:
                if not is_ignored:
                    states[frame] = MARKED
                value = np.uint64(0)
            elif value and states[frame] == EMPTY:
                states[frame] = OK
            pixels[start - first + i, frame] = np.float32(value)
        positions[frame] = at + rest * itemsize
