"""
Compile what recipes would compile in their first run: ``python -m processing.recipes.warming``.

Started beside a worker, at low priority: the first person to ask for a result waits for
the result only. What is compiled is kept, so the second start finds nothing to do.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points

from processing.recipes.base import Recipe
from processing.recipes.registry import GROUP

_NICE = 10


def start_warming(environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process that has every installed recipe warm itself up; it ends by itself."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "processing.recipes.warming"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )


def warm_up_all() -> None:
    """Call the hook of each recipe that has one; a recipe that fails tells it when it runs."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            recipe = point.load()
            if isinstance(recipe, Recipe) and "warm_up" in recipe.hooks:
                recipe.hooks["warm_up"]()
        except Exception:  # noqa: BLE001, S112 - foreign code; its first run says what is wrong
            continue


if __name__ == "__main__":
    os.nice(_NICE)
    warm_up_all()
