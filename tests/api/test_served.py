"""Bytes through the real web server: what a socket sees, and what the server keeps."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.db import connection

from catalogue.models import DataFile, Dataset
from tests.api.conftest import WebServer
from tests.builders import World, a_dataset

LARGE = 256 << 20


@pytest.fixture
def client(web_server: WebServer, world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web_server.url, timeout=30, trust_env=False) as client:
        yield client


def a_large_file(world: World, size: int) -> Dataset:
    """A dataset of zeros that takes no disk, and of one small file after it."""
    dataset = a_dataset(world, is_open=True, title="Large")
    file = dataset.files.get()
    with Path(world.raw.root, file.key).open("r+b") as writer:
        writer.truncate(0)
        writer.truncate(size)
        writer.seek(0)
        digest = hashlib.file_digest(writer, "sha256").hexdigest()
    DataFile.objects.filter(pk=file.pk).update(size=size, sha256=digest)
    Path(world.raw.root, "small").write_bytes(b"small")
    DataFile.objects.create(
        dataset=dataset, position=1, path="small.txt", size=5, media_type="text/plain",
        sha256=hashlib.sha256(b"small").hexdigest(), store=world.raw, key="small",
    )  # fmt: skip
    return dataset


def connections_of_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def read_and_unlink(response: httpx.Response, path: Path) -> None:
    """Read a stream to its end, and remove a file as soon as it flows."""
    for _ in response.iter_raw():
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["zip", "file"])
def test_a_large_file_flows_in_flat_memory_and_holds_no_connection(
    web_server: WebServer, client: httpx.Client, world: World, kind: str
) -> None:
    worker = web_server.worker
    dataset = a_large_file(world, LARGE)
    file = dataset.files.first()
    assert file is not None
    address = {"zip": f"/datasets/{dataset.pid}/download.zip", "file": f"/files/{file.uuid}/"}
    client.get(f"/files/{dataset.files.last().uuid}/")  # type: ignore[union-attr]  # there are two
    before, most, received, end = worker.memory_info().rss, 0, 0, b""
    with client.stream("GET", address[kind]) as response:
        for block in response.iter_raw(1 << 20):
            received += len(block)
            end = (end + block)[-400:]
            if received >> 25 != (received - len(block)) >> 25:  # once and again
                most = max(most, worker.memory_info().rss)
                assert connections_of_others() == 0
    assert received == int(response.headers["Content-Length"]) >= LARGE
    # Blocks of 1 MiB, and packets of as much, against a file of 268 MB.
    assert most - before < 30e6
    if kind == "zip":
        tail = zipfile.ZipFile(io.BytesIO(end))
        assert [info.file_size for info in tail.infolist()] == [LARGE, 5]


def test_a_member_that_vanishes_while_others_flow_breaks_the_connection(
    client: httpx.Client, world: World
) -> None:
    dataset = a_large_file(world, 200 << 20)
    address = f"/api/v1/datasets/{dataset.pid}/zip/"
    with (
        client.stream("GET", address) as response,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete"),
    ):
        read_and_unlink(response, Path(world.raw.root, "small"))
    assert response.status_code == 200
    # The server goes on: the rest is refused with a reason.
    refused = client.get(address)
    assert (refused.status_code, refused.json()["store"]) == (503, "raw")


def test_a_range_and_a_head_look_right_on_the_wire(client: httpx.Client, world: World) -> None:
    file = a_dataset(world, is_open=True, file=b"0123456789").files.get()
    part = client.get(f"/files/{file.uuid}/", headers={"Range": "bytes=2-4"})
    head = client.head(f"/files/{file.uuid}/")
    kept = client.get(f"/files/{file.uuid}/", headers={"If-None-Match": part.headers["ETag"]})
    assert (part.status_code, part.content, part.headers["Content-Length"]) == (206, b"234", "3")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "10")
    assert (kept.status_code, kept.content) == (304, b"")
    assert "Content-Encoding" not in part.headers
