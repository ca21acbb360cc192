"""What every engine must do; the recipes run in processes of their own."""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import LocalCluster

from processing.engine.base import Engine
from processing.engine.dask_cluster import DaskEngine
from processing.engine.in_process import InProcessEngine
from processing.errors import EngineError
from processing.recipes.base import Recipe
from processing.ticket import (
    Event,
    LogLine,
    Progress,
    Ticket,
    TicketFile,
    TicketInput,
)
from tests.makers import recipes
from tests.makers.attempts import finish
from tests.makers.processes import runners_below

BODY = b"frames " * 100


@pytest.fixture(scope="module", params=["in-process", "dask"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = InProcessEngine() if request.param == "in-process" else DaskEngine("", 1)
    yield engine
    engine.close()


@pytest.fixture
def ticket(tmp_path: Path) -> Callable[..., Ticket]:
    def write(recipe: Recipe, *, fence: int = 1, **parameters: Any) -> Ticket:
        scan = tmp_path / "raw" / "scan.bin"
        scan.parent.mkdir(exist_ok=True)
        scan.write_bytes(BODY)
        digest = hashlib.sha256(BODY).hexdigest()
        file = TicketFile(path="scan.bin", location=scan, size=len(BODY), sha256=digest)
        manifest = recipe.manifest
        results = tmp_path / "results"
        results.mkdir(exist_ok=True)
        return Ticket(
            uuid="7b1f4f3e-0000-4000-8000-000000000001",
            fence=fence,
            recipe=manifest.name,
            version=manifest.version,
            entry=manifest.entry,
            environment=manifest.environment.digest,
            run_key="a" * 64,
            key_document="{}",
            inputs={"scan": (TicketInput(pid="p", digest=digest, title="Scan", files=(file,)),)},
            parameters=manifest.validate_parameters(parameters),
            outputs={role: slot.content for role, slot in manifest.outputs.items()},
            clock="2026-11-21T12:00:00+00:00",
            seed=1,
            limits=manifest.resources,
            content_store=results,
        )

    return write


def test_outputs_lie_in_the_content_store_under_their_sha256(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan, steps=2)
    outcome, events = finish(engine.submit(one))
    assert outcome.failure is None
    (output,) = outcome.outputs
    assert output.sha256 == hashlib.sha256(BODY * 2).hexdigest()
    stored = one.content_store / "store" / output.sha256[:2] / output.sha256
    assert stored.read_bytes() == BODY * 2
    assert stored.stat().st_mode & 0o777 == 0o444
    assert not one.staging.exists()
    assert outcome.quantities[0].value == len(BODY) * 2
    texts = [event.text for event in events if isinstance(event, LogLine)]
    assert texts[-2:] == ["step 1", "step 2"]
    assert any(isinstance(event, Progress) and event.total == 2 for event in events)


def test_log_lines_arrive_while_the_recipe_runs(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    handle = engine.submit(ticket(recipes.copy_scan, steps=4, pause_s=1.0))
    seen: list[Event] = []
    deadline = time.monotonic() + 20
    while not any(isinstance(e, LogLine) and e.text == "step 1" for e in seen):
        assert time.monotonic() < deadline
        assert handle.wait(0.1) is None, "the run ended before its first line was seen"
        seen += handle.events()
    handle.cancel()
    finish(handle)


@pytest.mark.parametrize(
    ("how", "reason", "code"),
    [
        ("refuse", "input", "scan-dark"),
        ("raise", "recipe", "recipe-failed"),
        ("silent", "output", "output-missing"),
        ("undeclared", "output", "output-undeclared"),
        ("symlink", "output", "output-unsafe"),
        ("memory", "memory", "memory"),
        ("forever", "time", "walltime"),
        ("die", "lost", "killed"),
    ],
)
def test_a_failure_says_whose_it_is(
    engine: Engine, ticket: Callable[..., Ticket], how: str, reason: str, code: str
) -> None:
    one = ticket(recipes.misbehave, how=how)
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == (reason, code)
    assert not outcome.outputs
    assert not one.staging.exists()


def test_cancelling_stops_the_code_not_only_the_future(
    engine: Engine, ticket: Callable[..., Ticket], tmp_path: Path
) -> None:
    one = ticket(recipes.copy_scan, steps=100, pause_s=1.0)
    handle = engine.submit(one)
    deadline = time.monotonic() + 20
    while not runners_below(tmp_path) and time.monotonic() < deadline:
        handle.wait(0.1)
    started = time.monotonic()
    handle.cancel()
    outcome, _ = finish(handle)
    assert outcome.failure is not None
    assert outcome.failure.reason == "cancelled"
    assert time.monotonic() - started < 1.0  # asked ten times a second, TERM at once
    assert not runners_below(tmp_path)


def test_nothing_that_a_recipe_started_outlives_it(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    outcome, _ = finish(engine.submit(ticket(recipes.misbehave, how="orphan")))
    assert outcome.failure is None
    orphans = [p for p in psutil.process_iter(["cmdline"]) if "palimpsest-orphan" in _words(p)]
    assert [p for p in orphans if p.status() != psutil.STATUS_ZOMBIE] == []


def test_what_a_recipe_has_not_flushed_is_in_its_result(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    outcome, _ = finish(engine.submit(ticket(recipes.misbehave, how="open")))
    assert outcome.outputs[0].sha256 == hashlib.sha256(b"all of it").hexdigest()


def test_what_a_recipe_prints_is_log_and_breaks_no_report(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    outcome, events = finish(engine.submit(ticket(recipes.misbehave, how="print")))
    assert outcome.failure is None
    assert "not JSON at all" in [e.text for e in events if isinstance(e, LogLine)]


def test_a_recipe_gets_no_secret(engine: Engine, ticket: Callable[..., Ticket]) -> None:
    _, events = finish(engine.submit(ticket(recipes.misbehave, how="secret")))
    assert "no secret" in [e.text for e in events if isinstance(e, LogLine)]


def test_a_supervisor_that_fails_itself_loses_the_attempt_and_hangs_nobody(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    impossible = ticket(recipes.copy_scan).model_copy(update={"content_store": Path("/\x00")})
    outcome, _ = finish(engine.submit(impossible))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("lost", "engine-lost")


def test_an_input_edited_in_place_is_found_by_its_time_and_checksum(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan)
    (given,) = one.inputs["scan"]
    (file,) = given.files
    stamp = file.location.stat().st_mtime_ns
    stamped = file.model_copy(update={"modified_ns": stamp})
    inputs = {"scan": (given.model_copy(update={"files": (stamped,)}),)}
    one = one.model_copy(update={"inputs": inputs})
    os.utime(file.location, ns=(stamp, stamp + 1))  # touched: the same bytes are still good
    assert finish(engine.submit(one))[0].failure is None
    file.location.write_bytes(BODY[::-1])  # as long as before
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert outcome.failure.code == "input-changed"


def test_a_late_attempt_leaves_the_newer_one_alone(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    newer = ticket(recipes.copy_scan, fence=7)
    newer.staging.mkdir(parents=True)
    older = newer.staging.with_name(f"{newer.uuid}.2")
    older.mkdir()
    outcome, _ = finish(engine.submit(ticket(recipes.copy_scan, fence=3)))
    assert outcome.failure is None
    assert newer.staging.exists()
    assert not older.exists()


def test_the_same_attempt_twice_is_a_lost_one(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan)
    one.staging.mkdir(parents=True)  # somebody works there
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert outcome.failure.reason == "lost"
    assert one.staging.exists()


def test_a_store_of_results_that_is_not_mounted_waits_for_the_operator(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan)
    one.content_store.rmdir()
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("disk", "no-storage")
    assert not one.content_store.exists(), "a mount point is not filled behind the mount's back"


def test_a_run_that_needs_more_scratch_than_there_is_waits_for_the_operator(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan)
    limits = one.limits.model_copy(update={"scratch_bytes": 2**60})  # more than disks have
    outcome, _ = finish(engine.submit(one.model_copy(update={"limits": limits})))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("disk", "disk-full")
    assert outcome.failure.message.startswith(f"The run needs {2**40:,} MiB on the disk of the")
    assert "when the operator has made room" in outcome.failure.message
    assert not one.staging.exists()


def test_an_input_that_changed_since_registration_is_refused(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan)
    one.inputs["scan"][0].files[0].location.write_bytes(b"shorter")
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert outcome.failure.code == "input-changed"


def test_other_packages_than_those_of_the_run_key_wait_for_the_operator(
    engine: Engine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(recipes.copy_scan).model_copy(update={"environment": "0" * 64})
    outcome, _ = finish(engine.submit(one))
    assert outcome.failure is not None
    assert outcome.failure.reason == "environment"


def test_runs_go_to_the_scheduler_that_is_named(ticket: Callable[..., Ticket]) -> None:
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        engine = DaskEngine(cluster.scheduler_address, 1)
        try:
            outcome, events = finish(engine.submit(ticket(recipes.copy_scan)))
        finally:
            engine.close()
    assert outcome.failure is None
    assert "step 1" in [event.text for event in events if isinstance(event, LogLine)]


def test_a_scheduler_of_others_runs_nothing_twice_either(ticket: Callable[..., Ticket]) -> None:
    with (
        # As a scheduler is that somebody else has started, with Dask's own default.
        dask.config.set({"distributed.scheduler.allowed-failures": 3}),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        engine = DaskEngine(cluster.scheduler_address, 1)
        try:
            handle = engine.submit(ticket(recipes.copy_scan, steps=100, pause_s=1.0))
            seen: list[Event] = []
            deadline = time.monotonic() + 20
            while not any(isinstance(event, Progress) for event in seen):
                assert time.monotonic() < deadline
                assert handle.wait(0.1) is None
                seen += handle.events()
            os.kill(cluster.workers[0].pid, 9)
            outcome, _ = finish(handle)
        finally:
            engine.close()
    assert outcome.failure is not None
    assert outcome.failure.reason == "lost"
    assert "The Dask worker died" in outcome.failure.message, "and nobody began anew"


def test_after_a_restart_of_the_scheduler_runs_go_on(ticket: Callable[..., Ticket]) -> None:
    where: dict[str, Any] = {
        "n_workers": 1,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        "silence_logs": logging.CRITICAL,
    }
    first = LocalCluster(**where)
    engine = DaskEngine(first.scheduler_address, 1)
    port = int(first.scheduler_address.rpartition(":")[2])
    handle = engine.submit(ticket(recipes.copy_scan, steps=100, pause_s=1.0))
    assert handle.wait(2.0) is None
    first.close()
    outcome, _ = finish(handle)
    assert outcome.failure is not None
    assert outcome.failure.reason == "lost"
    with LocalCluster(**where, scheduler_port=port):
        try:
            again, _ = finish(engine.submit(ticket(recipes.copy_scan, fence=2)))
        finally:
            engine.close()
    assert again.failure is None


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9"):
        DaskEngine("tcp://127.0.0.1:9", 1)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
