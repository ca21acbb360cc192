"""Files as they leave, by the page and by REST: whole, in part, or not at all."""

import base64
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.http import http_date, parse_http_date

from catalogue.errors import ChecksumError
from catalogue.models import DataFile, Guest
from tests.builders import World, a_dataset

ClientOf = Callable[[str | None], Client]
BODY = bytes(range(100))
SHA256 = hashlib.sha256(BODY).hexdigest()
ETAG = f'"{SHA256}"'


@pytest.fixture(params=["/files/{}/", "/api/v1/files/{}/content/"], ids=["page", "rest"])
def door(request: pytest.FixtureRequest) -> str:
    """The two addresses of a file; there is one way behind them."""
    return str(request.param)


@pytest.fixture
def file(world: World) -> DataFile:
    """A file of the hundred bytes 0 to 99, open to everybody."""
    return a_dataset(world, is_open=True, file=BODY).files.get()


def body_of(response: Any) -> bytes:
    if not response.streaming:
        return bytes(response.content)
    return b"".join(response.streaming_content)  # its end closes the file


def on_disk(world: World, file: DataFile) -> Path:
    return Path(world.raw.root, file.key)


def test_a_file_comes_whole_with_all_that_is_known_about_it(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    response = client_of(None).get(door.format(file.uuid))
    assert response.status_code == 200
    assert body_of(response) == BODY
    assert response["ETag"] == ETAG
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Length"] == "100"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Cache-Control"] == "private, no-transform"
    assert {"Cookie", "Authorization"} <= set(response["Vary"].split(", "))
    digest = response["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")
    assert base64.b64decode(digest).hex() == SHA256
    assert parse_http_date(response["Last-Modified"]) <= datetime.now(UTC).timestamp()
    assert response["X-Content-Type-Options"] == "nosniff"


PARTS = {
    "bytes=0-99": (0, 99),
    "bytes=0-0": (0, 0),
    "bytes=40-": (40, 99),
    "bytes=-7": (93, 99),
    "bytes=-500": (0, 99),
    "bytes=90-500": (90, 99),
    "bytes=99-99999999999999999999999999": (99, 99),
    "BYTES= 10-19 ": (10, 19),
}
BEHIND = ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={10**30}-"]
NO_PART = [
    "bytes=5-2", "bytes=-", "bytes=a-b", "bytes=1-2-3", "lines=0-9", "bytes=0-1,5-6", "bytes=٣-",
    "bytes", "",
]  # fmt: skip


