"""Real processes that watch: two at once, one that is killed, one that is told to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from catalogue.models import Arrival, Dataset, IngestRule
from tests.builders import World
from tests.makers.nexus import write_nexus_scan

State = Arrival.State
Start = Callable[..., "subprocess.Popen[bytes]"]
LARGE = 1 << 30  # bytes, almost all of them a hole: some seconds of hashing


@pytest.fixture
def start(environment_of_test_database: dict[str, str]) -> Iterator[Start]:
    """Start manage.py commands on the test's database; none outlives the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*command: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=Path(__file__).resolve().parents[2],
            env=environment_of_test_database,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def rule(environment_of_test_database: dict[str, str], world: World) -> IngestRule:
    return IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, policy=world.policy,
        watch="{proposal}/id13/{sample}/{scan}.h5", quiet_for_s=1,
    )  # fmt: skip


def a_scan(world: World, number: int) -> Path:
    path = Path(world.raw.root, f"hg-172/id13/ceria/scan_{number:04d}.h5")
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_nexus_scan(path, instrument="id13", seed=number)


def a_large_scan(world: World) -> Path:
    path = a_scan(world, 1)
    with path.open("r+b") as file:
        file.truncate(LARGE)  # HDF5 does not mind what stands behind its end
    return path


def wait_until(is_true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, list(Arrival.objects.values("key", "state", "reason"))
        time.sleep(0.05)


def is_being_read() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_the_steward_registers_new_data_and_stops_when_told(
    world: World, rule: IngestRule, start: Start
) -> None:
    steward = start("steward")
    a_scan(world, 1)
    wait_until(lambda: Arrival.objects.filter(state=State.REGISTERED).exists())
    assert Dataset.objects.get().title == "Ceria on a grid"
    steward.send_signal(signal.SIGTERM)
    assert steward.wait(20) == 0


def test_two_watchers_at_once_register_each_scan_once(
    world: World, rule: IngestRule, start: Start
) -> None:
    for number in range(8):
        a_scan(world, number)
    watchers = [start("watch", "--interval", "0.2") for _ in range(2)]
    wait_until(lambda: Arrival.objects.filter(state=State.REGISTERED).count() == 8)
    assert Dataset.objects.count() == 8
    # 0 where one watcher found it registered before the other had said that it has read it.
    attempts = set(Arrival.objects.values_list("attempts", flat=True))
    assert attempts <= {0, 1}, "none was read twice"
    for watcher in watchers:
        watcher.send_signal(signal.SIGTERM)
    assert [watcher.wait(20) for watcher in watchers] == [0, 0]


def test_a_watcher_killed_while_it_reads_loses_and_doubles_nothing(
    world: World, rule: IngestRule, start: Start
) -> None:
    a_large_scan(world)
    first = start("watch", "--interval", "0.2")
    wait_until(is_being_read)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert Arrival.objects.get().state == State.WAITING
    start("watch", "--interval", "0.2")
    wait_until(lambda: Arrival.objects.get().state == State.REGISTERED, 100)
    assert Dataset.objects.count() == 1


def test_a_watcher_told_to_stop_gives_up_what_it_reads(
    world: World, rule: IngestRule, start: Start
) -> None:
    a_large_scan(world)
    watcher = start("watch", "--interval", "0.2")
    wait_until(is_being_read)
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 0  # a loaded machine takes its time
    assert Arrival.objects.get().state == State.WAITING
    wait_until(lambda: not is_being_read())
