"""
A process that has imported the runner, and forks a fresh one for each attempt.

``python -m processing.zygote`` with a socket as standard input. Each message on it asks
for one attempt and brings four descriptors: the runner's standard streams and a line to
its supervisor. The interpreter's start and the imports, a third of a second, are paid
once; whatever a recipe does to its own process ends with that process.

A zygote whose code has changed on disk, by an upgrade, ends: what it would fork is no
longer what is installed.
"""

import gc
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from processing import runner

_LONGEST = 65_536
_DESCRIPTORS = 4


def main() -> None:
    door = _take_door()
    gc.freeze()  # the garbage collector of a child touches no page that it shares
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the midwives
    born_of = _stamps()
    while True:
        message, descriptors, _, _ = socket.recv_fds(door, _LONGEST, _DESCRIPTORS)
        if not message or _stamps() != born_of:
            return
        if os.fork() == 0:
            door.close()
            if _deliver(descriptors, json.loads(message)):
                runner.main()
                _leave(Path(json.loads(message)["folder"]))
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _take_door() -> socket.socket:
    """Keep the socket away from standard input, which children replace."""
    door = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return door


def _stamps() -> dict[str, int]:
    """Return when each file was changed of which code is loaded; 0 if it is gone."""
    stamps = {}
    for module in list(sys.modules.values()):
        if file := getattr(module, "__file__", None):
            try:
                stamps[file] = os.stat(file).st_mtime_ns  # noqa: PTH116 - 600 times per attempt
            except OSError:
                stamps[file] = 0
    return stamps


def _deliver(descriptors: list[int], request: dict[str, Any]) -> bool:
    """
    Fork the runner and stay with it until its end; true in the runner itself.

    One midwife per runner: it only waits, so it can say how the runner ended and what
    it has used, and it reaps it only when the supervisor has promised to kill no more.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control = socket.socket(fileno=descriptors.pop())
    pid = os.fork()
    if pid == 0:
        control.close()
        _prepare(descriptors, request)
        return True
    for descriptor in descriptors:
        os.close(descriptor)
    with suppress(OSError):
        os.setpgid(pid, pid)  # whoever is first: both do it
    control.send(str(pid).encode())
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    # Not reaped yet, so the number is still its own. What it started must not outlive it.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    control.send(b"ended")
    control.recv(1)
    _, status, used = os.wait4(pid, 0)
    seconds = used.ru_utime + used.ru_stime
    told = {"status": status, "cpu_seconds": seconds, "peak_bytes": used.ru_maxrss * 1024}
    control.send(json.dumps(told).encode())
    os._exit(0)


def _prepare(descriptors: list[int], request: dict[str, Any]) -> None:
    """Become what a process started for this attempt alone would be."""
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[0] = str(Path(runner.__file__))
    with suppress(OSError):
        Path("/proc/self/comm").write_text("palimpsest-run")
    if random := sys.modules.get("numpy.random"):
        random.seed()  # the state of its parent would be the same in every attempt


def _leave(folder: Path) -> None:
    """
    End at once if nothing is left to be written.

    To take the interpreter apart takes longer than many a step. But that is when files
    that a recipe has forgotten to close are written, so then it is done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    others = [thread for thread in threading.enumerate() if not thread.daemon]
    is_open = any(
        os.readlink(f"/proc/self/fd/{name}").startswith(f"{folder}/")  # noqa: PTH115 - as above
        for name in os.listdir("/proc/self/fd")  # noqa: PTH208 - no Path for each
        if os.path.islink(f"/proc/self/fd/{name}")  # noqa: PTH114 - the listing's own is gone
    )
    if len(others) == 1 and not is_open:
        os._exit(0)


if __name__ == "__main__":
    main()
