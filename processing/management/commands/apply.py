from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import DeclarationError
from processing.declaration import apply, read_declaration
from processing.errors import RecipeDefinitionError, TooMuchChangeError


class Command(BaseCommand):
    help = "Make the database agree with a facility.toml, and print what changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--yes", action="store_true", help="even if more than max_change products are remade"
        )

    def handle(self, *_: Any, file: Path, yes: bool, **__: Any) -> None:
        try:
            changes = apply(read_declaration(file), is_confirmed=yes)
        except (DeclarationError, TooMuchChangeError, RecipeDefinitionError) as error:
            raise CommandError(f"{file.name} is refused, nothing has changed:\n{error}") from error
        for change in changes:
            self.stdout.write(str(change))
        if not changes:
            self.stdout.write("Nothing to change: the database agrees with the file.")
