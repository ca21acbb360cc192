"""
Dask as transport: an embedded LocalCluster, or the scheduler named by configuration.

Only JSON travels, no pickled recipe. Dask is told to retry nothing by itself: a task
lost with its worker is a lost attempt, and the lease decides what comes next.
"""

import logging
import os
import threading
from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, Event, LocalCluster, get_worker, secede
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker
from distributed.utils import sync
from pydantic import TypeAdapter

from processing.chunks.security import security_of
from processing.engine.base import Handle
from processing.engine.supervisor import supervise, warm_up_runners
from processing.errors import EngineError
from processing.ticket import Cluster, Failure, Outcome, Ticket, Tls
from processing.ticket import Event as RunEvent

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
    ticket = Ticket.model_validate_json(ticket_json)
    if ticket.limits.fan_out:
        ticket = ticket.model_copy(update={"cluster": _cluster_of(worker, ticket)})
        # The run waits for chunks of its own: without this, supervisors in all threads would
        # keep out what they wait for. Resources would do too, but only on workers that were
        # started with them; a run without fan-out keeps its thread, so that Dask spreads them.
        secede()

    def is_cancelled() -> bool:
        # Not by a client of the worker: that one has no certificate for TLS.
        try:
            return bool(sync(worker.loop, worker.scheduler.event_is_set, name=f"cancel-{name}"))
        except (OSError, RuntimeError):
            return True  # without its scheduler it can hand over no result

    def emit(event: RunEvent) -> None:
        worker.log_event(name, event.model_dump_json())

    outcome = supervise(ticket, emit, is_cancelled)
    worker.log_event(name, _END)
    return outcome.model_dump_json()


def _cluster_of(worker: Any, ticket: Ticket) -> Cluster | None:
    """Tell a run how to reach the scheduler from here, as the Dask worker itself does."""
    security = worker.security
    named = (security.tls_ca_file, security.tls_worker_cert, security.tls_worker_key)
    address, tls = worker.scheduler.address, None
    if address.startswith("tls:"):
        if not all(name and Path(name).is_file() for name in named):
            return None  # certificates that were made in memory stay there
        tls = Tls(ca=named[0], cert=named[1], key=named[2])
    return Cluster(scheduler=address, slots=ticket.limits.fan_out, tls=tls)


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
        cluster that ends with this process.
    slots : int
        Runs at once on the embedded cluster.
    tls : Tls, optional
        The files with which a scheduler is reached by TLS, and no other way.
    cluster : optional
        One that was opened already; it is closed with the engine.
    cache : Path, optional
        Where compiled kernels are kept; None compiles them when they are needed.
    """

    def __init__(
        self,
        scheduler: str,
        slots: int,
        tls: Tls | None = None,
        cluster: Any = None,
        cache: Path | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._tls = tls
        self._cluster = cluster
        self._cache = cache
        dask.config.set(_LOSSES)
        logging.getLogger("distributed").setLevel(logging.ERROR)
        _require_fitting(scheduler, tls)
        if not scheduler and cluster is None:
            self._cluster = _open_embedded(slots)
        self._client = self._connect()

    def _connect(self) -> Client:
        try:
            client = Client(
                self._cluster or self._scheduler,
                timeout=_CONNECT_S,
                security=security_of(self._tls) if self._scheduler else None,
            )
            # Of a scheduler that somebody else started, too.
            client.run_on_scheduler(_retry_nothing)
            client.run(warm_up_runners, self._cache)
        except (OSError, RuntimeError, ClosedClientError) as error:
            raise EngineError(self._explain()) from error
        return client

    def _explain(self) -> str:
        where = self._scheduler or "this machine"
        if self._tls is not None:
            return (
                f"No Dask scheduler answers by TLS at {where}, or it does not accept our "
                "certificate. Start it, or look at PALIMPSEST_SCHEDULER_TLS_CA, _CERT and _KEY: "
                "both certificates must be signed by that authority."
            )
        return (
            f"No Dask scheduler answers at {where}. Start it, or unset PALIMPSEST_SCHEDULER to "
            "use an embedded cluster."
        )

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


def _open_embedded(slots: int) -> LocalCluster:
    return LocalCluster(
        n_workers=slots,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",  # whoever reaches a scheduler can run code
        # The scheduler's page cannot be left out, only kept to any free port.
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.ERROR,
        memory_limit=None,  # the supervisor's limits count, per run
    )


def _require_fitting(scheduler: str, tls: Tls | None) -> None:
    """
    Refuse what could only fail later, in words that help nobody.

    Raises
    ------
    EngineError
        If address and certificates contradict each other, or a file is missing.
    """
    if scheduler.startswith("tls://") and tls is None:
        raise EngineError(
            f"The Dask scheduler at {scheduler} wants a certificate. Set "
            "PALIMPSEST_SCHEDULER_TLS_CA, PALIMPSEST_SCHEDULER_TLS_CERT and "
            "PALIMPSEST_SCHEDULER_TLS_KEY to its files."
        )
    if tls is None:
        return
    if scheduler and not scheduler.startswith("tls://"):
        raise EngineError(
            f"There are certificates for Dask, but {scheduler} is an open address. Begin "
            "PALIMPSEST_SCHEDULER with tls://, or unset PALIMPSEST_SCHEDULER_TLS_CA."
        )
    for part, path in (("CA", tls.ca), ("CERT", tls.cert), ("KEY", tls.key)):
        if not os.access(path, os.R_OK):
            raise EngineError(
                f"The file of PALIMPSEST_SCHEDULER_TLS_{part} cannot be read. Name one that this "
                "account may read."
            )
