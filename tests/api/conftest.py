"""Clients as machines have them: they send a name and a password with every call."""

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.builders import World

MachineOf = Callable[[str | None], APIClient]


@pytest.fixture
def machine_of(world: World) -> MachineOf:
    """Give a client that signs in as a person with Basic auth, or as nobody for None."""

    def sign_in(name: str | None) -> APIClient:
        client = APIClient()
        if name:
            secret = base64.b64encode(f"{name}:{name}-password".encode()).decode()
            client.credentials(HTTP_AUTHORIZATION=f"Basic {secret}")
        return client

    return sign_in


@pytest.fixture
def count_queries() -> Callable[[Callable[[], object]], int]:
    """Count the SQL statements of an act."""

    def count(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            act()
        return len(captured)

    return count


@dataclass(frozen=True)
class WebServer:
    """A running server: where it is, and the process that answers."""

    url: str
    worker: psutil.Process


@pytest.fixture
def web_server(environment_of_test_database: dict[str, str], tmp_path: Path) -> Iterator[WebServer]:
    """Run gunicorn as a deployer starts it, with one process and one thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = environment_of_test_database | {
        "PALIMPSEST_BIND": address,
        "PALIMPSEST_WEB_WORKERS": "1",
        "PALIMPSEST_WEB_THREADS": "1",  # each may keep a connection for the next request
        "PALIMPSEST_RATE_PERSON": "0",
        "PALIMPSEST_RATE_TOKEN": "0",
        "PALIMPSEST_RATE_ANONYMOUS": "0",
        "PALIMPSEST_RATE_BYTES": "0",
    }
    with (tmp_path / "gunicorn.log").open("wb") as log:
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn",
             "--limit-request-line", "0", "config.wsgi"],
            cwd=Path(__file__).resolve().parents[2],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )  # fmt: skip
        _wait_for(f"http://{address}/health/live")
        (worker,) = psutil.Process(gunicorn.pid).children()
        yield WebServer(f"http://{address}", worker)
        gunicorn.terminate()
        gunicorn.wait(30)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(address, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("The web server did not answer within a minute.")
