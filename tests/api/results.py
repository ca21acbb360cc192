"""What a finished processing run leaves behind, without an engine."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalogue.models import Activity, Dataset
from catalogue.registration import (
    ActivityRecord,
    DerivedDataset,
    DerivedFile,
    register_derived,
)
from catalogue.storage.content import keep_bytes
from processing.models import LogEntry, ProcessingRun
from tests.builders import World, a_run

PICTURE = b"\x89PNG not a real picture"


def an_activity(world: World, used: dict[str, list[Dataset]], **changes: Any) -> Activity:
    """A map made from datasets by Ines, with its one file in the content store."""
    body = f"map of {sorted(used)} {datetime.now(UTC).isoformat()}".encode()
    sha256, picture = (hashlib.sha256(content).hexdigest() for content in (body, PICTURE))
    root = Path(world.products.root)
    key = keep_bytes(root, body, sha256)
    keep_bytes(root, PICTURE, picture)
    file = DerivedFile("map.nxs", len(body), sha256, "application/x-hdf5", key)
    result = DerivedDataset(
        "result", "xrd-map", "A map", files=[file], digest=sha256, thumbnail=picture
    )
    fields: dict[str, Any] = {
        "title": "xrd-map on a fragment",
        "used": used,
        "generated": [result],
        "store": world.products,
        "recipe": "xrd-map",
        "version": "1.0.0",
        "run_key": "a" * 64,
        "key_document": '{"v":1}',
        "parameters": {"bins": 1000},
        "environment": {"numpy": "2"},
        "person": world.ines,
        "started_at": datetime.now(UTC),
        "ended_at": datetime.now(UTC),
    }
    return register_derived(ActivityRecord(**(fields | changes)))


def a_result(world: World, run: ProcessingRun | None = None) -> ProcessingRun:
    """A run of Ines that has succeeded, with two lines in its log."""
    run = run or a_run(world)
    used: dict[str, list[Dataset]] = {}
    for given in run.inputs.select_related("dataset"):
        used.setdefault(given.role, []).append(given.dataset)
    activity = an_activity(world, used, run_key=run.run_key, key_document=run.key_document)
    for text in ("6 frames", "done"):
        LogEntry.objects.create(processing_run=run, fence=1, level="info", text=text)
    ProcessingRun.objects.filter(pk=run.pk).update(
        state=ProcessingRun.State.SUCCEEDED,
        attempt=1,
        activity=activity,
        finished_at=datetime.now(UTC),
        usage={"seconds": 1.5, "cpu_seconds": 1.0, "peak_memory_bytes": 10**8},
    )
    run.refresh_from_db()
    return run


def result_of(run: ProcessingRun) -> Dataset:
    assert run.activity is not None
    return run.activity.generated.get().dataset
