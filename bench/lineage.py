"""
``make bench-lineage``: from 400,000 activities, how long lineage and retraction take.

100,000 raw datasets, each turned into a map with a geometry, the map into a fit, both into
a summary: 900,000 edges. One geometry is hot, 121,000 datasets stem from it; the others
have about 1,400 each. Written by COPY into ``PALIMPSEST_DATA``; the last line is JSON.
"""

import json
import logging
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

_RAW = 100_000
_GEOMETRIES = 126
_OF_THE_HOT = 40_333  # maps; three datasets stem from each
_TIMES = 30
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_BUDGETS_MS = {
    "raw_forward": 5,
    "backward": 5,
    "constant_forward": 50,
    "hot_forward": 1000,
    "graph": 50,
    "hot_graph": 100,
    "preview": 1000,
}

_FACILITY = """
INSERT INTO catalogue_facility (id, slug, name, ror, timezone)
VALUES (1, 'bench', 'Bench light source', '', 'Europe/Paris');
INSERT INTO catalogue_user (id, pid, username, password, full_name, first_name, last_name, email,
    orcid, is_data_steward, is_superuser, is_staff, is_active, date_joined)
SELECT u, gen_random_uuid(), 'p' || u, '!', 'Person ' || u, '', '', '', '', u = 1, false, false,
    true, now() FROM generate_series(1, 100) AS u;
"""
_COLUMNS = {
    "dataset": "id, pid, kind, content, title, description, source_id, facility_id, owner_id, "
    "licence, registered_at, revision, opening_noted, size, file_count, digest, thumbnail, "
    "warnings",
    "activity": "id, pid, kind, title, recipe, version, run_key, key_document, parameters, "
    "environment, resolution, configuration, started_at",
    "generated": "activity_id, dataset_id, role",
    "used": "activity_id, dataset_id, role",
}

Row = tuple[Any, ...]


def _dataset(number: int, content: str) -> Row:
    kind = "derived" if number > _RAW + _GEOMETRIES else "raw"
    owner = 1 + number % 100 if kind == "derived" else None
    title = f"{content} {number}"
    return (
        number, UUID(int=number), kind, content, title, "", "", 1, owner, "", _BEGUN, 1, True,
        0, 0, "", "", "[]",
    )  # fmt: skip


def _datasets() -> Iterator[Row]:
    for raw in range(1, _RAW + 1):
        yield _dataset(raw, "nexus-scan")
    for geometry in range(_RAW + 1, _RAW + _GEOMETRIES + 1):
        yield _dataset(geometry, "poni")
    for raw in range(1, _RAW + 1):
        for place, content in enumerate(("xrd-map", "fit", "summary")):
            yield _dataset(_result(raw, place), content)


def _result(raw: int, place: int) -> int:
    return _RAW + _GEOMETRIES + 3 * (raw - 1) + place + 1


def _activities() -> Iterator[Row]:
    for number in range(1, 4 * _RAW + 1):
        kind, recipe = ("acquisition", "") if number <= _RAW else ("processing", "xrd-map")
        yield (
            number, UUID(int=number), kind, "Something", recipe, "1.0.0", "", "", "{}", "{}", "{}",
            "", _BEGUN,
        )  # fmt: skip


def _activity(raw: int, place: int) -> int:
    return _RAW + 3 * (raw - 1) + place + 1


def _generated() -> Iterator[Row]:
    for raw in range(1, _RAW + 1):
        yield raw, raw, "data"
        for place in range(3):
            yield _activity(raw, place), _result(raw, place), "result"


def _used() -> Iterator[Row]:
    for raw in range(1, _RAW + 1):
        others = _RAW + 2 + raw % (_GEOMETRIES - 1)
        geometry = _RAW + 1 if raw <= _OF_THE_HOT else others
        yield _activity(raw, 0), raw, "scan"
        yield _activity(raw, 0), geometry, "geometry"
        yield _activity(raw, 1), _result(raw, 0), "map"
        yield _activity(raw, 2), _result(raw, 0), "map"
        yield _activity(raw, 2), _result(raw, 1), "fit"


def load() -> None:
    from django.db import connection, transaction  # noqa: PLC0415 - needs Django, set up

    rows = {
        "dataset": _datasets, "activity": _activities, "generated": _generated, "used": _used,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL session_replication_role = replica")  # no key is looked up
        cursor.execute(_FACILITY)
        for table, make in rows.items():
            statement = f"COPY catalogue_{table} ({_COLUMNS[table]}) FROM STDIN"
            with cursor.copy(statement) as writer:
                for row in make():
                    writer.write_row(row)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure() -> dict[str, Any]:
    from catalogue import ancestry, lineage  # noqa: PLC0415 - needs Django, set up
    from catalogue.embargo import retraction  # noqa: PLC0415 - the same
    from catalogue.models import Activity, Dataset, Generated, Used, User  # noqa: PLC0415 - the same

    steward = User.objects.get(pk=1)
    raw, constant, hot, last = (
        Dataset.objects.get(pk=pk) for pk in (7, _RAW + 50, _RAW + 1, _result(7, 2))
    )
    asked: dict[str, Callable[[], object]] = {
        "raw_forward": lambda: lineage.descendants(raw),
        "backward": lambda: lineage.ancestors(last),
        "constant_forward": lambda: lineage.descendants(constant),
        "hot_forward": lambda: lineage.descendants(hot),
        "graph": lambda: ancestry.graph(steward, raw),
        "hot_graph": lambda: ancestry.graph(steward, hot),
        "preview": lambda: retraction.preview(steward, hot),
    }
    found: dict[str, Any] = {
        "activities": Activity.objects.count(),
        "edges": Used.objects.count() + Generated.objects.count(),
        "descendants": len(lineage.descendants(hot)),
    }
    for name, ask in asked.items():
        found[f"{name}_ms"] = _median_ms(ask, 5 if name in {"hot_forward", "preview"} else _TIMES)
    found["retract_s"] = _seconds(lambda: retraction.retract(steward, hot, "a wrong distance"))
    found["undo_s"] = _seconds(lambda: retraction.undo(steward, hot, "it was right"))
    return found


def _median_ms(ask: Callable[[], object], times: int) -> float:
    return round(statistics.median(_seconds(ask) for _ in range(times)) * 1000, 2)


def _seconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return round(time.perf_counter() - begun, 5)


def main() -> None:
    from manage import prepare  # noqa: PLC0415 - reads the settings

    prepare()
    import django  # noqa: PLC0415 - the same
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    from catalogue.models import Dataset  # noqa: PLC0415 - the same

    if not Dataset.objects.exists():
        _say(f"loaded in {_seconds(load):.0f} s")
    found = measure()
    for name, budget in _BUDGETS_MS.items():
        _say(f"{name:20}{found[f'{name}_ms']:10.2f} ms   wanted {budget}")
    print(json.dumps(found))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
