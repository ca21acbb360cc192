"""What dark constants say as a whole: medians, shares of bad pixels, change since the last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.bad_pixels import BadPixel
from processing.science.calibration.constants_file import STAGES, DarkConstants
from processing.science.process import Provenance, write_process

DRIFT_SIGMA = 5.0
EDGES = {  # of histograms, in ADU
    "offset": np.linspace(0, 2**14, 2**12 + 1),
    "noise": np.linspace(0, 64, 2**8 + 1),
    "change": np.linspace(-128, 128, 2**9 + 1),
}


@dataclass
class ModuleSummary:
    """Means over the memory cells of a module, each of shape (3, y, x), in ADU."""

    offset: NDArray[np.float64]
    noise: NDArray[np.float64]
    change: NDArray[np.float64]
    cells: int = 0
    compared: int = 0


@dataclass
class DarkSummary:
    """
    Of all modules and cells, added one part after the other.

    Attributes
    ----------
    histograms : dict
        "offset", "noise" and "change" to pixels in each bin, of shape (3, bins).
    medians : dict
        The same names to the median of each part and cell, in ADU, by gain.
    bits : ndarray of shape (3, 32)
        Pixels that have a bit, by gain.
    bad, pixels : ndarray of shape (3,)
        Bad pixels, and all.
    drifted, lit, compared : ndarray of shape (3,)
        Pixels whose offset has changed, or changed as by light, by more than five times the
        noise since the last constants; and all that have both.
    modules : dict
        Name to its maps.
    """

    histograms: dict[str, NDArray[np.int64]] = field(
        default_factory=lambda: {
            name: np.zeros((STAGES, len(edges) - 1), np.int64) for name, edges in EDGES.items()
        }
    )
    medians: dict[str, list[list[float]]] = field(
        default_factory=lambda: {name: [[] for _ in range(STAGES)] for name in EDGES}
    )
    bits: NDArray[np.int64] = field(default_factory=lambda: np.zeros((STAGES, 32), np.int64))
    bad: NDArray[np.int64] = field(default_factory=lambda: np.zeros(STAGES, np.int64))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(STAGES, np.int64))
    drifted: NDArray[np.int64] = field(default_factory=lambda: np.zeros(STAGES, np.int64))
    lit: NDArray[np.int64] = field(default_factory=lambda: np.zeros(STAGES, np.int64))
    compared: NDArray[np.int64] = field(default_factory=lambda: np.zeros(STAGES, np.int64))
    modules: dict[str, ModuleSummary] = field(default_factory=dict)

    def add(self, part: DarkConstants, last: DarkConstants | None = None) -> None:
        """
        Add the constants of some cells.

        Parameters
        ----------
        part : DarkConstants
            New ones.
        last : DarkConstants, optional
            The last ones, of the same cells.
        """
        shape = (STAGES, *part.offset.shape[2:])
        module = self.modules.setdefault(
            part.module, ModuleSummary(np.zeros(shape), np.zeros(shape), np.zeros(shape))
        )
        # A pixel without a constant in one cell has none in the mean: it stays NaN.
        module.offset += part.offset.sum(axis=1, dtype=np.float64)
        module.noise += part.noise.sum(axis=1, dtype=np.float64)
        module.cells += part.cells
        for stage in range(STAGES):
            self._count("offset", stage, part.offset[stage])
            self._count("noise", stage, part.noise[stage])
            flags = part.bad_pixels[stage]
            self.bad[stage] += np.count_nonzero(flags)
            self.pixels[stage] += flags.size
            for bit in BadPixel:
                self.bits[stage, bit.bit_length() - 1] += np.count_nonzero(flags & bit)
        if last is not None:
            self._compare(part, last, module)

    def _compare(self, part: DarkConstants, last: DarkConstants, module: ModuleSummary) -> None:
        change = part.offset - last.offset
        module.change += change.sum(axis=1, dtype=np.float64)
        module.compared += part.cells
        for stage in range(STAGES):
            self._count("change", stage, change[stage])
            with np.errstate(invalid="ignore"):
                bound = DRIFT_SIGMA * last.noise[stage]
                lit = change[stage] * _sign_of_charge(part.detector, stage)
                self.lit[stage] += np.count_nonzero(lit > bound)
                self.drifted[stage] += np.count_nonzero(np.abs(change[stage]) > bound)
            self.compared[stage] += np.count_nonzero(np.isfinite(change[stage]))

    def _count(self, name: str, stage: int, planes: NDArray[np.float32]) -> None:
        edges = EDGES[name]
        known = planes[np.isfinite(planes)]
        # What lies outside is counted in the outermost bins, so that no pixel is lost.
        clipped = np.clip(known, edges[0], np.nextafter(edges[-1], 0, dtype=np.float32))
        self.histograms[name][stage] += np.histogram(clipped, edges)[0]
        for plane in planes:
            known = plane[np.isfinite(plane)]
            if len(known):
                self.medians[name][stage].append(float(np.median(known)))

    def median(self, name: str, stage: int) -> float:
        """Return the median over modules and cells of their medians, in ADU."""
        values = self.medians[name][stage]
        return float(np.median(values)) if values else float("nan")

    def share(self, counted: NDArray[np.int64], stage: int, of: NDArray[np.int64]) -> float:
        return float(counted[stage] / of[stage]) if of[stage] else 0.0

    def maps(self, name: str) -> dict[str, NDArray[np.float64]]:
        """Return the mean over cells of each module, of shape (3, y, x), in ADU."""
        found = {}
        for module, it in self.modules.items():
            cells = it.compared if name == "change" else it.cells
            if cells:
                found[module] = getattr(it, name) / cells
        return found


def _sign_of_charge(detector: str, stage: int) -> int:
    """Charge raises every value of AGIPD, and lowers JUNGFRAU's in medium and low gain."""
    return -1 if detector == "JUNGFRAU" and stage > 0 else 1


def write_summary(path: Path, summary: DarkSummary, gains: Sequence[str], made: Provenance) -> None:
    """
    Write histograms and maps as NeXus: one NXdata for each plot.

    Parameters
    ----------
    path : Path
        Where to write.
    summary : DarkSummary
        Of all modules.
    gains : sequence of str
        Names of the three stages.
    made : Provenance
        How it was made.
    """
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "offset_histogram"})
        entry["title"] = "Summary of dark constants"
        for name in EDGES:
            maps = summary.maps(name)
            if not maps:
                continue
            centres = (EDGES[name][1:] + EDGES[name][:-1]) / 2
            shown = _plot(entry, f"{name}_histogram", "pixels", ["stage", name])
            shown["pixels"] = summary.histograms[name]
            shown[name] = centres
            shown[name].attrs["units"] = "ADU"
            shown["stage"] = np.arange(STAGES)
            shown["stage"].attrs["long_name"] = ", ".join(gains)
            for module, values in maps.items():
                picture = _plot(entry, f"{name}_{module}", name, ["stage", "y", "x"])
                plane = picture.create_dataset(name, data=values.astype(np.float32))
                plane.attrs["units"] = "ADU"
        write_process(entry, made)


def _plot(entry: h5py.Group, name: str, signal: str, axes: list[str]) -> Any:
    group = entry.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "signal": signal, "axes": axes})
    return group
