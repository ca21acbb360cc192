"""See that constants fit a run: taken under the same conditions, of as many memory cells."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py

from processing.science.calibration.ages import Age
from processing.science.calibration.constants_file import read_constants
from processing.science.calibration.raw_module import RawModule
from processing.science.errors import CellsError, OtherConditionsError, OtherModuleError
from processing.science.euxfel.conditions import read_conditions
from processing.science.euxfel.modules import ModuleFrames
from processing.science.euxfel.run import Run

# Of measured values; others must be equal.
WITHIN = {"bias_v": 0.05, "rate_mhz": 0.01, "integration_time_us": 0.01, "integration_time": 0.01}
# How many cells a run used may be fewer than the darks had, and gain was forced in these.
FREE = {"cells", "gain_mode"}

Conditions = Mapping[str, float | str]


def check_conditions(
    run: Run, raws: Iterable[RawModule], constants: Mapping[str, Path]
) -> dict[str, Age]:
    """
    Refuse constants that were taken under other conditions than the run; tell their age.

    What only one of the two states is not compared.

    Parameters
    ----------
    run : Run
        Open, with the files of the control data.
    raws : iterable of RawModule
        Its modules.
    constants : mapping
        Module to the file of its constants.

    Returns
    -------
    dict
        Module to the age of its constants, where they and the run state their times.

    Raises
    ------
    OtherModuleError
        If a file holds the constants of another module than its name says.
    OtherConditionsError
        Naming the conditions that differ; the detector is one of them.
    """
    ages = {}
    start = run.start
    for source in {raw.source.name: raw.source for raw in raws}.values():
        module = ModuleFrames(source.detector, source.module, source.name, (0,), ())
        found = read_conditions(run, source.name.split("/")[0], module)
        known = read_constants(constants[source.module], slice(0, 0))
        # Kernels trust that planes have the pixels of the frames.
        if (known.detector, known.module) != (source.detector, source.module):
            raise OtherModuleError(
                constants[source.module].name, f"{known.detector} {known.module}"
            )
        if differing := compare(found, known.conditions):
            raise OtherConditionsError(source.module, differing)
        if known.valid_from is not None and start is not None:
            ages[source.module] = Age(known.valid_from, start)
    return ages


def compare(run: Conditions, constants: Conditions) -> dict[str, tuple[object, object]]:
    """
    Find conditions in which a run and constants differ.

    Parameters
    ----------
    run, constants : mapping
        Condition to its value.

    Returns
    -------
    dict
        Condition to both values, where measured ones differ by more than their tolerance.
    """
    both = sorted((set(run) & set(constants)) - FREE)
    return {
        name: (run[name], constants[name])
        for name in both
        if not _agree(run[name], constants[name], WITHIN.get(name, 0.0))
    }


def _agree(one: float | str, other: float | str, within: float) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(one - other) <= within * abs(other)


def check_cells(raws: Iterable[RawModule], constants: Mapping[str, Path]) -> None:
    """
    Refuse frames of memory cells that the constants do not have.

    Parameters
    ----------
    raws : iterable of RawModule
        Files of modules.
    constants : mapping
        Module to the file of its constants.

    Raises
    ------
    CellsError
        Naming the module.
    """
    for raw in raws:
        module = raw.source.module
        wanted = int(raw.cell_ids.max(initial=0)) + 1
        known = count_cells(constants[module])
        if wanted > known:
            raise CellsError(module, wanted, known)


def count_cells(path: Path) -> int:
    """
    Count the memory cells of constants.

    Parameters
    ----------
    path : Path
        Of one module.

    Returns
    -------
    int
        As many as their planes.
    """
    read_constants(path, slice(0, 0))  # which sees that it is what it says
    with h5py.File(path, "r", locking=False) as file:
        return int(file["entry/offset"].shape[1])
