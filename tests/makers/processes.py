"""The runners that work for a test, among all processes of the machine."""

from contextlib import suppress
from pathlib import Path

import psutil


def runners_below(folder: Path) -> list[psutil.Process]:
    """Return the live runners whose staging folder lies below a test's own folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if "processing.runner" not in (process.info["cmdline"] or []):
            continue
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_ours = Path(process.environ().get("HOME", "/")).is_relative_to(folder)
            if is_ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
