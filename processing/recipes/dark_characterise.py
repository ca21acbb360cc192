"""Dark constants: three runs without light become offset, noise, gain levels and bad pixels."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from processing.recipes.base import Input, Output, RecipeError, Workspace, recipe, workspace
from processing.recipes.dark_characterise_example import write_example
from processing.recipes.refusals import EUXFEL, refusing
from processing.science import errors
from processing.science.calibration.bad_pixels import BadPixel, Limits
from processing.science.calibration.constants_file import (
    ConstantsFile,
    DarkConstants,
    create_constants,
    read_conditions_of,
    read_constants,
)
from processing.science.calibration.dark_plots import draw_darks, lay_side_by_side
from processing.science.calibration.dark_runs import (
    GAINS,
    DarkRun,
    check_gains,
    check_together,
    differing,
    lasting,
    read_dark_run,
)
from processing.science.calibration.dark_summary import DarkSummary, write_summary
from processing.science.calibration.darks import (
    DarkChoices,
    Statistic,
    cells_at_once,
    characterise,
    warm_up_kernels,
)
from processing.science.euxfel.modules import ModuleFrames
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
    errors.BeamError: "dark-beam",
    errors.BadModuleError: "dark-bad-pixels",
    errors.EmptyDarkError: "dark-empty",
    errors.DataError: "dark-data",
}
TOLD_DRIFT = 0.01  # share of pixels that makes a reader want to know
BEAM_SHARE = 0.5  # of pixels whose offset has changed as by light

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
        check_gains(runs, common, gain_codes)
        inputs = {"high": high, "medium": medium, "low": low, "previous": previous}
        made = _describe(work, inputs, parameters)
        plan = _plan(runs, common, cells, choices)
        last = _open_previous(work, previous, plan.conditions)
        writer = _Writer(work, plan, made, last)
        work.map(characterise_cells, plan.tasks, writer.write, stage="characterising")
        _judge(work, writer.summary, max_bad)
        _complete(work, runs, plan, writer.summary, made)
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


@dataclass(frozen=True)
class CellTask:
    """Some memory cells of one module in three runs: enough to be computed anywhere."""

    runs: tuple[ModuleFrames, ModuleFrames, ModuleFrames]
    places: slice
    choices: DarkChoices

    def __repr__(self) -> str:
        cells = self.runs[0].cells[self.places]
        return f"{self.runs[0].name}, memory cells {cells[0]} to {cells[-1]}"


def characterise_cells(task: CellTask) -> DarkConstants:
    """Make the constants of one task."""
    return characterise(task.runs, task.places, task.choices)


@dataclass(frozen=True)
class _Plan:
    """What is computed, and for which conditions it holds."""

    tasks: list[CellTask]
    conditions: dict[str, float | str]


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


def _plan(
    runs: Sequence[DarkRun],
    modules: Sequence[str],
    cells: tuple[int, int] | None,
    choices: DarkChoices,
) -> _Plan:
    first, last = cells or (0, 2**16)
    tasks = []
    for name in modules:
        high, medium, low = (run.modules[name] for run in runs)
        wanted = [place for place, cell in enumerate(high.cells) if first <= cell <= last]
        if not wanted:
            raise errors.MissingSourceError(
                f"{name} has no memory cell from {first} to {last}; it has {min(high.cells)} to "
                f"{max(high.cells)}."
            )
        step = min(cells_at_once(run) for run in (high, medium, low))
        tasks += [CellTask((high, medium, low), it, choices) for it in _neighbours(wanted, step)]
    return _Plan(tasks, lasting(runs[0].conditions))


def _neighbours(places: list[int], most: int) -> Iterator[slice]:
    """Cut ascending places into pieces without gaps: a JUNGFRAU may begin with its last cell."""
    begin = places[0]
    for one, after in pairwise([*places, places[-1] + 2]):
        if after != one + 1 or one + 1 - begin == most:
            yield slice(begin, one + 1)
            begin = after


def _open_previous(
    work: Workspace,
    previous: Input[Any] | None,
    conditions: Mapping[str, float | str],
) -> dict[str, Path]:
    """Return the files of the last constants by their names, if they may be compared."""
    files = {path.name: path for path in (previous.files if previous else ())}
    found = {name: path for name, path in files.items() if name != SUMMARY}
    for path in found.values():
        if path.suffix == ".h5" and (other := differing(read_conditions_of(path), conditions)):
            told = ", ".join(f"{name} {a} then, {b} now" for name, (a, b) in other.items())
            work.warn(f"The last constants were made otherwise ({told}): nothing is compared.")
            return {}
    return found


SUMMARY = "dark-summary.h5"


@dataclass
class _Writer:
    """Writes one file per module, in the order of the tasks, and sums up what they say."""

    work: Workspace
    plan: _Plan
    made: Provenance
    last: Mapping[str, Path]
    files: list[Path] = field(default_factory=list)
    summary: DarkSummary = field(default_factory=DarkSummary)

    def write(self, parts: Iterator[DarkConstants]) -> None:
        with ExitStack() as stack:
            written: ConstantsFile | None = None
            module = ""
            for task, part in zip(self.plan.tasks, parts, strict=True):
                if part.module != module:
                    if written is not None:
                        written.write_process(self.made)
                        stack.close()
                    module = part.module
                    written = stack.enter_context(self._create(task, part))
                self._take(cast("ConstantsFile", written), task, part)
            cast("ConstantsFile", written).write_process(self.made)

    def _create(self, task: CellTask, part: DarkConstants) -> Any:
        path: Path = self.work.output(f"dark-{part.module}.h5")
        self.files.append(path)
        cells = max(task.runs[0].cells) + 1
        conditions = self.plan.conditions | {"cells": float(len(task.runs[0].cells))}
        return create_constants(path, part.detector, part.module, cells, conditions)

    def _take(self, written: ConstantsFile, task: CellTask, part: DarkConstants) -> None:
        cells = task.runs[0].cells[task.places]
        written.write_cells(cells, part)
        self.summary.add(part, self._last_of(part.module, cells))

    def _last_of(self, module: str, cells: tuple[int, ...]) -> DarkConstants | None:
        path = self.last.get(f"dark-{module}.h5")
        last = None if path is None else read_constants(path, list(cells))
        return last if last and last.module == module else None


def _judge(work: Workspace, summary: DarkSummary, max_bad: float) -> None:
    """Refuse constants that nobody should use."""
    for stage, gain in enumerate(GAINS):
        if not summary.medians["offset"][stage]:
            raise errors.EmptyDarkError(
                f"No pixel has an offset in {gain} gain. Look at the frames of this run: is the "
                "gain forced, and are there as many trains as min_trains?"
            )
        lit = summary.share(summary.lit, stage, summary.compared)
        if lit > BEAM_SHARE:
            raise errors.BeamError(
                f"The offset of {lit:.0%} of the pixels in {gain} gain has moved as light moves "
                "it, by more than 5 times the noise. Was the shutter closed? If the detector has "
                "changed, launch without the previous constants."
            )
        drifted = summary.share(summary.drifted, stage, summary.compared)
        if drifted > TOLD_DRIFT:
            work.warn(
                f"The offset of {drifted:.1%} of the pixels in {gain} gain has changed by more "
                "than 5 times the noise since the last constants."
            )
    for stage, gain in enumerate(GAINS):
        bad = summary.share(summary.bad, stage, summary.pixels)
        if bad > max_bad:
            worst = max(BadPixel, key=lambda bit: summary.bits[stage, bit.bit_length() - 1])
            raise errors.BadModuleError(
                f"{bad:.1%} of the pixels are bad in {gain} gain, mostly by "
                f"{worst.name}; at most {max_bad:.0%} may be. Look at the frames, leave out a "
                "module that is broken, or raise max_bad."
            )


def _complete(
    work: Workspace,
    runs: Sequence[DarkRun],
    plan: _Plan,
    summary: DarkSummary,
    made: Provenance,
) -> None:
    """Add summary, plots, headline numbers, and what the constants hold for."""
    write_summary(work.output(SUMMARY), summary, GAINS, made)
    draw_darks(work.output("dark-plots.png"), summary, GAINS)
    draw_map(lay_side_by_side({m: v[0] for m, v in summary.maps("offset").items()}), work.preview())
    _tell(work, runs, plan, summary)
    starts = [run.start for run in runs if run.start is not None]
    if not starts:
        raise RecipeError(
            "euxfel-index",
            "No run states when it was taken, so nobody knows from when on the "
            "constants hold. Ask the facility to write the times of the trains.",
        )
    work.constant(
        kind="dark",
        detector=runs[0].detector,
        valid_from=min(starts),
        conditions={name: it for name, it in plan.conditions.items() if name != "detector"},
    )


def _tell(work: Workspace, runs: Sequence[DarkRun], plan: _Plan, summary: DarkSummary) -> None:
    work.quantity("modules", len(summary.modules))
    work.quantity("cells", float(plan.conditions["cells"]))
    for stage, gain in enumerate(GAINS):
        names = summary.modules
        trains = min(runs[stage].modules[name].n_trains for name in names)
        work.quantity(f"trains_{gain}", trains)
        work.quantity(f"offset_{gain}", summary.median("offset", stage), "ADU")
        work.quantity(f"noise_{gain}", summary.median("noise", stage), "ADU")
        work.quantity(f"bad_{gain}", summary.share(summary.bad, stage, summary.pixels))
        for bit in BadPixel:
            count = summary.bits[:, bit.bit_length() - 1]
            if count[stage]:
                share = summary.share(count, stage, summary.pixels)
                work.quantity(f"bad_{gain}_{str(bit.name).lower()}", share)
        if summary.compared[stage]:
            work.quantity(f"offset_change_{gain}", summary.median("change", stage), "ADU")
            drifted = summary.share(summary.drifted, stage, summary.compared)
            work.quantity(f"drifted_{gain}", drifted)


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
