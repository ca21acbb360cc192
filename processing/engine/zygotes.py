"""
The zygotes of this process: from which runners are forked, ready within milliseconds.

One for each interpreter and environment, because threads of numerical libraries are set
when they are imported. They end with this process, however that ends: their socket does.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_TRIES = 3
_PATIENCE_S = 60.0  # until an interpreter on a slow disk has imported the runner
_LONGEST = 4096


class StillbornError(OSError):
    """An interpreter that does not bring up the runner."""


@dataclass(frozen=True)
class End:
    """How a runner ended: ``status`` as of wait(2), None where nobody knows."""

    status: int | None
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


class Runner:
    """
    One process for one attempt, leader of its own process group.

    ``stdin`` must stay open as long as anybody waits for it: its end ends the runner.
    """

    def __init__(
        self, pid: int, control: socket.socket, streams: tuple[IO[bytes], IO[bytes], IO[bytes]]
    ) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self._control = control
        self._lock = threading.Lock()
        self._is_gone = False

    def wait(self, timeout_s: float) -> End | None:
        """Return how it ended, or None if it goes on after the timeout; once."""
        if not select.select([self._control], [], [], timeout_s)[0]:
            return None
        told = self._control.recv(_LONGEST)
        if not told:  # who watched over it was killed, so nobody knows
            self.signal(signal.SIGKILL)
        with self._lock:
            self._is_gone = True
        end = End(status=None)
        with suppress(OSError, ValueError):
            self._control.send(b".")
            used = json.loads(self._control.recv(_LONGEST))
            end = End(used["status"], used["cpu_seconds"], used["peak_bytes"])
        self._control.close()
        return end

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its whole group, unless it has ended."""
        with self._lock, suppress(ProcessLookupError):
            if not self._is_gone:
                os.killpg(self.pid, number)


class _Zygote:
    def __init__(self, interpreter: str, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [interpreter, "-P", "-m", "processing.zygote"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
            )
        self.door = ours

    def fork(self, folder: Path, environment: Mapping[str, str]) -> Runner | None:
        """Return a new runner, None if the zygote has ended meanwhile."""
        pipes = [os.pipe() for _ in range(3)]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [pipes[0][0], pipes[1][1], pipes[2][1]]
        kept = [pipes[0][1], pipes[1][0], pipes[2][0]]
        request = json.dumps({"folder": str(folder), "environment": dict(environment)})
        try:
            with theirs:
                socket.send_fds(self.door, [request.encode()], [*given, theirs.fileno()])
        except OSError:
            _close(*given, *kept)
            ours.close()
            return None
        _close(*given)
        ours.settimeout(_PATIENCE_S)
        pid = b""
        with suppress(OSError):
            pid = ours.recv(_LONGEST)
        if not pid:
            _close(*kept)
            ours.close()
            return None
        streams = (open(kept[0], "wb"), open(kept[1], "rb"), open(kept[2], "rb"))  # noqa: PTH123, SIM115 - descriptors, closed by their readers
        return Runner(int(pid), ours, streams)

    def end(self) -> None:
        self.door.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE_S)


_zygotes: dict[tuple[str, tuple[tuple[str, str], ...]], _Zygote] = {}
_lock = threading.Lock()


def warm_up(interpreter: str, environment: Mapping[str, str]) -> None:
    """Start a zygote before the first attempt needs it."""
    _find(interpreter, environment)


def start_runner(
    interpreter: str, environment: Mapping[str, str], folder: Path, private: Mapping[str, str]
) -> Runner:
    """
    Start a process that waits for a ticket on its standard input.

    Parameters
    ----------
    interpreter : str
        Path of the Python that has the recipe's packages and this one.
    environment : mapping of str to str
        All variables that the process sees, but for the private ones.
    folder : Path
        Its working directory.
    private : mapping of str to str
        Variables of this attempt alone, which no library reads when it is imported.

    Raises
    ------
    StillbornError
        If the interpreter does not start, or cannot import the runner.
    """
    for _ in range(_TRIES):
        zygote = _find(interpreter, environment)
        if runner := zygote.fork(folder, private):
            return runner
        _forget(zygote)
    raise StillbornError("its interpreter does not start the runner")


def _find(interpreter: str, environment: Mapping[str, str]) -> _Zygote:
    key = (interpreter, tuple(sorted(environment.items())))
    with _lock:
        if key not in _zygotes:
            _zygotes[key] = _Zygote(interpreter, environment)
        return _zygotes[key]


def _forget(zygote: _Zygote) -> None:
    with _lock:
        for key in [key for key, known in _zygotes.items() if known is zygote]:
            del _zygotes[key]
    zygote.end()


@atexit.register
def _end_all() -> None:
    for zygote in list(_zygotes.values()):
        _forget(zygote)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
