"""Folders, room and bytes go wrong on purpose; the doctor finds it, and mends leftovers."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from catalogue.storage.content import keep_bytes
from config.backup.writing import back_up
from config.doctor import stores
from config.doctor.examination import CHECKS, look
from config.doctor.finding import Level
from processing.models import ArchiveCopy
from tests.builders import World, a_dataset
from tests.config.conftest import MakeProduct, Manage
from tests.config.doctoring import found

LEFTOVER = b"of an attempt that was killed"


def test_a_store_that_is_not_mounted_is_told(world: World) -> None:
    shutil.rmtree(world.products.root)
    shutil.rmtree(world.raw.root)
    told = {finding.what for finding in found("stores")}
    assert told == {
        "Store products cannot be written: No such file or directory.",
        "Store raw cannot be read: No such file or directory.",
    }
    Path(world.products.root).mkdir()
    Path(world.raw.root).mkdir()
    assert found("stores") == []
    assert list(Path(world.products.root).iterdir()) == []  # the probe is gone


def test_a_store_that_refuses_to_be_written_is_told(world: World) -> None:
    shutil.rmtree(world.products.root)
    Path(world.products.root).symlink_to("/proc")  # a file system where nobody makes a file
    (finding,) = found("stores")
    assert finding.what.startswith("Store products cannot be written")


def test_a_site_without_declared_stores_is_told_what_to_apply(db: None) -> None:
    (finding,) = found("stores")
    assert finding.how_to_mend == "manage.py apply facility.toml"


def test_the_room_on_a_disk_is_told(world: World, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    what = [finding.what for finding in look(next(c for c in CHECKS if c.name == "room"))]
    assert len(what) == 2  # products and archive, nothing is written to raw
    told_gib = float(what[0].split()[-2])
    assert told_gib == pytest.approx(free / 2**30, rel=0.1)
    assert found("room") == [] or free < 10 << 30


def test_bytes_that_are_gone_or_cut_off_are_found(world: World, make_product: MakeProduct) -> None:
    product = make_product(b"a map of pigments")
    raw = a_dataset(world, file=b"frames")
    assert found("missing-bytes") == []
    file = product.files.get()
    path = Path(world.products.root, file.key)
    path.unlink()
    (finding,) = found("missing-bytes")
    assert finding.level == Level.FAIL
    assert f"products {file.key}" in finding.what
    path.write_bytes(b"a map")
    assert len(found("missing-bytes")) == 1
    path.write_bytes(b"a map of pigments")
    assert found("missing-bytes") == []
    Path(world.raw.root, raw.files.get().key).unlink()
    assert "raw scan_" in found("missing-bytes")[0].what


def test_an_archive_copy_that_is_gone_is_found(world: World, make_product: MakeProduct) -> None:
    product = make_product()
    ArchiveCopy.objects.create(dataset=product, store=world.archive, state="archived")
    assert f"archive {product.pid}/map.nxs" in found("missing-bytes")[0].what


def leave_over(world: World) -> Path:
    """Leave a file in the content store that no row names."""
    root = Path(world.products.root)
    return root / keep_bytes(root, LEFTOVER, hashlib.sha256(LEFTOVER).hexdigest())


def test_what_no_row_names_is_removed_after_a_day(world: World, make_product: MakeProduct) -> None:
    product = make_product(b"a map", b"a thumbnail")
    leftover = leave_over(world)
    assert found("leftover-bytes") == []  # its row may be about to come
    assert stores.remove_leftovers().startswith("0 files")
    (finding,) = stores.look_for_leftovers(older_than_s=0)
    assert finding.level == Level.WARN
    assert leftover.name in finding.what
    assert stores.remove_leftovers(older_than_s=0).startswith("1 files")
    assert not leftover.exists()
    (finding,) = stores.look_for_leftovers(older_than_s=0)
    assert finding.level == Level.OK
    kept = {path.read_bytes() for path in Path(world.products.root).glob("store/??/*")}
    assert kept == {b"a map", b"a thumbnail"}
    assert product.files.count() == 1


def test_an_old_file_that_came_today_is_not_old(world: World) -> None:
    """A run of two days renames what it wrote on its first day."""
    leftover = leave_over(world)
    os.utime(leftover, (0, 0))
    assert found("leftover-bytes") == []


def test_nothing_is_removed_while_a_backup_is_made(
    transactional_db: None, world: World, make_product: MakeProduct, manage: Manage, tmp_path: Path
) -> None:
    make_product()
    leftover = leave_over(world)
    said = []
    remove = (
        "import django; django.setup(); from config.doctor.stores import remove_leftovers; "
        "print(remove_leftovers(older_than_s=0))"
    )

    def interfere(sentence: str) -> None:
        if sentence.startswith("Stores"):
            said.append(manage("shell", "-v0", "-c", remove).stdout)

    back_up(tmp_path / "backup", interfere)
    assert said == ["Nothing was removed: a backup is being made. Try again after it.\n"]
    assert leftover.exists()
    assert stores.remove_leftovers(older_than_s=0).startswith("1 files")
