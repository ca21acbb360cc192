"""Chunks of bitshuffle and LZ4: as HDF5 writes them, and read with nothing but numpy."""

import math
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from tests.makers.lz4 import decode as decode_lz4

HEADER = 12
LENGTH = 4


def encode(pixels: NDArray[Any], block: int = 0) -> bytes:
    """Return the chunk that the filter of HDF5 makes of a frame."""
    flat = pixels.reshape(1, -1)
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        filters = hdf5plugin.Bitshuffle(nelems=block, cname="lz4")
        data = file.create_dataset("frame", data=flat, chunks=flat.shape, **filters)
        body: bytes = data.id.read_direct_chunk((0, 0))[1]
    return body


def decode_by_hdf5(chunk: bytes, pixels: int, dtype: str, block: int = 0) -> NDArray[Any]:
    """Return what the filter of HDF5 makes of a chunk; only for chunks that it has made."""
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        filters = hdf5plugin.Bitshuffle(nelems=block, cname="lz4")
        shape = (1, pixels)
        data = file.create_dataset("frame", shape, dtype, chunks=shape, **filters)
        data.id.write_direct_chunk((0, 0), chunk)
        frame: NDArray[Any] = data[0]
    return frame


def decode(chunk: bytes, pixels: int, dtype: str, block: int) -> NDArray[Any] | None:
    """Return the pixels of a chunk; None if it is not exactly what the filter writes."""
    kind = np.dtype(dtype)
    whole = pixels - pixels % 8
    header = (pixels * kind.itemsize).to_bytes(8, "big") + (block * kind.itemsize).to_bytes(
        4, "big"
    )
    if chunk[:HEADER] != header:
        return None
    parts, at = [], HEADER
    for first in range(0, whole, block):
        n = min(block, whole - first)
        length = int.from_bytes(chunk[at : at + LENGTH], "big")
        begin, at = at + LENGTH, at + LENGTH + length
        if at > len(chunk):
            return None
        planes = decode_lz4(chunk[begin:at], n * kind.itemsize)
        if planes is None:
            return None
        parts.append(unshuffle(np.frombuffer(planes, np.uint8), kind))
    if len(chunk) - at != (pixels - whole) * kind.itemsize:
        return None
    return np.concatenate([*parts, np.frombuffer(chunk[at:], kind)])


def unshuffle(planes: NDArray[np.uint8], kind: "np.dtype[Any]") -> NDArray[Any]:
    """Turn bit planes into elements: plane b holds bit b of each, in the machine's order."""
    bits = np.unpackbits(planes.reshape(8 * kind.itemsize, -1), axis=1, bitorder="little")
    octets = np.packbits(bits.T, axis=1, bitorder="little")
    return np.ascontiguousarray(octets).view(kind)[:, 0]


def shuffle(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn elements into bit planes, of shape (bits of an element, elements / 8)."""
    octets = pixels.view(np.uint8).reshape(len(pixels), -1)
    bits = np.unpackbits(octets, axis=1, bitorder="little").T
    return np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little"))


def block_places(chunk: bytes, pixels: int, block: int) -> list[tuple[int, int]]:
    """Return where each block of a valid chunk begins, behind its length, and where it ends."""
    places, at = [], HEADER
    for _ in range(math.ceil((pixels - pixels % 8) / block)):
        begin = at + LENGTH
        at = begin + int.from_bytes(chunk[at:begin], "big")
        places.append((begin, at))
    return places
