"""Write small valid NeXus files."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray


def write_nexus_scan(
    path: Path,
    *,
    title: str = "Ceria on a grid",
    frames: tuple[int, ...] = (2, 3),
    detector: tuple[int, int] = (16, 24),
    energy_kev: float = 12.4,
    start: str = "2026-03-02T10:00:00+01:00",
    end: str | None = "2026-03-02T10:05:00+01:00",
    sample: str = "CeO2",
    proposal: str = "HC-4821",
    instrument: str = "ID99",
    definition: str | None = None,
    data: NDArray[np.integer] | None = None,
    libver: str = "earliest",
    seed: int = 0,
) -> Path:
    """
    Write a raster scan with one detector frame per position.

    Parameters
    ----------
    path : Path
        Where to write.
    frames : tuple of int
        Positions along the slow and fast motor; ``(n,)`` for a plain series.
    detector : tuple of int
        Rows and columns of a frame.
    end : str or None
        None leaves ``end_time`` out, as in a scan that still runs.
    data : ndarray of shape (*frames, *detector), optional
        Counts; by default Poisson noise around 100 counts (drawn from ``seed``).

    Returns
    -------
    Path
        The same path.
    """
    if data is None:
        data = np.random.default_rng(seed).poisson(100, (*frames, *detector)).astype("u4")
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry"})
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["title"], entry["start_time"] = title, start
        entry["experiment_identifier"] = proposal
        if definition is not None:
            entry["definition"] = definition
        setup = _group(entry, "instrument", "NXinstrument")
        setup["name"] = instrument
        _quantity(_group(setup, "monochromator", "NXmonochromator"), "energy", energy_kev, "keV")
        camera = _group(setup, "detector", "NXdetector")
        _quantity(camera, "distance", 120.0, "mm")
        _quantity(camera, "count_time", 0.1, "s")
        camera.create_dataset("data", data=data, chunks=(*(1,) * len(frames), *detector))
        _group(entry, "sample", "NXsample")["name"] = sample
        plot = _group(entry, "data", "NXdata")
        plot.attrs["signal"] = "data"
        plot["data"] = camera["data"]
        _write_motors(plot, frames)
        if end is not None:
            entry["end_time"] = end
    return path


def _write_motors(plot: h5py.Group, frames: tuple[int, ...]) -> None:
    """Write positions 50 µm apart, slow axis first."""
    names = ["y", "x"][-len(frames) :]
    plot.attrs["axes"] = [*names, ".", "."]
    for name, count in zip(names, frames, strict=True):
        _quantity(plot, name, np.arange(count) * 0.05, "mm")


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _quantity(group: h5py.Group, name: str, value: object, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit
