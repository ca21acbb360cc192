"""
``make bench-reconcile``: one pass of the steward over many products; one JSON line.

``N`` datasets of one rule, 200 calibration constants. Beside it one SQL statement that only
picks the constant of each dataset, by a lateral join: what it says must be what the pass
has picked. The folder ``PALIMPSEST_DATA`` is emptied first.
"""

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONSTANTS = 200

_LOAD = """
INSERT INTO catalogue_facility (id, slug, name, ror, timezone)
VALUES (1, 'bench', 'Bench', '', 'UTC');
INSERT INTO catalogue_store (id, slug, kind, root, read_only)
VALUES (1, 'products', 'posix', '/nowhere', false);
INSERT INTO catalogue_instrument (id, pid, identifier, slug, name, facility_id)
VALUES (1, gen_random_uuid(), '', 'id13', 'ID13', 1);
INSERT INTO catalogue_dataset (id, pid, kind, content, title, description, source_id, facility_id,
    instrument_id, licence, start_time, registered_at, revision, listed_at, opens_at,
    opening_noted, size, file_count, digest, thumbnail, warnings)
SELECT i, md5('dataset ' || i)::uuid, 'raw',
    CASE WHEN i <= %(constants)s THEN 'poni' ELSE 'nexus-scan' END, 'dataset ' || i, '', '',
    1, 1, '',
    CASE WHEN i <= %(constants)s
         THEN timestamptz '2024-01-01' + (i - 1) * interval '1 day'
         ELSE timestamptz '2024-01-01' + (i - %(constants)s) * interval '%(constants)s days'
              / (%(datasets)s + 1) END,
    now(), 1, timestamptz '2020-01-01', timestamptz '2020-01-01', true, 1000000, 1,
    md5(i::text) || md5('b' || i), '', '[]'
FROM generate_series(1, %(datasets)s + %(constants)s) AS i;
INSERT INTO catalogue_calibrationconstant
    (dataset_id, kind, detector, module, valid_from, conditions)
SELECT id, 'poni', 'Pilatus 1M', '', start_time, '{}' FROM catalogue_dataset
WHERE content = 'poni';
SELECT setval(pg_get_serial_sequence('catalogue_dataset', 'id'), max(id)) FROM catalogue_dataset;
"""

# What the steward's runs would have left behind: each absent or stale product is made.
_FULFIL = """
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT p.id AS product, p.desired_key, p.subject_id,
    nextval('catalogue_activity_id_seq') AS activity
FROM processing_product p WHERE p.condition IN ('absent', 'stale');
INSERT INTO catalogue_activity (id, pid, kind, title, recipe, version, run_key, key_document,
    parameters, environment, resolution, configuration)
SELECT activity, gen_random_uuid(), 'processing', 'Made', 'xrd-map', '1.0.0', desired_key, '', '{}',
    '{}', '{}', '' FROM made;
"""

_PICKED = """
SELECT d.id, c.dataset_id FROM catalogue_dataset d
LEFT JOIN LATERAL (
    SELECT k.dataset_id FROM catalogue_calibrationconstant k
    JOIN catalogue_dataset e ON e.id = k.dataset_id
    LEFT JOIN catalogue_tombstone t ON t.dataset_id = k.dataset_id
    WHERE k.kind = 'poni' AND e.instrument_id = d.instrument_id AND t.dataset_id IS NULL
        AND k.valid_from <= d.start_time AND (k.valid_to IS NULL OR k.valid_to > d.start_time)
    ORDER BY k.valid_from DESC, e.registered_at DESC, k.dataset_id DESC LIMIT 1) c ON true
WHERE d.content = 'nexus-scan'
"""


def main() -> None:
    folder = Path(os.environ["PALIMPSEST_DATA"]).absolute()
    if not folder.name.startswith("bench-"):
        sys.exit(
            "The folder of a benchmark is emptied: call make bench-reconcile, which has its own."
        )
    shutil.rmtree(folder, ignore_errors=True)
    _begin()
    print(json.dumps(_measure(int(os.environ.get("N") or 100_000))))


def _begin() -> None:
    from manage import prepare  # noqa: PLC0415 - reads the settings

    prepare()
    import django  # noqa: PLC0415 - the same
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)


