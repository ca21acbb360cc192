"""A Dask scheduler and worker of somebody else's, reached by TLS and no other way."""

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processing.engine.dask_cluster import DaskEngine
from processing.errors import EngineError
from processing.recipes.base import Recipe
from processing.ticket import LogLine, Ticket, Tls
from tests.makers.attempts import finish
from tests.makers.certificates import write_certificates
from tests.makers.recipes import copy_scan, spread_frames
from tests.makers.tickets import a_ticket, bodies

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return write_certificates(tmp_path_factory.mktemp("tls"), "facility")


@pytest.fixture(scope="module")
def address(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start ``dask scheduler`` and ``dask worker`` as an operator does."""
    folder = tmp_path_factory.mktemp("dask")
    told = folder / "scheduler.json"
    secured = ["--tls-ca-file", tls.ca, "--tls-cert", tls.cert, "--tls-key", tls.key]
    with (folder / "log").open("wb") as log:
        scheduler = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *secured, "--protocol", "tls",
             "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address",
             "127.0.0.1:0", "--scheduler-file", told],
            cwd=ROOT, stderr=log, stdout=log,
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not told.exists():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        where: str = json.loads(told.read_text())["address"]
        worker = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", where, *secured, "--nthreads",
             "1", "--host", "127.0.0.1", "--no-dashboard", "--local-directory", folder],
            cwd=ROOT, stderr=log, stdout=log,
        )  # fmt: skip
        try:
            yield where
        finally:
            for process in (worker, scheduler):
                process.terminate()
            for process in (worker, scheduler):
                process.wait(PATIENCE_S)


@pytest.fixture
def ticket(tmp_path: Path) -> Callable[..., Ticket]:
    def write(recipe: Recipe, **parameters: object) -> Ticket:
        scan = tmp_path / "scan.bin"
        scan.write_bytes(b"frames")
        return a_ticket(recipe.manifest, tmp_path, {"scan": [scan]}, **parameters)

    return write


@pytest.fixture
def engine(address: str, tls: Tls) -> Iterator[DaskEngine]:
    engine = DaskEngine(address, 1, tls)
    yield engine
    engine.close()


def test_a_run_goes_through_tls_and_can_be_cancelled(
    engine: DaskEngine, ticket: Callable[..., Ticket]
) -> None:
    one = ticket(copy_scan, steps=2)
    assert bodies(one, finish(engine.submit(one))[0])["result"] == b"frames" * 2
    handle = engine.submit(ticket(copy_scan, steps=1000, pause_s=1.0))
    assert handle.wait(1.0) is None
    handle.cancel()
    outcome, _ = finish(handle)
    assert outcome.failure is not None
    assert outcome.failure.reason == "cancelled"


def test_chunks_go_through_tls_by_the_files_of_the_dask_worker(
    engine: DaskEngine, ticket: Callable[..., Ticket], tmp_path: Path
) -> None:
    one = ticket(spread_frames, traces=str(tmp_path), count=4)
    outcome, events = finish(engine.submit(one))
    assert bodies(one, outcome)["result"] == b"0 1 4 9"
    texts = [event.text for event in events if isinstance(event, LogLine)]
    assert any("on a cluster of 1 threads" in text for text in texts)
    assert not any("PRIVATE KEY" in text for text in texts)


def test_who_has_no_certificate_is_told_which_settings_name_it(address: str) -> None:
    with pytest.raises(EngineError, match=r"wants a certificate.*PALIMPSEST_SCHEDULER_TLS_CERT"):
        DaskEngine(address, 1)


def test_the_scheduler_itself_lets_nobody_in_without_a_certificate(address: str, tls: Tls) -> None:
    port = int(address.rpartition(":")[2])
    trusting = ssl.create_default_context(cafile=str(tls.ca))
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"),
    ):
        secured.recv(1)


def test_a_certificate_of_another_authority_is_refused(address: str, tmp_path: Path) -> None:
    strange = write_certificates(tmp_path / "strange", "somebody else")
    with pytest.raises(EngineError, match="does not accept our certificate"):
        DaskEngine(address, 1, strange)


def test_certificates_are_never_taken_to_an_open_address(tls: Tls) -> None:
    with pytest.raises(EngineError, match=r"tcp://127\.0\.0\.1:9 is an open address"):
        DaskEngine("tcp://127.0.0.1:9", 1, tls)


def test_a_file_that_is_not_there_is_named_by_its_setting_alone(tls: Tls, tmp_path: Path) -> None:
    missing = tls.model_copy(update={"key": tmp_path / "nowhere.pem"})
    with pytest.raises(EngineError, match="PALIMPSEST_SCHEDULER_TLS_KEY cannot be read") as told:
        DaskEngine("tls://127.0.0.1:9", 1, missing)
    assert str(tmp_path) not in str(told.value)
