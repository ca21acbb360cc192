"""Diffraction map: every frame of a raster scan becomes one pattern of a map."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from processing.recipes.base import (
    Input,
    Inputs,
    Output,
    Preset,
    RecipeError,
    Workspace,
    recipe,
    workspace,
)
from processing.recipes.refusals import refusing
from processing.recipes.xrd_map_example import write_example
from processing.recipes.xrd_map_integration import Job, integrate_scan, verify_map
from processing.recipes.xrd_map_layout import (
    Layout,
    declare_orientation,
    doubt_orientation,
    lay_out,
    read_beam,
)
from processing.recipes.xrd_map_parameters import (
    AxisUnit,
    AzimuthBins,
    AzimuthRange,
    Bins,
    ByPyfai,
    Clip,
    Errors,
    ImagesPath,
    MapShape,
    MonitorName,
    Orientation,
    PhaseBackground,
    Phases,
    PhaseWidth,
    PixelSplitting,
    Polarization,
    RadialRange,
    ReferenceUnit,
    Regions,
    SolidAngle,
    Verified,
    Zigzag,
)
from processing.recipes.xrd_map_phases import RegionChoice, read_references, want
from processing.recipes.xrd_map_products import complete_map
from processing.science import errors
from processing.science.diffraction.integrator import (
    AXIS_UNITS,
    Reduction,
)
from processing.science.diffraction.poni import detector_shape, read_poni
from processing.science.diffraction.reducer import Reducer
from processing.science.diffraction.warming import compile_kernels
from processing.science.frames import (
    Beam,
    open_frames,
)
from processing.science.maps.map_file import MapFile, create_map
from processing.science.maps.radial import RadialAxis
from processing.science.process import Provenance

MAX_CAKE = 2**22  # values of one frame against radius and azimuth: 16 MB

REFUSALS: dict[type[errors.DataError], str] = {
    errors.ShapeError: "xrd-shape",
    errors.WavelengthError: "xrd-no-wavelength",
    errors.PoniPathError: "xrd-poni-path",
    errors.GeometryError: "xrd-poni",
    errors.TooManyFramesError: "xrd-too-many-frames",
    errors.UnreadableFramesError: "xrd-unreadable",
    errors.DeviationError: "xrd-deviation",
    errors.NoRasterError: "xrd-no-shape",
    errors.MissingFieldError: "xrd-no-field",
    errors.RegionError: "xrd-roi",
    errors.PhaseError: "xrd-phases",
    errors.MissingFilterError: "file-filter-missing",
    errors.UnreadableFileError: "file-unreadable",
    errors.DataError: "xrd-data",
}


@recipe(
    "xrd-map",
    version="1.1.0",
    environment=[
        "pyFAI",
        "numpy",
        "numba",
        "llvmlite",
        "h5py",
        "hdf5plugin",
        "fabio",
        "Pillow",
        "scipy",
    ],
    cores=2,
    fan_out=16,
    # float32 sums of up to some thousand pixels, in an order that pyFAI may choose.
    # A fit amplifies their last digits where phases overlap.
    tolerance={
        "/entry/map/*": (1e-5, 0.0),
        "/entry/regions/*": (1e-5, 1e-4),
        "/entry/phases/*": (1e-4, 1e-4),
    },
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
    dark: Input[Literal["image"]] | None = None,
    flat: Input[Literal["image"]] | None = None,
    references: Annotated[
        Inputs[Literal["nexus", "files"]],
        Field(description="Patterns of phases: NeXus curves, or text of two columns"),
    ] = Inputs(),  # noqa: B008 - an empty tuple
    *,
    bins: Bins = 1000,
    unit: AxisUnit = "q_nm^-1",
    shape: MapShape = None,
    zigzag: Zigzag = False,
    monitor: MonitorName = None,
    radial_range: RadialRange = None,
    azimuth_range: AzimuthRange = None,
    polarization: Polarization = 0.95,
    solid_angle: SolidAngle = True,
    orientation: Orientation = None,
    splitting: PixelSplitting = "full",
    error_model: Errors = "poisson",
    clip: Clip = None,
    azimuth_bins: AzimuthBins = None,
    images: ImagesPath = None,
    rois: Regions = (),
    phases: Phases = (),
    phase_width: PhaseWidth = None,
    phase_background: PhaseBackground = 8,
    reference_unit: ReferenceUnit = None,
    verify: Verified = 8,
    by_pyfai: ByPyfai = False,
) -> Output[Literal["xrd-map"]]:
    """
    Integrate every frame of a raster scan into one map.

    Each detector frame is reduced with pyFAI to intensity against scattering vector or
    angle, with error bars, and laid out as rows and columns of the scan.
    """
    work = workspace()
    optional = {"mask": mask, "dark": dark, "flat": flat}
    choices = Reduction(
        bins=bins,
        unit=unit,
        radial_range=_ordered("radial_range", radial_range),
        azimuth_range=_ordered("azimuth_range", azimuth_range),
        polarization=polarization,
        solid_angle=solid_angle,
        splitting=splitting,
        error_model=error_model,
        clip=clip,
        azimuth_bins=_coarse_enough(bins, azimuth_bins),
        by_pyfai=by_pyfai,
    )
    with refusing(REFUSALS):
        poni = read_poni(geometry.file)
        # Beside what decides how fast the map is there, one thread does what can wait.
        with (
            open_frames(scan.files, images, detector_shape(poni)) as stack,
            ThreadPoolExecutor(1) as aside,
        ):
            layout = lay_out(work, stack, shape, zigzag=zigzag)
            beam = read_beam(work, stack, monitor)
            corner = declare_orientation(work, poni, orientation)
            job = Job(
                scan=tuple(scan.files),
                geometry=geometry.file,
                orientation=corner,
                choices=choices,
                shape=detector_shape(poni),
                images=images,
                cache=work.cache,
                **{role: tuple(given.files) for role, given in optional.items() if given},
            )
            integrator = job.make_integrator(stack.shape)
            doubt = aside.submit(doubt_orientation, stack, integrator)
            reducer = Reducer(stack, integrator, work.cache)
            axes = layout.axes(reducer)
            # Only now: what is computed once is guarded by no lock in the line before.
            aside.submit(reducer.prepare_pyfai)
            wanted = want(
                RadialAxis(axes.q.values, axes.q.units, poni.wavelength_m),
                rois,
                read_references(phases, references, reference_unit, poni.wavelength_m),
                width_deg=phase_width,
                splines=phase_background,
            )
            result: Path = work.output("map.nxs")
            with create_map(result, axes) as written:
                integrate_scan(work, job, reducer, beam, layout.raster, written)
                _warn_if(work, doubt.result())
                verify_map(work, reducer, beam, layout.raster, written, verify)
                complete_map(work, layout, written, wanted, stack.n_frames)
                _write_beam(written, layout, beam)
                asked = {
                    "shape": shape,
                    "zigzag": zigzag,
                    "monitor": monitor,
                    "orientation": orientation,
                    "images": images,
                    "verify": verify,
                    "rois": [RegionChoice.model_validate(roi).model_dump() for roi in rois],
                    "phases": list(phases),
                    "phase_width": phase_width,
                    "phase_background": phase_background,
                    "reference_unit": reference_unit,
                }
                inputs: dict[str, Any] = {"scan": scan, "geometry": geometry, **optional}
                inputs |= {f"references_{n}": one for n, one in enumerate(references, start=1)}
                decided = {
                    "orientation": corner,
                    "splitting": choices.split,
                    "tier": reducer.tier.name,
                }
                made = _describe(work, inputs, asdict(choices) | asked, decided)
                written.write_process(made, poni.text)
    return cast("Output[Literal['xrd-map']]", result)


xrd_map.example(write_example)


@xrd_map.warm_up
def warm_up() -> None:
    """Compile what sums up frames: the first map would wait some seconds for it."""
    with TemporaryDirectory() as folder:
        compile_kernels(Path(folder))


@xrd_map.estimate
def estimate(sizes: dict[str, list[int]], parameters: dict[str, Any]) -> tuple[float, int]:
    """
    Foretell core-seconds and bytes of the map from the bytes of the scan.

    A core integrates about 100 MB of compressed frames in a second, pyFAI itself 20 MB; the
    map holds two float32 (intensity and error) for each bin of each frame, and one for each
    sector of a cake. A Pilatus or Eiger packs a frame into some 2 MB.
    """
    scanned = sum(sizes["scan"])
    frames = max(1, scanned // 2_000_000)
    sectors = parameters["azimuth_bins"] or 0
    is_slow = sectors or parameters["clip"] or parameters["by_pyfai"]
    seconds = 5.0 + scanned / (20e6 if is_slow else 100e6)
    return seconds, frames * int(parameters["bins"]) * (8 + 4 * sectors)


def _warn_if(work: Workspace, doubt: str) -> None:
    if doubt:
        work.warn(doubt)


def _write_beam(written: MapFile, layout: Layout, beam: Beam) -> None:
    if beam.monitor is not None:
        grid = layout.raster.arrange(beam.monitor.values)
        written.write_monitor(beam.monitor, grid, beam.reference)


def _ordered(name: str, limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and limits[0] >= limits[1]:
        raise RecipeError(
            "xrd-range", f"{name} is {limits[0]} to {limits[1]}. The low edge comes first."
        )
    return limits


def _coarse_enough(bins: int, azimuth_bins: int | None) -> int | None:
    if bins * (azimuth_bins or 0) > MAX_CAKE:
        raise RecipeError(
            "xrd-cake",
            f"{azimuth_bins} sectors of {bins} bins are more than {MAX_CAKE:,} values for each "
            "frame. Lower azimuth_bins or bins.",
        )
    return azimuth_bins


def _describe(
    work: Workspace, inputs: dict[str, Any], parameters: dict[str, Any], decided: dict[str, Any]
) -> Provenance:
    units = {"radial_range": AXIS_UNITS[parameters["unit"]], "azimuth_range": "deg"}
    units["phase_width"] = "deg"
    return Provenance(
        program=work.recipe or xrd_map.manifest.name,
        version=work.version or xrd_map.manifest.version,
        date=work.date,
        run_key=work.run_key,
        key_document=work.key_document,
        inputs={role: given.digest for role, given in inputs.items() if given is not None},
        parameters={name: (value, units.get(name, "")) for name, value in parameters.items()},
        decided=decided,
    )
