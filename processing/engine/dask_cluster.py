"""
Dask as transport: an embedded LocalCluster, or the scheduler named by configuration.

Only JSON travels, no pickled recipe. Dask is told to retry nothing by itself: a task
lost with its worker is a lost attempt, and the lease decides what comes next.
"""

import logging
import threading
from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, Event, LocalCluster, get_client, get_worker
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker
from pydantic import TypeAdapter

from processing.engine.base import Handle
from processing.engine.supervisor import supervise, warm_up_runners
from processing.errors import EngineError
from processing.ticket import Event as RunEvent
from processing.ticket import Failure, Outcome, Ticket

_END = "end"
_STRAGGLERS_S = 2.0
_CONNECT_S = "5s"
_LOSSES = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
}

_event: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)


def _topic(ticket_uuid: str, fence: int) -> str:
    return f"processing-run-{ticket_uuid}-{fence}"


def _retry_nothing(dask_scheduler: Any) -> None:
    """Make a worker's death the end of its task: Dask would run it again elsewhere."""
    dask_scheduler.allowed_failures = 0


def supervise_task(ticket_json: str, name: str) -> str:
    """Supervise a ticket inside a Dask worker; events go out under a topic."""
    worker = get_worker()
    stop = Event(f"cancel-{name}", client=get_client())

    def emit(event: RunEvent) -> None:
        worker.log_event(name, event.model_dump_json())

    outcome = supervise(Ticket.model_validate_json(ticket_json), emit, stop.is_set)
    worker.log_event(name, _END)
    return outcome.model_dump_json()


class DaskHandle:
    """One supervising task on the cluster."""

    def __init__(self, client: Client, ticket: Ticket) -> None:
        self._client = client
        self._events: deque[RunEvent] = deque()
        self._ended = threading.Event()
        # A name of its own for each attempt: Dask would answer an old key from memory.
        self._name = f"{_topic(ticket.uuid, ticket.fence)}-{uuid4().hex[:8]}"
        client.subscribe_topic(self._name, self._take)
        self._future = client.submit(
            supervise_task,
            ticket.model_dump_json(),
            self._name,
            key=self._name,
            pure=False,
            retries=0,
        )
        self._done = threading.Event()
        self._future.add_done_callback(lambda _: self._done.set())

    def _take(self, stamped: tuple[float, str]) -> None:
        _, text = stamped
        if text == _END:
            self._ended.set()
        else:
            self._events.append(_event.validate_json(text))

    def wait(self, timeout_s: float) -> Outcome | None:
        # Not result(timeout): it may fail on its own, and asks the event loop each time.
        if not self._done.wait(timeout_s) and self._future.status == "pending":
            return None
        try:
            answer = self._future.result()
        except KilledWorker:
            return self._lost("The Dask worker died under the run.")
        except (CancelledError, ClosedClientError, OSError, RuntimeError, ValueError) as error:
            return self._lost(f"The engine lost the run ({type(error).__name__}).")
        # The result may overtake the last log lines.
        self._ended.wait(_STRAGGLERS_S)
        outcome = Outcome.model_validate_json(answer)
        self._forget()
        return outcome

    def _lost(self, message: str) -> Outcome:
        self._forget()
        failure = Failure(
            reason="lost", code="engine-lost", message=f"{message} It is tried again."
        )
        return Outcome(failure=failure)

    def _forget(self) -> None:
        with suppress(ClosedClientError, OSError, RuntimeError, ValueError):
            self._client.unsubscribe_topic(self._name)

    def events(self) -> list[RunEvent]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def cancel(self) -> None:
        with suppress(ClosedClientError, OSError, RuntimeError):  # gone: nothing to stop
            Event(f"cancel-{self._name}", client=self._client).set()


class DaskEngine:
    """
    Executes tickets on a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address of a scheduler whose workers see the same stores; empty starts a
        cluster on this machine that ends with this process.
    slots : int
        Runs at once on the embedded cluster.
    """

    def __init__(self, scheduler: str, slots: int) -> None:
        self._scheduler = scheduler
        self._cluster: Any = None
        dask.config.set(_LOSSES)
        logging.getLogger("distributed").setLevel(logging.ERROR)
        if not scheduler:
            self._cluster = LocalCluster(
                n_workers=slots,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # The scheduler's page cannot be left out, only kept to any free port.
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.ERROR,
                memory_limit=None,  # the supervisor's limits count, per run
            )
        self._client = self._connect()

    def _connect(self) -> Client:
        try:
            client = Client(self._cluster or self._scheduler, timeout=_CONNECT_S)
            # Of a scheduler that somebody else started, too.
            client.run_on_scheduler(_retry_nothing)
            client.run(warm_up_runners)
        except (OSError, RuntimeError, ClosedClientError) as error:
            raise EngineError(
                f"No Dask scheduler answers at {self._scheduler or 'this machine'}. Start it, or "
                "unset PALIMPSEST_SCHEDULER to use an embedded cluster."
            ) from error
        return client

    def submit(self, ticket: Ticket) -> Handle:
        """Start an attempt; after a restart of the scheduler, connect to the new one."""
        if self._client.status != "running":
            self._client.close()
            self._client = self._connect()
        try:
            return DaskHandle(self._client, ticket)
        except (OSError, RuntimeError, ClosedClientError) as error:
            raise EngineError("The Dask scheduler has just gone away.") from error

    def close(self) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
