from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.backup.errors import BackupError
from config.backup.writing import back_up

_SHOWN = 10


class Command(BaseCommand):
    help = "Write the database and the files of all stores that we write to into a new folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *_: Any, folder: Path, **__: Any) -> None:
        try:
            manifest = back_up(folder, self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from error
        for store in manifest.stores:
            word = "named " if store.read_only else "copied"
            self.stdout.write(f"{word}  {store.slug}: {store.files} files, {store.size} bytes")
        if manifest.missing:
            for file in manifest.missing[:_SHOWN]:
                self.stderr.write(f"missing  {file.store} {file.key}: {file.reason}")
            raise CommandError(
                f"{len(manifest.missing)} files that rows name could not be copied; the backup "
                "holds all else. manage.py doctor says what to do."
            )
        self.stdout.write("The backup is complete. It holds closed data: keep it closed.")
