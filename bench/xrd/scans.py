"""
Raster scans as an Eiger writes them, the same for us and for pyFAI; made once and kept.

Rings of three phases whose shares vary over the map, 60 bright spots per frame, 3 counts
per pixel on average, all Poisson; masked pixels hold the largest number of the type. One
bitshuffle+LZ4 chunk per frame, at the path where pyFAI-diffmap looks.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BINS = 1000
POLARIZATION = 0.99
IMAGES = "/entry/data/data_000001"
_PHASES = ((9.1, 14.9, 21.4), (11.3, 17.2, 25.0), (7.7, 19.8, 28.6))  # rings, 1/nm
_SPOTS = 60
_PONI = """poni_version: 2.1
Detector: {detector}
Detector_config: {{"orientation": 3}}
Distance: 0.1
Poni1: {poni1}
Poni2: {poni2}
Rot1: 0.01
Rot2: -0.02
Rot3: 0.0
Wavelength: 1e-10
"""


@dataclass(frozen=True)
class Scan:
    """Frames of one detector: pyFAI's name, pixels, how many, and their type."""

    detector: str
    shape: tuple[int, int]
    frames: int
    dtype: str = "u4"

    @property
    def name(self) -> str:
        return f"{self.detector}-{self.frames}-{self.dtype}"


EIGER_1M = Scan("Eiger1M", (1065, 1030), 2000)
EIGER_4M = Scan("Eiger4M", (2167, 2070), 400)


@dataclass(frozen=True)
class Files:
    """Where a scan lies: images, geometry, and the mask as an image."""

    scan: Path
    poni: Path
    mask: Path


def prepare(folder: Path, scan: Scan) -> Files:
    """Return the files of a scan, making what is not there yet."""
    home = folder / scan.name
    home.mkdir(parents=True, exist_ok=True)
    files = Files(home / "scan.h5", home / "geometry.poni", home / "mask.tif")
    if not files.scan.exists():
        _write_poni(files.poni, scan)
        mask = _draw_mask(scan)
        Image.fromarray(mask.astype(np.uint8)).save(files.mask)
        made = files.scan.with_suffix(".part")
        _write_frames(made, scan, mask)
        made.rename(files.scan)
    return files


def repeat(files: Files, scan: Scan, times: int) -> Files:
    """Return the same frames several times over, by a virtual field: nothing is written twice."""
    longer = files.scan.with_name(f"scan-{times}.h5")
    layout = h5py.VirtualLayout((times * scan.frames, *scan.shape), scan.dtype)
    source = h5py.VirtualSource("scan.h5", IMAGES, (scan.frames, *scan.shape), scan.dtype)
    for number in range(times):
        layout[number * scan.frames : (number + 1) * scan.frames] = source
    with h5py.File(longer, "w") as file:
        file.create_virtual_dataset(IMAGES, layout)
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/data"].attrs.update({"NX_class": "NXdata", "signal": "data_000001"})
        file.attrs["default"] = "entry"
    return Files(longer, files.poni, files.mask)


def _write_poni(path: Path, scan: Scan) -> None:
    # The beam a third into the detector: no flip of it is symmetric.
    poni1, poni2 = (75e-6 * side / 3 for side in scan.shape)
    path.write_text(_PONI.format(detector=scan.detector, poni1=poni1, poni2=poni2))


def _draw_mask(scan: Scan) -> NDArray[np.bool_]:
    """Gaps between modules, a beam stop on an arm, and three pixels in 10,000."""
    random = np.random.default_rng(7)
    y, x = np.indices(scan.shape)
    centre = scan.shape[0] / 3, scan.shape[1] / 3
    mask = (y % 551 >= 514) | ((x % 1040 >= 1030) if scan.shape[1] > 1030 else False)
    mask |= np.hypot(y - centre[0], x - centre[1]) < 30
    mask |= (np.abs(y - centre[0]) < 6) & (x < centre[1])
    mask |= random.random(scan.shape) < 3e-4
    return mask


def _phases(scan: Scan) -> NDArray[np.float32]:
    """Expected counts of each phase, of shape (3, slow, fast), 3 on average."""
    y, x = np.indices(scan.shape, dtype=np.float32)
    centre = scan.shape[0] / 3, scan.shape[1] / 3
    radius = 75e-6 * np.hypot(y - centre[0], x - centre[1])
    q = 4 * np.pi / 0.1 * np.sin(np.arctan2(radius, 0.1) / 2)
    images = []
    for rings in _PHASES:
        image = 0.3 * np.exp(-q / 15)
        for ring in rings:
            image += np.exp(-(((q - ring) / 0.12) ** 2))
        images.append(3.0 * image / image.mean())
    return np.asarray(images, np.float32)


def _write_frames(path: Path, scan: Scan, mask: NDArray[np.bool_]) -> None:
    size = scan.shape[0] * scan.shape[1]
    with (
        h5py.File(path, "w") as file,
        ProcessPoolExecutor(2, get_context("spawn"), _remember, (scan, mask)) as pool,
    ):
        images = file.create_dataset(
            IMAGES,
            (scan.frames, *scan.shape),
            scan.dtype,
            chunks=(1, *scan.shape),
            **hdf5plugin.Bitshuffle(nelems=8192 // np.dtype(scan.dtype).itemsize, cname="lz4"),
        )
        images.attrs["units"] = "counts"
        file["entry"].attrs["NX_class"] = "NXentry"
        file["entry/data"].attrs.update({"NX_class": "NXdata", "signal": "data_000001"})
        file.attrs["default"] = "entry"
        for number, frame in enumerate(pool.map(_draw_frame, range(scan.frames), chunksize=8)):
            images[number] = np.frombuffer(frame, scan.dtype, size).reshape(scan.shape)


_known: dict[str, Any] = {}


def _remember(scan: Scan, mask: NDArray[np.bool_]) -> None:
    _known.update(scan=scan, mask=mask, phases=_phases(scan))


def _draw_frame(number: int) -> bytes:
    scan, mask, phases = _known["scan"], _known["mask"], _known["phases"]
    random = np.random.default_rng([20261121, number])
    angle = 2 * np.pi * number / scan.frames
    shares = np.array([1 + np.sin(angle), 1 + np.cos(angle), 1.0], np.float32)
    expected = np.tensordot(shares / shares.sum(), phases, 1)
    frame = random.poisson(expected).astype(scan.dtype)
    spots = tuple(random.integers(0, side, _SPOTS) for side in scan.shape)
    frame[spots] += random.integers(50, 3000, _SPOTS).astype(scan.dtype)
    frame[mask] = np.iinfo(scan.dtype).max
    return frame.tobytes()
