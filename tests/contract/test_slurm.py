"""
A product through Slurm: Debian's own, of a single node, in a scratch folder.

Needs root and ``apt-get install slurmctld slurmd slurm-client munge``, and palimpsest[slurm].
"""

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client

from catalogue.models import Dataset
from catalogue.places import local_path
from processing.engine.dask_cluster import DaskEngine
from processing.engine.slurm_cluster import Jobs, open_slurm
from processing.errors import EngineError
from processing.recipes.base import Recipe
from processing.submission import submit
from processing.ticket import LogLine, Ticket
from tests.builders import a_dataset, a_recipe, a_world
from tests.makers.attempts import finish
from tests.makers.certificates import write_certificates
from tests.makers.recipes import copy_scan, spread_frames
from tests.makers.tickets import a_ticket, bodies

PATIENCE_S = 120.0
HAS_DASK_JOBQUEUE = importlib.util.find_spec("dask_jobqueue") is not None
MISSING = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(name)]
MISSING += [] if HAS_DASK_JOBQUEUE else ["dask-jobqueue"]
MISSING += [] if os.geteuid() == 0 else ["the rights of root"]
needs_slurm = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")


def a_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def configure(folder: Path) -> Path:
    host, cores = socket.gethostname(), psutil.cpu_count() or 1
    memory = psutil.virtual_memory().total // 2**20
    file = folder / "slurm.conf"
    file.write_text(f"""
ClusterName=scratch
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={a_port()}
SlurmdPort={a_port()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=scratch Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
    return file


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start munged, slurmctld and slurmd, all of this machine alone."""
    folder = tmp_path_factory.mktemp("slurm")
    for above in (folder, *folder.parents[:3]):
        above.chmod(0o755)  # munged looks whether others could exchange its files
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    configuration = configure(folder)
    told = pytest.MonkeyPatch()
    told.setenv("SLURM_CONF", str(configuration))
    with (folder / "daemons.log").open("wb") as log:
        commands = [
            ["munged", "--force", "--foreground", f"--key-file={key}",
             f"--socket={folder}/munge.sock", f"--pid-file={folder}/munged.pid",
             f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"],
            ["slurmctld", "-D", "-f", str(configuration)],
            ["slurmd", "-D", "-f", str(configuration), "-N", socket.gethostname()],
        ]  # fmt: skip
        daemons = []
        try:
            for command in commands:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
                time.sleep(0.5)
            deadline = time.monotonic() + PATIENCE_S
            while "idle" not in _ask("sinfo", "-h", "-o", "%T"):
                assert time.monotonic() < deadline, (folder / "daemons.log").read_text()
                time.sleep(0.5)
            yield folder
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait(PATIENCE_S)
            told.undo()


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def ticket(tmp_path: Path) -> Callable[..., Ticket]:
    def write(recipe: Recipe, **parameters: object) -> Ticket:
        scan = tmp_path / "scan.bin"
        scan.write_bytes(b"frames")
        return a_ticket(recipe.manifest, tmp_path, {"scan": [scan]}, **parameters)

    return write


@needs_slurm
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["open", "tls"])
def test_a_product_and_its_chunks_are_computed_by_jobs_of_slurm(
    slurm: Path, ticket: Callable[..., Ticket], tmp_path: Path, way: str
) -> None:
    tls = write_certificates(tmp_path / "tls", "facility") if way == "tls" else None
    jobs = Jobs(folder=slurm / "jobs", memory="512MiB", minutes=10, most=1, interface="lo")
    cluster = open_slurm(jobs, tls)
    engine = DaskEngine("", 1, tls, cluster)
    try:
        one = ticket(copy_scan, steps=2)
        assert bodies(one, finish(engine.submit(one), PATIENCE_S)[0])["result"] == b"frames" * 2
        assert "palimpsest" in _ask("squeue", "-h", "-o", "%j")
        two = ticket(spread_frames, traces=str(tmp_path), count=4).model_copy(update={"fence": 2})
        outcome, events = finish(engine.submit(two), PATIENCE_S)
        assert bodies(two, outcome)["result"] == b"0 1 4 9"
        texts = [event.text for event in events if isinstance(event, LogLine)]
        assert any("on a cluster of 1 threads" in text for text in texts)
        with Client(cluster, set_as_default=False) as client:
            seen = client.run(os.getenv, "PALIMPSEST_SECRET_KEY")
        assert list(seen.values()) == [None], "a job gets no secret of the worker's"
        assert list((slurm / "jobs").iterdir()), "the jobs' logs"
    finally:
        engine.close()
    _wait_for_an_empty_queue()


def _wait_for_an_empty_queue() -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _ask("squeue", "-h"):
        assert time.monotonic() < deadline, "jobs outlive the engine"
        time.sleep(0.5)


@needs_slurm
@pytest.mark.timeout(600)
def test_a_worker_makes_a_product_by_slurm(
    slurm: Path,
    transactional_db: None,
    tmp_path: Path,
    start_worker: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    world = a_world(tmp_path)
    scan = a_dataset(world, file=b"frames")
    run = submit(
        world.ines, a_recipe(copy_scan.manifest), {"scan": [scan]}, {"steps": 2}
    ).processing_run
    worker = start_worker(
        PALIMPSEST_ENGINE="slurm",
        PALIMPSEST_SLURM_PARTITION="scratch",
        PALIMPSEST_SLURM_MEMORY="512MiB",
        PALIMPSEST_SLURM_INTERFACE="lo",
    )
    deadline = time.monotonic() + PATIENCE_S
    while not run.is_final:
        assert time.monotonic() < deadline, run.problem
        time.sleep(0.2)
        run.refresh_from_db()
    assert run.state == "succeeded", run.problem
    file = Dataset.objects.get(kind="derived").files.get()
    assert local_path(file).read_bytes() == b"frames" * 2
    assert _ask("squeue", "-h"), "kept for the next run"
    worker.kill()
    _wait_for_an_empty_queue()


@pytest.mark.skipif(HAS_DASK_JOBQUEUE, reason="dask-jobqueue is installed")
def test_without_dask_jobqueue_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"palimpsest\[slurm\]"):
        open_slurm(Jobs(folder=tmp_path), None)


@pytest.mark.skipif(not HAS_DASK_JOBQUEUE, reason="needs dask-jobqueue")
def test_a_machine_without_slurm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="there is no sbatch on this machine"):
        open_slurm(Jobs(folder=tmp_path), None)
