"""``work.map`` on a Dask cluster: the same results as at home, and nothing left behind."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.chunks.cluster import open_executor
from processing.chunks.place import Place
from processing.engine.dask_cluster import DaskEngine
from processing.recipes.base import RecipeError, Workspace
from processing.recipes.fan_out import CHUNKS_PER_SLOT, Executor, Processes, Threads
from processing.ticket import Cluster, LogLine, Progress, Ticket
from tests.makers.attempts import finish
from tests.makers.processes import runners_below
from tests.makers.recipes import Frame, develop, spread_frames
from tests.makers.tickets import a_ticket, bodies

PATIENCE_S = 60.0  # for machines with other work; nothing is judged by it
WHERE: dict[str, Any] = {
    "threads_per_worker": 1,
    "host": "127.0.0.1",
    "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    "silence_logs": logging.CRITICAL,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, **WHERE) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    """The embedded cluster as a laptop has it: one worker with one thread."""
    engine = DaskEngine("", 1)
    yield engine
    engine.close()


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


@pytest.fixture
def ticket(tmp_path: Path, traces: Path) -> Callable[..., Ticket]:
    def write(**parameters: Any) -> Ticket:
        scan = tmp_path / "scan.bin"
        scan.write_bytes(b"frames")
        given = {"traces": str(traces)} | parameters
        return a_ticket(spread_frames.manifest, tmp_path, {"scan": [scan]}, **given)

    return write


def a_place(**changes: Any) -> Place:
    manifest = spread_frames.manifest
    place = Place(
        run="run.1",
        entry=manifest.entry,
        manifest=manifest.digest,
        environment=manifest.environment.digest,
        clock="2026-11-21T12:00:00+00:00",
        seed=1,
        cores=1,
        memory_bytes=2**30,
    )
    return place.model_copy(update=changes)


def working_on(
    cluster: LocalCluster, told: list[str] | None = None, slots: int = 2, **place: Any
) -> Workspace:
    """Return a workspace whose map goes to the cluster."""
    where = Cluster(scheduler=cluster.scheduler_address, slots=slots)

    def open_it(cores: int, function: Callable[[Any], Any]) -> Executor:
        tell = (told if told is not None else []).append
        return open_executor(where, a_place(**place), tell, cores, function)

    return Workspace(Path.cwd(), cores=1, open_executor=open_it)


def frames(traces: Path, count: int, **ways: str) -> list[Frame]:
    return [Frame(n, str(traces), ways.get(f"n{n}", "")) for n in range(count)]


def tries_of(traces: Path, number: int) -> int:
    return len(list(traces.glob(f"{number}.*")))


def pids_of(traces: Path) -> set[int]:
    return {int(text) for trace in traces.iterdir() if (text := trace.read_text())}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_chunks_run_in_processes_of_the_cluster_in_the_order_of_their_items(
    cluster: LocalCluster, traces: Path
) -> None:
    told: list[str] = []
    work = working_on(cluster, told)
    assert work.map(develop, frames(traces, 6, n0="slow")) == [0, 1, 4, 9, 16, 25]
    assert told == ["Up to 2 chunks at once are computed on a cluster of 2 threads."]
    workers = {worker.pid for worker in cluster.workers.values()}
    parents = {psutil.Process(pid).ppid() for pid in pids_of(traces)}
    assert parents <= workers, "each is a child of a Dask worker"
    assert len(pids_of(traces)) == 2, "kept for the next chunk of the same run"


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    numbers=st.lists(st.integers(-(10**9), 10**9), max_size=12),
    chunk=st.integers(1, 5),
    slots=st.integers(1, 3),
)
def test_all_executors_give_equal_results(
    cluster: LocalCluster, numbers: list[int], chunk: int, slots: int
) -> None:
    far = working_on(cluster, slots=slots)
    far.chunk = chunk
    found = far.map(hex, numbers)
    for kind in (Threads, Processes):
        home = Workspace(Path.cwd(), cores=slots, chunk=chunk)
        home.open_executor = lambda cores, _, kind=kind: kind(cores)  # type: ignore[misc]  # a default binds the class of this turn
        assert home.map(hex, numbers) == found


def test_a_generator_is_never_far_ahead_of_the_cluster(cluster: LocalCluster) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield number

    ahead: list[int] = []

    def watch(parts: Iterator[str]) -> int:
        for done, _ in enumerate(parts, start=1):
            ahead.append(taken - done)
        return max(ahead)

    work = working_on(cluster)
    work.chunk = 3
    assert work.map(hex, numbers(), watch) <= 3 * (2 * CHUNKS_PER_SLOT + 1)
    assert taken == 60


def test_a_failed_item_is_tried_again_and_its_neighbours_are_not(
    cluster: LocalCluster, traces: Path
) -> None:
    work = working_on(cluster)
    work.chunk = 3
    assert work.map(develop, frames(traces, 6, n1="once")) == [0, 1, 4, 9, 16, 25]
    assert [tries_of(traces, number) for number in range(6)] == [1, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("how", "words"), [("never", "the detector is broken"), ("kill", "process that computed it")]
)
def test_a_poison_item_is_named_and_harms_no_dask_worker(
    cluster: LocalCluster, traces: Path, how: str, words: str
) -> None:
    before = {worker.pid for worker in cluster.workers.values()}
    work = working_on(cluster)
    with pytest.raises(RecipeError, match=rf"Item 4, Frame\(number=3.*{words}"):
        work.map(develop, frames(traces, 8, n3=how))
    assert {worker.pid for worker in cluster.workers.values()} == before
    assert tries_of(traces, 3) == 3


def test_a_dask_worker_that_dies_under_a_chunk_costs_no_result(traces: Path) -> None:
    told: list[str] = []
    with LocalCluster(n_workers=2, **WHERE) as cluster:
        cluster.scheduler.allowed_failures = 0  # as our engine tells every scheduler
        work = working_on(cluster, told)
        items = frames(traces, 8, n3="kill worker once")
        assert work.map(develop, items) == [n**2 for n in range(8)]
    assert tries_of(traces, 3) == 2
    assert len(told) == 1, "the other worker, and the restarted one, went on"


def test_a_chunk_sees_the_variables_of_its_run_and_none_of_its_dask_worker(
    cluster: LocalCluster,
) -> None:
    names = ["PALIMPSEST_SECRET_KEY", "OMP_NUM_THREADS", "TZ", "SOURCE_DATE_EPOCH"]
    found = working_on(cluster, run="five.1", cores=5).map(os.getenv, names)
    assert os.getenv("PALIMPSEST_SECRET_KEY"), "the workers of this cluster inherit it"
    assert found == [None, "5", "UTC", "1795262400"]  # `date -u -d 2026-11-21T12:00 +%s`


@pytest.mark.parametrize("what", ["environment", "manifest"])
def test_a_cluster_that_is_not_installed_like_the_run_computes_nothing(
    cluster: LocalCluster, traces: Path, what: str
) -> None:
    told: list[str] = []
    work = working_on(cluster, told, run=f"other-{what}.1", **{what: "0" * 64})
    assert work.map(develop, frames(traces, 4)) == [0, 1, 4, 9]
    assert pids_of(traces) == {os.getpid()}, "its own core does it all"
    assert "only the run's own cores compute" in told[-1]


def test_a_closure_stays_in_the_threads_of_the_run(cluster: LocalCluster) -> None:
    seen: list[int] = []
    work = working_on(cluster)

    def keep(number: int) -> None:
        seen.append(number)

    work.map(keep, range(3))
    assert sorted(seen) == [0, 1, 2]


def test_a_cluster_smaller_than_the_run_is_left_alone(cluster: LocalCluster, traces: Path) -> None:
    work = working_on(cluster)
    work.cores = 3  # the cluster has two threads
    assert work.map(develop, frames(traces, 2)) == [0, 1]
    workers = {worker.pid for worker in cluster.workers.values()}
    assert not {psutil.Process(pid).ppid() for pid in pids_of(traces) if is_alive(pid)} & workers


def test_a_cluster_that_goes_away_midway_costs_no_result(traces: Path) -> None:
    told: list[str] = []
    with LocalCluster(n_workers=1, **WHERE) as brittle:
        work = working_on(brittle, told)

        def break_it(parts: Iterator[int]) -> list[int]:
            first = next(parts)
            brittle.close()
            return [first, *parts]

        assert work.map(develop, frames(traces, 8), break_it) == [n**2 for n in range(8)]
    assert told[-1].endswith("the cluster is away.")


def test_a_chunk_that_takes_too_much_memory_is_stopped(cluster: LocalCluster, traces: Path) -> None:
    work = working_on(cluster, run="small.1", memory_bytes=2**20)  # less than Python itself
    with pytest.raises(RecipeError, match=r"Item 1, Frame.*process that computed it died"):
        work.map(develop, frames(traces, 1, n0="slow"))


def test_a_run_computes_its_chunks_on_the_one_thread_that_its_supervisor_has(
    engine: DaskEngine, ticket: Callable[..., Ticket], traces: Path
) -> None:
    one = ticket(count=6, how="once")
    outcome, events = finish(engine.submit(one))
    assert bodies(one, outcome)["result"] == b"0 1 4 9 16 25"
    assert [e.done for e in events if isinstance(e, Progress)] == [2, 4, 6]
    texts = [event.text for event in events if isinstance(event, LogLine)]
    assert any("on a cluster of 1 threads" in text for text in texts)


def test_two_runs_at_once_starve_neither_on_one_thread(
    engine: DaskEngine, ticket: Callable[..., Ticket]
) -> None:
    tickets = [ticket(count=4).model_copy(update={"uuid": f"0000000{n}"}) for n in (1, 2)]
    handles = [engine.submit(one) for one in tickets]
    for one, handle in zip(tickets, handles, strict=True):
        assert bodies(one, finish(handle)[0])["result"] == b"0 1 4 9"


def test_the_embedded_scheduler_listens_to_this_machine_alone(engine: DaskEngine) -> None:
    listening = {
        one.laddr.ip
        for process in (psutil.Process(), *psutil.Process().children(recursive=True))
        for one in process.net_connections()
        if one.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_no_chunk_is_computed_for_a_cancelled_run(
    engine: DaskEngine, ticket: Callable[..., Ticket], traces: Path
) -> None:
    handle = engine.submit(ticket(count=100, how="forever"))
    wait_until(lambda: tries_of(traces, 2) > 0 and bool(pids_of(traces)))
    handle.cancel()
    outcome, _ = finish(handle)
    assert outcome.failure is not None
    assert outcome.failure.reason == "cancelled"
    wait_until(lambda: not any(map(is_alive, pids_of(traces))))


def test_no_chunk_is_computed_for_a_run_that_was_killed(
    engine: DaskEngine, ticket: Callable[..., Ticket], traces: Path, tmp_path: Path
) -> None:
    handle = engine.submit(ticket(count=100, how="forever"))
    wait_until(lambda: tries_of(traces, 2) > 0 and bool(pids_of(traces)))
    (runner,) = {os.getpgid(process.pid) for process in runners_below(tmp_path)}
    os.killpg(runner, signal.SIGKILL)
    outcome, _ = finish(handle)
    assert outcome.failure is not None
    assert outcome.failure.reason == "lost"
    wait_until(lambda: not any(map(is_alive, pids_of(traces))))


def test_no_chunk_outlives_its_dask_worker(ticket: Callable[..., Ticket], traces: Path) -> None:
    with LocalCluster(n_workers=1, **WHERE) as cluster:
        engine = DaskEngine(cluster.scheduler_address, 1)
        try:
            handle = engine.submit(ticket(count=100, how="forever"))
            wait_until(lambda: tries_of(traces, 2) > 0 and bool(pids_of(traces)))
            os.kill(cluster.workers[0].pid, signal.SIGKILL)
            outcome, _ = finish(handle)
        finally:
            engine.close()
    assert outcome.failure is not None
    assert outcome.failure.reason == "lost"
    wait_until(lambda: not any(map(is_alive, pids_of(traces))))
