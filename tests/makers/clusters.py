"""Dask clusters of this machine, silent and without a dashboard."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import LocalCluster


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
