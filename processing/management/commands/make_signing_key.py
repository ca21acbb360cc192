from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing.errors import SigningKeyError
from processing.exports.keys import make_signing_key


class Command(BaseCommand):
    help = "Make the key with which the facility signs; prints its public half."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, metavar="FILE", help="a new file, for its owner only"
        )

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            public = make_signing_key(file)
        except SigningKeyError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"{file.name} holds the private key; keyid {public.keyid}")
        self.stdout.write(public.pem, ending="")
