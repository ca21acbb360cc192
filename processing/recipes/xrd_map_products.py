"""What needs the whole map: running sums, patterns, picture and headline numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from processing.recipes.base import Workspace
from processing.recipes.xrd_map_layout import Layout
from processing.recipes.xrd_map_phases import Wanted, write_wanted
from processing.science.maps.map_file import Axis, MapFile
from processing.science.maps.phase_picture import draw_panels
from processing.science.pictures import draw_map, draw_pattern


def complete_map(
    work: Workspace, layout: Layout, written: MapFile, wanted: Wanted, n_frames: int
) -> None:
    """Add what needs the whole map: running sums, patterns, phases, picture, headline numbers."""
    dead = written.write_dead(layout.raster.arrange(np.arange(n_frames, dtype=np.float64)))
    peak = sum_up(work, written)
    work.quantity("dead_frames", dead)
    phases = write_wanted(work, wanted, written)
    if phases and layout.raster.positions > 1:
        units = written.axes.signal_units
        draw_panels(phases, work.preview(), units=units, **directions(layout.y, layout.x))
    elif peak is not None:
        draw_reflection(written, peak, work.preview())


def sum_up(work: Workspace, written: MapFile) -> int | None:
    """Write running sums and patterns, state headline numbers; return the strongest bin."""
    bins = len(written.axes.q.values)
    for planes in written.write_cumulative():
        work.progress(planes, bins, "summing")
    written.write_patterns()
    q, units = written.axes.q.values, written.axes.q.units
    work.quantity("frames", int(written.valid.sum()))
    work.quantity("valid_fraction", float(written.valid.mean()))
    radial = "q" if units.startswith("1/") else "two_theta"
    work.quantity(f"{radial}_min", float(q[0]), units)
    work.quantity(f"{radial}_max", float(q[-1]), units)
    if not written.valid.any():
        return None
    strength = written.mean if written.valid.size == 1 else written.maximum - written.mean
    peak = int(np.nan_to_num(strength, nan=-np.inf).argmax())
    work.quantity(f"strongest_reflection_{radial}", float(q[peak]), units)
    return peak


def draw_reflection(written: MapFile, peak: int, path: Path) -> None:
    """Draw the map of one reflection; of a single position its pattern."""
    if written.valid.size == 1:
        draw_pattern(written.mean, path)
        return
    bins = len(written.axes.q.values)
    half = max(2, bins // 200)
    picture = written.read_range(max(0, peak - half), min(bins, peak + half + 1))
    draw_map(picture, path, **directions(written.axes.y, written.axes.x))


def directions(y: Axis, x: Axis) -> dict[str, Any]:
    """Say how a picture of a map lies, from its axes."""
    steps = [
        abs(axis.values[-1] - axis.values[0]) / max(1, len(axis.values) - 1) for axis in (x, y)
    ]
    square = x.units != y.units or min(steps) == 0
    return {
        "x_ascends": bool(x.values[-1] >= x.values[0]),
        "y_ascends": bool(y.values[-1] >= y.values[0]),
        "pixel_aspect": 1.0 if square else float(steps[1] / steps[0]),
    }
