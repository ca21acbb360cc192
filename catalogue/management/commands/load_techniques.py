from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.panet.official import CREDIT, NotPanetError, read_official
from catalogue.techniques import load_terms


class Command(BaseCommand):
    help = "Load the official list of techniques, PaNET.csv, in place of the part that is shipped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="PaNET.csv as published")

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            official = read_official(file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file.name} cannot be read: {error.strerror}.") from error
        except NotPanetError as error:
            raise CommandError(f"{file.name} is refused, nothing has changed. {error}") from error
        loaded = load_terms(official.terms, CREDIT, official.digest)
        self.stdout.write(f"{loaded.techniques} techniques, {loaded.concepts} concepts")
        self.stdout.write(
            f"{loaded.created} created, {loaded.changed} changed, {loaded.obsolete} now obsolete"
        )
        self.stdout.write(f"{CREDIT}; sha256 {official.digest}")
