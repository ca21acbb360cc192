"""
Compute chunks on the Dask cluster that carries the run itself.

Recipes do not notice. Where the cluster is away, has fewer threads than the run has cores,
or is not installed like the run, the cores of the run do the work, with the same result.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.reduction import ForkingPickler
from typing import Any

import dask
from distributed import Client
from distributed import Future as DaskFuture
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker

from processing.chunks.crew import ChunkLostError, compute
from processing.chunks.place import Place
from processing.chunks.security import security_of
from processing.recipes.fan_out import (
    Answer,
    Executor,
    can_travel,
    is_for_threads,
    open_local,
)
from processing.ticket import Cluster

_CONNECT_S = "5s"
_NOT_REACHED = (ClosedClientError, OSError, RuntimeError, TypeError, ValueError)

Function = Callable[[Any], Any]
Tell = Callable[[str], None]


def open_executor(
    cluster: Cluster, place: Place, tell: Tell, cores: int, function: Function
) -> Executor:
    """
    Choose who computes, when ``work.map`` is called.

    Parameters
    ----------
    cluster : Cluster
        Where the scheduler is, and how much of it the run may use.
    place : Place
        What the processes of the chunks must be like.
    tell : callable
        Takes sentences for the log.
    cores : int
        Of the run itself, beside its supervisor.
    function : callable
        Of one item; a closure stays in threads of this process, and one marked by
        ``in_threads`` on own cores unless the cluster has more.
    """
    if not can_travel(function):
        return open_local(cores, function)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # A chunk is data, however large.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"})
    try:
        client = Client(
            cluster.scheduler,
            security=security_of(cluster.tls),
            timeout=_CONNECT_S,
            set_as_default=False,
        )
        threads = sum(client.nthreads().values())
    except _NOT_REACHED as error:
        tell(f"The cluster does not answer ({type(error).__name__}): only own cores compute.")
        return open_local(cores, function)
    if threads < cores or (threads == cores and is_for_threads(function)):
        client.close()
        return open_local(cores, function)
    tell(f"Up to {cluster.slots} chunks at once are computed on a cluster of {threads} threads.")
    home = Home(lambda: open_local(cores, function), tell)
    return OnCluster(client, place, cluster.slots, home)


@dataclass(frozen=True)
class _Chunk:
    function: Function
    items: list[Any]
    answers: Future[list[Answer]]


class Home:
    """The run's own cores, opened when the first chunk has to be computed there."""

    def __init__(self, open_it: Callable[[], Executor], tell: Tell) -> None:
        self._open = open_it
        self._tell = tell
        self._lock = threading.Lock()
        self._executor: Executor | None = None

    @property
    def is_open(self) -> bool:
        return self._executor is not None

    def compute(self, chunk: _Chunk, reason: str = "") -> None:
        with self._lock:
            if self._executor is None:
                self._tell(f"From here on only the run's own cores compute: {reason}.")
                self._executor = self._open()
            done = self._executor.submit(chunk.function, chunk.items)
        done.add_done_callback(lambda _: _hand_on(done, chunk.answers))

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()


class OnCluster:
    """
    Sends each chunk as one task; goes on at home for good where the cluster does not do.

    Dask tries nothing again: a chunk whose process or Dask worker dies is lost, and whoever
    maps finds the culprit.
    """

    def __init__(self, client: Client, place: Place, slots: int, home: Home) -> None:
        self.slots = slots
        self._client = client
        self._place = place
        self._home = home
        self._numbers = count(1)
        self._flying: set[DaskFuture[bytes]] = set()

    def submit(self, function: Function, items: list[Any]) -> Future[list[Answer]]:
        answers: Future[list[Answer]] = Future()
        chunk = _Chunk(function, items, answers)
        if self._client.status != "running":
            self._home.compute(chunk, "the cluster is away")
        elif self._home.is_open:
            self._home.compute(chunk)
        else:
            self._send(chunk)
        return answers

    def _send(self, chunk: _Chunk) -> None:
        sent = self._client.submit(
            compute,
            self._place.model_dump_json(),
            bytes(ForkingPickler.dumps((chunk.function, chunk.items))),
            key=f"chunk-{self._place.run}-{self._client.id}-{next(self._numbers)}",
            pure=False,
            retries=0,
            priority=1,  # before further runs: this one is under way
        )
        self._flying.add(sent)
        sent.add_done_callback(lambda arrived: self._arrive(arrived, chunk))

    def _arrive(self, arrived: DaskFuture[bytes], chunk: _Chunk) -> None:
        self._flying.discard(arrived)
        try:
            answer = ForkingPickler.loads(arrived.result())
        except (CancelledError, ClosedClientError):
            answer = "the cluster is away"
        except KilledWorker:
            chunk.answers.set_exception(ChunkLostError("the Dask worker died"))
            return
        except Exception as error:  # noqa: BLE001 - whoever waits for the answers judges it
            chunk.answers.set_exception(error)
            return
        if isinstance(answer, str):
            self._home.compute(chunk, answer)
        else:
            chunk.answers.set_result(answer)

    def close(self) -> None:
        """Leave; the cluster stops what is still computed for a client that is gone."""
        self._home.close()
        with suppress(*_NOT_REACHED):
            self._client.close()


def _hand_on(done: Future[list[Answer]], answers: Future[list[Answer]]) -> None:
    if done.cancelled():
        answers.cancel()
    elif error := done.exception():
        answers.set_exception(error)
    else:
        answers.set_result(done.result())
