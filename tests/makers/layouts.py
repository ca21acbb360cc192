"""Small diffraction scans in every layout that HDF5 files of detectors come in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray
from pyFAI.detectors import Detector
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

SIDES = (60, 64)  # pixels of 0.5 mm: no flip of the detector fits another
N_FRAMES = 72  # eight rows of nine, more than the 64 below which pyFAI does it all
BINS = 50
DEAD = np.s_[20:24, 30:35]  # under the static mask, where pixels hold a marker
PONI = f"""poni_version: 2.1
Detector: Detector
Detector_config: {{"pixel1": 5e-4, "pixel2": 5e-4, "max_shape": {list(SIDES)}, "orientation": 3}}
Distance: 0.06
Poni1: 0.012
Poni2: 0.02
Rot1: 0.05
Rot2: -0.03
Rot3: 0.0
Wavelength: 1e-10
"""

Compression = Literal["lz4", "zstd", "gzip", "contiguous", "chunked"]
Chunking = Literal["frame", "four", "split"]
Links = Literal["plain", "external", "virtual"]

FILTERS: dict[Compression, dict[str, Any]] = {
    "lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "chunked": {},
}


@dataclass(frozen=True)
class Layout:
    """How frames lie in files."""

    compression: Compression = "lz4"
    dtype: str = "<u4"
    chunking: Chunking = "frame"
    links: Links = "plain"
    masked: bool = True

    def __str__(self) -> str:
        mask = "masked" if self.masked else "open"
        dtype = self.dtype.replace("<", "").replace(">", "big-endian ")
        return f"{self.compression} {dtype} {self.chunking} {self.links} {mask}"


def make_frames(dtype: str, n_frames: int = N_FRAMES, *, masked: bool = True) -> NDArray[Any]:
    """Make frames of rings with some 5 photons per pixel, of which a masked block is dead."""
    y, x = np.indices(SIDES)
    rings = 5 + 3 * np.cos(np.hypot(y - 24, x - 40) / 2)
    brightness = 1 + np.arange(n_frames) % 7 / 7
    counts = np.random.default_rng(11).poisson(brightness[:, None, None] * rings)
    frames: NDArray[Any] = counts.astype(dtype)
    if masked:
        frames[:, *DEAD] = marker_of(dtype)
    return frames


def marker_of(dtype: str) -> Any:
    """What a detector writes where there is no count."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.nan
    return -1 if kind.kind == "i" else np.iinfo(kind).max


def write_scan(folder: Path, frames: NDArray[Any], layout: Layout) -> list[Path]:
    """Write frames in a layout; the first file is the one to open."""
    master = folder / "scan.h5"
    if layout.links == "plain":
        _write(master, "entry/data/frames", frames, layout)
        return [master]
    halves = [frames] if layout.links == "external" else np.array_split(frames, 2)
    files = [folder / f"part_{number}.h5" for number in range(len(halves))]
    for path, half in zip(files, halves, strict=True):
        _write(path, "frames", half, layout)
    with h5py.File(master, "w") as file:
        if layout.links == "external":
            file["entry/data/frames"] = h5py.ExternalLink("part_0.h5", "/frames")
        else:
            whole = h5py.VirtualLayout(frames.shape, frames.dtype)
            begin = 0
            for path, half in zip(files, halves, strict=True):
                whole[begin : begin + len(half)] = h5py.VirtualSource(
                    path.name, "frames", half.shape
                )
                begin += len(half)
            file.create_virtual_dataset("entry/data/frames", whole)
    return [master, *files]


def _write(path: Path, name: str, frames: NDArray[Any], layout: Layout) -> None:
    rows, columns = SIDES
    chunks = {"frame": (1, rows, columns), "four": (4, rows, columns), "split": (1, 20, columns)}
    with h5py.File(path, "w") as file:
        if layout.compression == "contiguous":
            file.create_dataset(name, data=frames)
            return
        filters = FILTERS[layout.compression]
        file.create_dataset(name, data=frames, chunks=chunks[layout.chunking], **filters)


def write_geometry(folder: Path) -> Path:
    path = folder / "geometry.poni"
    path.write_text(PONI, encoding="utf-8")
    return path


def static_mask() -> NDArray[np.uint8]:
    mask = np.zeros(SIDES, np.uint8)
    mask[DEAD] = 1
    return mask


def integrator() -> AzimuthalIntegrator:
    """Set up the same geometry by pyFAI's own means."""
    return AzimuthalIntegrator(
        dist=0.06,
        poni1=0.012,
        poni2=0.02,
        rot1=0.05,
        rot2=-0.03,
        detector=Detector(5e-4, 5e-4, max_shape=SIDES, orientation=3),
        wavelength=1e-10,
    )


def by_pyfai(
    frames: NDArray[Any], mask: NDArray[Any] | None = None, **settings: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integrate frames by pyFAI alone: intensity and sigma of shape (n_frames, bins)."""
    geometry = integrator()
    options = {"split": "bbox", "error_model": "poisson", "polarization_factor": 0.95}
    options |= settings
    method = (options.pop("split"), "csr", "cython")
    intensity, sigma = [], []
    for frame in frames:
        counts = frame.astype(np.float32)
        counts[(counts < 0) | (frame == marker_of(frame.dtype.str))] = np.nan
        found = geometry.integrate1d(
            counts, BINS, unit="q_nm^-1", mask=mask, method=method, **options
        )
        reached = found.count > 0
        intensity.append(np.where(reached, found.intensity, np.nan))
        sigma.append(np.where(reached, found.sigma if found.sigma is not None else 0, np.nan))
    return np.array(intensity), np.array(sigma)
