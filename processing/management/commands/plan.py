import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import DeclarationError
from processing.declaration import plan, read_declaration
from processing.errors import RecipeDefinitionError

_DIFFERENCES = 2


class Command(BaseCommand):
    help = "Print what apply would change; exit 0 if nothing, 2 if something, 1 on faults."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--json", action="store_true", help="as one JSON object")

    def handle(self, *_: Any, file: Path, **options: Any) -> None:
        try:
            found = plan(read_declaration(file))
        except (DeclarationError, RecipeDefinitionError) as error:
            raise CommandError(f"{file.name} would be refused:\n{error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(found.as_document()))
        else:
            for line in found.lines():
                self.stdout.write(line)
        if not found.is_in_step:
            sys.exit(_DIFFERENCES)
        if not options["json"]:
            self.stdout.write("Nothing to change: the database agrees with the file.")
