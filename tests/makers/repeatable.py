"""A recipe whose result can be made again well, nearly, or not at all."""

import random
import time
from collections.abc import Callable
from typing import Any, Literal

import h5py
import numpy as np

from processing.recipes.base import Input, Output, recipe, workspace

Values = np.ndarray[Any, np.dtype[np.float64]]

_CHANCE = random.SystemRandom()  # of the machine, not of the run's seed

# What each way makes of the values; "clock" leaves them alone and writes the time of day.
WAYS: dict[str, Callable[[Values], Values]] = {
    "same": lambda values: values,
    "clock": lambda values: values,
    "noise": lambda values: values + 1e-9 * _CHANCE.random(),
    "other": lambda values: values + 1 + _CHANCE.random(),
}


@recipe(
    "repeat-scan",
    version="1.0.0",
    environment=["numpy"],
    walltime_s=60,
    tolerance={"/entry/values": (0.0, 1e-6)},
    volatile=["/entry/made_at"],
)
def repeat_scan(
    scan: Input[Literal["nexus-scan"]], *, how: str = "same"
) -> Output[Literal["repeated"]]:
    """Turn a scan's bytes into numbers, in one of several ways."""
    work = workspace()
    result = work.output("values.nxs")
    values = np.frombuffer(scan.file.read_bytes(), np.uint8).astype(np.float64)
    with h5py.File(result, "w") as file:
        file["/entry/values"] = WAYS[how](values)
        file["/entry/seed"] = work.seed
        file["/entry/now"] = work.now.isoformat()
        if how == "clock":
            file["/entry/made_at"] = time.time_ns()
    return result
