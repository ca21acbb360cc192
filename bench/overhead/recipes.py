"""The trivial step, as a recipe."""

import time
from pathlib import Path
from typing import Literal

from processing.recipes.base import Input, Output, recipe, workspace


@recipe("add", version="1.0.0", environment=["numpy"])
def add(
    scan: Input[Literal["nexus-scan"]],  # noqa: ARG001 - a step without input has no place
    *,
    a: int,
    b: int,
) -> Output[Literal["sum"]]:
    """Add two numbers; the dataset is there because every result stems from one."""
    work = workspace()
    work.quantity("began", time.time(), "s")
    result: Path = work.output("sum.txt")
    result.write_text(str(a + b))
    return result
