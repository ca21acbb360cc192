"""
The sparse matrix of a geometry, as pyFAI makes it, cut into tiles of pixels.

Which part of which pixel belongs to which bin, and by what the sums are divided, is pyFAI's
to say. Only the order of the elements is ours: tile by tile, and within a tile bin by bin.
"""

import hashlib
import json
import os
import shutil
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.integrator import FrameIntegrator

MAX_BINS = 8192  # sums of eight frames stay in the cache up to here
LAYOUT = 3  # of the files; raise it when they change
_MOST_KEPT = 24  # geometries, of 20 to 200 MB each
_CHECKSUM = "crc32"  # of the files, in a file of its own


@dataclass(frozen=True)
class TiledMatrix:
    """
    A sparse matrix in tiles, and what belongs to it.

    Attributes
    ----------
    limits : ndarray of int64 of shape (n_tiles + 1,)
        First row of each tile, and one more.
    starts : ndarray of int32 of shape (n_rows + 1,)
        First element of each row: one bin within one tile.
    bins : ndarray of int32 of shape (n_rows,)
        To which bin a row adds.
    places : ndarray of uint16 of shape (n_elements,)
        Pixel of an element, counted from the first of its tile.
    weights, squares : ndarray of float32 of shape (n_elements,)
        Part c of the pixel in the bin, and c^2.
    normalisation : ndarray of float64 of shape (bins,)
        Sum of c times solid angle and polarisation; a bin without is never reached.
    ignored : ndarray of uint8 of shape (n_pixels / 8,)
        A bit for each pixel that is in no bin, the first pixel in the lowest bit.
    radial : ndarray of float64 of shape (bins,)
        Centres of the bins, in the unit of the radial axis.
    """

    limits: NDArray[np.int64]
    starts: NDArray[np.int32]
    bins: NDArray[np.int32]
    places: NDArray[np.uint16]
    weights: NDArray[np.float32]
    squares: NDArray[np.float32]
    normalisation: NDArray[np.float64]
    ignored: NDArray[np.uint8]
    radial: NDArray[np.float64]


_NAMES = tuple(f"{field.name}.npy" for field in fields(TiledMatrix))


def find_matrix(integrator: FrameIntegrator, cache: Path | None = None) -> TiledMatrix | None:
    """
    Return the matrix of a geometry, from the cache if it was made before.

    Parameters
    ----------
    integrator : FrameIntegrator
        Geometry, mask and choices.
    cache : Path, optional
        Folder in which matrices are kept, by a digest of all that decides about them.

    Returns
    -------
    TiledMatrix or None
        None if there are too many bins for sums that stay in the cache.
    """
    if integrator.choices.bins > MAX_BINS:
        return None
    if cache is None:
        return _make(integrator)
    home = cache / "matrices"
    kept = home / _name(integrator)
    if (found := _load(kept)) is None:
        found = _make(integrator)
        _keep(found, kept)
        _forget_oldest(home)
    return found


def _make(integrator: FrameIntegrator) -> TiledMatrix:
    # Compiled code takes half a second to import.
    from processing.science.kernels.fused import TILE  # noqa: PLC0415 - as said

    weights, pixels, starts, normalisation = integrator.sparse_matrix()
    n_bins, n_pixels = len(starts) - 1, integrator.frame_shape[0] * integrator.frame_shape[1]
    bins = np.repeat(np.arange(n_bins, dtype=np.int64), np.diff(starts))
    rows = (pixels // TILE).astype(np.int64) * n_bins + bins
    order = np.argsort(rows, kind="stable")
    rows, pixels, weights = rows[order], pixels[order], weights[order]
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    n_tiles = -(-n_pixels // TILE)
    is_ignored = np.ones(n_pixels, bool)
    is_ignored[pixels] = False
    return TiledMatrix(
        limits=np.searchsorted(rows[first] // n_bins, np.arange(n_tiles + 1)),
        starts=np.append(first, len(rows)).astype(np.int32),
        bins=(rows[first] % n_bins).astype(np.int32),
        places=(pixels % TILE).astype(np.uint16),
        weights=weights,
        squares=weights * weights,
        normalisation=normalisation,
        ignored=np.packbits(is_ignored, bitorder="little"),
        radial=integrator.radial,
    )


def _name(integrator: FrameIntegrator) -> str:
    """Return a digest of all that decides about the matrix."""
    # Compiled code takes half a second to import.
    from processing.science.kernels.fused import TILE  # noqa: PLC0415 - as said

    mask = b"" if integrator.mask is None else np.packbits(integrator.mask != 0).tobytes()
    decides = {
        "poni": integrator.poni.text,
        "orientation": integrator.orientation,
        "shape": integrator.frame_shape,
        "mask": hashlib.sha256(mask).hexdigest(),
        "choices": asdict(integrator.choices),
        "pyFAI": version("pyFAI"),
        "numpy": version("numpy"),
        "layout": LAYOUT,
        "tile": TILE,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _load(kept: Path) -> TiledMatrix | None:
    try:
        if (kept / _CHECKSUM).read_text() != checksum_of(kept):
            return None  # places out of bounds would end the process
        parts = {name: np.load(kept / name, allow_pickle=False) for name in _NAMES}
        os.utime(kept)  # so that it is not the oldest
    except (OSError, ValueError):
        return None  # not kept, or not whole
    return TiledMatrix(**{name.removesuffix(".npy"): part for name, part in parts.items()})


def _keep(matrix: TiledMatrix, kept: Path) -> None:
    """Write it under its name at once, or not at all: others may be reading."""
    # Another process may be first, or the disk full or not ours: it is only a cache.
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=kept.parent, prefix="part-") as folder:
            whole = Path(folder) / "whole"
            whole.mkdir()
            for name, array in zip(_NAMES, vars(matrix).values(), strict=True):
                np.save(whole / name, array)
            (whole / _CHECKSUM).write_text(checksum_of(whole))
            shutil.rmtree(kept, ignore_errors=True)  # spoilt, else it would have been loaded
            whole.rename(kept)


def checksum_of(kept: Path) -> str:
    """
    Return what tells whether the files of a matrix are those that were written.

    Parameters
    ----------
    kept : Path
        Their folder, whose file ``crc32`` states it.

    Returns
    -------
    str
        CRC-32 of their bytes one after the other, eight digits.

    Raises
    ------
    OSError
        If one is not there.
    """
    total = 0
    for name in _NAMES:
        total = zlib.crc32((kept / name).read_bytes(), total)
    return f"{total:08x}"


def _forget_oldest(home: Path) -> None:
    with suppress(OSError):  # another process forgets the same
        kept = sorted(home.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for one in kept[_MOST_KEPT:]:
            shutil.rmtree(one, ignore_errors=True)
