"""
Where the compressed frames of a scan lie, so that they can be read without HDF5.

HDF5 lets one thread read at a time; bytes at a known place can be read by all. Whoever
reads them trusts none: a file may be cut short after it was looked at.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.markers import has_counts
from processing.science.nexus import NexusStack

BITSHUFFLE = 32008
_LZ4 = 2  # as the filter numbers its compressors
_BLOCK_BYTES = 8192  # what the filter chooses if it may
_TYPES = {"|u1", "<u2", "<u4", "|i1", "<i2", "<i4"}
_ABSENT = -1  # 0 is the beginning of the file
_OCTET = 8


@dataclass(frozen=True)
class ChunkedFrames:
    """
    Compressed frames of one type, one chunk each.

    Attributes
    ----------
    files : tuple of Path
        That hold them.
    which : ndarray of int32 of shape (n_frames,)
        File of each frame.
    offsets, sizes : ndarray of int64 of shape (n_frames,)
        Where its bytes lie; the offset of a frame that was never written is -1, the size of
        one that only HDF5 can read, or fills with counts, is 0.
    n_pixels, itemsize, block : int
        Pixels of a frame, bytes of a pixel, pixels that are compressed together.
    is_signed : bool
        Whether pixels may be below 0.
    """

    files: tuple[Path, ...]
    which: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    n_pixels: int
    itemsize: int
    block: int
    is_signed: bool

    @contextmanager
    def opened(self) -> Iterator["ChunkReader"]:
        """Open the files for as long as the block lasts."""
        numbers: list[int] = []
        try:
            for path in self.files:
                numbers.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - closed even if the next fails
            yield ChunkReader(self, numbers)
        finally:
            for number in numbers:
                os.close(number)


class ChunkReader:
    """Reads chunks from open files; any number of threads may do so at once."""

    def __init__(self, frames: ChunkedFrames, descriptors: list[int]) -> None:
        self._frames = frames
        self._descriptors = descriptors

    def read(self, number: int, into: NDArray[np.uint8]) -> int:
        """
        Read the chunk of a frame.

        Nothing is mapped: a file that shrinks under a map ends the process.

        Parameters
        ----------
        number : int
            Of the frame.
        into : ndarray of uint8
            Takes the bytes, at least as many as its size.

        Returns
        -------
        int
            How many came: fewer than its size if the file was cut short, -1 for a frame
            that was never written.
        """
        frames = self._frames
        offset, size = int(frames.offsets[number]), int(frames.sizes[number])
        if offset < 0:
            return -1
        descriptor = self._descriptors[frames.which[number]]
        done = 0
        while done < size:
            try:
                came = os.preadv(descriptor, [into[done:size].data], offset + done)
            except OSError:
                break  # a bad disk is no better than a missing end
            if not came:
                break
            done += came
        return done


def find_chunks(stack: Any) -> ChunkedFrames | None:
    """
    Find the compressed frames of a scan, if all lie as our kernels read them.

    Parameters
    ----------
    stack : FrameStack
        Its files were judged before: all sources lie in the dataset.

    Returns
    -------
    ChunkedFrames or None
        None if any frame lies otherwise: as part of a chunk, compressed by another filter,
        of another type.
    """
    if not isinstance(stack, NexusStack):
        return None
    from processing.science.kernels.fused import TILE  # noqa: PLC0415 - compiled code takes half a second to import

    parts: list[_Part] = []
    for image in stack.images:
        found = _parts_of(image.data)
        if found is None:
            return None
        parts += found
    kinds = {(part.dtype, part.shape, part.block) for part in parts}
    if len(kinds) != 1:
        return None
    dtype, shape, block = kinds.pop()
    if TILE % block or block % _OCTET:
        return None
    files = tuple(dict.fromkeys(part.file for part in parts))
    return ChunkedFrames(
        files=files,
        which=np.concatenate([np.full(len(p.sizes), files.index(p.file), np.int32) for p in parts]),
        offsets=np.concatenate([part.offsets for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        n_pixels=shape[0] * shape[1],
        itemsize=np.dtype(dtype).itemsize,
        block=block,
        is_signed=np.dtype(dtype).kind == "i",
    )


@dataclass(frozen=True)
class _Part:
    """Frames of one field in one file."""

    file: Path
    dtype: str
    shape: tuple[int, int]
    block: int
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


def _parts_of(data: h5py.Dataset) -> list[_Part] | None:
    if data.is_virtual:
        return _parts_of_virtual(data)
    part = _part_of(data)
    return None if part is None else [part]


def _parts_of_virtual(data: h5py.Dataset) -> list[_Part] | None:
    """Follow a virtual field whose sources are runs of whole frames, one after the other."""
    runs = []
    for source in data.virtual_sources():
        target = _frames_of(source.vspace, data.shape)
        origin = target and _origin_of(source.src_space, target)
        if target is None or origin is None or len(target) != len(origin):
            return None
        runs.append((target, origin, source))
    runs.sort(key=lambda run: run[0].start)
    if [run[0].start for run in runs] != [0, *(run[0].stop for run in runs[:-1])]:
        return None
    if not runs or runs[-1][0].stop != len(data):
        return None
    home = Path(data.file.filename)
    parts = []
    for _, origin, source in runs:
        path = home if source.file_name == "." else home.parent / source.file_name
        whole = _part_of_source(path, source.dset_name, data)
        if whole is None or origin.stop > len(whole.sizes):
            return None
        kept = slice(origin.start, origin.stop)
        parts.append(
            _Part(
                path, whole.dtype, whole.shape, whole.block, whole.offsets[kept], whole.sizes[kept]
            )
        )
    return parts


def _part_of_source(path: Path, name: str, data: h5py.Dataset) -> _Part | None:
    """Find the frames of a source, if HDF5 hands them on as they are."""
    with h5py.File(path, "r", locking=False) as file:
        field = file.get(name)
        part = _part_of(field) if isinstance(field, h5py.Dataset) else None
    if part is None or (part.shape, part.dtype) != (data.shape[1:], data.dtype.str):
        return None  # in another type, another number marks what is no count
    return part


def _origin_of(space: Any, target: range) -> range | None:
    """Return which frames a source gives; of one taken as a whole HDF5 keeps no extent."""
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return range(len(target))
    return _frames_of(space, None)


def _frames_of(space: Any, shape: tuple[int, ...] | None) -> range | None:
    """Return which frames a selection takes, if it takes whole ones and leaves none out."""
    extent = tuple(space.get_simple_extent_dims())
    if len(extent) != 3 or (shape is not None and extent != tuple(shape)):
        return None
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return range(extent[0])
    selected = _selected(space)
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or selected is None:
        return None
    low, high = space.get_select_bounds()
    counted = 1
    for start, stop in zip(low, high, strict=True):
        counted *= stop - start + 1
    is_whole = tuple(low[1:]) == (0, 0) and tuple(high[1:]) == (extent[1] - 1, extent[2] - 1)
    if not is_whole or counted != selected:
        return None
    return range(int(low[0]), int(high[0]) + 1)


def _selected(space: Any) -> int | None:
    """Return how many elements a selection takes; None if it grows with its source."""
    try:
        return int(space.get_select_npoints())
    except RuntimeError:
        return None


def _part_of(data: h5py.Dataset) -> _Part | None:
    if data.is_virtual or data.ndim != 3 or data.dtype.str not in _TYPES:
        return None
    if data.chunks != (1, *data.shape[1:]) or data.file.userblock_size:
        return None
    block = _block_of(data)
    if block is None:
        return None
    # A frame that was never written is dark, unless HDF5 fills it with counts.
    absent = 0 if has_counts(np.atleast_1d(data.fillvalue)) else _ABSENT
    offsets = np.full(len(data), absent, np.int64)
    sizes = np.zeros(len(data), np.int64)
    most = 2 * data.dtype.itemsize * math.prod(data.shape[1:])

    def note(chunk: Any) -> None:
        number = chunk.chunk_offset[0]
        offsets[number] = chunk.byte_offset
        # One that was stored as it is, or is too large to be compressed, is left to HDF5.
        is_ours = not chunk.filter_mask and chunk.size <= most
        sizes[number] = chunk.size if is_ours else 0

    data.id.chunk_iter(note)
    file = Path(data.file.filename)
    return _Part(file, data.dtype.str, data.shape[1:], block, offsets, sizes)


def _block_of(data: h5py.Dataset) -> int | None:
    """Return the pixels of a block, if bitshuffle with LZ4 is the only filter."""
    plist = data.id.get_create_plist()
    if plist.get_nfilters() != 1:
        return None
    code, _, settings, _ = plist.get_filter(0)
    if code != BITSHUFFLE or len(settings) < 5 or settings[4] != _LZ4:
        return None
    return int(settings[3]) or _BLOCK_BYTES // data.dtype.itemsize
