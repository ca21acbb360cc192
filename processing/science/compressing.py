"""
Compress chunks as HDF5's bitshuffle + LZ4 filter does, but beside HDF5 and its lock.

The filter's own C code is called, from the plugin that ``hdf5plugin`` brings; it holds no lock
of the interpreter, so threads compress side by side. That function is no public interface:
before the first use a chunk is taken there and back, and if that fails HDF5 itself compresses,
with equal answers and one thread at a time.
"""

import ctypes
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from processing.science.scratch import Scratch

FILTER: dict[str, Any] = dict(hdf5plugin.Bitshuffle(cname="lz4"))  # for create_dataset
_HEADER_BYTES = 12  # bytes uncompressed, u8, and bytes of a block, u4; big-endian
_scratch = Scratch()
_PROBE = np.arange(5_003, dtype=np.int16).reshape(1, -1)  # no multiple of 8, several blocks


def compress(values: NDArray[Any]) -> bytes:
    """
    Compress one chunk for ``write_direct_chunk`` of a dataset with ``FILTER``.

    Parameters
    ----------
    values : ndarray
        Of any type of 1, 2, 4 or 8 bytes; the whole chunk.

    Returns
    -------
    bytes
        With the header of 12 bytes.
    """
    values = np.ascontiguousarray(values)
    return _compress_by_plugin(values) if plugin_works() else compress_by_hdf5(values)


def _compress_by_plugin(values: NDArray[Any]) -> bytes:
    plugin = _plugin()
    size = values.dtype.itemsize
    block = plugin.bshuf_default_block_size(size)
    most = _HEADER_BYTES + plugin.bshuf_compress_lz4_bound(values.size, size, block)
    room = _scratch.take("compressed", (most,), np.uint8)
    body = room.ctypes.data + _HEADER_BYTES
    length = plugin.bshuf_compress_lz4(values.ctypes.data, body, values.size, size, block)
    if length < 0:
        raise MemoryError(f"bitshuffle could not compress {values.nbytes} bytes ({length}).")
    header = values.nbytes.to_bytes(8, "big") + (block * size).to_bytes(4, "big")
    room[:_HEADER_BYTES] = np.frombuffer(header, np.uint8)
    return room[: _HEADER_BYTES + length].tobytes()


def compress_by_hdf5(values: NDArray[Any]) -> bytes:
    """
    Compress one chunk in a file that exists in memory only, under HDF5's lock.

    Parameters
    ----------
    values : ndarray
        The whole chunk.

    Returns
    -------
    bytes
        The same as of ``compress``.
    """
    with h5py.File(BytesIO(), "w") as file:
        written = file.create_dataset("chunk", data=values, chunks=values.shape, **FILTER)
        return bytes(written.id.read_direct_chunk((0,) * values.ndim)[1])


@cache
def _plugin() -> Any:
    plugin = ctypes.CDLL(str(Path(hdf5plugin.PLUGIN_PATH) / "libh5bshuf.so"))
    size = ctypes.c_size_t
    plugin.bshuf_default_block_size.restype = size
    plugin.bshuf_default_block_size.argtypes = (size,)
    plugin.bshuf_compress_lz4_bound.restype = size
    plugin.bshuf_compress_lz4_bound.argtypes = (size, size, size)
    plugin.bshuf_compress_lz4.restype = ctypes.c_int64
    plugin.bshuf_compress_lz4.argtypes = (ctypes.c_void_p, ctypes.c_void_p, size, size, size)
    return plugin


@cache
def plugin_works() -> bool:
    """Take a chunk there and back, once, to see that the function is what we take it for."""
    try:
        packed = _compress_by_plugin(_PROBE)
    except (OSError, AttributeError, MemoryError):
        return False
    with h5py.File(BytesIO(), "w") as file:
        written = file.create_dataset("chunk", _PROBE.shape, _PROBE.dtype, chunks=_PROBE.shape,
                                      **FILTER)  # fmt: skip
        written.id.write_direct_chunk((0, 0), packed)
        return bool((written[()] == _PROBE).all())
