import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import CatalogueError
from catalogue.user_office import (
    Document,
    UserOfficeError,
    UserOfficeFault,
    import_documents,
    parse,
    plan_import,
)

_DIFFERENCES = 2


class Command(BaseCommand):
    help = "Import people, proposals, memberships and samples as the user office delivers them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or JSON")
        parser.add_argument(
            "--complete",
            action="store_true",
            help="end all memberships of the user office that are not in these files",
        )
        parser.add_argument(
            "--plan",
            action="store_true",
            help="only print what would change; exit 0 if nothing, 2 if something, 1 on faults",
        )
        parser.add_argument("--encoding", default="utf-8-sig", help="of the files, if not UTF-8")

    def handle(
        self, *_: Any, files: list[Path], complete: bool, plan: bool, encoding: str, **__: Any
    ) -> None:
        run = plan_import if plan else import_documents
        try:
            changes = run(_read(files, encoding), is_complete=complete)
        except (UserOfficeError, CatalogueError) as error:
            raise CommandError(f"The delivery is refused, nothing has changed:\n{error}") from error
        for change in changes:
            self.stdout.write(str(change))
        if not changes:
            self.stdout.write("Nothing to change: the catalogue agrees with the delivery.")
            return
        counts = Counter(change.action for change in changes)
        self.stdout.write("In all: " + ", ".join(f"{act} {n}" for act, n in counts.items()))
        if plan:
            sys.exit(_DIFFERENCES)


def _read(files: list[Path], encoding: str) -> list[Document]:
    documents: list[Document] = []
    faults: list[UserOfficeFault] = []
    for file in files:
        try:
            documents.append(parse(file.name, file.read_bytes(), encoding=encoding))
        except OSError as error:
            faults.append(UserOfficeFault(file.name, "", "", f"cannot be read: {error.strerror}"))
        except UserOfficeError as error:
            faults += error.faults
    if faults:
        raise UserOfficeError(faults)
    return documents
