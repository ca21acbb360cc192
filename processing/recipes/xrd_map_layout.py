"""What a scan says of itself before its frames are read: raster, motors, monitor, orientation."""

from dataclasses import dataclass

import numpy as np

from processing.recipes.base import RecipeError, Workspace
from processing.science.diffraction.integrator import (
    AXIS_UNITS,
    FrameIntegrator,
    find_better_orientation,
)
from processing.science.diffraction.poni import NATIVE_ORIENTATION, Poni
from processing.science.frames import Beam, FrameStack, sum_sample
from processing.science.maps.map_file import Axis, MapAxes
from processing.science.maps.raster import (
    Raster,
    axis_of,
    choose_shape,
    is_fast,
    runs_back_and_forth,
    shape_from_positions,
)
from processing.science.markers import has_counts
from processing.science.nexus import Readings


@dataclass(frozen=True)
class Layout:
    """Where each frame belongs, and the axes of the map."""

    raster: Raster
    y: Axis
    x: Axis

    def axes(self, integrator: FrameIntegrator) -> MapAxes:
        unit = integrator.choices.unit
        name = "momentum transfer q" if unit.startswith("q") else "scattering angle 2θ"
        q = Axis(integrator.radial, AXIS_UNITS[unit], name)
        sectors = integrator.azimuth
        azimuth = None if sectors is None else Axis(sectors, "deg", "azimuth χ")
        return MapAxes(self.y, self.x, q, integrator.choices.has_errors, azimuth=azimuth)


def lay_out(
    work: Workspace, stack: FrameStack, asked: tuple[int, int] | None, *, zigzag: bool
) -> Layout:
    motors = stack.find_positions()
    if motors and not is_fast(motors[0].values, motors[1].values):
        motors = motors[1], motors[0]
    stated = stack.stated_shape()
    if stated is None and motors:
        stated = shape_from_positions(motors[0].values, motors[1].values)
    raster = Raster(*choose_shape(stack.n_frames, asked, stated), zigzag)
    work.log(
        f"{stack.n_frames} frames of {stack.shape[0]} x {stack.shape[1]} pixels for a map of "
        f"{raster.slow} x {raster.fast} positions"
    )
    if stack.n_frames < raster.positions:
        work.warn(
            f"The scan stopped early: {stack.n_frames} frames for {raster.positions} positions. "
            "The others are empty in the map."
        )
    if motors:
        back = runs_back_and_forth(motors[0].values, raster)
        if back is not None and back != zigzag:
            runs = "runs back and forth" if back else "starts every row at the same side"
            work.warn(
                f"The motor {motors[0].name} {runs}, but zigzag is {str(zigzag).lower()}. "
                f"Run again with zigzag {str(back).lower()} if the map looks torn."
            )
    fast, slow = motors or (None, None)
    return Layout(raster, _axis(raster, slow, 0), _axis(raster, fast, 1))


def _axis(raster: Raster, motor: Readings | None, axis: int) -> Axis:
    values = None if motor is None else axis_of(raster.arrange(motor.values), axis)
    if motor is None or values is None:
        steps = np.arange((raster.slow, raster.fast)[axis], dtype=np.float64)
        return Axis(steps, "", ("row", "column")[axis])
    return Axis(values, motor.units, motor.name)


def read_beam(work: Workspace, stack: FrameStack, name: str | None) -> Beam:
    if name is None:
        return Beam()
    readings = stack.read_monitor(name)
    values = readings.values
    usable = values[np.isfinite(values) & (values > 0)]
    if len(usable) == 0:
        raise RecipeError(
            "xrd-monitor",
            f"The monitor {name} is nowhere above 0 in all {len(values)} frames. "
            "Was the beam on? Choose another monitor, or none.",
        )
    if len(usable) < len(values):
        work.warn(
            f"The monitor {name} is not above 0 in {len(values) - len(usable)} of "
            f"{len(values)} frames. They are empty in the map."
        )
    return Beam(readings, float(np.median(usable)))


def declare_orientation(work: Workspace, poni: Poni, asked: int | None) -> int:
    if asked is None and poni.orientation is None:
        work.warn(
            "The PONI file does not state the detector's orientation: 3 (bottom right) is "
            "assumed, as pyFAI did before PONI 2.1. State it as a parameter if you know it."
        )
    return asked or poni.orientation or NATIVE_ORIENTATION


def check_orientation(work: Workspace, stack: FrameStack, integrator: FrameIntegrator) -> None:
    typical = sum_sample(stack)
    if not has_counts(typical):
        return
    corner = integrator.orientation
    better = find_better_orientation(typical, integrator.poni, corner, integrator.excluded)
    if better is not None:
        work.warn(
            f"Rings come out sharper with orientation {better} than with {corner}. "
            "Check how the detector is mounted: a wrong flip shifts intensities by 15 %."
        )
