"""
Make X-ray diffraction raster scans as a micro-focus beamline writes them.

A fragment of a painting: a disc of chromium green with the letter P on a ground of lead
white (hydrocerussite), both as powder rings from pyFAI's own calibrants, so that the
fraction of each phase is known at every position.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np
from fabio.edfimage import EdfImage
from fabio.tifimage import TifImage
from numpy.typing import NDArray
from pyFAI.calibrant import get_calibrant
from pyFAI.crystallography.resolution import Constant
from pyFAI.detectors import detector_factory
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

GROUND, PIGMENT = "hydrocerussite", "Cr2O3"
Compression = Literal["bitshuffle", "gzip", "none"]
STEP_MM = 0.05
CALIBRATED = datetime(2026, 6, 1, 7, 50, 12, tzinfo=UTC)  # ten minutes before the scan
FWHM_DEG = 0.4  # of a ring, in two theta: a micro-focused beam on fine grains
BEAM = 1.0e5  # monitor counts per frame


@dataclass(frozen=True)
class Geometry:
    """
    Where the detector stands; lengths in m, the detector by pyFAI's name.

    The default sees rings from 4 to 45 1/nm, from one of its corners: no flip of it is
    symmetric.
    """

    detector: str = "Pilatus300k"
    distance: float = 0.12
    poni1: float = 0.004
    poni2: float = 0.007
    wavelength: float = 0.9e-10
    orientation: int = 3

    def integrator(self) -> AzimuthalIntegrator:
        return AzimuthalIntegrator(
            dist=self.distance,
            poni1=self.poni1,
            poni2=self.poni2,
            detector=detector_factory(self.detector, {"orientation": self.orientation}),
            wavelength=self.wavelength,
        )


@dataclass(frozen=True)
class Truth:
    """What was put into a scan: ``fraction`` of pigment, of shape (slow, fast)."""

    fraction: NDArray[np.float64]
    geometry: Geometry
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Scan:
    """
    How a scan is taken.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    geometry : Geometry
        Detector and wavelength.
    compression : str
        As an Eiger writes ("bitshuffle", with LZ4), "gzip" or "none".
    zigzag : bool
        Whether odd rows are taken backwards.
    n_frames : int, optional
        Frames before the scan is stopped; by default all.
    mean_counts : float
        Photons per pixel, averaged over rings and background.
    beam_decay : float
        Part of the beam that is lost from the first frame to the last.
    """

    shape: tuple[int, int] = (21, 21)
    geometry: Geometry = Geometry()
    compression: Compression = "bitshuffle"
    zigzag: bool = False
    n_frames: int | None = None
    mean_counts: float = 3.0
    beam_decay: float = 0.1
    seed: int = 20260601

    @property
    def frames(self) -> int:
        slow, fast = self.shape
        return slow * fast if self.n_frames is None else self.n_frames

    def monitor(self) -> NDArray[np.float64]:
        """Beam intensity at each frame, in counts."""
        return np.round(BEAM * np.linspace(1.0, 1.0 - self.beam_decay, self.frames))

    def cells(self) -> list[tuple[int, int]]:
        """Row and column of each frame, in the order in which frames are taken."""
        slow, fast = self.shape
        cells = [
            (row, fast - 1 - column if self.zigzag and row % 2 else column)
            for row in range(slow)
            for column in range(fast)
        ]
        return cells[: self.frames]


def write_poni(path: Path, geometry: Geometry = Geometry(), *, version: str = "2.1") -> Path:
    """Write a geometry as a PONI file of version 1, 2 or 2.1."""
    detector = detector_factory(geometry.detector)
    head = {
        "1": f"PixelSize1: {detector.pixel1}\nPixelSize2: {detector.pixel2}\n"
        f"Detector: {geometry.detector}\n",
        "2": f"poni_version: 2\nDetector: {geometry.detector}\nDetector_config: {{}}\n",
        "2.1": f"poni_version: 2.1\nDetector: {geometry.detector}\n"
        f'Detector_config: {{"orientation": {geometry.orientation}}}\n',
    }[version]
    path.write_text(
        "# Made for the demonstration\n"
        f"# Calibration done on {CALIBRATED:%a %b %d %H:%M:%S %Y}\n"
        f"{head}Distance: {geometry.distance}\n"
        f"Poni1: {geometry.poni1}\nPoni2: {geometry.poni2}\nRot1: 0.0\nRot2: 0.0\nRot3: 0.0\n"
        f"Wavelength: {geometry.wavelength}\n",
        encoding="utf-8",
    )
    return path


def paint(shape: tuple[int, int]) -> NDArray[np.float64]:
    """
    Paint the fraction of pigment: a fading disc with a P left out of it.

    Returns
    -------
    ndarray of shape (slow, fast)
        From 0 (ground only) to 1; row 0 is at the bottom.
    """
    slow, fast = shape
    y, x = np.meshgrid(
        np.linspace(-1, 1, slow) if slow > 1 else np.zeros(1),
        np.linspace(-1, 1, fast) if fast > 1 else np.zeros(1),
        indexing="ij",
    )
    disc = np.clip(1.1 - 0.35 * (x + y + 1) / 3, 0, 1) * (np.hypot(x, y) < 0.92)
    stem = (np.abs(x + 0.28) < 0.1) & (np.abs(y) < 0.62)
    bowl = np.abs(np.hypot(x + 0.1, y - 0.3) - 0.27) < 0.1
    letter = stem | (bowl & (x > -0.38))
    return np.asarray(np.where(letter, 0.08, disc))


def make_frames(scan: Scan) -> Iterator[NDArray[np.int32]]:
    """
    Make the detector frames of a scan, one at a time.

    Yields
    ------
    ndarray of int32 of shape (slow, fast)
        Poisson counts, in photons; gaps of the detector hold -1.
    """
    rings = simulate_phases(scan.geometry)
    gaps = scan.geometry.integrator().detector.mask
    fraction = paint(scan.shape)
    random = np.random.default_rng(scan.seed)
    for cell, beam in zip(scan.cells(), scan.monitor(), strict=True):
        mixture = fraction[cell] * rings[PIGMENT] + (1 - fraction[cell]) * rings[GROUND]
        # Most pixels expect few counts, for which the Poisson generator is quickest.
        counts = random.poisson(mixture * (scan.mean_counts * beam / BEAM)).astype(np.int32)
        if gaps is not None:
            counts[gaps != 0] = -1
        yield counts


def simulate_phases(geometry: Geometry) -> dict[str, NDArray[np.float64]]:
    """
    Simulate the rings of each phase on a falling background.

    Returns
    -------
    dict of ndarray of shape (slow, fast)
        Expected counts, 1 on average.
    """
    integrator = geometry.integrator()
    q = integrator.array_from_unit(unit="q_nm^-1", typ="center")
    background = np.exp(-q / 12.0)
    phases = {}
    for name in (GROUND, PIGMENT):
        calibrant = get_calibrant(name)
        calibrant.wavelength = geometry.wavelength
        rings = calibrant.fake_calibration_image(
            integrator, Imax=1.0, resolution=Constant(FWHM_DEG)
        )
        image = np.asarray(rings, np.float64) + 0.15 * background
        phases[name] = image / image.mean()
    return phases


def write_xrd_scan(
    folder: Path,
    scan: Scan = Scan(),
    *,
    name: str = "fragment_0001.h5",
) -> Truth:
    """
    Write a raster scan as BLISS does: one HDF5 file, its images under ``measurement``.

    The end time is written last: a reader that finds it knows that the file is complete.

    Returns
    -------
    Truth
        The fraction of pigment that was put in.
    """
    path = folder / name
    with h5py.File(path, "w") as file:
        entry = _write_entry(file, scan)
        _write_positions(entry, scan)
        _write_images(entry, scan)
        file["1.1"] = h5py.SoftLink("/entry")
        file.flush()
        entry["end_time"] = "2026-06-01T10:21:30+02:00"
    return Truth(paint(scan.shape), scan.geometry, (path,))


def write_image_series(folder: Path, scan: Scan, *, suffix: Literal["edf", "tif"] = "edf") -> Truth:
    """Write a scan as images of their own, numbered without leading zeros: 1, 2, ... 10."""
    files = []
    for number, (frame, beam) in enumerate(
        zip(make_frames(scan), scan.monitor(), strict=True), start=1
    ):
        path = folder / f"fragment_{number}.{suffix}"
        writer: Callable[..., Any] = EdfImage if suffix == "edf" else TifImage
        writer(data=frame, header={"monitor": f"{beam:.0f}"}).write(str(path))
        files.append(path)
    return Truth(paint(scan.shape), scan.geometry, tuple(files))


def _write_entry(file: h5py.File, scan: Scan) -> h5py.Group:
    slow, fast = scan.shape
    file.attrs.update({"NX_class": "NXroot", "default": "entry"})
    entry = _group(file, "entry", "NXentry")
    entry.attrs["default"] = "measurement"
    entry["title"] = "Painting fragment, raster scan"
    entry["start_time"] = "2026-06-01T10:00:00+02:00"
    entry["experiment_identifier"] = "hg-172"
    entry["scan_command"] = (
        f"amesh sampx 0 {(fast - 1) * STEP_MM:g} {fast - 1} "
        f"sampy 0 {(slow - 1) * STEP_MM:g} {slow - 1} 0.05"
    )
    user = _group(entry, "user", "NXuser")
    user["name"], user["role"] = "Ines Duarte", "principal_investigator"
    sample = _group(entry, "sample", "NXsample")
    sample["name"] = "Painting fragment 7, green robe"
    sample["chemical_formula"] = "Pb3(CO3)2(OH)2"
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = "ID13 micro-XRD"
    source = _group(instrument, "source", "NXsource")
    source["name"], source["probe"] = "Demo light source", "x-ray"
    monochromator = _group(instrument, "monochromator", "NXmonochromator")
    wavelength_a = scan.geometry.wavelength * 1e10
    _quantity(monochromator, "energy", 12.398419843320026 / wavelength_a, "keV")
    _quantity(monochromator, "wavelength", wavelength_a, "angstrom")
    return entry


def _write_positions(entry: h5py.Group, scan: Scan) -> None:
    measurement = _group(entry, "measurement", "NXcollection")
    rows, columns = np.array(scan.cells()).T
    for name, cells in (("sampx", columns), ("sampy", rows)):
        motor = _group(entry, f"instrument/{name}", "NXpositioner")
        _quantity(motor, "value", cells * STEP_MM, "mm")
        measurement[name] = h5py.SoftLink(f"/entry/instrument/{name}/value")
    monitor = _group(entry, "monitor", "NXmonitor")
    _quantity(monitor, "data", scan.monitor(), "counts")
    measurement["monitor"] = h5py.SoftLink("/entry/monitor/data")


def _write_images(entry: h5py.Group, scan: Scan) -> None:
    pilatus = _group(entry, "instrument/pilatus", "NXdetector")
    description = detector_factory(scan.geometry.detector)
    pilatus["description"] = scan.geometry.detector
    _quantity(pilatus, "distance", scan.geometry.distance, "m")
    _quantity(pilatus, "x_pixel_size", description.pixel2, "m")
    _quantity(pilatus, "y_pixel_size", description.pixel1, "m")
    _quantity(pilatus, "count_time", 0.05, "s")
    filters: dict[Compression, Any] = {
        "bitshuffle": hdf5plugin.Bitshuffle(cname="lz4"),
        "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
        "none": {},
    }
    images = pilatus.create_dataset(
        "data",
        (scan.frames, *description.shape),
        "i4",
        chunks=(1, *description.shape),
        **filters[scan.compression],
    )
    images.attrs.update({"units": "counts", "interpretation": "image"})
    for number, frame in enumerate(make_frames(scan)):
        images[number] = frame
    measurement = entry["measurement"]
    measurement.attrs.update({"NX_class": "NXdata", "signal": "pilatus"})
    measurement["pilatus"] = h5py.SoftLink("/entry/instrument/pilatus/data")


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _quantity(group: h5py.Group, name: str, value: Any, unit: str) -> None:
    group.create_dataset(name, data=value).attrs["units"] = unit
