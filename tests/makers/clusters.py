"""Dask clusters of this machine, silent and without a dashboard."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import LocalCluster

from processing.chunks.cluster import open_executor
from processing.chunks.place import Place
from processing.recipes.base import Recipe
from processing.recipes.fan_out import Executor
from processing.ticket import Cluster

Opener = Callable[[int, Callable[[Any], Any]], Executor]


@contextmanager
def two_workers(threads: int) -> Iterator[LocalCluster]:
    """Open a cluster of two processes with so many threads each."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=threads,
        host="127.0.0.1",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


def on(cluster: LocalCluster, recipe: Recipe, slots: int) -> Opener:
    """Compute so many chunks at once on a cluster, which keeps its processes for the next map."""
    manifest = recipe.manifest
    kernels = Path(os.environ["NUMBA_CACHE_DIR"])  # noqa: TID251 - set for all tests
    threads = sum(worker.nthreads for worker in cluster.workers.values())
    place = Place(
        run=manifest.name,
        entry=manifest.entry,
        manifest=manifest.digest,
        environment=manifest.environment.digest,
        clock="2026-11-21T12:00:00+00:00",
        seed=0,
        cores=1,
        memory_bytes=2**31,
        cache=str(kernels.parents[1]),
    )

    def open_far(cores: int, function: Callable[[Any], Any]) -> Executor:
        told: list[str] = []
        where = Cluster(scheduler=cluster.scheduler_address, slots=slots)
        executor = open_executor(where, place, told.append, cores, function)
        assert told == [
            f"Up to {slots} chunks at once are computed on a cluster of {threads} threads."
        ]
        return executor

    return open_far
