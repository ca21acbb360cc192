import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import DeclarationError
from processing.declaration import plan, read_declaration

_DIFFERENCES = 2


class Command(BaseCommand):
    help = "Print what apply would change; exit 0 if nothing, 2 if something, 1 on faults."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            changes = plan(read_declaration(file))
        except DeclarationError as error:
            raise CommandError(f"{file.name} would be refused:\n{error}") from error
        for change in changes:
            self.stdout.write(str(change))
        if changes:
            sys.exit(_DIFFERENCES)
        self.stdout.write("Nothing to change: the database agrees with the file.")
