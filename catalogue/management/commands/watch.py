import signal
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from catalogue.models import Arrival
from catalogue.watching import Look, Watcher, watch_once

_STATES = Arrival.State


class Command(BaseCommand):
    help = "Look where ingest rules watch, and register what is complete, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one look, then stop")
        parser.add_argument("--interval", type=float, default=5.0, help="seconds between looks")

    def handle(self, *_: Any, once: bool, interval: float, **__: Any) -> None:
        if once:
            self._tell(*watch_once())
            return
        watcher = Watcher(interval)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watcher.stopping.set())
        watcher.start()
        watcher.stopping.wait()
        watcher.stop()

    def _tell(self, found: Look, done: Counter[str]) -> None:
        self.stdout.write(
            f"{found.seen} acquisitions seen, {done['new']} registered, "
            f"{done[_STATES.REGISTERED] - done['new']} known, "
            f"{done[_STATES.QUARANTINED]} refused, {found.vanished} vanished"
        )
        if found.away:
            self.stdout.write(f"Not there: {', '.join(found.away)}. Nothing of them was judged.")
        if found.unread:
            self.stdout.write(f"{found.unread} folders cannot be read; the log names them.")