def test_a_part_comes_with_its_place_in_the_whole(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    for asked, (first, last) in PARTS.items():
        response = client_of(None).get(door.format(file.uuid), headers={"Range": asked})
        assert response.status_code == 206, asked
        assert response["Content-Range"] == f"bytes {first}-{last}/100"
        assert response["Content-Length"] == str(last - first + 1)
        assert response["ETag"] == ETAG
        assert body_of(response) == BODY[first : last + 1]


def test_a_part_behind_the_end_is_refused_with_the_size(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    for asked in BEHIND:
        response = client_of(None).get(door.format(file.uuid), headers={"Range": asked})
        assert response.status_code == 416, asked
        assert response["Content-Range"] == "bytes */100"


def test_an_empty_file_has_no_parts(client_of: ClientOf, door: str, world: World) -> None:
    file = a_dataset(world, is_open=True, file=b"").files.get()
    address = door.format(file.uuid)
    for asked in ("bytes=0-", "bytes=-5", "bytes=0-0"):
        refused = client_of(None).get(address, headers={"Range": asked})
        assert (refused.status_code, refused["Content-Range"]) == (416, "bytes */0"), asked
    whole = client_of(None).get(address)
    assert (whole.status_code, whole["Content-Length"], body_of(whole)) == (200, "0", b"")


def test_what_is_no_single_range_gives_the_whole_file(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    for asked in NO_PART:
        response = client_of(None).get(door.format(file.uuid), headers={"Range": asked})
        assert (response.status_code, body_of(response)) == (200, BODY), asked
        assert "Content-Range" not in response


def test_a_part_is_joined_to_the_very_same_version_only(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    conditions = {ETAG: 206, '"another"': 200, f"W/{ETAG}": 200, http_date(4e9): 200, "": 200}
    for condition, status in conditions.items():
        headers = {"Range": "bytes=50-", "If-Range": condition}
        response = client_of(None).get(door.format(file.uuid), headers=headers)
        assert response.status_code == status, condition
        assert body_of(response) == (BODY[50:] if status == 206 else BODY)


CONDITIONS: list[tuple[dict[str, str], int]] = [
    ({"If-None-Match": ETAG}, 304),
    ({"If-None-Match": f'"x", W/{ETAG}'}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"x"'}, 200),
    ({"If-Match": ETAG}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": '"x"'}, 412),
    ({"If-Match": f"W/{ETAG}"}, 412),
    ({"If-Match": '"x"', "If-None-Match": ETAG}, 412),
    ({"If-Modified-Since": http_date(4e9)}, 304),
    ({"If-Modified-Since": http_date(1)}, 200),
    ({"If-Unmodified-Since": http_date(1)}, 412),
    # Preconditions come before the range, even one that cannot be met.
    ({"If-None-Match": ETAG, "Range": "bytes=0-9"}, 304),
    ({"If-None-Match": ETAG, "Range": "bytes=100-"}, 304),
    ({"If-Match": '"x"', "Range": "bytes=100-"}, 412),
    ({"If-Match": ETAG, "Range": "bytes=0-9"}, 206),
]


def test_preconditions_are_judged_before_the_range(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    for headers, status in CONDITIONS:
        response = client_of(None).get(door.format(file.uuid), headers=headers)
        body = body_of(response)
        assert response.status_code == status, headers
        assert response["ETag"] == ETAG
        if status == 304:
            assert (body, response["Cache-Control"]) == (b"", "private, no-transform")


def test_head_says_the_same_and_sends_nothing(
    client_of: ClientOf, door: str, file: DataFile
) -> None:
    client, address = client_of(None), door.format(file.uuid)
    whole = client.get(address)
    head = client.head(address, headers={"Range": "bytes=0-9"})  # defined for GET only
    assert body_of(whole) == BODY
    assert (head.status_code, head.content) == (200, b"")
    fickle = {"X-Request-ID", "RateLimit"}
    said, promised = (
        {name: value for name, value in answer.items() if name not in fickle}
        for answer in (head, whole)
    )
    assert said == promised
    assert client.head(address, headers={"If-None-Match": ETAG}).status_code == 304


@pytest.mark.parametrize("name", ["sten", None])
def test_access_comes_before_everything_else(
    client_of: ClientOf, door: str, world: World, name: str | None
) -> None:
    hidden = a_dataset(world, file=BODY).files.get()
    listed = a_dataset(world, file=BODY, listed_on=date(2020, 1, 1)).files.get()
    client = client_of(name)
    for headers, _ in [({}, 0), ({"Range": "bytes=100-"}, 0), *CONDITIONS]:
        unseen = client.get(door.format(hidden.uuid), headers=headers)
        closed = client.get(door.format(listed.uuid), headers=headers)
        assert (unseen.status_code, closed.status_code) == (404, 403), headers
        assert b"2100-01-01" in closed.content
        assert "ETag" not in closed.headers
        assert client.head(door.format(listed.uuid), headers=headers).status_code == 403


def test_the_next_range_is_refused_once_the_visit_of_a_guest_has_ended(
    client_of: ClientOf, door: str, world: World
) -> None:
    file = a_dataset(world, file=BODY).files.get()
    today = timezone.now().date()
    visit = Guest.objects.create(
        dataset=file.dataset, person=world.rea, valid_to=today + timedelta(days=1)
    )
    client, address = client_of("rea"), door.format(file.uuid)
    first = client.get(address, headers={"Range": "bytes=0-49"})
    assert body_of(first) == BODY[:50]
    Guest.objects.filter(pk=visit.pk).update(valid_to=today - timedelta(days=2))
    rest = client.get(address, headers={"Range": "bytes=50-", "If-Range": first["ETag"]})
    assert rest.status_code == 404
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 404


NAMES = [
    ("scan.h5", "filename=\"scan.h5\"; filename*=utf-8''scan.h5"),
    ("größe 1.h5", "filename=\"gr__e 1.h5\"; filename*=utf-8''gr%C3%B6%C3%9Fe%201.h5"),
    ('a"b\\c%41.h5', "filename=\"a_b_c_41.h5\"; filename*=utf-8''a%22b%5Cc%2541.h5"),
    ("mal\u202e5h.exe", "filename=\"mal_5h.exe\"; filename*=utf-8''mal_5h.exe"),
    ("a\r\nSet-Cookie: x", "filename=\"a__Set-Cookie: x\"; filename*=utf-8''a__Set-Cookie%3A%20x"),
    ("測定.h5", "filename=\"__.h5\"; filename*=utf-8''%E6%B8%AC%E5%AE%9A.h5"),
]  # fmt: skip


def test_odd_names_are_kept_and_harm_nobody(client_of: ClientOf, door: str, file: DataFile) -> None:
    for name, shown in NAMES:
        DataFile.objects.filter(pk=file.pk).update(path=f"folder/{name}")
        response = client_of(None).get(door.format(file.uuid))
        assert body_of(response) == BODY
        assert response["Content-Disposition"] == f"attachment; {shown}"


def test_since_when_a_file_is_what_it_is_never_lies_behind_its_registration(
    client_of: ClientOf, door: str, world: World, file: DataFile
) -> None:
    for moved_s in (-1000, 1000):
        stamp = int((file.dataset.registered_at.timestamp() + moved_s) * 1e9)
        os.utime(on_disk(world, file), ns=(stamp, stamp))
        DataFile.objects.filter(pk=file.pk).update(modified_ns=stamp)
        response = client_of(None).get(door.format(file.uuid))
        assert body_of(response) == BODY
        expected = file.dataset.registered_at.timestamp() + min(moved_s, 0)
        assert parse_http_date(response["Last-Modified"]) == int(expected)


def cut(path: Path) -> None:
    path.write_bytes(BODY[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(BODY + b"!")


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def rewrite(path: Path) -> None:
    """Change a byte and nothing that a file system tells."""
    stamp = path.stat().st_mtime_ns
    path.write_bytes(b"!" + BODY[1:])
    os.utime(path, ns=(stamp, stamp))


@pytest.mark.parametrize("spoil", [cut, lengthen, touch, rewrite])
def test_a_file_that_changed_is_not_sent(
    client_of: ClientOf, door: str, world: World, file: DataFile, spoil: Callable[[Path], None]
) -> None:
    stamp = on_disk(world, file).stat().st_mtime_ns
    DataFile.objects.filter(pk=file.pk).update(modified_ns=stamp)
    spoil(on_disk(world, file))
    client, address = client_of(None), door.format(file.uuid)
    whole = client.get(address)
    assert whole.status_code == 409
    assert b"Ask the operator to restore it" in whole.content
    assert world.raw.root not in whole.content.decode()
    if spoil is not rewrite:  # only reading all of it tells
        assert client.get(address, headers={"Range": "bytes=0-0"}).status_code == 409
        assert client.head(address).status_code == 409


def test_a_file_that_is_gone_is_said_to_be_gone(
    client_of: ClientOf, door: str, world: World, file: DataFile
) -> None:
    on_disk(world, file).unlink()
    response = client_of(None).get(door.format(file.uuid))
    assert response.status_code == 503
    assert b"Ask the operator to restore it" in response.content
    assert world.raw.root not in response.content.decode()


def test_a_file_that_changes_while_it_is_sent_breaks_the_transfer(
    client_of: ClientOf, door: str, world: World
) -> None:
    body = os.urandom(3 << 20)  # three blocks: the first is gone before it happens
    file = a_dataset(world, is_open=True, file=body).files.get()
    blocks = iter(client_of(None).get(door.format(file.uuid)).streaming_content)
    assert next(blocks) == body[: 1 << 20]
    on_disk(world, file).write_bytes(body[: 2 << 20] + bytes(1 << 20))
    assert next(blocks) == body[1 << 20 : 2 << 20]
    with pytest.raises(ChecksumError, match="Ask the operator to restore it"):
        next(blocks)


def test_a_file_of_three_gigabytes_has_parts_beyond_two(
    client_of: ClientOf, door: str, world: World
) -> None:
    size = 3 << 30
    file = a_dataset(world, is_open=True).files.get()
    with on_disk(world, file).open("r+b") as writer:  # sparse: it takes a few kB of disk
        writer.truncate(size)
        writer.seek(size - 4)
        writer.write(b"last")
    DataFile.objects.filter(pk=file.pk).update(size=size)
    client, address = client_of(None), door.format(file.uuid)
    assert client.head(address)["Content-Length"] == "3221225472"
    end = client.get(address, headers={"Range": f"bytes={size - 6}-"})
    assert end["Content-Range"] == "bytes 3221225466-3221225471/3221225472"
    assert body_of(end) == b"\0\0last"
    far = client.get(address, headers={"Range": "bytes=2147483648-2147483649"})
    assert body_of(far) == b"\0\0"


def test_a_download_takes_as_many_queries_as_a_look(
    client_of: ClientOf, world: World, file: DataFile, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(4):  # the file, whether it is readable, the rate
        body_of(client_of(None).get(f"/api/v1/files/{file.uuid}/content/"))
