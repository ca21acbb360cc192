from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import DeclarationError
from processing.declaration import apply, read_declaration


class Command(BaseCommand):
    help = "Make the database agree with a facility.toml, and print what changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            changes = apply(read_declaration(file))
        except DeclarationError as error:
            raise CommandError(f"{file.name} is refused, nothing has changed:\n{error}") from error
        for change in changes:
            self.stdout.write(str(change))
        if not changes:
            self.stdout.write("Nothing to change: the database agrees with the file.")
