from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalogue.errors import DeclarationError
from processing.declaration import read_declaration
from processing.declaration.applying import make_true
from processing.declaration.installed import discover_declared
from processing.errors import RecipeDefinitionError


class Command(BaseCommand):
    help = "Check a facility.toml: form, names, rules, secrets; exit 1 on faults."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            read = read_declaration(file)
            with transaction.atomic():
                make_true(read, discover_declared(read))
                transaction.set_rollback(True)
        except (DeclarationError, RecipeDefinitionError) as error:
            raise CommandError(f"{file.name} has faults:\n{error}") from error
        self.stdout.write(f"{file.name} is sound. manage.py plan says what it would change.")
