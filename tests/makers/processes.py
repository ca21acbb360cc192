"""The runners that work for a test, among all processes of the machine."""

from contextlib import suppress
from pathlib import Path

import psutil


def runners_below(folder: Path) -> list[psutil.Process]:
    """Return the live processes that work in a staging folder below a test's own folder."""
    found = []
    for process in psutil.process_iter(["status"]):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_ours = "staging" in process.cwd() and Path(process.cwd()).is_relative_to(folder)
            if is_ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
