"""Web server, worker and steward under one supervisor that stops them together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_STOP_S = 20.0
_RESTART_S = 1.0
_LONGEST_PAUSE_S = 60.0


@dataclass
class _Service:
    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0


class Services:
    """
    The processes of one installation.

    Parameters
    ----------
    port : int
        Of the web server, on 127.0.0.1.
    log : Path
        File that takes what they print.
    say : callable
        Told when one has to be started again.
    """

    def __init__(self, port: int, log: Path, say: Callable[[str], None]) -> None:
        self.log = log
        self.say = say
        self.stopping = threading.Event()
        manage = [sys.executable, str(CHECKOUT / "manage.py")]
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        self._services = [
            _Service(
                "web",
                [
                    *(sys.executable, "-m", "gunicorn", "config.wsgi"),
                    *("--config", "python:config.gunicorn"),
                    *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"),
                    *("--worker-class", "gthread", "--graceful-timeout", "3"),
                    "--no-control-socket",
                ],
            ),
            _Service("worker", [*manage, "worker"]),
            _Service("steward", [*manage, "steward"]),
        ]

    def start(self) -> None:
        for service in self._services:
            self._start(service)
        self._keeper.start()

    def _start(self, service: _Service) -> None:
        with self.log.open("ab") as log:
            service.process = subprocess.Popen(  # noqa: S603 - our own commands
                service.command,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone
            )

    def _keep_running(self) -> None:
        """Start again whatever dies, ever more slowly: its work goes on with the next one."""
        while not self.stopping.wait(_RESTART_S):
            for service in self._services:
                if service.process is not None and service.process.poll() is not None:
                    service.deaths += 1
                    pause = min(2.0**service.deaths, _LONGEST_PAUSE_S)
                    self.say(
                        f"The {service.name} has died; starting it again in {pause:.0f} s. "
                        f"{self.log.name} in the data folder says why."
                    )
                    if not self.stopping.wait(pause):
                        self._start(service)

    def stop(self) -> None:
        """End all of them, kindly first; return when they are gone."""
        self.stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()  # it may be about to start one again
        running = [service.process for service in self._services if service.process]
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
