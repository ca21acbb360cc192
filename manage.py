#!/usr/bin/env python
"""Django's command line; starts the embedded PostgreSQL if DATABASE_URL is unset."""

import os
import secrets
import sys
from pathlib import Path


def prepare() -> None:
    """Make sure of the data folder, its secret key and a running database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings  # noqa: PLC0415 - needs the line above

    data: Path = settings.PALIMPSEST_DATA
    (data / "static").mkdir(parents=True, exist_ok=True)  # where collectstatic would write
    if settings.SECRET_KEY == "unset":  # noqa: S105 - no password, the mark of a missing one
        key = data / "secret-key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(50))
        settings.SECRET_KEY = key.read_text()
    if not settings.DATABASE_URL:
        from config import database  # noqa: PLC0415 - not needed with a server outside

        database.join(data)


def main() -> None:
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    if not {"help", "--help", "spectacular"} & set(sys.argv):
        prepare()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
