"""work.map: order, back-pressure, retries and lost processes, with real processes."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from processing.recipes.base import RecipeError, Workspace
from processing.recipes.fan_out import CHUNKS_PER_SLOT, Executor, Processes, Threads, open_local
from processing.ticket import Event, Progress
from tests.makers.recipes import Frame, develop, develop_frames
from tests.makers.tickets import a_ticket, bodies, run


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


@pytest.fixture
def seen() -> list[Event]:
    return []


@pytest.fixture
def work(tmp_path: Path, seen: list[Event]) -> Workspace:
    return Workspace(tmp_path, cores=2, emit=seen.append)


def frames(traces: Path, count: int, **ways: str) -> list[Frame]:
    return [Frame(n, str(traces), ways.get(f"n{n}", "")) for n in range(count)]


def tries_of(traces: Path, number: int) -> int:
    return len(list(traces.glob(f"{number}.*")))


def test_a_function_of_a_module_runs_in_processes_in_the_order_of_its_items(
    work: Workspace, traces: Path, seen: list[Event]
) -> None:
    squares = work.map(develop, frames(traces, 5, n0="slow"), stage="developing")
    assert squares == [0, 1, 4, 9, 16]
    pids = {trace.read_text() for trace in traces.iterdir()}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    progress = [(e.done, e.total, e.stage) for e in seen if isinstance(e, Progress)]
    assert progress == [(done, 5, "developing") for done in range(1, 6)]


def test_a_closure_runs_in_threads_and_two_at_once(work: Workspace) -> None:
    together = threading.Barrier(2, timeout=10)

    def meet(number: int) -> int:
        together.wait()  # two of them must be here at the same time
        return number

    assert work.map(meet, range(4)) == [0, 1, 2, 3]


def test_combine_gets_the_parts_one_by_one_in_order(work: Workspace, traces: Path) -> None:
    def join(parts: Iterator[int]) -> str:
        return "-".join(str(part) for part in parts)

    assert work.map(develop, frames(traces, 4, n0="slow"), join) == "0-1-4-9"


def test_a_generator_is_never_far_ahead_of_the_results(work: Workspace) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    ahead: list[int] = []

    def watch(parts: Iterator[int]) -> int:
        for done, _ in enumerate(parts, start=1):
            ahead.append(taken - done)
        return max(ahead)

    work.chunk = 3
    # In flight, and the chunk that is being handed on.
    assert work.map(lambda n: n, numbers(), watch) <= 3 * (2 * CHUNKS_PER_SLOT + 1)
    assert taken == 1000


def test_a_failed_item_is_tried_again_and_its_neighbours_are_not(
    work: Workspace, traces: Path
) -> None:
    work.chunk = 3
    assert work.map(develop, frames(traces, 6, n1="once")) == [0, 1, 4, 9, 16, 25]
    assert [tries_of(traces, number) for number in range(6)] == [1, 2, 1, 1, 1, 1]


def test_an_item_that_always_fails_is_named(work: Workspace, traces: Path) -> None:
    with pytest.raises(RecipeError) as refused:
        work.map(develop, frames(traces, 6, n4="never"))
    assert refused.value.code == "poison-item"
    assert refused.value.message.startswith("Item 5, Frame(number=4, ")
    assert "failed 3 times: ValueError: the detector is broken." in refused.value.message
    assert tries_of(traces, 4) == 3


def test_a_process_that_is_killed_midway_costs_no_result(work: Workspace, traces: Path) -> None:
    work.chunk = 2
    assert work.map(develop, frames(traces, 12, n5="kill once")) == [n**2 for n in range(12)]
    assert tries_of(traces, 5) == 2


def test_an_item_that_kills_its_process_is_named_and_not_its_neighbour(
    work: Workspace, traces: Path
) -> None:
    with pytest.raises(RecipeError, match=r"Item 4, Frame\(number=3.*process that computed it"):
        work.map(develop, frames(traces, 8, n3="kill"))


@pytest.mark.parametrize("how", ["", "kill once"])
def test_a_recipe_fans_out_under_the_supervisor(tmp_path: Path, traces: Path, how: str) -> None:
    scan = tmp_path / "scan.bin"
    scan.write_bytes(b"frames")
    manifest = develop_frames.manifest
    ticket = a_ticket(manifest, tmp_path, {"scan": [scan]}, traces=str(traces), how=how)
    outcome, events = run(ticket)
    assert bodies(ticket, outcome)["result"] == b"0 1 4 9 16 25"
    progress = [event.done for event in events if isinstance(event, Progress)]
    assert progress == [2, 4, 6], "chunks of two, as the manifest says"


def test_a_poison_item_ends_the_run_by_its_code(tmp_path: Path, traces: Path) -> None:
    scan = tmp_path / "scan.bin"
    scan.write_bytes(b"frames")
    ticket = a_ticket(
        develop_frames.manifest, tmp_path, {"scan": [scan]}, traces=str(traces), how="never"
    )
    outcome, _ = run(ticket)
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("input", "poison-item")


def test_one_core_needs_no_other_process() -> None:
    executor: Executor = open_local(1, develop)
    assert isinstance(executor, Threads)
    executor.close()
    executor = open_local(2, develop)
    assert isinstance(executor, Processes)
    executor.close()


def test_another_executor_takes_over_without_a_change_of_the_recipe(
    work: Workspace, traces: Path
) -> None:
    opened: list[int] = []

    def open_threads(cores: int, _function: object) -> Executor:
        opened.append(cores)
        return Threads(cores)

    work.open_executor = open_threads
    assert work.map(develop, frames(traces, 3)) == [0, 1, 4]
    assert opened == [2]
    assert {trace.read_text() for trace in traces.iterdir()} == {str(os.getpid())}
