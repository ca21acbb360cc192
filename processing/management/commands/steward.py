import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from catalogue.watching import Watcher
from processing.steward import reconcile

_log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Compare what the product rules want with what there is, again and again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then stop")
        parser.add_argument("--interval", type=float, default=2.0, help="seconds between passes")
        parser.add_argument(
            "--no-watch",
            action="store_true",
            help="leave new data to manage.py watch, on a machine that sees them better",
        )

    def handle(self, *_: Any, once: bool, interval: float, no_watch: bool, **__: Any) -> None:
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

    def _reconcile(self, stopping: threading.Event, interval: float, *, once: bool) -> None:
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
            stopping.wait(interval)
