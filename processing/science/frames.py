"""Stacks of detector frames, read one at a time from HDF5 or from a list of images."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import fabio
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    MissingFieldError,
    ShapeError,
    UnreadableFileError,
)
from processing.science.markers import blank_invalid, has_counts
from processing.science.nexus import NexusStack, Readings

MAGIC = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"{": "EDF", b"\n{": "EDF", b"###CBF": "CBF"}
SAMPLED_FRAMES = 8
HEADER_BYTES = 2**18
CBF_BODY = b"\x0c\x1a\x04\xd5"
IMAGE_SUFFIXES = {".tif", ".tiff", ".edf", ".cbf"}


class FrameStack(Protocol):
    """What a scan offers to a recipe, whatever the files."""

    n_frames: int
    shape: tuple[int, int]
    frames_per_chunk: int

    def read(self, number: int) -> NDArray[Any]: ...
    def read_block(self, first: int, stop: int) -> NDArray[Any] | None: ...
    def read_monitor(self, name: str) -> Readings: ...
    def find_positions(self) -> tuple[Readings, Readings] | None: ...
    def stated_shape(self) -> tuple[int, int] | None: ...
    def close(self) -> None: ...


class ImageSeries:
    """
    Images in files of their own: TIFF, EDF or CBF, in natural order.

    Parameters
    ----------
    files : sequence of Path
        One or more images; other files among them are left out.

    Raises
    ------
    UnreadableFileError
        If there is no image, or the first cannot be read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        if not images:
            raise UnreadableFileError(files[0].name, "it is neither HDF5 nor TIFF, EDF or CBF.")
        self.files = sorted(images, key=lambda path: natural_key(path.name))
        try:
            with open_image(self.files[0]) as first:
                self.frames_per_file = int(first.nframes)
                self.shape: tuple[int, int] = first.data.shape
        except OSError as error:
            raise UnreadableFileError(self.files[0].name, "the image is damaged.") from error
        self.n_frames = self.frames_per_file * len(self.files)
        self.frames_per_chunk = 1

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def read(self, number: int) -> NDArray[Any]:
        """
        Read one image.

        Parameters
        ----------
        number : int
            From 0, in natural order.

        Returns
        -------
        ndarray of shape (slow, fast)
            As it is stored, in photons or the detector's units.

        Raises
        ------
        OSError
            If the file is damaged.
        """
        with open_image(self.files[number // self.frames_per_file]) as image:
            return np.asarray(image.get_frame(number % self.frames_per_file).data)

    def read_block(self, first: int, stop: int) -> NDArray[Any] | None:
        """
        Read neighbouring images at once.

        Parameters
        ----------
        first, stop : int
            Number of the first image, and of the one after the last.

        Returns
        -------
        ndarray of shape (stop - first, slow, fast) or None
            As they are stored; None if any is damaged, or they differ in shape or type:
            what marks a dead pixel depends on it.
        """
        try:
            images = [self.read(number) for number in range(first, stop)]
        except OSError:
            return None
        alike = len({(image.shape, image.dtype.str) for image in images}) == 1
        return np.stack(images) if alike else None

    def read_monitor(self, name: str) -> Readings:
        """
        Read the monitor counts from the headers, one per image.

        Parameters
        ----------
        name : str
            Key of the header.

        Returns
        -------
        Readings
            Without unit, since headers give none; NaN where a header cannot be read.

        Raises
        ------
        MissingFieldError
            If the first header has no such key.
        """
        values = np.full(self.n_frames, np.nan)
        for number in range(self.n_frames):
            path = self.files[number // self.frames_per_file]
            try:
                with open_image(path) as image:
                    header = image.get_frame(number % self.frames_per_file).header
                    values[number] = float(header[name])
            except KeyError as error:
                if number == 0:
                    raise MissingFieldError(
                        path.name, f"number {name} in its header", sorted(header)
                    ) from error
            except (OSError, ValueError):
                continue
        return Readings(name, "", values)

    def find_positions(self) -> None:
        """Return None: headers name motors in too many ways to be trusted."""

    def stated_shape(self) -> tuple[int, int] | None:
        """Return (1, 1) for a single image; a series does not say how it was taken."""
        return (1, 1) if self.n_frames == 1 else None


@contextmanager
def open_frames(
    files: Sequence[Path], field: str | None = None, expected: tuple[int, int] | None = None
) -> Iterator[FrameStack]:
    """
    Open a stack of frames without loading it.

    Parameters
    ----------
    files : sequence of Path
        An HDF5 file first, and those that it links to; or images.
    field : str, optional
        Path of the images in an HDF5 file; by default they are searched for.
    expected : tuple of int, optional
        Pixels of the detector, (slow, fast), if known.

    Yields
    ------
    FrameStack
        Frames by number, in the order in which they were taken.

    Raises
    ------
    DataError
        If there are no images, or they cannot be read.
    """
    is_image = files[0].suffix.lower() in IMAGE_SUFFIXES
    stack: FrameStack = (
        ImageSeries(files) if is_image else NexusStack(tuple(files), field, expected)
    )
    try:
        yield stack
    finally:
        stack.close()


@dataclass(frozen=True)
class Beam:
    """
    The beam at each frame.

    Attributes
    ----------
    monitor : Readings or None
        Its monitor; None if intensities are not normalised.
    reference : float
        The reading to which intensities are normalised.
    """

    monitor: Readings | None = None
    reference: float = 1.0

    def relative(self, number: int) -> float:
        """Return the reading at one frame over the reference; NaN if it is not finite."""
        if self.monitor is None:
            return 1.0
        relative = float(self.monitor.values[number] / self.reference)
        return relative if math.isfinite(relative) else math.nan


def sum_sample(stack: FrameStack) -> NDArray[np.float32]:
    """
    Sum a few frames, evenly spread over the scan, as a typical one.

    Parameters
    ----------
    stack : FrameStack
        Where to read from; damaged frames are left out.

    Returns
    -------
    ndarray of float32 of shape (slow, fast)
        In photons; NaN where a pixel is invalid in any of them.
    """
    total = np.zeros(stack.shape, np.float32)
    for number in np.unique(np.linspace(0, stack.n_frames - 1, SAMPLED_FRAMES).astype(int)):
        with suppress(OSError):
            frame = stack.read(int(number))
            if frame.shape == stack.shape and has_counts(frame):
                total += blank_invalid(frame)
    return total


def read_image(files: Sequence[Path], shape: tuple[int, int], what: str) -> NDArray[Any]:
    """
    Read a single image: a mask, a dark or a flat.

    Parameters
    ----------
    files : sequence of Path
        One TIFF, EDF, CBF or HDF5 file.
    shape : tuple of int
        Pixels of a frame, (slow, fast).
    what : str
        What it is, for messages: "mask".

    Returns
    -------
    ndarray of shape (slow, fast)
        As it is stored. A mask excludes, in pyFAI's sense, what is anything but 0.

    Raises
    ------
    ShapeError
        If it is not one image of that shape.
    DataError
        If it cannot be read.
    """
    with open_frames(files, expected=shape) as stack:
        if stack.n_frames != 1 or tuple(stack.shape) != tuple(shape):
            found = stack.shape if stack.n_frames == 1 else (stack.n_frames, *stack.shape)
            raise ShapeError(what, expected=tuple(shape), found=tuple(found))
        try:
            return stack.read(0)
        except OSError as error:
            raise UnreadableFileError(files[0].name, f"the {what} is damaged.") from error


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """
    Open one TIFF, EDF or CBF file.

    Parameters
    ----------
    path : Path
        Its first bytes decide, since fabio would follow links of other formats.

    Yields
    ------
    FabioImage
        With ``data``, ``header``, ``nframes`` and ``get_frame``.

    Raises
    ------
    OSError
        If it is none of these, or damaged.
    """
    kind = _kind_of(path)
    try:
        image = fabio.open(str(path))
    except OSError:
        raise
    except Exception as error:  # fabio's readers raise what their parsers stumble on
        raise OSError(f"{path.name} is a damaged {kind} file: {error}") from error
    try:
        if kind == "EDF" and image.incomplete_file:
            # fabio fills the missing part with zeros.
            raise OSError(f"{path.name} is cut short.")
        yield image
    finally:
        image.close()


def _kind_of(path: Path) -> str:
    """Tell an image's format by its first bytes, since a name promises nothing."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        raise OSError(f"{path.name} is neither TIFF, EDF nor CBF.")
    if kind == "CBF":
        size = re.search(rb"X-Binary-Size:\s*(\d+)", start)
        body = start.find(CBF_BODY)
        if size is None or body < 0 or path.stat().st_size < body + len(CBF_BODY) + int(size[1]):
            # fabio would look for the rest for ever.
            raise OSError(f"{path.name} is cut short.")
    return kind
