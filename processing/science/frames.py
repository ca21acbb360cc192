"""Stacks of detector frames, read one at a time from HDF5 or from a list of images."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import fabio
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import MissingFieldError, ShapeError, UnreadableFileError
from processing.science.nexus import NexusStack, Positions

MAGIC = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"{": "EDF", b"\n{": "EDF", b"###CBF": "CBF"}
IMAGE_SUFFIXES = {".tif", ".tiff", ".edf", ".cbf"}


class FrameStack(Protocol):
    """What a scan offers to a recipe, whatever the files."""

    n_frames: int
    shape: tuple[int, int]

    def read(self, number: int) -> NDArray[Any]: ...
    def read_monitor(self, name: str) -> NDArray[np.float64]: ...
    def find_positions(self) -> tuple[Positions, Positions] | None: ...
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

    def read_monitor(self, name: str) -> NDArray[np.float64]:
        """
        Read the monitor counts from the headers, one per image.

        Parameters
        ----------
        name : str
            Key of the header.

        Returns
        -------
        ndarray of shape (n_frames,)
            In the monitor's own unit; NaN where a header cannot be read.

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
        return values

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


def read_mask(files: Sequence[Path], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """
    Read a mask image, in pyFAI's sense: anything but 0 excludes the pixel.

    Parameters
    ----------
    files : sequence of Path
        One TIFF, EDF, CBF or HDF5 file.
    shape : tuple of int
        Pixels of a frame, (slow, fast).

    Returns
    -------
    ndarray of bool of shape (slow, fast)
        True where a pixel is to be ignored.

    Raises
    ------
    ShapeError
        If the mask is not one image of that shape.
    DataError
        If it cannot be read.
    """
    with open_frames(files, expected=shape) as stack:
        if stack.n_frames != 1 or tuple(stack.shape) != tuple(shape):
            found = stack.shape if stack.n_frames == 1 else (stack.n_frames, *stack.shape)
            raise ShapeError("mask", expected=tuple(shape), found=tuple(found))
        return np.asarray(stack.read(0) != 0)


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
    with path.open("rb") as file:
        start = file.read(6)
    if not any(start.startswith(magic) for magic in MAGIC):
        raise OSError(f"{path.name} is neither TIFF, EDF nor CBF.")
    try:
        image = fabio.open(str(path))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  fabio's readers raise what their parsers stumble on
        raise OSError(f"{path.name}: {error}") from error
    try:
        yield image
    finally:
        image.close()
