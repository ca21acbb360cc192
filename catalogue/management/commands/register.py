from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from catalogue.errors import CatalogueError
from catalogue.ingest import register_path


class Command(BaseCommand):
    help = "Register NeXus/HDF5 files, European XFEL run folders, PONI files or images."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--instrument", default="", help="its name in facility.toml")
        parser.add_argument("--proposal", default="", help="its number")

    def handle(self, *_: Any, paths: list[Path], instrument: str, proposal: str, **__: Any) -> None:
        refused = 0
        for path in paths:
            try:
                self._register(path, instrument, proposal)
            except CatalogueError as error:
                refused += 1
                self.stderr.write(f"refused     {path.name}: {error}")
        if refused:
            raise CommandError(f"{refused} of {len(paths)} refused; nothing of them is registered")

    def _register(self, path: Path, instrument: str, proposal: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        console = Console(stderr=True)
        with Progress(
            *columns,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar:
            task = bar.add_task(path.name, total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            registered = register_path(
                path, person=None, instrument=instrument, proposal=proposal, progress=show
            )
        word = "registered" if registered.is_new else "known"
        dataset = registered.dataset
        self.stdout.write(f"{word:11} {dataset.pid}  {dataset.content:12} {dataset.title}")
        for warning in dataset.warnings if registered.is_new else ():
            self.stdout.write(f"            note: {warning}")
