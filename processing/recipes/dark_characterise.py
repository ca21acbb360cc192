"""Dark constants: three runs without light become offset, noise, gain levels and bad pixels."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from processing.recipes.base import Input, Output, Workspace, recipe, workspace
from processing.recipes.dark_characterise_example import write_example
from processing.recipes.dark_characterise_tasks import Plan, characterise_cells, plan_cells
from processing.recipes.dark_characterise_verdict import judge, tell
from processing.recipes.dark_characterise_writing import SUMMARY, Writer, open_previous
from processing.recipes.refusals import EUXFEL, refusing
from processing.science import errors
from processing.science.calibration.bad_pixels import Limits
from processing.science.calibration.dark_plots import draw_darks, lay_side_by_side
from processing.science.calibration.dark_runs import (
    GAINS,
    DarkRun,
    check_gains,
    check_together,
    find_beginning,
    read_dark_run,
)
from processing.science.calibration.dark_summary import DarkSummary, write_summary
from processing.science.calibration.darks import (
    DarkChoices,
    Statistic,
    warm_up_kernels,
)
from processing.science.pictures import draw_map
from processing.science.process import Provenance

REFUSALS: dict[type[errors.DataError], str] = EUXFEL | {
    errors.CorrectedInputError: "dark-corrected-input",
    errors.InterleavedError: "dark-interleaved",
    errors.TooFewTrainsError: "dark-too-few",
    errors.MixedCellsError: "dark-mixed-cells",
    errors.ConditionsError: "dark-conditions",
    errors.GainOrderError: "dark-gain-order",
    errors.SameRunError: "dark-same-run",
    errors.ClockError: "dark-clock",
    errors.BeamError: "dark-beam",
    errors.BadModuleError: "dark-bad-pixels",
    errors.EmptyDarkError: "dark-empty",
    errors.DataError: "dark-data",
}

_Factor = Annotated[float, Field(ge=1, le=50)]
_ADVANCED = {"advanced": True}


@recipe(
    "dark-characterise",
    version="1.0.0",
    environment=[
        "numpy",
        "h5py",
        "hdf5plugin",
        "numba",
        "llvmlite",
        "extra-data",
        "matplotlib",
        "Pillow",
    ],
    cores=2,
    memory=4 * 2**30,
    fan_out=16,
    licence="BSD-3-Clause",
)
def dark_characterise(
    high: Annotated[Input[Literal["euxfel-run"]], Field(description="Dark run in high gain, G0")],
    medium: Annotated[
        Input[Literal["euxfel-run"]], Field(description="Dark run in medium gain, G1")
    ],
    low: Annotated[Input[Literal["euxfel-run"]], Field(description="Dark run in low gain, G2")],
    previous: Annotated[
        Input[Literal["dark-constants"]] | None,
        Field(description="The last constants, to compare with"),
    ] = None,
    *,
    detector: Annotated[
        str | None,
        Field(max_length=100, description="Name of the detector, if the runs hold several"),
    ] = None,
    modules: Annotated[
        tuple[str, ...] | None,
        Field(max_length=64, description="Modules, such as AGIPD03 or JNGFR01; all by default"),
    ] = None,
    cells: Annotated[
        tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None,
        Field(description="First and last memory cell; all by default"),
    ] = None,
    min_trains: Annotated[
        int, Field(ge=2, le=100_000, description="Trains that a run must have at least")
    ] = 20,
    offset: Annotated[
        Statistic,
        Field(description="Offset: median of up to 512 trains, or mean of all"),
    ] = "median",
    sigma_offset: Annotated[
        tuple[_Factor, _Factor],
        Field(
            description="How many sigma below and above its ASIC an offset is bad",
            json_schema_extra=_ADVANCED,
        ),
    ] = (5.0, 5.0),
    sigma_noise: Annotated[
        tuple[_Factor, _Factor],
        Field(
            description="How many sigma below and above its ASIC a noise is bad",
            json_schema_extra=_ADVANCED,
        ),
    ] = (5.0, 5.0),
    sigma_gain: Annotated[
        tuple[_Factor, _Factor],
        Field(
            description="How many sigma below and above its ASIC a gain level is bad",
            json_schema_extra=_ADVANCED,
        ),
    ] = (5.0, 5.0),
    max_bad: Annotated[
        float,
        Field(ge=0, le=1, description="Share of bad pixels of a gain above which nothing is made"),
    ] = 0.2,
    gain_codes: Annotated[
        tuple[
            Annotated[int, Field(ge=0, le=3)],
            Annotated[int, Field(ge=0, le=3)],
            Annotated[int, Field(ge=0, le=3)],
        ],
        Field(
            description="Codes that JUNGFRAU writes in its gains G0, G1, G2",
            json_schema_extra=_ADVANCED,
        ),
    ] = (0, 1, 3),
) -> Output[Literal["dark-constants"]]:
    """
    Make dark constants of AGIPD or JUNGFRAU from three runs without light.

    Offset, noise, gain levels and thresholds of each pixel and memory cell, with the pixels
    that are bad, become calibration constants that hold from the first of the runs on.
    """
    work = workspace()
    parameters = {
        "detector": detector,
        "modules": modules,
        "cells": cells,
        "min_trains": min_trains,
        "offset": offset,
        "sigma_offset": sigma_offset,
        "sigma_noise": sigma_noise,
        "sigma_gain": sigma_gain,
        "max_bad": max_bad,
        "gain_codes": gain_codes,
    }
    limits = Limits(sigma_offset, sigma_noise, sigma_gain)
    choices = DarkChoices(offset, limits, min_trains, gain_codes)
    with refusing(REFUSALS):
        given = zip(GAINS, (high, medium, low), strict=True)
        runs = [read_dark_run(gain, one.files, detector) for gain, one in given]
        common = check_together(runs, min_trains, modules)
        _tell_missing(work, runs, modules)
        valid_from = find_beginning(runs, work.now if work.run_key else None)
        check_gains(runs, common, gain_codes)
        inputs = {"high": high, "medium": medium, "low": low, "previous": previous}
        made = _describe(work, inputs, parameters)
        plan = plan_cells(runs, common, cells, choices)
        last = open_previous(work, previous, plan.conditions)
        writer = Writer(work, plan, valid_from, made, last)
        work.map(characterise_cells, plan.tasks, writer.write, stage="characterising")
        judge(work, writer.summary, max_bad)
        _complete(work, runs, plan, writer.summary, made)
    work.constant(
        kind="dark",
        detector=runs[0].detector,
        valid_from=valid_from,
        conditions={name: it for name, it in plan.conditions.items() if name != "detector"},
    )
    return cast("Output[Literal['dark-constants']]", writer.files[0])


dark_characterise.example(write_example)


@dark_characterise.warm_up
def warm_up() -> None:
    """Compile sums and medians with a handful of pixels."""
    warm_up_kernels()


@dark_characterise.estimate
def estimate(
    sizes: dict[str, list[int]],
    parameters: dict[str, Any],  # noqa: ARG001 - the hook is asked with both
) -> tuple[float, int]:
    """
    Foretell core-seconds and bytes of the constants from the bytes of the runs.

    A core sums some 400 MB of frames in a second; constants take as much room as 20 trains.
    """
    read = sum(sum(sizes[gain]) for gain in GAINS)
    return 5.0 + read / 4e8, read // 20


def _tell_missing(work: Workspace, runs: Sequence[DarkRun], asked: tuple[str, ...] | None) -> None:
    """Tell what is odd of the runs, and of modules that one of them lacks."""
    for run in runs:
        for warning in run.warnings:
            work.warn(warning)
    every = sorted(set().union(*(run.modules for run in runs)))
    for name in every if asked is None else asked:
        without = [run.label for run in runs if name not in run.modules]
        if without:
            work.warn(f"{name} is missing in {', '.join(without)}: it gets no constants.")


def _complete(
    work: Workspace,
    runs: Sequence[DarkRun],
    plan: Plan,
    summary: DarkSummary,
    made: Provenance,
) -> None:
    """Add summary, plots and headline numbers."""
    write_summary(work.output(SUMMARY), summary, GAINS, made)
    draw_darks(work.output("dark-plots.png"), summary, GAINS)
    draw_map(lay_side_by_side({m: v[0] for m, v in summary.maps("offset").items()}), work.preview())
    tell(work, runs, plan, summary)


def _describe(
    work: Workspace, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Provenance:
    return Provenance(
        program=work.recipe or dark_characterise.manifest.name,
        version=work.version or dark_characterise.manifest.version,
        date=work.date,
        run_key=work.run_key,
        key_document=work.key_document,
        inputs={role: given.digest for role, given in inputs.items() if given is not None},
        parameters={name: (value, "") for name, value in parameters.items()},
    )
