import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from processing.steward import reconcile

_log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Compare what the product rules want with what there is, again and again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then stop")
        parser.add_argument("--interval", type=float, default=2.0, help="seconds between passes")

    def handle(self, *_: Any, once: bool, interval: float, **__: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.is_set():
            try:
                done = reconcile()
            except (OperationalError, InterfaceError):
                _log.warning("The database does not answer; trying again")
                connection.close()
            else:
                if once:
                    self.stdout.write(
                        f"{done.wanted} products wanted, {done.submitted} launched, "
                        f"{done.blocked} blocked, {done.copied} datasets archived"
                    )
                    return
            stopping.wait(interval)
