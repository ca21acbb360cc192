"""Many files as one ZIP, their manifest and their checksums."""

import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from catalogue.delivery import Bundle, bundle
from catalogue.errors import ChecksumError
from catalogue.models import DataFile, Dataset
from tests.builders import World, a_dataset

ClientOf = Callable[[str | None], Client]


def add_files(dataset: Dataset, files: dict[str, bytes]) -> None:
    """Put more files beside the first one of a dataset."""
    first = dataset.files.get()
    for position, (path, body) in enumerate(files.items(), start=1):
        key = f"more-{dataset.pk}-{position}"
        Path(first.store.root, key).write_bytes(body)
        DataFile.objects.create(
            dataset=dataset,
            position=position,
            path=path,
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            media_type="application/octet-stream",
            store=first.store,
            key=key,
        )


@pytest.fixture
def dataset(world: World) -> Dataset:
    dataset = a_dataset(world, title="Lead white, fragment 3", is_open=True, file=b"first")
    add_files(dataset, {"frames/000001.h5": b"second", "frames/größe.h5": b"", "log.txt": b"last"})
    return dataset


def folder_of(dataset: Dataset, title: str = "lead-white-fragment-3") -> str:
    return f"{title}-{str(dataset.pid)[:8]}"


def body_of(response: Any) -> bytes:
    assert response.status_code == 200, getattr(response, "content", response)
    return b"".join(response.streaming_content)


def json_of(response: Any) -> Any:
    assert response["Content-Type"] == "application/json"
    return json.loads(body_of(response))


def open_zip(response: Any) -> zipfile.ZipFile:
    body = body_of(response)
    assert len(body) == int(response["Content-Length"])
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    return archive


@pytest.mark.parametrize("address", ["/datasets/{}/download.zip", "/api/v1/datasets/{}/zip/"])
def test_a_dataset_comes_as_one_zip_with_its_folder(
    client_of: ClientOf, dataset: Dataset, address: str
) -> None:
    response = client_of(None).get(address.format(dataset.pid))
    with open_zip(response) as archive:
        folder, names = folder_of(dataset), archive.namelist()
        assert names[1:] == [f"{folder}/{p}" for p in
                             ("frames/000001.h5", "frames/größe.h5", "log.txt")]  # fmt: skip
        assert archive.read(names[0]) == b"first"
        assert archive.read(names[1]) == b"second"
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.getinfo(names[2]).flag_bits & 0x800, "its name is marked as UTF-8"
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"].startswith(f'attachment; filename="{folder}.zip"')
    assert response["Cache-Control"] == "private, no-transform"


