"""
Undo bitshuffle: from bit planes to the bytes of pixels.

A block of m elements of s bytes is 8 s planes of m / 8 bytes. Plane 8 l + k holds bit k of
byte l of every element; element 8 i + j is bit j of the plane's byte i.

Indices are unsigned: numba would look for negative ones, and spoil the loops.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

_SEVEN, _FOURTEEN, _TWENTY_EIGHT = np.uint64(7), np.uint64(14), np.uint64(28)
_MASK_7, _MASK_14, _MASK_28 = (
    np.uint64(0x00AA00AA00AA00AA),
    np.uint64(0x0000CCCC0000CCCC),
    np.uint64(0x00000000F0F0F0F0),
)


@kernel
def gather_bytes(
    planes: NDArray[Any], first: int, width: int, words: NDArray[Any], start: int
) -> None:
    """
    Turn the eight planes of one byte into that byte of every element.

    Eight bits of eight elements are a matrix of 8 x 8 bits, transposed by three swaps.

    Parameters
    ----------
    planes : ndarray of uint8
        Decoded block; the byte's planes begin at ``first``.
    first, width : int
        Where they begin, and the bytes of a plane.
    words : ndarray of uint64
        Takes eight elements a word, from ``start`` on: element 8 i + j is byte j of word i.
    start : int
        See ``words``.
    """
    step, begin = np.uint64(width), np.uint64(start)
    plane_0 = np.uint64(first)
    plane_1 = plane_0 + step
    plane_2 = plane_1 + step
    plane_3 = plane_2 + step
    plane_4 = plane_3 + step
    plane_5 = plane_4 + step
    plane_6 = plane_5 + step
    plane_7 = plane_6 + step
    for i in range(step):
        word = (
            np.uint64(planes[plane_0 + i])
            | np.uint64(planes[plane_1 + i]) << np.uint64(8)
            | np.uint64(planes[plane_2 + i]) << np.uint64(16)
            | np.uint64(planes[plane_3 + i]) << np.uint64(24)
            | np.uint64(planes[plane_4 + i]) << np.uint64(32)
            | np.uint64(planes[plane_5 + i]) << np.uint64(40)
            | np.uint64(planes[plane_6 + i]) << np.uint64(48)
            | np.uint64(planes[plane_7 + i]) << np.uint64(56)
        )
        swap = (word ^ (word >> _SEVEN)) & _MASK_7
        word = word ^ swap ^ (swap << _SEVEN)
        swap = (word ^ (word >> _FOURTEEN)) & _MASK_14
        word = word ^ swap ^ (swap << _FOURTEEN)
        swap = (word ^ (word >> _TWENTY_EIGHT)) & _MASK_28
        words[begin + i] = word ^ swap ^ (swap << _TWENTY_EIGHT)


@kernel
def find_markers(
    planes: NDArray[Any], n_planes: int, width: int, is_signed: bool, marks: NDArray[Any]
) -> None:
    """
    Mark the elements that hold no count: the largest number of the type, or below 0.

    Parameters
    ----------
    planes : ndarray of uint8
        Decoded block of ``n_planes`` planes of ``width`` bytes.
    n_planes, width : int
        See ``planes``.
    is_signed : bool
        Whether the last plane is the sign.
    marks : ndarray of uint8 of shape (width,)
        Takes a bit per element, in the order of the planes.
    """
    step = np.uint64(width)
    top = np.uint64(n_planes - 1) * step
    lowest = top if is_signed else top + step
    for i in range(step):
        marks[i] = 255
    at = lowest
    while at > np.uint64(0):
        at -= step
        found = np.uint8(0)
        for i in range(step):
            marks[i] &= planes[at + i]
            found |= marks[i]
        if not found:
            break  # as it is in most blocks after the first plane
    if is_signed:
        for i in range(step):
            marks[i] |= planes[top + i]


@kernel
def any_unmarked(
    planes: NDArray[Any], first: int, n_planes: int, width: int, marks: NDArray[Any]
) -> bool:
    """Tell whether planes, eight at a time, have a bit where no element is marked."""
    step, plane_0 = np.uint64(width), np.uint64(first)
    for _ in range(n_planes // 8):
        plane_1 = plane_0 + step
        plane_2 = plane_1 + step
        plane_3 = plane_2 + step
        plane_4 = plane_3 + step
        plane_5 = plane_4 + step
        plane_6 = plane_5 + step
        plane_7 = plane_6 + step
        found = np.uint8(0)
        for i in range(step):
            found |= (
                planes[plane_0 + i]
                | planes[plane_1 + i]
                | planes[plane_2 + i]
                | planes[plane_3 + i]
                | planes[plane_4 + i]
                | planes[plane_5 + i]
                | planes[plane_6 + i]
                | planes[plane_7 + i]
            ) & ~marks[i]
        if found:
            return True
        plane_0 = plane_7 + step
    return False
