"""The trivial step through our own queue, workers and REST, by the clock of whoever waits."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.bulk import web_server
from bench.overhead.recipes import add
from catalogue.models import DataFile, Dataset, Parameter, Store, User
from catalogue.places import local_path
from catalogue.tokens import make_token
from config.settings import BASE
from processing.models import ProcessingRun
from processing.submission import submit
from tests.builders import World, a_dataset, a_recipe, a_world

TIMES = 40
DRAINED = 150
_PATIENCE_S = 120.0


class Ours:
    """One small facility, on the database and the engine of the environment."""

    def __init__(self, folder: Path) -> None:
        stores = folder / f"stores-{time.time_ns()}"
        self.world: World = a_world(stores)
        self.scan: Dataset = a_dataset(self.world)
        self.recipe = a_recipe(add.manifest)
        self._given = 0

    def submit(self, a: int) -> ProcessingRun:
        inputs = {"scan": [self.scan]}
        return submit(self.world.ines, self.recipe, inputs, {"a": a, "b": 1000}).processing_run

    def measure_latency(self) -> dict[str, Any]:
        """Return medians from submission to each step, in milliseconds, and the sums."""
        running, computing, finished, sums = [], [], [], []
        for a in range(TIMES + 1):
            begun, begun_at = time.perf_counter(), time.time()
            run = self.submit(a)
            running.append(until(run, lambda row: row.state != "queued") - begun)
            finished.append(until(run, lambda row: row.is_final) - begun)
            run.refresh_from_db()
            result = Dataset.objects.get(generated_by__activity=run.activity_id)
            sums.append(int(local_path(DataFile.objects.get(dataset=result)).read_text()))
            stamp = Parameter.objects.get(dataset=result, key__name="began")
            computing.append((stamp.number or 0.0) - begun_at)
        return {
            "submit_running_ms": _median_ms(running),
            "submit_computing_ms": _median_ms(computing),
            "submit_finished_ms": _median_ms(finished),
            "sums": sums,
        }

    def measure_rate(self) -> float:
        """Return how many runs one worker with one slot finishes in a minute."""
        runs = [self.submit(10_000 + number) for number in range(DRAINED)]
        begun = time.perf_counter()
        pks = [run.pk for run in runs]
        open_ones = ProcessingRun.objects.filter(pk__in=pks, state__in=["queued", "running"])
        deadline = begun + _PATIENCE_S
        first_left = open_ones.count()
        while (left := open_ones.count()) and time.perf_counter() < deadline:
            time.sleep(0.05)
        return 60 * (first_left - left) / (time.perf_counter() - begun)

    def measure_reuse(self) -> float:
        """Return the median of asking for what is known, in milliseconds."""
        seconds = []
        for _ in range(100):
            begun = time.perf_counter()
            run = self.submit(1)
            seconds.append(time.perf_counter() - begun)
            assert run.state == "succeeded"  # noqa: S101 - a benchmark of nothing else
        return _median_ms(seconds)

    def measure_reuse_by_rest(self, folder: Path) -> float:
        """Return the same through real HTTP, in milliseconds."""
        secret = make_token(self.world.ines, "bench", ["read", "process"], 1).secret
        body = {
            "recipe": "add",
            "inputs": {"scan": [str(self.scan.pid)]},
            "parameters": {"a": 1, "b": 1000},
        }
        seconds = []
        with web_server(folder) as (address, _), httpx.Client(timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {secret}"
            for _ in range(101):
                begun = time.perf_counter()
                answer = client.post(f"{address}/api/v1/processing-runs/", json=body)
                seconds.append(time.perf_counter() - begun)
                assert answer.json()["outcome"] == "reused", answer.text  # noqa: S101 - as above
        return _median_ms(seconds)


def clean_up() -> None:
    """Forget the facility of an earlier measurement: names are unique."""
    from django.core.management import call_command  # noqa: PLC0415 - needs Django, set up

    if Store.objects.exists() or User.objects.exists():
        call_command("flush", interactive=False, verbosity=0)


@contextmanager
def worker(engine: str) -> Iterator[None]:
    """Run one worker with one slot."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=BASE,
        env={**os.environ, "PALIMPSEST_ENGINE": engine, "PALIMPSEST_SLOTS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def floor_ms(folder: Path) -> float:
    """Return the median of a bare interpreter that adds two numbers and writes the sum."""
    seconds = []
    target = folder / "sum.txt"
    code = "import sys; open(sys.argv[1], 'w').write(str(1 + 1000))"
    for _ in range(TIMES):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code, str(target)], check=True)  # noqa: S603 - our own code
        seconds.append(time.perf_counter() - begun)
    return _median_ms(seconds)


def until(run: ProcessingRun, reached: Callable[[ProcessingRun], bool]) -> float:
    deadline = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < deadline:
        row = ProcessingRun.objects.only("state").get(pk=run.pk)
        if reached(row):
            return time.perf_counter()
        time.sleep(0.002)
    raise TimeoutError(f"{run} did not get on")


def _median_ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds[1:]), 1)
