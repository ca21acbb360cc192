from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from catalogue.errors import CatalogueError
from catalogue.ingest import Outcome, register_path, register_paths
from catalogue.registration import Registered


class Command(BaseCommand):
    help = "Register NeXus/HDF5 files, European XFEL run folders, PONI files or images."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--instrument", default="", help="its name in facility.toml")
        parser.add_argument("--proposal", default="", help="its number")

    def handle(self, *_: Any, paths: list[Path], instrument: str, proposal: str, **__: Any) -> None:
        register = self._one if len(paths) == 1 else self._many
        refused = 0
        for path, outcome in register(paths, instrument=instrument, proposal=proposal):
            if isinstance(outcome, Registered):
                self._tell(outcome)
            else:
                refused += 1
                self.stderr.write(f"refused     {path.name}: {outcome}")
        if refused:
            raise CommandError(f"{refused} of {len(paths)} refused; nothing of them is registered")

    def _one(self, paths: list[Path], **said: str) -> Iterator[Outcome]:
        """Register one path, with progress in bytes: it may be large."""
        (path,) = paths
        with _bar(DownloadColumn()) as bar:
            task = bar.add_task(path.name, total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            try:
                yield path, register_path(path, person=None, progress=show, **said)
            except CatalogueError as error:
                yield path, error

    def _many(self, paths: list[Path], **said: str) -> Iterator[Outcome]:
        with _bar(MofNCompleteColumn()) as bar:
            task = bar.add_task(f"{len(paths)} paths", total=len(paths))

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            yield from register_paths(paths, person=None, progress=show, **said)

    def _tell(self, registered: Registered) -> None:
        word = "registered" if registered.is_new else "known"
        dataset = registered.dataset
        self.stdout.write(f"{word:11} {dataset.pid}  {dataset.content:12} {dataset.title}")
        for warning in dataset.warnings if registered.is_new else ():
            self.stdout.write(f"            note: {warning}")


def _bar(amount: DownloadColumn | MofNCompleteColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
