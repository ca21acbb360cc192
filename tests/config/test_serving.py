"""The web server as the documents start it: several processes, one log, an orderly end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders import World, a_dataset
from tests.config.conftest import ROOT
from tests.config.test_metrics import parse

LARGE = 40 << 20  # bytes: more than the sockets between us hold


class Site:
    """A running gunicorn and what it has logged."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.log = log
        command = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "config.wsgi"],
                cwd=ROOT,
                env={**environment, "PALIMPSEST_BIND": self.address, "PALIMPSEST_LOG": "json"},
                stdin=subprocess.DEVNULL,
                stderr=output,
            )

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://{self.address}{path}", headers=headers, timeout=30)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                if self.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def site(
    environment_of_test_database: dict[str, str], world: World, tmp_path: Path
) -> Iterator[Site]:
    (tmp_path / "tmp").mkdir()
    environment = {**environment_of_test_database, "TMPDIR": str(tmp_path / "tmp")}
    site = Site(tmp_path / "log", environment | {"PALIMPSEST_WEB_WORKERS": "2"})
    try:
        site.wait_until_ready()
        yield site
    finally:
        site.process.kill()
        site.process.wait()


def test_processes_count_together_and_write_one_log(site: Site, tmp_path: Path) -> None:
    for number in range(20):
        assert site.get("/problems/", **{"X-Request-ID": f"r{number}"}).status_code == 200
    # Each scrape meets another process; all tell the same.
    counts = {
        parse(site.get("/metrics").text)["palimpsest_http_requests_total", "GET", "200", "problems"]
        for _ in range(6)
    }
    assert counts == {20}
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(20) == 0
    events = site.events()
    asked = [event["request_id"] for event in events if event.get("view") == "problems"]
    assert sorted(asked) == sorted(f"r{number}" for number in range(20))
    assert {"gunicorn.error", "config.middleware"} == {event["logger"] for event in events}
    # Nothing is left behind, and no stale count is read by the next one.
    assert list((tmp_path / "tmp").glob("palimpsest-metrics-*")) == []


def test_a_download_under_way_ends_before_the_server_does(site: Site, world: World) -> None:
    body = os.urandom(1 << 20) * (LARGE >> 20)
    file = a_dataset(world, is_open=True, file=body).files.get()
    address = f"http://{site.address}/api/v1/files/{file.uuid}/content/"
    with httpx.stream("GET", address, timeout=30) as response:
        assert response.status_code == 200
        parts = response.iter_bytes(1 << 16)
        received = bytearray(next(parts))
        site.process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        assert site.process.poll() is None
        for part in parts:
            received += part
    assert bytes(received) == body
    assert site.process.wait(20) == 0
