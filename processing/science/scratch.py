"""Memory that a thread uses again: to be given fresh pages takes as long as to fill them."""

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch(threading.local):
    """Arrays by name, of each thread its own; they last as long as the thread."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.uint8]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """
        Return an array with anything in it.

        Parameters
        ----------
        name : str
            What was taken by this name before is overwritten.
        shape : tuple of int
            Of the array.
        dtype : data type
            Of its numbers.

        Returns
        -------
        ndarray
            C-contiguous.
        """
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if name not in self._held or len(self._held[name]) < size:
            self._held[name] = np.empty(size, np.uint8)
        return self._held[name][:size].view(dtype).reshape(shape)
