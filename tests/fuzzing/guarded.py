"""Memory between two pages that nobody may touch: a step beyond ends the process at once."""

import ctypes
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NO_ACCESS = 0
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Arena:
    """
    Bytes with a guard on either side.

    Parameters
    ----------
    most : int
        Bytes that are needed at most.
    """

    def __init__(self, most: int) -> None:
        room = -(-most // mmap.PAGESIZE) * mmap.PAGESIZE
        pages = mmap.mmap(-1, room + 2 * mmap.PAGESIZE)
        whole = np.frombuffer(pages, np.uint8)
        address = whole.ctypes.data
        for guard in (address, address + mmap.PAGESIZE + room):
            if _LIBC.mprotect(guard, mmap.PAGESIZE, _NO_ACCESS):
                raise OSError(ctypes.get_errno(), "a page cannot be guarded")
        self._between = whole[mmap.PAGESIZE : mmap.PAGESIZE + room]

    def first(self, size: int) -> NDArray[np.uint8]:
        """Return bytes that begin behind a guard."""
        return self._between[:size]

    def last(self, size: int) -> NDArray[np.uint8]:
        """Return bytes that end before a guard."""
        return self._between[len(self._between) - size :]


def guarded(like: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array that ends before a guard."""
    copy = Arena(like.nbytes).last(like.nbytes).view(like.dtype).reshape(like.shape)
    copy[...] = like
    return copy
