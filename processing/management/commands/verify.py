import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing.exports.statements import check_chain
from processing.exports.verification import verify_file


class Command(BaseCommand):
    help = "Recognise a file and tell its story; 0 if it is known, 1 if not, 2 if it was changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
        parser.add_argument(
            "--chain", action="store_true", help="check all that was ever signed instead"
        )

    def handle(self, *_: Any, file: Path | None, chain: bool, **__: Any) -> None:
        if chain == bool(file):
            raise CommandError("Name either a file or --chain.", returncode=3)
        if file is None:
            self._check_chain()
            return
        try:
            verdict = verify_file(file)
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise CommandError(f"{file.name}: {reason}.", returncode=3) from error
        for sentence in verdict.sentences:
            self.stdout.write(sentence)
        if verdict.recognised:
            sys.exit(int(verdict.recognised))

    def _check_chain(self) -> None:
        report = check_chain()
        if report.broken:
            raise CommandError(f"{report.broken} {report.links} before it hold.", returncode=2)
        self.stdout.write(f"All {report.links} statements hold.")
