"""The examples of docs/api.md run, in their order, against the real application."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from catalogue.models import Dataset
from config.problems import TYPES
from processing.submission import submit
from tests.api.results import a_result
from tests.builders import World, a_dataset, a_recipe
from tests.makers.nexus import write_nexus_scan

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def server(world: World) -> Iterator[httpx.WSGITransport]:
    """The application in this thread, inside the test's own transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield httpx.WSGITransport(get_wsgi_application())
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def story(world: World) -> World:
    """What the guide speaks of: a scan to register, and a map that exists already."""
    folder = Path(world.raw.root, "ceria")
    folder.mkdir()
    write_nexus_scan(folder / "scan_0001.h5", proposal="hg-172", instrument="id13")
    (folder / "scan_0002.h5").write_bytes(b"frames")
    a_dataset(world, content="poni", title="Geometry")
    a_dataset(world, title="Fragment of a painting", file=b"frames")
    return world


def say(capsys: pytest.CaptureFixture[str], code: str, names: dict[str, Any]) -> str:
    exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102 - our own documentation
    return capsys.readouterr().out


def through(server: httpx.WSGITransport) -> SimpleNamespace:
    """Give httpx as the guide imports it, with clients that reach this server."""
    return SimpleNamespace(Client=partial(httpx.Client, transport=server))


def test_the_examples_of_the_guide_run(
    story: World, server: httpx.WSGITransport, capsys: pytest.CaptureFixture[str]
) -> None:
    signing_in, token, finding, paging, reading, resuming, packing, *others = EXAMPLES
    registering, bulking, changing, annotating, launching, waiting, origin, refusing = others
    names: dict[str, Any] = {}
    say(capsys, signing_in, names)
    typed = names["client"]
    names["client"] = httpx.Client(base_url=typed.base_url, auth=typed.auth, transport=server)

    names["httpx"] = through(server)
    assert say(capsys, token, names) == "200\n"
    assert "Fragment of a painting" in say(capsys, finding, names)
    say(capsys, paging, names)
    assert names["titles"] == ["Fragment of a painting", "Geometry"]
    say(capsys, reading, names)
    assert names["content"] == b"frames"
    say(capsys, resuming, names)
    assert say(capsys, packing, names) == "True\n"
    assert say(capsys, registering, names).startswith("201 ")
    assert say(capsys, bulking, names).splitlines() == [
        "201 200 True",
        "#/0/parameters/0/unit input should be a valid string",
    ]
    assert say(capsys, changing, names) == "200 ['reference'] 412\n"
    assert say(capsys, annotating, names) == "text/csv ['Ceria, for calibration']\n"

    # What the guide is about to ask for has been made before: there is no worker here.
    scan, geometry = (
        Dataset.objects.filter(content=content).order_by("-start_time").first()
        for content in ("nexus-scan", "poni")
    )
    assert scan is not None
    assert geometry is not None
    inputs = {"scan": [scan], "geometry": [geometry]}
    run = submit(story.ines, a_recipe(), inputs, {"bins": 500}).processing_run
    a_result(story, run)
    assert say(capsys, launching, names) == "reused\n"
    assert say(capsys, waiting, names).startswith("succeeded [")
    assert f"scan {scan.pid}" in say(capsys, origin, names)
    assert say(capsys, refusing, names).splitlines() == [
        "422 Parameters out of bounds",
        "#/parameters/bins must be at least 10",
    ]


def test_the_guide_names_the_statuses_that_problems_have() -> None:
    named = {
        int(status) for status in re.findall(r"^\| (\d{3}) \|", GUIDE.read_text(), re.MULTILINE)
    }
    assert {kind.status for kind in TYPES.values()} | {401} <= named
