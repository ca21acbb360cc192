"""The workers of chaos, which are killed and stopped, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

_CHECKOUT = Path(__file__).resolve().parents[2]
_CHILDREN_END_S = 5.0
_GOODBYE_S = 60.0


class Crew:
    """Real workers, ``manage.py worker``, each in a process of its own."""

    def __init__(self, size: int, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._stopped: dict[int, float] = {}  # place -> when it goes on
        self._bereaved: list[tuple[float, psutil.Process]] = []
        self.orphans = 0
        self.workers = [self._start() for _ in range(size)]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=_CHECKOUT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, place: int) -> None:
        """End a worker as a loss of power would, and start another in its place."""
        worker = self.workers[place]
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(worker.pid).children(recursive=True)
            self._bereaved += [(time.monotonic() + _CHILDREN_END_S, child) for child in children]
        worker.kill()
        worker.wait()
        self._stopped.pop(place, None)
        self.workers[place] = self._start()

    def stop(self, place: int, seconds: float) -> bool:
        """Stop a worker until its lease is long over: it goes on as a zombie."""
        if place in self._stopped:
            return False
        os.kill(self.workers[place].pid, signal.SIGSTOP)
        self._stopped[place] = time.monotonic() + seconds
        return True

    def look(self) -> None:
        """Let go on whose time is over, and count children that outlived their worker."""
        now = time.monotonic()
        for place in [place for place, until in self._stopped.items() if until < now]:
            del self._stopped[place]
            os.kill(self.workers[place].pid, signal.SIGCONT)
        due = [child for until, child in self._bereaved if until < now]
        self._bereaved = [pair for pair in self._bereaved if pair[0] >= now]
        self.orphans += sum(map(_is_alive, due))

    def end(self) -> None:
        """Ask all to end, wait for the children of the killed, and count who stayed."""
        everybody = [psutil.Process(worker.pid) for worker in self.workers if worker.poll() is None]
        for process in list(everybody):
            everybody += process.children(recursive=True)
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGCONT)
                os.kill(worker.pid, signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired:
                worker.kill()
        deadline = time.monotonic() + _CHILDREN_END_S
        everybody += [child for _, child in self._bereaved]
        while time.monotonic() < deadline and any(map(_is_alive, everybody)):
            time.sleep(0.1)
        self.orphans += sum(map(_is_alive, everybody))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
