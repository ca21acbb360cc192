"""Detector correction: raw frames become signals, gain stages and a mask."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

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
from processing.recipes.detector_correct_example import write_example
from processing.recipes.refusals import EUXFEL, refusing
from processing.science import errors
from processing.science.calibration.ages import Age
from processing.science.calibration.conditions import check_cells, check_conditions
from processing.science.calibration.corrected_file import corrected_name, create_corrected
from processing.science.calibration.correcting import (
    CommonMode,
    Correction,
    Task,
    plan,
)
from processing.science.calibration.packing import Packed, correct_task
from processing.science.calibration.planes import Scaling, Unit
from processing.science.calibration.raw_module import RawModule, read_raw_modules
from processing.science.calibration.report import (
    draw_preview,
    draw_report,
    headlines,
    write_summary,
)
from processing.science.calibration.tally import STAGES, Tally
from processing.science.euxfel.run import Run, open_run
from processing.science.process import Provenance

REFUSALS: dict[type[errors.DataError], str] = EUXFEL | {
    errors.CorrectedInputError: "corr-already-corrected",
    errors.OtherConditionsError: "corr-conditions",
    errors.OtherModuleError: "corr-other-module",
    errors.CellsError: "corr-cells",
    errors.GainsError: "corr-no-gain",
    errors.DataError: "corr-data",
}
CONSTANTS = re.compile(r"(?:dark|gain)-([A-Z]+\d+)\.h5")
MODULES_OF_1M = 16
EnergyKev = Annotated[float, Field(gt=0, le=1000)]
StageGain = Annotated[float, Field(description="ADU/keV")]


class CorrectedRun(NamedTuple):
    corrected: Output[Literal["euxfel-run"]]
    summary: Output[Literal["detector-summary"]]


@recipe(
    "detector-correct",
    version="1.0.0",
    environment=["numpy", "numba", "llvmlite", "h5py", "hdf5plugin", "extra-data", "matplotlib"],
    cores=2,
    memory=6 * 2**30,
    fan_out=16,
    presets={
        "photons": Preset(
            description="Photons of 9.3 keV, one photon a step, for single-particle imaging",
            parameters={"unit": "photon", "photon_energy": 9.3, "quantise": 1.0},
        ),
        "small": Preset(
            description="Steps of one ADU: a fifth of the bytes",
            parameters={"quantise": 1.0},
        ),
    },
    licence="BSD-3-Clause",
)
def detector_correct(
    run: Input[Literal["euxfel-run"]],
    constants: Input[Literal["dark-constants"]],
    gains: Input[Literal["gain-constants"]] | None = None,
    *,
    unit: Annotated[Unit, Field(description="Of the corrected signal")] = "ADU",
    photon_energy: Annotated[
        EnergyKev | None,
        Field(description="Energy of a photon", json_schema_extra={"unit": "keV"}),
    ] = None,
    quantise: Annotated[
        float | None,
        Field(
            gt=0,
            description="Step of stored whole numbers, in the unit of the signal; by default "
            "signals are stored as float32",
        ),
    ] = None,
    common_mode: Annotated[
        bool, Field(description="Subtract the mean of each ASIC's dark pixels")
    ] = False,
    modules: Annotated[
        list[str] | None, Field(description="AGIPD00, JNGFR01 and so on; all by default")
    ] = None,
    relative_gain: Annotated[
        bool,
        Field(
            description="In ADU: bring medium and low gain to the scale of high gain",
            json_schema_extra={"advanced": True},
        ),
    ] = False,
    nominal_gain: Annotated[
        tuple[StageGain, StageGain, StageGain] | None,
        Field(
            description="Gain of the three stages, where no gains per pixel are given; negative "
            "where values fall as charge grows",
            json_schema_extra={"unit": "ADU/keV", "advanced": True},
        ),
    ] = None,
    dark_range: Annotated[
        tuple[float, float],
        Field(
            description="What the common mode takes as dark",
            json_schema_extra={"unit": "ADU", "advanced": True},
        ),
    ] = (-50.0, 30.0),
    dark_fraction: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Part of an ASIC that must be dark for its common mode",
            json_schema_extra={"advanced": True},
        ),
    ] = 0.66,
    iterations: Annotated[
        int,
        Field(
            ge=1,
            le=20,
            description="How often the common mode is subtracted",
            json_schema_extra={"advanced": True},
        ),
    ] = 4,
) -> CorrectedRun:
    """
    Correct the raw frames of an AGIPD or JUNGFRAU.

    Each pixel's gain stage is found, its offset subtracted and its gain applied; bad pixels
    are masked. The result is a run of European XFEL's layout that EXtra-data opens.
    """
    work = workspace()
    correction = Correction(
        _scaling(unit, photon_energy, nominal_gain, relative=relative_gain, gains=gains),
        CommonMode(dark_fraction, *dark_range, iterations) if common_mode else None,
        quantise,
    )
    asked: dict[str, tuple[Any, str]] = {
        "unit": (unit, ""),
        "photon_energy": (photon_energy, "keV"),
        "quantise": (quantise, unit),
        "common_mode": (common_mode, ""),
        "modules": (modules or "all", ""),
        "relative_gain": (relative_gain, ""),
        "nominal_gain": (nominal_gain, "ADU/keV"),
        "dark_range": (dark_range, "ADU"),
        "dark_fraction": (dark_fraction, ""),
        "iterations": (iterations, ""),
    }
    inputs = {"run": run, "constants": constants, "gains": gains}
    made = _describe(work, inputs, asked)
    with refusing(REFUSALS):
        with open_run(run.files) as opened:
            raws, ages = _find_modules(work, opened, _by_module(constants.files), modules)
        planned = _plan(raws, constants.files, () if gains is None else gains.files, correction)
        tallies = _correct(work, planned, correction, made)
    return CorrectedRun(*_conclude(work, tallies, ages, planned, correction))


detector_correct.example(write_example)


@detector_correct.warm_up
def warm_up() -> None:
    """Compile the kernels with a frame each."""
    from processing.science.calibration.warming import warm_kernels  # noqa: PLC0415 - imports numba

    warm_kernels()


@detector_correct.estimate
def estimate(sizes: dict[str, list[int]], parameters: dict[str, Any]) -> tuple[float, int]:
    """
    Foretell core-seconds and bytes from the bytes of the run.

    A core corrects and compresses some 100 MB of raw frames in a second; 16-bit numbers
    become float32 that hardly compress, or steps of which LZ4 takes away half.
    """
    raw = sum(sizes["run"])
    return 3.0 + raw / 100e6, int(raw * (0.6 if parameters["quantise"] else 2.0))


Planned = list[tuple[RawModule, list[Task]]]


def _scaling(
    unit: Unit,
    photon_kev: float | None,
    nominal: tuple[float, float, float] | None,
    *,
    relative: bool,
    gains: Any,
) -> Scaling:
    if unit == "photon" and photon_kev is None:
        raise RecipeError("corr-no-gain", "Photons need photon_energy, in keV.")
    scaling = Scaling(unit, nominal, photon_kev or 0.0, relative)
    if scaling.needs_gains and nominal is None and gains is None:
        raise RecipeError(
            "corr-no-gain",
            f"Signals in {unit} need the gain of each stage. Give a dataset of gains, or "
            "nominal_gain; or take ADU without relative_gain.",
        )
    return scaling


def _by_module(files: tuple[Path, ...]) -> dict[str, Path]:
    """Find whose constants each file holds, by its name."""
    return {found[1]: path for path in files if (found := CONSTANTS.fullmatch(path.name))}


def _find_modules(
    work: Workspace, run: Run, constants: dict[str, Path], wanted: list[str] | None
) -> tuple[list[RawModule], dict[str, Age]]:
    """Read what the run holds, and see that the constants are those of its modules."""
    raws = read_raw_modules(run)
    there = sorted({raw.source.module for raw in raws})
    if lacking := sorted(set(wanted or ()) - set(there)):
        raise RecipeError(
            "corr-no-module", f"The run has no {', '.join(lacking)}. It has: {', '.join(there)}."
        )
    for warning in run.warnings:
        work.warn(warning)
    _tell_missing(work, there, raws[0].source.name)
    chosen = [raw for raw in raws if not wanted or raw.source.module in wanted]
    for module in sorted({raw.source.module for raw in chosen} - set(constants)):
        work.warn(f"There are no constants of {module}: it is left out.")
    if not any(raw.n_frames for raw in chosen):
        names = ", ".join(sorted({raw.source.module for raw in chosen}))
        raise errors.EmptySourceError(f"The run has no frame of {names}. Was the detector on?")
    chosen = [raw for raw in chosen if raw.source.module in constants and raw.n_frames]
    if not chosen:
        raise RecipeError(
            "corr-no-module",
            f"No module of the run has constants. The run has: {', '.join(there)}; the "
            f"constants: {', '.join(sorted(constants)) or 'none'}.",
        )
    ages = check_conditions(run, chosen, constants)
    check_cells(chosen, constants)
    for module, age in sorted(ages.items()):
        if age.days < 0:
            work.warn(f"The constants of {module} are {age}: they were made of later darks.")
    return chosen, ages


def _tell_missing(work: Workspace, there: list[str], source: str) -> None:
    if "AGIPD1M" not in source:
        return
    names = [f"AGIPD{number:02d}" for number in range(MODULES_OF_1M)]
    if lacking := [name for name in names if name not in there]:
        work.warn(f"The run has no file of {', '.join(lacking)}.")


def _plan(
    raws: list[RawModule],
    constants: tuple[Path, ...],
    gains: tuple[Path, ...],
    correction: Correction,
) -> Planned:
    dark, gain = _by_module(constants), _by_module(gains)
    if gains and (lacking := sorted({raw.source.module for raw in raws} - set(gain))):
        raise errors.GainsError(
            f"There are no gains of {', '.join(lacking)}. Give the gains of all modules, or name "
            "the modules to correct."
        )
    return [
        (raw, list(plan(raw, dark[raw.source.module], gain.get(raw.source.module), correction)))
        for raw in raws
    ]


def _correct(
    work: Workspace, planned: Planned, correction: Correction, made: Provenance
) -> dict[str, Tally]:
    """Have tasks computed anywhere and write them here: one process, in the order of tasks."""
    tallies: dict[str, Tally] = {}

    def write(parts: Iterator[Packed]) -> None:
        for raw, tasks in planned:
            path = work.output(corrected_name(raw.source.path), role="corrected")
            with create_corrected(path, raw, correction) as written:
                for _ in tasks:
                    part = next(parts)
                    written.write(part)
                    tallies.setdefault(raw.source.module, Tally()).add(part.tally)
                written.write_process(made)

    tasks = [task for _, tasks in planned for task in tasks]
    work.map(correct_task, tasks, combine=write, stage="correcting")
    return tallies


def _conclude(
    work: Workspace,
    tallies: dict[str, Tally],
    ages: dict[str, Age],
    planned: Planned,
    correction: Correction,
) -> tuple[Any, Any]:
    """Warn of what looks wrong, draw, and state the headline numbers."""
    for module, tally in sorted(tallies.items()):
        for stage in (1, 2):
            if tally.stages[stage] == tally.pixels:
                work.warn(f"All pixels of {module} are in {STAGES[stage]} gain in all frames.")
        if tally.masked == tally.pixels:
            work.warn(f"All pixels of {module} are masked: its constants do not fit its cells.")
        if tally.clipped:
            work.warn(f"{tally.clipped} pixels of {module} were clipped. Take a larger step.")
    unit = correction.scaling.unit
    for name, value, unit_of in headlines(tallies, unit, ages):
        work.quantity(name, value, unit_of or None)
    summary = work.output("summary.json")
    write_summary(summary, tallies, unit, work.warnings, ages)
    draw_report(work.output("report.png", role="summary"), tallies, unit, ages)
    draw_preview(work.preview(), tallies)
    return work.folder / corrected_name(planned[0][0].source.path), summary


def _describe(
    work: Workspace, inputs: dict[str, Any], parameters: dict[str, tuple[Any, str]]
) -> Provenance:
    return Provenance(
        program=work.recipe or detector_correct.manifest.name,
        version=work.version or detector_correct.manifest.version,
        date=work.date,
        run_key=work.run_key,
        key_document=work.key_document,
        inputs={role: given.digest for role, given in inputs.items() if given is not None},
        parameters=cast("Any", parameters),
    )
