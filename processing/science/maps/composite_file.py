"""Files of what is no map itself: maps stacked, and maps as the colours of one picture."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.maps.map_file import Axis
from processing.science.maps.placing import Combined
from processing.science.maps.tiles import MAX_FAST_CHUNK

Values = NDArray[np.float64]

PERCENTILES = (1.0, 99.0)
CHANNELS = ("red", "green", "blue")


@contextmanager
def create_composite(path: Path, kind: str, title: str) -> Iterator[h5py.Group]:
    """
    Create a file with one entry, whose default plot is to be written.

    Parameters
    ----------
    path : Path
        Where to write.
    kind : str
        Name of the NXdata, "stack" or "rgb".
    title : str
        Of the entry.

    Yields
    ------
    h5py.Group
        The entry; the file is closed when the block ends.
    """
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": kind})
        entry["title"] = title
        yield entry


def write_stack(entry: h5py.Group, combined: Combined) -> Iterator[int]:
    """
    Write maps of the same positions as ``/entry/stack``, one after the other.

    Parameters
    ----------
    entry : h5py.Group
        As of ``create_composite``.
    combined : Combined
        Of the same positions; each is brought to the beam of the first.

    Yields
    ------
    int
        How many maps are finished.
    """
    first = combined.parts[0].map
    group = _group(entry, "stack", "intensity", ["map", "y", "x", "q"])
    numbers = np.arange(1.0, len(combined.parts) + 1)
    for name, axis in (
        ("map", Axis(numbers, "", "map")),
        ("y", combined.y),
        ("x", combined.x),
        ("q", first.q),
    ):
        written = group.create_dataset(name, data=axis.values)
        written.attrs.update({"units": axis.units, "long_name": axis.long_name})
    _, fast, bins = first.shape
    names = ("intensity", "intensity_errors") if first.has_errors else ("intensity",)
    for name in names:
        group.create_dataset(
            name,
            (len(numbers), *first.shape),
            "f4",
            chunks=(1, 1, min(fast, MAX_FAST_CHUNK), bins),
            fillvalue=np.float32(np.nan),
        ).attrs["units"] = first.units
    for number, part in enumerate(combined.parts):
        for row in range(first.shape[0]):
            for name, values in zip(names, part.map.read_row(row), strict=False):
                group[name][number, row] = values * part.factor
        yield number + 1


def write_rgb(
    entry: h5py.Group, combined: Combined, names: Sequence[str], planes: Sequence[Values]
) -> NDArray[np.uint8]:
    """
    Write up to three planes as light of red, green and blue.

    Parameters
    ----------
    entry : h5py.Group
        As of ``create_composite``.
    combined : Combined
        For the axes.
    names : sequence of str
        What each channel shows.
    planes : sequence of ndarray of shape (slow, fast)
        At most three; light grows from the 1 to the 99 percentile. NaN is black.

    Returns
    -------
    ndarray of uint8 of shape (slow, fast, 3)
        The picture.
    """
    group = _group(entry, "rgb", "data", ["y", "x", "."])
    for name, axis in (("y", combined.y), ("x", combined.x)):
        written = group.create_dataset(name, data=axis.values)
        written.attrs.update({"units": axis.units, "long_name": axis.long_name})
    picture = np.zeros((*planes[0].shape, len(CHANNELS)), np.uint8)
    for number, (channel, name, plane) in enumerate(zip(CHANNELS, names, planes, strict=False)):
        light, span = shine(plane)
        picture[..., number] = light
        stored = group.create_dataset(channel, data=plane.astype(np.float32))
        stored.attrs.update({"long_name": name, "black": span[0], "full": span[1]})
        stored.attrs["units"] = combined.parts[0].map.units
    image = group.create_dataset("data", data=picture)
    image.attrs.update({"interpretation": "rgb-image", "units": ""})
    return picture


def shine(plane: Values) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """
    Turn a plane into light.

    Parameters
    ----------
    plane : ndarray of shape (slow, fast)
        Any unit; NaN is black.

    Returns
    -------
    tuple
        uint8 of the same shape, and the values that are black and full light: the 1 and
        the 99 percentile. A plane that is the same everywhere is black.
    """
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, PERCENTILES) if len(finite) else (0.0, 0.0)
    span = float(high - low)
    level = np.clip((plane - low) / span, 0, 1) if span > 0 else np.zeros_like(plane)
    light = np.nan_to_num(level * 255).round().astype(np.uint8)
    return light, (float(low), float(high))


def _group(entry: h5py.Group, name: str, signal: str, axes: list[str]) -> h5py.Group:
    group = entry.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "signal": signal, "axes": axes})
    return group
