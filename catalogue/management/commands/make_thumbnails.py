from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from catalogue.thumbnails import make_missing

_GIGABYTE = 10**9


class Command(BaseCommand):
    help = "Draw the pictures of datasets that have none, or whose picture is lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--largest",
            type=float,
            default=10.0,
            metavar="GB",
            help="leave larger datasets alone: all of their bytes would be read (default 10)",
        )

    def handle(self, *_: Any, largest: float, **__: Any) -> None:
        done: Counter[str] = Counter()
        for picture in make_missing(int(largest * _GIGABYTE)):
            done[picture.outcome] += 1
            if picture.reason:
                self.stderr.write(f"{picture.dataset.pid}: {picture.reason}")
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(done.items()))
        self.stdout.write(told or "No picture is missing.")
