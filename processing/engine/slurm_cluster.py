"""
A Dask cluster whose workers are jobs of Slurm.

The scheduler lives in this process and ends with it. Jobs are asked for when runs wait, and
given back when they have been idle for a minute.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing.chunks.security import security_of
from processing.errors import EngineError
from processing.recipes.environments import search_path
from processing.ticket import Tls

_IDLE_S = 60
_BEFORE_THE_END_S = 60  # a job that Slurm ends takes its runs along without a word
_MINUTES_LEAST = 3


@dataclass(frozen=True)
class Jobs:
    """
    What one job asks for, and how many there may be.

    ``partition`` and ``interface`` (of this machine, as jobs reach it) are Slurm's and
    Dask's own choice if empty. ``folder`` takes the jobs' logs, and must be there on their
    machines too.
    """

    folder: Path
    partition: str = ""
    cores: int = 1
    memory: str = "4GiB"
    minutes: int = 240
    most: int = 4
    interface: str = ""


def open_slurm(jobs: Jobs, tls: Tls | None) -> Any:
    """
    Start a scheduler that has its workers from Slurm.

    Raises
    ------
    EngineError
        If dask-jobqueue or Slurm's commands are not installed, or jobs are too short.
    """
    try:
        from dask_jobqueue import SLURMCluster  # noqa: PLC0415 - the extra [slurm] is optional
    except ImportError as error:
        raise EngineError(
            "Runs cannot become jobs of Slurm: dask-jobqueue is not installed. Install "
            "palimpsest[slurm], or set PALIMPSEST_ENGINE to dask."
        ) from error
    _require(jobs)
    try:
        cluster = SLURMCluster(**_describe(jobs), security=security_of(tls))
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(
            f"No cluster of Slurm jobs could be opened ({type(error).__name__}: {error}). Look at "
            "the PALIMPSEST_SLURM settings."
        ) from error
    cluster.adapt(minimum_jobs=0, maximum_jobs=jobs.most, interval="1s", wait_count=_IDLE_S)
    return cluster


def _require(jobs: Jobs) -> None:
    if shutil.which("sbatch") is None:
        raise EngineError(
            "Runs cannot become jobs of Slurm: there is no sbatch on this machine. Start the "
            "worker where jobs are submitted, or set PALIMPSEST_ENGINE to dask."
        )
    if jobs.minutes < _MINUTES_LEAST:
        raise EngineError(
            f"PALIMPSEST_SLURM_MINUTES is {jobs.minutes}; a job needs {_MINUTES_LEAST} at least "
            "to start and to end in good order."
        )


def _describe(jobs: Jobs) -> dict[str, Any]:
    return {
        "queue": jobs.partition or None,
        "cores": jobs.cores,
        "processes": 1,
        "memory": jobs.memory,
        "walltime": f"{jobs.minutes // 60:02}:{jobs.minutes % 60:02}:00",
        "interface": jobs.interface or None,
        "job_name": "palimpsest",
        "death_timeout": 60,
        "local_directory": tempfile.gettempdir(),
        "log_directory": str(jobs.folder),
        # Else Slurm hands on all variables of this process, secrets too.
        "job_extra_directives": ["--export=PATH"],
        "job_script_prologue": [f"export PYTHONPATH={search_path()}"],
        "worker_extra_args": [
            "--lifetime", f"{jobs.minutes * 60 - 2 * _BEFORE_THE_END_S}s",
            "--lifetime-stagger", f"{_BEFORE_THE_END_S}s",
            "--no-dashboard",
        ],
        "scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }  # fmt: skip
