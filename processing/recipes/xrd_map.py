"""Diffraction map: every frame of a raster scan becomes one pattern of a map."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from processing.recipes.base import (
    Input,
    Output,
    Preset,
    RecipeError,
    Workspace,
    recipe,
    workspace,
)
from processing.recipes.refusals import refusing
from processing.recipes.xrd_map_example import write_example
from processing.science import errors
from processing.science.diffraction.integrator import (
    AXIS_UNITS,
    ErrorModel,
    FrameIntegrator,
    Pattern,
    Reduction,
    Splitting,
    Unit,
    find_better_orientation,
    integrate_frames,
)
from processing.science.diffraction.poni import NATIVE_ORIENTATION, Poni, detector_shape, read_poni
from processing.science.frames import (
    Beam,
    FrameStack,
    TimedFrames,
    open_frames,
    read_mask,
    sum_sample,
)
from processing.science.maps.map_file import Axis, MapAxes, MapFile, create_map
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
from processing.science.pictures import draw_map, draw_pattern
from processing.science.process import Provenance

REFUSALS: dict[type[errors.DataError], str] = {
    errors.ShapeError: "xrd-shape",
    errors.WavelengthError: "xrd-no-wavelength",
    errors.PoniPathError: "xrd-poni-path",
    errors.GeometryError: "xrd-poni",
    errors.TooManyFramesError: "xrd-too-many-frames",
    errors.UnreadableFramesError: "xrd-unreadable",
    errors.NoRasterError: "xrd-no-shape",
    errors.MissingFieldError: "xrd-no-field",
    errors.MissingFilterError: "file-filter-missing",
    errors.UnreadableFileError: "file-unreadable",
    errors.DataError: "xrd-data",
}
PROGRESS_STEPS = 200


@recipe(
    "xrd-map",
    version="1.0.1",
    environment=["pyFAI", "numpy", "h5py", "hdf5plugin", "fabio", "Pillow"],
    cores=2,
    # float32 sums of up to some thousand pixels, in an order that pyFAI may choose.
    tolerance={"/entry/map/*": (1e-5, 0.0)},
    presets={
        "quick-look": Preset(
            description="A coarse map without corrections, to see where the sample is",
            parameters={"bins": 200, "splitting": "no", "error_model": "none"},
        ),
        "powder": Preset(
            description="Fine bins in 2θ, to compare with powder patterns",
            parameters={"bins": 3000, "unit": "2th_deg"},
        ),
    },
    licence="BSD-3-Clause",
)
def xrd_map(
    scan: Input[Literal["nexus-scan", "nexus", "image-series", "image"]],
    geometry: Input[Literal["poni"]],
    mask: Input[Literal["image"]] | None = None,
    *,
    bins: Annotated[
        int, Field(ge=10, le=100_000, description="Number of bins along the radial axis")
    ] = 1000,
    unit: Annotated[Unit, Field(description="Radial axis of the map")] = "q_nm^-1",
    shape: Annotated[
        tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None,
        Field(description="Rows and columns of the map; by default as the scan states it"),
    ] = None,
    zigzag: Annotated[
        bool, Field(description="Odd rows were taken backwards (snake, meander)")
    ] = False,
    monitor: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Name or path of the beam monitor to normalise by; none by default",
        ),
    ] = None,
    radial_range: Annotated[
        tuple[float, float] | None,
        Field(description="Low and high edge of the radial axis, in its unit; all by default"),
    ] = None,
    azimuth_range: Annotated[
        tuple[Annotated[float, Field(ge=-180, le=360)], Annotated[float, Field(ge=-180, le=360)]]
        | None,
        Field(
            description="Sector of the rings to take; all by default",
            json_schema_extra={"unit": "deg", "advanced": True},
        ),
    ] = None,
    polarization: Annotated[
        float | None,
        Field(
            ge=-1,
            le=1,
            description="From -1 (vertical) to 1 (horizontal); none leaves it uncorrected",
            json_schema_extra={"advanced": True},
        ),
    ] = 0.95,
    solid_angle: Annotated[
        bool,
        Field(
            description="Correct for the solid angle of each pixel",
            json_schema_extra={"advanced": True},
        ),
    ] = True,
    orientation: Annotated[
        Literal[1, 2, 3, 4] | None,
        Field(
            description="Corner of the first pixel, seen from behind the camera: 1 top left, "
            "2 top right, 3 bottom right, 4 bottom left; by default as the PONI file states it",
            json_schema_extra={"advanced": True},
        ),
    ] = None,
    splitting: Annotated[
        Splitting,
        Field(
            description="How a pixel is shared among bins: by its outline, its bounding box, "
            "or not at all",
            json_schema_extra={"advanced": True},
        ),
    ] = "full",
    error_model: Annotated[
        ErrorModel,
        Field(
            description="Errors from counting statistics, or none",
            json_schema_extra={"advanced": True},
        ),
    ] = "poisson",
    images: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Path of the images in an HDF5 file; by default they are searched for",
            json_schema_extra={"advanced": True},
        ),
    ] = None,
) -> Output[Literal["xrd-map"]]:
    """
    Integrate every frame of a raster scan into one map.

    Each detector frame is reduced with pyFAI to intensity against scattering vector or
    angle, with error bars, and laid out as rows and columns of the scan.
    """
    work = workspace()
    choices = Reduction(
        bins=bins,
        unit=unit,
        radial_range=_ordered("radial_range", radial_range),
        azimuth_range=_ordered("azimuth_range", azimuth_range),
        polarization=polarization,
        solid_angle=solid_angle,
        splitting=splitting,
        error_model=error_model,
    )
    with refusing(REFUSALS):
        poni = read_poni(geometry.file)
        with open_frames(scan.files, images, detector_shape(poni)) as stack:
            layout = _lay_out(work, stack, shape, zigzag=zigzag)
            beam = _read_monitor(work, stack, monitor)
            excluded = None if mask is None else read_mask(mask.files, stack.shape)
            corner = _declare_orientation(work, poni, orientation)
            _check_orientation(work, stack, poni, corner, excluded)
            integrator = FrameIntegrator(
                poni, choices, frame_shape=stack.shape, orientation=corner, mask=excluded
            )
            result: Path = work.output("map.nxs")
            with create_map(result, layout.axes(integrator)) as written:
                _integrate(work, TimedFrames(stack, beam), layout.raster, integrator, written)
                _complete(work, layout, written)
                if beam.monitor is not None:
                    grid = layout.raster.arrange(beam.monitor.values)
                    written.write_monitor(beam.monitor, grid, beam.reference)
                asked = {
                    "shape": shape,
                    "zigzag": zigzag,
                    "monitor": monitor,
                    "orientation": orientation,
                    "images": images,
                }
                inputs = {"scan": scan, "geometry": geometry, "mask": mask}
                made = _describe(work, inputs, asdict(choices) | asked, corner)
                written.write_process(made, poni.text)
    return cast("Output[Literal['xrd-map']]", result)


xrd_map.example(write_example)


@xrd_map.estimate
def estimate(sizes: dict[str, list[int]], parameters: dict[str, Any]) -> tuple[float, int]:
    """
    Foretell core-seconds and bytes of the map from the bytes of the scan.

    A core integrates about 40 MB of compressed frames in a second; the map holds two
    float32 (intensity and error) for each bin of each frame, of which a Pilatus or Eiger
    packs one into some 2 MB.
    """
    scanned = sum(sizes["scan"])
    frames = max(1, scanned // 2_000_000)
    return 2.0 + scanned / 40e6, frames * int(parameters["bins"]) * 8


@dataclass(frozen=True)
class _Layout:
    """Where each frame belongs, and the axes of the map."""

    raster: Raster
    y: Axis
    x: Axis

    def axes(self, integrator: FrameIntegrator) -> MapAxes:
        unit = integrator.choices.unit
        name = "momentum transfer q" if unit.startswith("q") else "scattering angle 2θ"
        q = Axis(integrator.radial, AXIS_UNITS[unit], name)
        return MapAxes(self.y, self.x, q, has_errors=integrator.choices.error_model != "none")


def _ordered(name: str, limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and limits[0] >= limits[1]:
        raise RecipeError(
            "xrd-range", f"{name} is {limits[0]} to {limits[1]}. The low edge comes first."
        )
    return limits


def _lay_out(
    work: Workspace, stack: FrameStack, asked: tuple[int, int] | None, *, zigzag: bool
) -> _Layout:
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
    return _Layout(raster, _axis(raster, slow, 0), _axis(raster, fast, 1))


def _axis(raster: Raster, motor: Readings | None, axis: int) -> Axis:
    values = None if motor is None else axis_of(raster.arrange(motor.values), axis)
    if motor is None or values is None:
        steps = np.arange((raster.slow, raster.fast)[axis], dtype=np.float64)
        return Axis(steps, "", ("row", "column")[axis])
    return Axis(values, motor.units, motor.name)


def _read_monitor(work: Workspace, stack: FrameStack, name: str | None) -> Beam:
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


def _declare_orientation(work: Workspace, poni: Poni, asked: int | None) -> int:
    if asked is None and poni.orientation is None:
        work.warn(
            "The PONI file does not state the detector's orientation: 3 (bottom right) is "
            "assumed, as pyFAI did before PONI 2.1. State it as a parameter if you know it."
        )
    return asked or poni.orientation or NATIVE_ORIENTATION


def _check_orientation(
    work: Workspace,
    stack: FrameStack,
    poni: Poni,
    corner: int,
    excluded: NDArray[np.bool_] | None,
) -> None:
    typical = sum_sample(stack)
    if not has_counts(typical):
        return
    better = find_better_orientation(typical, poni, corner, excluded)
    if better is not None:
        work.warn(
            f"Rings come out sharper with orientation {better} than with {corner}. "
            "Check how the detector is mounted: a wrong flip shifts intensities by 15 %."
        )


def _integrate(
    work: Workspace,
    frames: TimedFrames,
    raster: Raster,
    integrator: FrameIntegrator,
    written: MapFile,
) -> None:
    n_frames = frames.stack.n_frames
    every = max(1, n_frames // PROGRESS_STEPS)
    patterns = integrate_frames(frames, integrator)
    done = 0
    for row in range(raster.slow):
        numbers = [number for number in raster.frames_of_row(row) if number < n_frames]
        found: dict[int, Pattern | None] = {}
        for number in sorted(numbers):
            found[number] = next(patterns)
            done += 1
            if done % every == 0 or done == n_frames:
                work.progress(done, n_frames, "integrating")
        written.write_row(row, [found.get(number) for number in raster.frames_of_row(row)])
    lost = n_frames - int(written.valid.sum())
    if frames.unreadable:
        numbers_text = ", ".join(map(str, frames.unreadable[:5]))
        work.warn(f"{len(frames.unreadable)} frames cannot be read ({numbers_text}): left empty.")
    if lost:
        work.warn(f"{lost} of {n_frames} frames have no valid pattern and are empty in the map.")


def _complete(work: Workspace, layout: _Layout, written: MapFile) -> None:
    """Add what needs the whole map: running sums, patterns, picture, headline numbers."""
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
        return
    spread = np.nan_to_num(written.maximum - written.mean, nan=-np.inf)
    if layout.raster.positions == 1:
        peak = int(np.nanargmax(written.mean))
        draw_pattern(written.mean, work.preview())
    else:
        peak = int(spread.argmax())
        half = max(2, bins // 200)
        picture = written.read_range(max(0, peak - half), min(bins, peak + half + 1))
        draw_map(picture, work.preview(), **_directions(layout))
    work.quantity(f"strongest_reflection_{radial}", float(q[peak]), units)


def _directions(layout: _Layout) -> dict[str, Any]:
    x, y = layout.x, layout.y
    steps = [
        abs(axis.values[-1] - axis.values[0]) / max(1, len(axis.values) - 1) for axis in (x, y)
    ]
    square = x.units != y.units or min(steps) == 0
    return {
        "x_ascends": bool(x.values[-1] >= x.values[0]),
        "y_ascends": bool(y.values[-1] >= y.values[0]),
        "pixel_aspect": 1.0 if square else float(steps[1] / steps[0]),
    }


def _describe(
    work: Workspace, inputs: dict[str, Any], parameters: dict[str, Any], corner: int
) -> Provenance:
    units = {"radial_range": AXIS_UNITS[parameters["unit"]], "azimuth_range": "deg"}
    return Provenance(
        program=work.recipe or xrd_map.manifest.name,
        version=work.version or xrd_map.manifest.version,
        date=work.date,
        run_key=work.run_key,
        key_document=work.key_document,
        inputs={role: given.digest for role, given in inputs.items() if given is not None},
        parameters={name: (value, units.get(name, "")) for name, value in parameters.items()},
        decided={"orientation": corner},
    )
