"""What every store must do; a later kind joins by one line in the fixture."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue.errors import ChecksumError, StoreError
from catalogue.storage import Store, open_store

BODY = b"0123456789" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Store]:
    def make(*, read_only: bool = False) -> Store:
        root = tmp_path / "archive"
        root.mkdir(exist_ok=True)
        return open_store("archive", "posix", str(root), read_only=read_only)

    return make


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "map.nxs"
    file.write_bytes(BODY)
    return file


def test_a_file_comes_back_with_its_bytes(make_store: Callable[..., Store], source: Path) -> None:
    store = make_store()
    assert store.size("a/map.nxs") is None
    store.put(source, "a/map.nxs", sha256=SHA256)
    assert store.size("a/map.nxs") == len(BODY)
    with store.open("a/map.nxs") as reader:
        assert reader.read() == BODY


def test_an_interrupted_copy_goes_on_where_it_was(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    part = tmp_path / "archive" / "a" / f".part-{SHA256}"
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY[:4000])
    make_store().put(source, "a/map.nxs", sha256=SHA256)
    assert (tmp_path / "archive" / "a" / "map.nxs").read_bytes() == BODY
    assert not part.exists()


def test_a_damaged_beginning_is_found_by_reading_back_and_mended(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    part = tmp_path / "archive" / "a" / f".part-{SHA256}"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 4000)
    make_store().put(source, "a/map.nxs", sha256=SHA256)
    assert (tmp_path / "archive" / "a" / "map.nxs").read_bytes() == BODY


def test_a_copy_that_is_called_off_goes_on_later(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    def call_off() -> None:
        raise InterruptedError("the lease is lost")

    with pytest.raises(StoreError):  # InterruptedError is an OSError
        make_store().put(source, "a/map.nxs", sha256=SHA256, on_block=call_off)
    assert make_store().size("a/map.nxs") is None
    make_store().put(source, "a/map.nxs", sha256=SHA256)
    assert (tmp_path / "archive" / "a" / "map.nxs").read_bytes() == BODY


def test_two_copiers_never_mix_their_bytes(make_store: Callable[..., Store], source: Path) -> None:
    def copy_too() -> None:
        with pytest.raises(StoreError, match="just being copied"):
            make_store().put(source, "a/map.nxs", sha256=SHA256)

    make_store().put(source, "a/map.nxs", sha256=SHA256, on_block=copy_too)
    with make_store().open("a/map.nxs") as reader:
        assert reader.read() == BODY


def test_a_source_that_changed_never_reaches_the_archive(
    make_store: Callable[..., Store], source: Path
) -> None:
    source.write_bytes(BODY[:-1] + b"!")
    with pytest.raises(ChecksumError):
        make_store().put(source, "a/map.nxs", sha256=SHA256)
    assert make_store().size("a/map.nxs") is None


def test_writing_again_copies_nothing(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    store = make_store()
    store.put(source, "a/map.nxs", sha256=SHA256)
    inode = (tmp_path / "archive" / "a" / "map.nxs").stat().st_ino
    store.put(source, "a/map.nxs", sha256=SHA256)
    assert (tmp_path / "archive" / "a" / "map.nxs").stat().st_ino == inode


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../b", ""])
def test_a_key_never_leaves_the_store(
    make_store: Callable[..., Store], source: Path, key: str
) -> None:
    with pytest.raises(StoreError):
        make_store().put(source, key, sha256=SHA256)


def test_a_file_that_has_become_a_link_out_of_the_store_is_not_followed(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    store = make_store()
    store.put(source, "a/map.nxs", sha256=SHA256)
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * len(BODY))
    placed = tmp_path / "archive" / "a" / "map.nxs"
    placed.unlink()
    placed.symlink_to(secret)
    with pytest.raises(StoreError, match="leads out"):
        store.open("a/map.nxs")
    with pytest.raises(StoreError, match="leads out"):
        store.local_path("a/map.nxs")


def test_a_read_only_store_refuses_to_be_written(
    make_store: Callable[..., Store], source: Path
) -> None:
    with pytest.raises(StoreError, match="read-only"):
        make_store(read_only=True).put(source, "a/map.nxs", sha256=SHA256)


def test_a_failing_disk_is_told_without_the_servers_path(
    make_store: Callable[..., Store], source: Path, tmp_path: Path
) -> None:
    store = make_store()
    blocked = tmp_path / "archive" / "a"
    blocked.write_bytes(b"a file where a folder should be")
    with pytest.raises(StoreError) as refused:
        store.put(source, "a/map.nxs", sha256=SHA256)
    assert str(tmp_path) not in str(refused.value)
    assert os.fspath(source) not in str(refused.value)


def test_an_unknown_kind_of_store_is_named() -> None:
    with pytest.raises(StoreError, match="tape"):
        open_store("vault", "tape", "/nowhere")
