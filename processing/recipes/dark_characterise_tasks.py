"""Which memory cells of which module make a task, so that its samples fit into memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from processing.science import errors
from processing.science.calibration.constants_file import DarkConstants
from processing.science.calibration.dark_runs import DarkRun, lasting
from processing.science.calibration.darks import DarkChoices, cells_at_once, characterise
from processing.science.euxfel.modules import ModuleFrames


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
class Plan:
    """What is computed, and for which conditions it holds."""

    tasks: list[CellTask]
    conditions: dict[str, float | str]


def plan_cells(
    runs: Sequence[DarkRun],
    modules: Sequence[str],
    cells: tuple[int, int] | None,
    choices: DarkChoices,
) -> Plan:
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
    return Plan(tasks, lasting(runs[0].conditions))


def _neighbours(places: list[int], most: int) -> Iterator[slice]:
    """Cut ascending places into pieces without gaps: a JUNGFRAU may begin with its last cell."""
    begin = places[0]
    for one, after in pairwise([*places, places[-1] + 2]):
        if after != one + 1 or one + 1 - begin == most:
            yield slice(begin, one + 1)
            begin = after
