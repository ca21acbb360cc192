"""The queue that chaos works on."""

import random
import time
from pathlib import Path

from django.db import InterfaceError, OperationalError, connection

from bench.chaos.disk import Disk
from bench.chaos.recipes import chaos
from catalogue.models import Store
from processing.models import ProcessingRun
from processing.submission import submit
from tests.builders import a_dataset, a_recipe, a_world

_MANY = 1000  # attempts: chaos asks whether runs end once, not when patience ends


def fill_queue(folder: Path, disk: Disk, count: int, draw: random.Random) -> None:
    """Make a small facility whose results lie on the disk, and queue runs."""
    world = a_world(folder / "stores")
    Store.objects.filter(pk=world.products.pk).update(root=str(disk.folder))
    scan = a_dataset(world)
    for number in range(count):
        parameters = {
            "number": number,
            "work_s": round(draw.uniform(0.02, 0.5), 3),
            "is_fenced": number % 2 == 1,
            "full_disk": "" if disk.is_mounted else str(disk.marker),
        }
        submit(world.ines, a_recipe(chaos.manifest), {"scan": [scan]}, parameters)
    ProcessingRun.objects.update(max_attempts=_MANY)


def count_open() -> int:
    """Return how many runs have not ended, however long the database takes to answer."""
    return _count("queued", "running")


def count_begun() -> int:
    """Return how many runs a worker has taken up."""
    return _count("running", "succeeded", "failed")


def _count(*states: str) -> int:
    while True:
        try:
            return ProcessingRun.objects.filter(state__in=states).count()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.1)