def test_unzip_finds_no_fault(client_of: ClientOf, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(body_of(client_of(None).get(f"/datasets/{dataset.pid}/download.zip")))
    tested = subprocess.run(["unzip", "-t", path], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "No errors detected" in tested.stdout


def test_head_tells_the_length_of_the_zip(client_of: ClientOf, dataset: Dataset) -> None:
    address = f"/datasets/{dataset.pid}/download.zip"
    head = client_of(None).head(address)
    assert head.content == b""
    assert int(head["Content-Length"]) == len(body_of(client_of(None).get(address)))


def test_a_selection_comes_in_its_order_and_each_dataset_once(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    other = a_dataset(world, title="測定", is_open=True, file=b"other")
    pids = [other.pid, dataset.pid, other.pid]
    response = client_of(None).get("/api/v1/selections/zip/", {"dataset": [str(p) for p in pids]})
    with open_zip(response) as archive:
        folders = [name.partition("/")[0] for name in archive.namelist()]
        assert folders == [folder_of(other, "測定"), *[folder_of(dataset)] * 4]
    assert 'filename="2-datasets.zip"' in response["Content-Disposition"]


def test_what_broke_off_is_continued_after_the_last_whole_member(
    client_of: ClientOf, dataset: Dataset
) -> None:
    client, address = client_of(None), f"/api/v1/datasets/{dataset.pid}/zip/"
    with open_zip(client.get(address)) as archive:
        names = archive.namelist()
    for place, name in enumerate(names, start=1):
        with open_zip(client.get(address, {"after": name})) as rest:
            assert rest.namelist() == names[place:]
    unknown = client.get(address, {"after": "frames/000001.h5"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/#no-member")
    assert unknown.json()["member"] == "frames/000001.h5"


def test_the_manifest_says_what_the_zip_will_hold(client_of: ClientOf, dataset: Dataset) -> None:
    client = client_of(None)
    manifest = json_of(client.get(f"/api/v1/datasets/{dataset.pid}/zip/manifest/"))
    response = client.get(manifest["url"])
    assert manifest["length"] == int(response["Content-Length"])
    assert manifest["size"] == sum(member["size"] for member in manifest["members"]) == 15
    with open_zip(response) as archive:
        assert archive.namelist() == [member["name"] for member in manifest["members"]]
        for member in manifest["members"]:
            body = archive.read(member["name"])
            assert hashlib.sha256(body).hexdigest() == member["sha256"]
            assert body_of(client.get(member["url"])) == body
            assert (member["dataset"], member["problem"]) == (str(dataset.pid), "")


def test_the_manifest_of_a_selection_leads_to_its_zip(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    other, client = a_dataset(world, is_open=True), client_of(None)
    query = f"dataset={dataset.pid}&dataset={other.pid}"
    manifest = json_of(client.get(f"/api/v1/selections/zip/manifest/?{query}"))
    with open_zip(client.get(manifest["url"])) as archive:
        assert archive.namelist() == [member["name"] for member in manifest["members"]]


def test_a_missing_member_is_told_before_the_first_byte_and_by_the_manifest(
    client_of: ClientOf, dataset: Dataset
) -> None:
    file = dataset.files.get(path="log.txt")
    Path(file.store.root, file.key).unlink()
    client = client_of(None)
    refused = client.get(f"/api/v1/datasets/{dataset.pid}/zip/")
    assert refused.status_code == 503
    assert "log.txt is gone" in refused.json()["detail"]
    manifest = json_of(client.get(f"/api/v1/datasets/{dataset.pid}/zip/manifest/"))
    problems = {m["name"].rpartition("/")[2]: m["problem"] for m in manifest["members"]}
    assert "is gone" in problems.pop("log.txt")
    assert set(problems.values()) == {""}
    assert file.store.root not in str(manifest)


def test_a_member_that_changes_while_others_are_sent_breaks_the_transfer(
    client_of: ClientOf, dataset: Dataset
) -> None:
    first, last = dataset.files.first(), dataset.files.get(path="log.txt")
    assert first is not None
    body = bytes(200_000)  # more than a packet: it leaves before the others are read
    Path(first.store.root, first.key).write_bytes(body)
    DataFile.objects.filter(pk=first.pk).update(
        size=len(body), sha256=hashlib.sha256(body).hexdigest()
    )
    response = client_of(None).get(f"/datasets/{dataset.pid}/download.zip")
    packets = iter(response.streaming_content)  # type: ignore[attr-defined]  # a stream
    sent = next(packets)
    Path(last.store.root, last.key).write_bytes(b"LAST")  # as long as it was
    with pytest.raises(ChecksumError):
        sent += b"".join(packets)
    assert len(sent) < int(response["Content-Length"])
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(sent))


def test_no_member_leads_out_of_its_folder(
    client_of: ClientOf, dataset: Dataset, tmp_path: Path
) -> None:
    odd = {
        "../../etc/passwd": "__/__/etc/passwd",
        "/absolute": "absolute",
        "a/./b//c": "a/_/b/c",
        "..\\windows": ".._windows",
        "line\nbreak": "line_break",
        "turn\u202egpj.exe": "turn_gpj.exe",
    }
    for number, path in enumerate(odd, start=10):
        dataset.files.create(
            position=number, path=path, size=0, sha256=hashlib.sha256().hexdigest(),
            media_type="x/y", store_id=dataset.files.first().store_id,
            key=dataset.files.get(path="frames/größe.h5").key,
        )  # fmt: skip
    with open_zip(client_of(None).get(f"/datasets/{dataset.pid}/download.zip")) as archive:
        folder = folder_of(dataset)
        assert archive.namelist()[4:] == [f"{folder}/{name}" for name in odd.values()]
        archive.extractall(tmp_path / "here")
    assert {path.name for path in (tmp_path / "here").iterdir()} == {folder}


def test_names_that_become_equal_are_told_apart(client_of: ClientOf, dataset: Dataset) -> None:
    add_files_at = dataset.files.get(path="log.txt")
    for number, path in enumerate(("a\\b", "a_b", "a\nb"), start=10):
        add_files_at.pk, add_files_at.position, add_files_at.path = None, number, path
        add_files_at.uuid = f"00000000-0000-4000-8000-{number:012}"
        add_files_at.save(force_insert=True)
    with open_zip(client_of(None).get(f"/datasets/{dataset.pid}/download.zip")) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()[4:]]
    assert names == ["a_b", "a_b~2", "a_b~3"]


@pytest.mark.parametrize(
    "address",
    [
        "/datasets/{}/download.zip",
        "/datasets/{}/checksums.sha256",
        "/api/v1/datasets/{}/zip/",
        "/api/v1/datasets/{}/zip/manifest/",
        "/api/v1/datasets/{}/checksums/",
        "/api/v1/datasets/{}/files/",
        "/api/v1/selections/zip/?dataset={}",
        "/api/v1/selections/zip/manifest/?dataset={}",
    ],
)
def test_closed_data_leave_by_no_archive_and_betray_no_name(
    client_of: ClientOf, world: World, address: str
) -> None:
    hidden = a_dataset(world)
    listed = a_dataset(world, listed_on=date(2020, 1, 1))
    client = client_of("sten")
    assert client.get(address.format(hidden.pid)).status_code == 404
    closed = client.get(address.format(listed.pid))
    assert closed.status_code == 403
    assert b"2100-01-01" in closed.content
    assert listed.files.get().path.encode() not in closed.content


def test_one_closed_dataset_closes_the_selection(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    hidden = a_dataset(world)
    query = f"dataset={dataset.pid}&dataset={hidden.pid}"
    response = client_of("sten").get(f"/api/v1/selections/zip/?{query}")
    assert response.status_code == 404
    assert str(hidden.pid) in response.json()["pid"]
    assert client_of("ines").get(f"/api/v1/selections/zip/?{query}").status_code == 200


@pytest.mark.parametrize("count", [0, 101])
def test_a_selection_holds_one_to_a_hundred_datasets(
    client_of: ClientOf, dataset: Dataset, count: int
) -> None:
    query = "&".join([f"dataset={dataset.pid}"] * count)
    response = client_of(None).get(f"/api/v1/selections/zip/?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "#/dataset"


def test_a_member_beyond_four_gigabytes_counts_in_sixty_four_bits(world: World) -> None:
    size, dataset = 5 << 30, a_dataset(world, is_open=True)
    DataFile.objects.filter(dataset=dataset).update(size=size)
    one: Bundle = bundle([dataset])
    # Local header 30, its 64-bit sizes 20, descriptor 24; in the directory 46 and 64-bit
    # sizes 4 + 16; at the end 56 + 20 + 22; and the name twice.
    name = len(one.members[0].name.encode())
    assert one.length == size + 30 + 20 + 24 + 46 + 20 + 98 + 2 * name


@pytest.mark.parametrize(
    "address", ["/datasets/{}/checksums.sha256", "/api/v1/datasets/{}/checksums/"]
)
def test_sha256sum_confirms_the_checksums(
    client_of: ClientOf, dataset: Dataset, tmp_path: Path, address: str
) -> None:
    odd = [
        "line\nbreak.h5",
        "back\\slash.h5",
        "return\r.h5",
        " two  spaces.h5",
        "*star.h5",
        "-dash",
    ]
    add_more = {f"odd/{name}": name.encode() for name in odd}
    first = dataset.files.first()
    assert first is not None
    dataset.files.exclude(pk=first.pk).delete()
    add_files(dataset, add_more)
    response = client_of(None).get(address.format(dataset.pid))
    for file in dataset.files.all():
        copy = tmp_path / file.path
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(Path(file.store.root, file.key).read_bytes())
    (tmp_path / "checksums.sha256").write_bytes(response.content)
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "checksums.sha256"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count(": OK") == 1 + len(odd)
    assert response["Content-Type"] == "text/plain; charset=utf-8"