def _measure(datasets: int) -> dict[str, Any]:
    from django.db import connection  # noqa: PLC0415 - needs Django, set up

    from catalogue.models import Tombstone  # noqa: PLC0415 - the same
    from processing.models import ProcessingRun  # noqa: PLC0415 - the same
    from processing.products.reviewing import Review  # noqa: PLC0415 - the same

    with connection.cursor() as cursor:
        cursor.execute(_LOAD % {"datasets": datasets, "constants": CONSTANTS})
        cursor.execute("ANALYZE")
    rule = _rule()
    first_s, kept = _timed(lambda: _pass(rule))
    _fulfil(rule)
    _pass(rule)
    unchanged_s, kept = _timed(lambda: _pass(rule))
    picked = {f.row.pk: f.picked["geometry"].pk for f in Review(rule).findings()}
    floor_s, truth = _timed(lambda: _ask(_PICKED))
    is_equal = kept.changed == 0 and picked == dict(truth)

    late = _late_constant()
    late_s, kept = _timed(lambda: _pass(rule))
    stale = kept.changed
    is_equal &= stale == sum(1 for _, constant in _ask(_PICKED) if constant == late)
    _fulfil(rule)
    runs = ProcessingRun.objects.count()
    Tombstone.objects.create(dataset_id=late, kind="retracted", reason="wrong")
    retract_s, kept = _timed(lambda: _pass(rule))
    is_equal &= kept.reused == stale and ProcessingRun.objects.count() == runs
    print(f"first pass {first_s:.2f} s, unchanged {unchanged_s:.2f} s, floor {floor_s:.2f} s")
    print(f"late constant: {stale} stale in {late_s:.2f} s, all reused in {retract_s:.2f} s")
    return {
        "datasets": datasets,
        "seconds": round(unchanged_s, 2),
        "first_seconds": round(first_s, 2),
        "late_seconds": round(late_s, 2),
        "retract_seconds": round(retract_s, 2),
        "stale": stale,
        "floor_seconds": round(floor_s, 2),
        "floor_ratio": round(unchanged_s / floor_s, 2),
        "equal": bool(is_equal),
    }


def _rule() -> Any:
    from processing.models import ProductRule  # noqa: PLC0415 - needs Django, set up
    from tests.builders import a_recipe  # noqa: PLC0415 - the same

    binding = {"source": "calibration", "content": "poni", "pick": "closest_before"}
    return ProductRule.objects.create(
        slug="xrd-map",
        recipe=a_recipe(),
        selection={"kind": "raw", "instrument": "id13", "content": "nexus-scan"},
        subject="scan",
        inputs={"geometry": binding},
        parameters={"bins": 500},
        keep="manual",  # nothing is launched: the look is measured, not the queue
    )


def _pass(rule: Any) -> Any:
    from processing.products.keeping import Kept, keep  # noqa: PLC0415 - needs Django, set up

    done = Kept()
    keep(rule, None, done)
    return done


def _fulfil(rule: Any) -> None:
    """Leave behind what the runs of all wanted products would have."""
    from django.db import connection, transaction  # noqa: PLC0415 - needs Django, set up
    from django.utils import timezone  # noqa: PLC0415 - the same

    from catalogue.registration.parts import insert  # noqa: PLC0415 - the same
    from processing.models import ProcessingRun  # noqa: PLC0415 - the same
    from processing.products.reviewing import Review  # noqa: PLC0415 - the same

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FULFIL)
        made = {
            subject: (activity, product) for product, _, subject, activity in _ask("TABLE made")
        }
        review = Review(rule)
        rows, products = [], []
        for finding in review.findings():
            if finding.row.pk not in made:
                continue
            activity, product = made[finding.row.pk]
            products.append(product)
            rows.append(
                ProcessingRun(
                    recipe=rule.recipe,
                    parameters=rule.parameters,
                    run_key=finding.desired,
                    key_document=finding.document,
                    scope=review.scope_of(finding),
                    rule=rule,
                    clock=timezone.now(),
                    seed=1,
                    state="succeeded",
                    not_before=timezone.now(),
                    queued_at=timezone.now(),
                    finished_at=timezone.now(),
                    activity_id=activity,
                    usage={"cpu_seconds": 1.0},
                )
            )
        insert(rows)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE processing_product p SET processing_run_id = t.run, condition = 'fresh' "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS t (product, run) "
                "WHERE p.id = t.product",
                [products, [row.pk for row in rows]],
            )


def _late_constant() -> int:
    """Register a geometry between two others; return its primary key."""
    from django.db import connection  # noqa: PLC0415 - needs Django, set up

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalogue_dataset (pid, kind, content, title, description, source_id, "
            "facility_id, instrument_id, licence, start_time, registered_at, revision, listed_at, "
            "opens_at, opening_noted, size, file_count, digest, thumbnail, warnings) "
            "SELECT gen_random_uuid(), kind, content, 'late', '', '', 1, 1, '', "
            "start_time + interval '12 hours', now(), 1, listed_at, opens_at, true, 1, 1, "
            "md5('late') || md5('later'), '', '[]' FROM catalogue_dataset WHERE id = 100 "
            "RETURNING id"
        )
        late = int(cursor.fetchone()[0])
        cursor.execute(
            "INSERT INTO catalogue_calibrationconstant (dataset_id, kind, detector, module, "
            "valid_from, conditions) SELECT id, 'poni', '', '', start_time, '{}' "
            "FROM catalogue_dataset WHERE id = %s",
            [late],
        )
    return late


def _ask(sql: str) -> list[Any]:
    from django.db import connection  # noqa: PLC0415 - needs Django, set up

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = act()
    return time.perf_counter() - begun, answer


if __name__ == "__main__":
    main()
