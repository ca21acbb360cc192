import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from catalogue.watching import Watcher
from processing.declaration.sections import read_duration
from processing.models import Configuration
from processing.steward import reconcile

_log = logging.getLogger(__name__)


_INTERVAL_S = 2.0  # until somebody declares one


def _declared_interval() -> float:
    """Return the seconds between passes; while the database is away, the usual ones."""
    try:
        latest = Configuration.objects.first()
    except (OperationalError, InterfaceError):
        return _INTERVAL_S
    declared = latest.steward.get("interval") if latest else None
    return float(read_duration(declared)) if declared else _INTERVAL_S


class Command(BaseCommand):
    help = "Compare what the product rules want with what there is, again and again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then stop")
        parser.add_argument(
            "--interval", type=float, help="seconds between passes; else facility.toml says"
        )
        parser.add_argument(
            "--no-watch",
            action="store_true",
            help="leave new data to manage.py watch, on a machine that sees them better",
        )

    def handle(
        self, *_: Any, once: bool, interval: float | None, no_watch: bool, **__: Any
    ) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        # In threads of its own: reconciling does not wait for the hash of a terabyte.
        watcher = Watcher()
        if not (once or no_watch):
            watcher.start()
        try:
            self._reconcile(stopping, interval, once=once)
        finally:
            watcher.stop()

    def _reconcile(self, stopping: threading.Event, interval: float | None, *, once: bool) -> None:
        while not stopping.is_set():
            try:
                done = reconcile()
            except (OperationalError, InterfaceError):
                _log.warning("The database does not answer; trying again")
                connection.close()
            else:
                if once:
                    self.stdout.write(
                        f"{done.products.wanted} products wanted, "
                        f"{done.products.submitted} launched, {done.products.reused} reused, "
                        f"{done.products.blocked} blocked, {done.copied} datasets archived"
                    )
                    return
            stopping.wait(interval if interval is not None else _declared_interval())
