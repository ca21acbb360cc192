"""A raster scan of six frames with one ring, and its geometry: to try xrd-map with."""

from pathlib import Path

import h5py
import numpy as np

from processing.recipes.manifest import Example

_SIDE = 120  # pixels, of 0.2 mm
_RADIUS = 40.0  # pixels, of the ring
_SHAPE = (2, 3)
_COUNTS = 100.0  # photons per pixel on the ring of the first frame

_DETECTOR = f'{{"pixel1": 2e-4, "pixel2": 2e-4, "max_shape": [{_SIDE}, {_SIDE}], "orientation": 3}}'
_PONI = f"""poni_version: 2.1
Detector: Detector
Detector_config: {_DETECTOR}
Distance: 0.1
Poni1: {_SIDE * 1e-4}
Poni2: {_SIDE * 1e-4}
Rot1: 0.0
Rot2: 0.0
Rot3: 0.0
Wavelength: 1e-10
"""


def write_example(folder: Path) -> Example:
    """
    Write scan and geometry into a folder.

    Each frame of 120 x 120 pixels is a ring of 40 pixels radius, brighter from frame to
    frame, with Poisson noise.
    """
    y, x = np.indices((_SIDE, _SIDE)) - (_SIDE - 1) / 2
    ring = np.exp(-(((np.hypot(y, x) - _RADIUS) / 2) ** 2)) + 0.05
    random = np.random.default_rng(1)
    bright = _COUNTS * np.arange(1, np.prod(_SHAPE) + 1)
    frames = random.poisson(bright[:, None, None] * ring).astype(np.int32)
    with h5py.File(folder / "scan.h5", "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry"})
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "measurement"})
        entry["start_time"], entry["end_time"] = "2026-06-01T10:00:00Z", "2026-06-01T10:01:00Z"
        measurement = entry.create_group("measurement")
        measurement.attrs.update({"NX_class": "NXdata", "signal": "frames"})
        images = measurement.create_dataset("frames", data=frames, chunks=(1, _SIDE, _SIDE))
        images.attrs.update({"units": "counts", "interpretation": "image"})
    (folder / "geometry.poni").write_text(_PONI, encoding="utf-8")
    return Example(
        inputs={"scan": ("scan.h5",), "geometry": ("geometry.poni",)},
        parameters={"bins": 50, "shape": list(_SHAPE)},
    )
