"""Two small maps that lie side by side: to try map-combine with."""

from pathlib import Path

import numpy as np

from processing.recipes.manifest import Example
from processing.science.diffraction.integrator import Pattern
from processing.science.maps.map_file import Axis, MapAxes, create_map

_SHAPE = (2, 3)
_BINS = 40
_STEP_MM = 0.1


def write_example(folder: Path) -> Example:
    """Write two maps of 2 x 3 positions with one reflection, the second right of the first."""
    q = Axis(np.linspace(5.0, 25.0, _BINS), "1/nm", "momentum transfer q")
    ring = 100 * np.exp(-(((q.values - 15) / 1.5) ** 2)) + 10
    for number in range(2):
        y = Axis(_STEP_MM * np.arange(_SHAPE[0], dtype=np.float64), "mm", "sampy")
        columns = np.arange(_SHAPE[1], dtype=np.float64) + number * _SHAPE[1]
        x = Axis(_STEP_MM * columns, "mm", "sampx")
        with create_map(folder / f"map_{number + 1}.nxs", MapAxes(y, x, q)) as written:
            for row in range(_SHAPE[0]):
                bright = 1.0 + row + np.arange(_SHAPE[1]) + number
                written.write_row(
                    row, [Pattern(b * ring, np.sqrt(b * ring), np.ones(_BINS)) for b in bright]
                )
            list(written.write_cumulative())
            written.write_patterns()
    return Example(inputs={"maps": ("map_1.nxs", "map_2.nxs")}, parameters={"mode": "mosaic"})
