"""A restore brings back every row and every byte, or changes nothing."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from catalogue.storage.content import content_key
from catalogue.storage.local import hash_file
from config.backup.errors import BackupError
from config.backup.restoring import restore
from tests.builders import World
from tests.config.conftest import (
    MAP,
    PICTURE,
    SKETCH,
    Manage,
    connect_string,
    files_below,
    rows_of,
)


def test_what_was_lost_comes_back_row_by_row_and_byte_by_byte(
    full_world: World, manage: Manage, empty_database: str, tmp_path: Path
) -> None:
    made = manage("backup", tmp_path / "backup")
    assert made.returncode == 0, made.stderr
    rows = rows_of(connect_string())
    stores = [Path(store.root) for store in (full_world.products, full_world.archive)]
    files = [files_below(root) for root in stores]
    for root in stores:
        shutil.rmtree(root)
        root.mkdir()

    back = manage("restore", tmp_path / "backup", DATABASE_URL=empty_database)

    assert back.returncode == 0, back.stderr
    assert rows_of(empty_database) == rows
    assert rows["catalogue_dataset"][0] == 2
    restored = [files_below(root) for root in stores]
    assert restored == files
    assert set(restored[0].values()) == {MAP, PICTURE, SKETCH}
    products = [path for path in stores[0].rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in products} == {0o444}
    with psycopg.connect(empty_database) as server:
        # Triggers and counters came along: provenance is closed, new rows find new keys.
        with pytest.raises(psycopg.errors.RaiseException), server.transaction():
            server.execute("UPDATE catalogue_activity SET title = 'another'")
        tag = (
            "INSERT INTO catalogue_tag (dataset_id, name) SELECT id, 'blue' FROM catalogue_dataset"
        )
        server.execute(tag)
    assert manage("migrate", "--check", DATABASE_URL=empty_database).returncode == 0


def break_content(folder: Path) -> None:
    victim = next((folder / "content").glob("??/*"))
    victim.chmod(0o600)
    body = bytearray(victim.read_bytes())
    body[0] ^= 1
    victim.write_bytes(body)


def cut_dump(folder: Path) -> None:
    dump = folder / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-100])


def lose_content(folder: Path) -> None:
    next((folder / "content").glob("??/*")).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def come_from_the_future(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["migrations"].append("catalogue.9999_teleport")
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (break_content, "is damaged"),
        (cut_dump, "database.dump is damaged"),
        (lose_content, "is cut off or gone"),
        (lose_manifest, "it is no backup, or was not finished"),
        (come_from_the_future, "catalogue.9999_teleport is not known here"),
    ],
)
def test_a_damaged_backup_is_refused_before_anything_is_written(
    backup: Path, full_world: World, harm: Callable[[Path], None], complaint: str
) -> None:
    harm(backup)
    before = rows_of(connect_string())
    with pytest.raises(BackupError, match=complaint):
        restore(backup, {}, lambda _: None, force=True)
    assert rows_of(connect_string()) == before
    assert files_below(Path(full_world.products.root)) == {}


def test_a_dump_that_breaks_off_midway_leaves_the_database_empty(
    backup: Path, manage: Manage, empty_database: str
) -> None:
    dump = backup / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-2000])
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["parts"]["database.dump"] = {"sha256": hash_file(dump), "size": dump.stat().st_size}
    (backup / "manifest.json").write_text(json.dumps(manifest))
    failed = manage("restore", backup, DATABASE_URL=empty_database)
    assert failed.returncode == 1
    assert "The database is as it was" in failed.stderr
    assert rows_of(empty_database) == {}


def test_a_row_that_the_server_refuses_takes_all_others_back(
    backup: Path, manage: Manage, empty_database: str
) -> None:
    with psycopg.connect(empty_database) as server:
        server.execute("CREATE TYPE catalogue_tag AS ENUM ('in', 'the', 'way')")
    failed = manage("restore", backup, DATABASE_URL=empty_database)
    assert failed.returncode == 1
    assert "catalogue_tag" in failed.stderr
    assert rows_of(empty_database) == {}


def test_a_database_that_holds_something_is_replaced_by_force_only(
    backup: Path, manage: Manage, empty_database: str
) -> None:
    with psycopg.connect(empty_database) as server:
        server.execute("CREATE TABLE precious AS SELECT 42 AS answer")
    refused = manage("restore", backup, DATABASE_URL=empty_database)
    assert "The database is not empty" in refused.stderr
    assert list(rows_of(empty_database)) == ["precious"]
    assert manage("restore", backup, "--force", DATABASE_URL=empty_database).returncode == 0
    again = manage("restore", backup, "--force", DATABASE_URL=empty_database)
    assert again.returncode == 0, again.stderr
    assert rows_of(empty_database) == rows_of(connect_string())


def test_a_store_that_holds_something_is_added_to_by_force_only(
    backup: Path, full_world: World, manage: Manage, empty_database: str
) -> None:
    key = content_key(hashlib.sha256(MAP).hexdigest())
    damaged = Path(full_world.products.root, key)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"x" * len(MAP))
    os.setxattr(damaged, "user.sha256", damaged.name.encode())  # as an archive copy is noted
    refused = manage("restore", backup, DATABASE_URL=empty_database)
    assert "The folder of store products is not empty" in refused.stderr
    assert manage("restore", backup, "--force", DATABASE_URL=empty_database).returncode == 0
    assert damaged.read_bytes() == MAP


def test_a_store_may_lie_elsewhere_after_a_restore(
    backup: Path, full_world: World, manage: Manage, empty_database: str, tmp_path: Path
) -> None:
    Path(full_world.products.root).rmdir()
    absent = manage("restore", backup, DATABASE_URL=empty_database)
    assert "Make or mount it, or name another with --root products=FOLDER" in absent.stderr
    moved = tmp_path / "it's moved"
    moved.mkdir()
    options = ("restore", backup, "--root", f"products={moved}")
    assert manage(*options, DATABASE_URL=empty_database).returncode == 0
    assert MAP in files_below(moved).values()
    with psycopg.connect(empty_database) as server:
        roots = dict(server.execute("SELECT slug, root FROM catalogue_store").fetchall())
    assert roots["products"] == str(moved)
    assert roots["archive"] == full_world.archive.root
    strange = manage("restore", backup, "--root", f"product={moved}", DATABASE_URL=empty_database)
    assert "knows no store product." in strange.stderr
