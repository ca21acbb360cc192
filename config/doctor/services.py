"""Whether somebody does the work: workers, steward, and what facility.toml wants."""

from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from catalogue.errors import DeclarationError
from config.doctor.finding import Finding, fail, ok, some, warn
from processing.declaration import plan, read_declaration

# Any worker ends a lost lease within a second, the steward looks every few seconds.
_PATIENCE = "clock_timestamp() - interval '10 minutes'"

_STUCK = f"""
SELECT count(*) FROM processing_processingrun
 WHERE state = 'running' AND lease_until < {_PATIENCE}
"""  # noqa: S608 - our own text, put together once
_WAITING = f"""
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(not_before)) / 3600, 0)::float8
  FROM processing_processingrun WHERE state = 'queued' AND not_before < {_PATIENCE}
   AND NOT EXISTS (SELECT FROM processing_processingrun WHERE state = 'running')
"""  # noqa: S608 - the same
_NEGLECTED = {
    "archive copies": f"""SELECT count(*) FROM processing_archivecopy
        WHERE state = 'waiting' AND not_before < {_PATIENCE}
           OR state = 'copying' AND lease_until < {_PATIENCE}""",  # noqa: S608 - the same
    "datasets that have opened": f"""SELECT count(*) FROM catalogue_dataset
        WHERE NOT opening_noted AND opens_at < {_PATIENCE}""",  # noqa: S608 - the same
    "listings that have become public": f"""SELECT count(*) FROM catalogue_listing
        WHERE NOT is_listed AND listed_at < {_PATIENCE}
           OR NOT is_open AND opens_at < {_PATIENCE}""",  # noqa: S608 - the same
}
_GIVEN_UP = "SELECT count(*) FROM processing_archivecopy WHERE state = 'failed'"


def look_at_workers() -> Iterator[Finding]:
    how = "Start manage.py worker; its log says why it stopped."
    (stuck,) = _ask(_STUCK)
    waiting, hours = _ask(_WAITING)
    if stuck:
        yield fail(f"{stuck} processing runs have lost their worker, and none takes them up.", how)
    if waiting:
        yield fail(f"{waiting} processing runs wait, one for {hours:.1f} h; none is running.", how)
    if not (stuck or waiting):
        yield ok("No processing run waits for a worker.")


def look_at_steward() -> Iterator[Finding]:
    """Judge by what waits: the steward keeps no diary."""
    waiting = {name: _ask(sql)[0] for name, sql in _NEGLECTED.items()}
    told = [f"{count} {name}" for name, count in waiting.items() if count]
    if told:
        how = "Start manage.py steward; its log says why it stopped."
        yield fail(f"The steward has not run for ten minutes: {', '.join(told)} wait.", how)
    else:
        yield ok("Nothing waits for the steward.")
    (given_up,) = _ask(_GIVEN_UP)
    if given_up:
        yield warn(
            f"{given_up} archive copies were given up: their bytes had changed.",
            "Put the files back from a backup; their pages say which.",
        )


def compare_declaration(file: Path) -> Iterator[Finding]:
    """Say whether a facility.toml was applied."""
    try:
        changes = plan(read_declaration(file)).changes
    except DeclarationError as error:
        yield fail(f"{file.name} has faults: {some(str(error).splitlines())}.", "Correct it.")
        return
    if changes:
        named = some([str(change) for change in changes])
        yield warn(f"{len(changes)} changes are not applied: {named}.", f"manage.py apply {file}")
    else:
        yield ok(f"The database agrees with {file.name}.")


def _ask(sql: str) -> tuple[float, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row: tuple[float, ...] = cursor.fetchone()
    return row
