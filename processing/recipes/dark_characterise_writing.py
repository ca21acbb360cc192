"""One file of constants per module, in the order of the tasks, beside the last constants."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from processing.recipes.base import Input, Workspace
from processing.recipes.dark_characterise_tasks import CellTask, Plan
from processing.science.calibration.constants_file import (
    ConstantsFile,
    DarkConstants,
    create_constants,
    read_conditions_of,
    read_constants,
)
from processing.science.calibration.dark_runs import differing
from processing.science.calibration.dark_summary import DarkSummary
from processing.science.process import Provenance

SUMMARY = "dark-summary.h5"


def open_previous(
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


@dataclass
class Writer:
    """Writes one file per module, in the order of the tasks, and sums up what they say."""

    work: Workspace
    plan: Plan
    valid_from: datetime
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
                    written.write_validity(self.valid_from)
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
