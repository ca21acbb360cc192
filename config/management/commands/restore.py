from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config.backup.errors import BackupError
from config.backup.restoring import restore


def _root(text: str) -> tuple[str, Path]:
    slug, is_given, folder = text.partition("=")
    if not (slug and is_given and folder):
        raise ArgumentTypeError(f"{text!r} is not STORE=FOLDER")
    return slug, Path(folder).absolute()


class Command(BaseCommand):
    help = "Bring a backup into an empty database and empty stores; stop the services first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--root",
            action="append",
            type=_root,
            default=[],
            metavar="STORE=FOLDER",
            help="where a store lies now; repeatable",
        )
        parser.add_argument(
            "--force", action="store_true", help="replace a database that is not empty"
        )

    def handle(
        self, *_: Any, folder: Path, root: list[tuple[str, Path]], force: bool, **__: Any
    ) -> None:
        try:
            manifest = restore(folder, dict(root), self.stdout.write, force=force)
        except BackupError as error:
            raise CommandError(str(error)) from error
        finally:
            connection.close()
        made = manifest.made_at.isoformat(timespec="seconds")
        self.stdout.write(f"Everything is as it was at {made}.")
        for file in manifest.missing:
            self.stdout.write(f"missing in the backup: {file.store} {file.key}")
        self.stdout.write("Now run manage.py migrate, then manage.py doctor.")
