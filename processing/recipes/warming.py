"""
Compile what recipes would compile in their first run, beside a worker that starts.

At low priority: the first person to ask for a result waits for the result only. What is
compiled is kept, and a note says so, once for each machine: another start finds nothing to do.
"""

import os
import platform
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points, version
from pathlib import Path

from processing.recipes.base import Recipe
from processing.recipes.registry import GROUP

_NICE = 10
_children: list["subprocess.Popen[bytes]"] = []  # each ends when its standard input does


def start_warming(environment: Mapping[str, str]) -> bool:
    """
    Have every installed recipe warm itself up, in a process that ends with this one.

    Parameters
    ----------
    environment : mapping of str to str
        Of that process; NUMBA_CACHE_DIR is where compiled kernels are kept.

    Returns
    -------
    bool
        Whether there was anything to do.
    """
    note = note_of(Path(environment["NUMBA_CACHE_DIR"]))
    if note.exists():
        return False
    child = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "processing.recipes.warming", str(note)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )
    _children.append(child)
    return True


def note_of(folder: Path) -> Path:
    """Return the file that says that kernels are compiled for this machine."""
    return folder / f"warm-{version('numba')}-{platform.node()}"


def warm_up_all() -> None:
    """Call the hook of each recipe that has one; a recipe that fails tells it when it runs."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            recipe = point.load()
            if isinstance(recipe, Recipe) and "warm_up" in recipe.hooks:
                recipe.hooks["warm_up"]()
        except Exception:  # noqa: BLE001, S112 - foreign code; its first run says what is wrong
            continue


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(0)


def main() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICE)
    warm_up_all()
    with suppress(OSError):  # a full disk, or the cache was emptied: the next start tries again
        Path(sys.argv[1]).touch()


if __name__ == "__main__":
    main()
