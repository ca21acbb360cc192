"""
Three dark runs, one for each gain, and whether they belong together.

All that can be refused before a pixel is summed is refused here, with the runs by name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np

from processing.science.calibration.darks import GAIN_CODES
from processing.science.errors import (
    ClockError,
    ConditionsError,
    GainOrderError,
    MissingSourceError,
    RunIndexError,
    SameRunError,
    TooFewTrainsError,
)
from processing.science.euxfel.conditions import read_conditions
from processing.science.euxfel.detectors import GAIN_BIT
from processing.science.euxfel.modules import ModuleFrames, Words, find_modules
from processing.science.euxfel.run import open_run

GAINS = ("high", "medium", "low")
CLOSE = 0.02  # a voltage is measured, and never the same twice
_PROBED_BYTES = 2**22  # of each module, to see in which gain a run was taken
_TOLD = 4  # modules of a refusal
AHEAD = timedelta(days=1)  # of the clock of this facility, whatever its time zone
_FORCED = "gain_mode"  # the one thing in which the runs differ on purpose


@dataclass(frozen=True)
class DarkRun:
    """What is known of a run before its frames are read."""

    gain: str
    name: str
    proposal: str
    start: datetime | None
    detector: str
    modules: Mapping[str, ModuleFrames]
    conditions: Mapping[str, float | str]
    warnings: Sequence[str] = ()

    @property
    def label(self) -> str:
        return f"{self.gain} ({self.name})"


def read_dark_run(gain: str, files: Sequence[Path], detector: str | None = None) -> DarkRun:
    """
    Read what a dark run states and where its frames lie.

    Parameters
    ----------
    gain : str
        "high", "medium" or "low": the role it was given.
    files : sequence of Path
        Of one run.
    detector : str, optional
        Name of the detector, if there are several.

    Returns
    -------
    DarkRun
        With its modules.

    Raises
    ------
    RunError
        If the files are no usable run.
    DarkError
        If its frames are not raw, or its memory cells change.
    """
    with open_run(files) as run:
        name, modules = find_modules(run, detector)
        conditions = read_conditions(run, name, next(iter(modules.values())))
        told = [f"{run.name}: {warning}" for warning in run.warnings]
        told += [
            f"{run.name}, {it.name}: {it.left_out} trains lack frames and are left out."
            for it in modules.values()
            if it.left_out
        ]
        return DarkRun(gain, run.name, run.proposal, run.start, name, modules, conditions, told)


def check_together(
    runs: Sequence[DarkRun], min_trains: int, wanted: Sequence[str] | None = None
) -> list[str]:
    """
    See that three runs can become constants.

    Parameters
    ----------
    runs : sequence of DarkRun
        High, medium and low gain.
    min_trains : int
        That each module must have in each run.
    wanted : sequence of str, optional
        The modules to look at; by default all.

    Returns
    -------
    list of str
        Those that all three have.

    Raises
    ------
    SameRunError, ConditionsError, TooFewTrainsError
        If two are the same run, were not taken alike, or are too short.
    MissingSourceError
        If they share no module.
    """
    for one, other in combinations(runs, 2):
        _refuse_same(one, other)
    _refuse_other_conditions(runs)
    common = _find_common(runs, wanted)
    for run in runs:
        for name in common:
            found = run.modules[name].n_trains
            if found < min_trains:
                raise TooFewTrainsError(
                    f"{run.label} has {found} complete trains of {name}, at least {min_trains} "
                    "are needed. Take longer darks, or lower min_trains."
                )
    for name in common:
        cells = [run.modules[name].cells for run in runs]
        if len(set(cells)) > 1:
            raise ConditionsError(_table({"memory cells": [_span(it) for it in cells]}, runs))
    return common


def _find_common(runs: Sequence[DarkRun], wanted: Sequence[str] | None) -> list[str]:
    shared = sorted(set.intersection(*(set(run.modules) for run in runs)))
    common = [name for name in shared if wanted is None or name in wanted]
    if not shared:
        listed = "; ".join(f"{run.label} {', '.join(run.modules)}" for run in runs)
        raise MissingSourceError(f"The three runs share no module: {listed}.")
    if not common:
        raise MissingSourceError(
            f"None of the modules {', '.join(wanted or ())} is in all three runs, which share: "
            f"{', '.join(shared)}."
        )
    return common


def differing(
    one: Mapping[str, float | str], other: Mapping[str, float | str]
) -> dict[str, tuple[float | str, float | str]]:
    """Return the conditions that both state and in which they differ by more than 2 %."""
    return {
        name: (one[name], other[name])
        for name in sorted({*one} & {*other} - {_FORCED})
        if not _is_close(one[name], other[name])
    }


def lasting(conditions: Mapping[str, float | str]) -> dict[str, float | str]:
    """Return the conditions of constants: all but the gain that was forced for each run."""
    return {name: value for name, value in conditions.items() if name != _FORCED}


def find_beginning(runs: Sequence[DarkRun], now: datetime | None = None) -> datetime:
    """
    Find from when on constants of these runs hold: from the first train of the first run.

    Parameters
    ----------
    runs : sequence of DarkRun
        High, medium and low gain.
    now : datetime, optional
        With a time zone; by default nothing is taken for the future.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    RunIndexError
        If no run states when it was taken.
    ClockError
        If that is more than a day after ``now``: until then no rule would pick the constants.
    """
    starts = [(run.start, run.label) for run in runs if run.start is not None]
    if not starts:
        raise RunIndexError(
            "No run states when it was taken, so nobody knows from when on the constants hold. "
            "Ask the facility to write the times of the trains."
        )
    start, label = min(starts)
    if now is not None and start > now + AHEAD:
        raise ClockError(
            f"{label} states that it was taken on {start:%Y-%m-%d at %H:%M} UTC, and no run "
            f"earlier, but today is {now:%Y-%m-%d}: the constants would hold for no data until "
            "then. Ask the facility to set the clock of the detector, and to correct the times "
            "of the trains."
        )
    return start


def check_gains(
    runs: Sequence[DarkRun],
    modules: Sequence[str],
    codes: tuple[int, int, int] = GAIN_CODES,
) -> None:
    """
    See in a few frames of each module that each run was taken in its gain.

    Parameters
    ----------
    runs : sequence of DarkRun
        High, medium and low gain.
    modules : sequence of str
        Those to look at.
    codes : tuple of int
        Gain codes of JUNGFRAU.

    Raises
    ------
    GainOrderError
        Naming the modules whose gain levels do not rise from high to low (AGIPD), or of which
        most pixels bear another code (JUNGFRAU).
    """
    told = {name: _tell_gains([run.modules[name] for run in runs], codes) for name in modules}
    if wrong := {name: it for name, it in told.items() if it}:
        listed = "; ".join(f"{name} {it}" for name, it in list(wrong.items())[:_TOLD])
        listed += f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        labels = ", ".join(run.label for run in runs)
        advice = (
            "Exchange the runs, or force the gain and take them again."
            if len(wrong) == len(modules)
            else "Name the other modules as modules, or take the darks again."
        )
        raise GainOrderError(f"Not all is in the gain of its run ({labels}): {listed}. {advice}")


def _tell_gains(module: Sequence[ModuleFrames], codes: tuple[int, int, int]) -> str:
    """Tell what is wrong with the gains of a module in the three runs; nothing if all is well."""
    probes = [_probe(frames) for frames in module]
    if module[0].kind == "AGIPD":
        levels = [float(np.median(probe[:, :, 1])) for probe in probes]
        if levels[0] < levels[1] < levels[2]:
            return ""
        return "has gain levels that do not rise: " + ", ".join(f"{it:g} ADU" for it in levels)
    seen = [np.bincount((probe >> GAIN_BIT).ravel(), minlength=4) for probe in probes]
    if all(2 * it[code] >= it.sum() for it, code in zip(seen, codes, strict=True)):
        return ""
    found = ", ".join(str(it.argmax()) for it in seen)
    return f"has mostly the gain codes {found} instead of {', '.join(map(str, codes))}"


def _probe(module: ModuleFrames) -> Words:
    _, block = next(module.blocks(slice(0, 1), _PROBED_BYTES))
    return block


def _refuse_same(one: DarkRun, other: DarkRun) -> None:
    is_same = (one.name, one.proposal) == (other.name, other.proposal)
    shared = sorted({*one.modules} & {*other.modules})
    if not is_same and shared:
        is_same = bool({*one.modules[shared[0]].trains()} & {*other.modules[shared[0]].trains()})
    if is_same:
        raise SameRunError(
            f"{one.label} and {other.label} are the same run. Give each gain a run of its own."
        )


def _refuse_other_conditions(runs: Sequence[DarkRun]) -> None:
    names = {
        name
        for one, other in combinations(runs, 2)
        for name in differing(one.conditions, other.conditions)
    }
    if names:
        rows = {name: [run.conditions.get(name, "-") for run in runs] for name in sorted(names)}
        raise ConditionsError(_table(rows, runs))


def _table(rows: Mapping[str, Sequence[float | str]], runs: Sequence[DarkRun]) -> str:
    told = "; ".join(
        f"{name}: "
        + ", ".join(f"{run.label} {_tell(it)}" for run, it in zip(runs, values, strict=True))
        for name, values in rows.items()
    )
    return f"The runs were not taken alike. {told}. Choose three runs of one series."


def _tell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _span(cells: tuple[int, ...]) -> str:
    return f"{len(cells)} ({cells[0]} to {cells[-1]})" if cells else "none"


def _is_close(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=CLOSE)
