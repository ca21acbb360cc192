"""
What a Dask worker does with a chunk: have it computed by a process apart.

In a thread of its own the chunk could not be stopped when nobody waits for it any more, it
would see the worker's secrets, and an item that crashes would take with it all runs whose
supervisors are there. A process is kept for the next chunk of its run, but not for long.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from distributed import get_worker

from processing.chunks.place import Place
from processing.recipes.environments import fixed_environment, own_environment

_POLL_S = 0.1
_IDLE_S = 10.0


class ChunkLostError(OSError):
    """The process that computed a chunk is gone; its answers are with it."""


class Member:
    """One process for one run, in a process group and a folder of its own."""

    def __init__(self, place: Place) -> None:
        self._folder = TemporaryDirectory(prefix="chunk-", ignore_cleanup_errors=True)
        self._memory_bytes = place.memory_bytes
        self._door, theirs = Pipe()
        cache = Path(place.cache) if place.cache else None
        own = own_environment(Path(self._folder.name), place.clock, place.seed, cache)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [place.interpreter or sys.executable, "-P", "-m", "processing.chunks.process"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=fixed_environment(place.cores) | own,
                cwd=self._folder.name,
                start_new_session=True,
            )
        self.idle_since = time.monotonic()
        self._door.send_bytes(place.model_dump_json().encode())

    def compute(self, work: bytes, is_wanted: Callable[[], bool]) -> bytes:
        """
        Return the answers to a chunk, both pickled.

        Raises
        ------
        ChunkLostError
            If the process dies, needs too much memory, or nobody wants the chunk.
        """
        try:
            self._door.send_bytes(work)
            while not self._door.poll(_POLL_S):
                if not is_wanted():
                    raise ChunkLostError("nobody waits for this chunk any more")
                if self._is_too_large():
                    raise ChunkLostError("the chunk needed more memory than its run may have")
            return self._door.recv_bytes()
        except EOFError as error:
            raise ChunkLostError("the process that computed it died") from error

    def _is_too_large(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(self._process.pid).memory_info().rss > self._memory_bytes)
        return False

    def end(self) -> None:
        """Kill it with all it has started."""
        self._door.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


_idle: dict[str, list[Member]] = defaultdict(list)
_lock = threading.Lock()


def compute(place_json: str, work: bytes) -> bytes:
    """Compute a chunk as a task of a Dask worker; only its own process unpickles it."""
    place = Place.model_validate_json(place_json)
    member = _take(place_json) or Member(place)
    try:
        answers = member.compute(work, _wanted())
    except BaseException:
        member.end()
        raise
    _keep(place_json, member)
    return answers


def _wanted() -> Callable[[], bool]:
    """Return what asks the Dask worker whether this thread's task is still wanted."""
    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        # Dask forgets a task whose client is gone, but lets its function go on.
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    return is_wanted


def _take(name: str) -> Member | None:
    with _lock:
        return _idle[name].pop() if _idle.get(name) else None


def _keep(name: str, member: Member) -> None:
    member.idle_since = time.monotonic()
    with _lock:
        _idle[name].append(member)
    timer = threading.Timer(_IDLE_S, _end_idle)
    timer.daemon = True
    timer.start()


def _end_idle() -> None:
    due = time.monotonic() - _IDLE_S
    with _lock:
        ended = [one for members in _idle.values() for one in members if one.idle_since <= due]
        for name in list(_idle):
            _idle[name] = [one for one in _idle[name] if one not in ended]
            if not _idle[name]:
                del _idle[name]
    for member in ended:
        member.end()
