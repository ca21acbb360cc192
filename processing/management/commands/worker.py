import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import StoreError
from catalogue.places import content_folder
from processing.engine.base import Engine
from processing.engine.dask_cluster import DaskEngine
from processing.engine.footing import look_at_disk
from processing.engine.in_process import InProcessEngine
from processing.engine.slurm_cluster import Jobs, open_slurm
from processing.engine.supervisor import warm_up_runners
from processing.errors import EngineError
from processing.ticket import Tls
from processing.worker import Worker


class Command(BaseCommand):
    help = "Claim queued processing runs and execute them, until stopped."

    def handle(self, *_: Any, **__: Any) -> None:
        _require_one_disk()
        try:
            engine = self._engine()
        except EngineError as error:
            raise CommandError(str(error)) from error
        worker = Worker(
            engine, slots=settings.PALIMPSEST_SLOTS, lease_s=settings.PALIMPSEST_LEASE_S
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stopping.set())
        try:
            worker.run()
        finally:
            engine.close()

    def _engine(self) -> Engine:
        cache = _cache()
        if settings.PALIMPSEST_ENGINE == "in-process":
            warm_up_runners(cache)
            return InProcessEngine()
        tls = _tls()
        if settings.PALIMPSEST_ENGINE == "slurm":
            return DaskEngine("", settings.PALIMPSEST_SLOTS, tls, open_slurm(_jobs(), tls), cache)
        return DaskEngine(
            settings.PALIMPSEST_SCHEDULER, settings.PALIMPSEST_SLOTS, tls, cache=cache
        )


def _tls() -> Tls | None:
    if not settings.PALIMPSEST_SCHEDULER_TLS_CA:
        return None
    return Tls(
        ca=Path(settings.PALIMPSEST_SCHEDULER_TLS_CA),
        cert=Path(settings.PALIMPSEST_SCHEDULER_TLS_CERT),
        key=Path(settings.PALIMPSEST_SCHEDULER_TLS_KEY),
    )


def _jobs() -> Jobs:
    return Jobs(
        folder=settings.PALIMPSEST_DATA / "slurm",
        partition=settings.PALIMPSEST_SLURM_PARTITION,
        cores=settings.PALIMPSEST_SLURM_CORES,
        memory=settings.PALIMPSEST_SLURM_MEMORY,
        minutes=settings.PALIMPSEST_SLURM_MINUTES,
        most=settings.PALIMPSEST_SLURM_JOBS,
        interface=settings.PALIMPSEST_SLURM_INTERFACE,
    )


def _cache() -> Path | None:
    """Return where compiled kernels are kept; nowhere before the first facility is applied."""
    try:
        return content_folder() / "cache"
    except StoreError:
        return None


def _require_one_disk() -> None:
    """Refuse to start where no result could ever be moved into its place."""
    with suppress(StoreError, OSError):  # not declared or not mounted yet: each run says so
        failure = look_at_disk(content_folder())
        if failure is not None and failure.code == "two-disks":
            raise CommandError(failure.message)
