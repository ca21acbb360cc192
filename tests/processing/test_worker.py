"""Real workers in processes of their own: what they finish, and what survives them."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalogue.models import Dataset
from catalogue.places import local_path
from catalogue.storage.local import hash_file
from processing.bell import Bell, Listener
from processing.lifecycle import cancel
from processing.models import ProcessingRun
from processing.recipes.base import Recipe
from processing.submission import submit
from processing.ticket import Event, Outcome, Ticket
from processing.worker import Worker
from tests.builders import World, a_dataset, a_recipe, a_run, a_world
from tests.makers import recipes
from tests.makers.processes import runners_below

Start = Callable[..., "subprocess.Popen[bytes]"]
BODY = b"0123456789" * 100
OTHER_DISK = Path("/dev/shm")  # noqa: S108 - another file system; no file is made there
SHORT = {"PALIMPSEST_LEASE_S": "2", "PALIMPSEST_RETRY_S": "0.2"}


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> World:
    return a_world(tmp_path)


def launch(
    world: World, function: Recipe = recipes.copy_scan, **parameters: object
) -> ProcessingRun:
    scan = a_dataset(world, file=BODY)
    recipe = a_recipe(function.manifest)
    return submit(world.ines, recipe, {"scan": [scan]}, parameters).processing_run  # type: ignore[arg-type]  # JSON values


def wait_for(run: ProcessingRun, reached: Callable[[ProcessingRun], bool], what: str) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        run.refresh_from_db()
        if reached(run):
            return
        time.sleep(0.05)
    raise AssertionError(f"the run did not become {what}: {run.state} {run.problem}")


@pytest.mark.parametrize("engine", ["in-process", "dask"])
def test_a_worker_killed_twice_ends_in_exactly_one_product(
    world: World, start_worker: Start, engine: str
) -> None:
    run = launch(world, steps=6, pause_s=0.5)
    for attempt in (1, 2):
        worker = start_worker(**SHORT, PALIMPSEST_ENGINE=engine)

        def is_computing(row: ProcessingRun, attempt: int = attempt) -> bool:
            return row.attempt == attempt and row.progress_done >= 1

        wait_for(run, is_computing, f"busy in attempt {attempt}")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    start_worker(**SHORT, PALIMPSEST_ENGINE=engine)
    wait_for(run, lambda row: row.is_final, "final")
    assert (run.state, run.attempt) == ("succeeded", 3)
    product = Dataset.objects.get(kind="derived")
    file = product.files.get()
    path = local_path(file)
    assert path.read_bytes() == BODY * 6
    assert hash_file(path) == file.sha256
    assert not list(Path(world.products.root, "staging").iterdir())
    assert runners_below(world.folder) == [], "no code of a killed worker goes on computing"


def test_log_and_progress_reach_the_database_while_the_run_goes_on(
    world: World, start_worker: Start
) -> None:
    run = launch(world, steps=5, pause_s=0.4)
    start_worker()
    wait_for(run, lambda row: row.progress_done == 2, "at step 2")
    assert run.state == "running"
    assert "step 2" in run.log.values_list("text", flat=True)
    assert (run.progress_total, run.stage) == (5, "copying")


@pytest.mark.parametrize("recipe", [recipes.copy_scan, recipes.ignore_terminate])
def test_a_cancelled_runs_process_is_gone_within_a_second(
    world: World, start_worker: Start, recipe: Recipe
) -> None:
    parameters = {"steps": 100, "pause_s": 1.0} if recipe is recipes.copy_scan else {}
    run = launch(world, recipe, **parameters)
    start_worker()
    wait_for(run, lambda row: row.progress_total == 100, "busy")
    asked = time.monotonic()
    cancel(world.ines, run)
    while runners_below(world.folder):
        assert time.monotonic() - asked < 1.0
        time.sleep(0.01)
    wait_for(run, lambda row: row.is_final, "final")
    assert run.state == "cancelled"


def test_a_worker_hears_of_a_run_at_once(world: World, start_worker: Start) -> None:
    start_worker()
    wait_for(launch(world), lambda row: row.is_final, "final")
    rung = Bell()
    stopping = threading.Event()
    listener = Listener(lambda _: rung.ring(), stopping)
    listener.start()
    rung.wait(0, 20)  # it listens
    heard = rung.count
    launch(world)
    rung.wait(heard, 20)
    stopping.set()
    listener.join(20)
    assert rung.count > heard


def test_a_worker_may_stand_before_the_first_facility_is_applied(
    transactional_db: None, tmp_path: Path, start_worker: Start
) -> None:
    worker = start_worker()
    deadline = time.monotonic() + 20
    while not someone_listens():
        assert worker.poll() is None, "it ended without any store"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run = launch(a_world(tmp_path))
    wait_for(run, lambda row: row.state == "succeeded", "succeeded")


def someone_listens() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        return cursor.fetchone() is not None


def test_a_worker_that_is_stopped_gives_its_run_back_unharmed(
    world: World, start_worker: Start
) -> None:
    run = launch(world, steps=100, pause_s=1.0)
    worker = start_worker()
    wait_for(run, lambda row: row.progress_total == 100, "busy")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("queued", 0)
    assert runners_below(world.folder) == []


def test_a_worker_outlives_a_break_of_the_database(world: World, start_worker: Start) -> None:
    run = launch(world, steps=6, pause_s=0.5)
    start_worker()
    wait_for(run, lambda row: row.progress_done >= 1, "busy")
    with connection.cursor() as cursor:
        # As a restart does to its clients: every connection but this one is cut.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_for(run, lambda row: row.is_final, "final")
    assert (run.state, run.attempt) == ("succeeded", 1)
    said = [text for text in run.log.values_list("text", flat=True) if text.startswith("step")]
    assert said == [f"step {number}" for number in range(1, 7)], "each line once, none lost"


def test_a_lost_file_of_the_raw_store_waits_for_the_operator(
    world: World, start_worker: Start
) -> None:
    run = launch(world)
    dataset = Dataset.objects.get(kind="raw")
    local_path(dataset.files.get()).unlink()
    start_worker()
    wait_for(run, lambda row: row.problem is not None, "explained")
    assert run.state == "queued"
    assert "Restore it" in run.problem["message"]
    assert world.raw.root not in run.problem["message"]


@pytest.mark.skipif(not OTHER_DISK.exists(), reason="needs a second file system")
def test_no_worker_starts_where_staging_and_store_are_two_disks(world: World) -> None:
    if OTHER_DISK.stat().st_dev == world.folder.stat().st_dev:
        pytest.skip("both are one file system here")
    Path(world.products.root, "store").symlink_to(OTHER_DISK)
    with pytest.raises(CommandError, match="two file systems"):
        call_command("worker")


class _Garbled:
    """An engine that reports what cannot be written down, and notes whether it was stopped."""

    def __init__(self) -> None:
        self.is_stopped = threading.Event()

    def submit(self, _: Ticket) -> "_Garbled":
        return self

    def wait(self, timeout_s: float) -> Outcome | None:
        time.sleep(timeout_s)
        return None

    def events(self) -> list[Event]:
        raise ValueError("no report at all")

    def cancel(self) -> None:
        self.is_stopped.set()

    def close(self) -> None:
        self.cancel()


def test_an_attempt_that_cannot_be_watched_any_more_is_stopped(world: World) -> None:
    run = a_run(world)
    engine = _Garbled()
    worker = Worker(engine, slots=1, lease_s=60)
    serving = threading.Thread(target=worker.run)
    serving.start()
    try:
        assert engine.is_stopped.wait(10), "it computes on, and so does the next attempt"
        wait_for(run, lambda run: run.state == "queued", "given back")
    finally:
        worker.stopping.set()
        serving.join(20)
