"""Have every kernel of a map compiled, so that the first map does not wait for it."""

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from processing.science.diffraction.matrix import TiledMatrix
from processing.science.nexus import NexusStack

_SIDE = 8  # pixels of a frame
_TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8")  # of decoded frames


def compile_kernels(folder: Path) -> None:
    """
    Sum up tiny frames, compressed and decoded, of every type that detectors write.

    Parameters
    ----------
    folder : Path
        An empty one, for a small file.
    """
    # Compiled code takes half a second to import.
    from processing.science.diffraction.blocks import reduce_frames  # noqa: PLC0415 - as said
    from processing.science.diffraction.chunks import find_chunks  # noqa: PLC0415 - as said
    from processing.science.diffraction.fused import reduce_chunks  # noqa: PLC0415 - as said

    matrix = _single_bin()
    frames = np.ones((1, _SIDE, _SIDE))
    for kind in _TYPES:
        reduce_frames(frames.astype(kind), matrix)
    path = folder / "frames.h5"
    with h5py.File(path, "w") as file:
        compressed = hdf5plugin.Bitshuffle(cname="lz4")
        file.create_dataset("frames", data=frames.astype("u4"), chunks=frames.shape, **compressed)
    stack = NexusStack((path,))
    try:
        if chunks := find_chunks(stack):
            reduce_chunks(chunks, range(len(frames)), matrix)
    finally:
        stack.close()


def _single_bin() -> TiledMatrix:
    """All pixels in one bin, in arrays of the types that a geometry has."""
    pixels = _SIDE**2
    weights = np.ones(pixels, np.float32)
    return TiledMatrix(
        limits=np.array([0, 1], np.int64),
        starts=np.array([0, pixels], np.int32),
        bins=np.zeros(1, np.int32),
        places=np.arange(pixels, dtype=np.uint16),
        weights=weights,
        squares=weights,
        normalisation=np.array([float(pixels)]),
        ignored=np.zeros(pixels // 8, np.uint8),
    )
