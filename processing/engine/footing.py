"""What an attempt stands on: room on one disk, and memory."""

from contextlib import suppress
from os import statvfs
from pathlib import Path

import psutil

from processing.engine.failures import disk_full, two_disks
from processing.ticket import Failure

LEAST_FREE_BYTES = 2**20
"""Below this not even a log of a failure could be kept."""


def look_at_disk(content_store: Path, needed_bytes: int = 0) -> Failure | None:
    """
    Say why nothing can be written below a store of results, None if it can.

    Parameters
    ----------
    content_store : Path
        Folder that holds ``staging/`` and ``store/``.
    needed_bytes : int
        What the attempt is going to write, where that is known.

    Raises
    ------
    OSError
        If the folder is not there.
    """
    here = content_store.stat().st_dev
    for name in ("staging", "store"):
        with suppress(FileNotFoundError):
            if (content_store / name).stat().st_dev != here:
                return two_disks()
    room = statvfs(content_store)
    free, needed = room.f_bavail * room.f_frsize, max(needed_bytes, LEAST_FREE_BYTES)
    return disk_full(free, needed) if free < needed else None


def memory_of_group(pid: int) -> int:
    """Return the resident bytes of a process and all it started."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total


def count_oom_kills() -> int:
    """Return how many processes this machine's kernel has killed for want of memory."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
