"""A backup as an operator makes it: a real PostgreSQL, real files, others at work."""

import hashlib
import itertools
import json
import os
import shutil
import stat
import threading
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from catalogue.leftovers import LOCK, keep_bytes_still
from catalogue.storage.content import content_key
from catalogue.storage.local import hash_file
from config.backup.clients import Clients, find_clients, server_major
from config.backup.writing import back_up
from tests.builders import World
from tests.config.conftest import (
    MAP,
    PICTURE,
    SKETCH,
    MakeProduct,
    Manage,
    connect_string,
    files_below,
    rows_of,
)


def test_a_backup_is_for_its_owner_and_names_what_it_did_not_copy(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    manifest = json.loads((backup / "manifest.json").read_text())
    raw = next(store for store in manifest["stores"] if store["slug"] == "raw")
    assert (raw["read_only"], raw["files"]) == (True, 1)
    kept = {path.read_bytes() for path in (backup / "content").glob("??/*")}
    assert kept == {MAP, PICTURE, SKETCH}  # the archived copy is kept once with its product
    assert manifest["parts"]["database.dump"]["sha256"] == hash_file(backup / "database.dump")


def test_a_row_without_bytes_is_told_and_does_not_spoil_the_rest(
    full_world: World, manage: Manage, empty_database: str, tmp_path: Path
) -> None:
    products = Path(full_world.products.root)
    (products / content_key(hashlib.sha256(PICTURE).hexdigest())).unlink()
    changed = products / content_key(hashlib.sha256(SKETCH).hexdigest())
    changed.chmod(0o600)
    changed.write_bytes(SKETCH.upper())
    made = manage("backup", tmp_path / "backup")
    assert made.returncode == 1
    assert made.stderr.count("missing  products store/") == 2
    assert "2 files that rows name could not be copied" in made.stderr
    assert str(products) not in made.stderr
    shutil.rmtree(products)
    shutil.rmtree(full_world.archive.root)
    for root in (products, Path(full_world.archive.root)):
        root.mkdir()
    back = manage("restore", tmp_path / "backup", DATABASE_URL=empty_database)
    assert back.returncode == 0
    assert back.stdout.count("missing in the backup: products") == 2
    assert list(files_below(products).values()) == [MAP]


def test_what_happens_meanwhile_belongs_to_the_next_backup(
    full_world: World, make_product: MakeProduct, tmp_path: Path
) -> None:
    """Every row of the dump has its bytes, whatever comes after the snapshot."""
    before = rows_of(connect_string())
    granted = []

    def interfere(sentence: str) -> None:
        if sentence.startswith("Stores"):
            make_product(b"made while bytes were copied")
            with psycopg.connect(connect_string()) as other:
                # What keeps leftovers from being removed just now.
                row = other.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
                granted.append(row and row[0])

    assert back_up(tmp_path / "backup", interfere).missing == []
    assert granted == [False]
    entries = (tmp_path / "backup" / "files.jsonl").read_text().splitlines()
    named = {json.loads(entry)["sha256"] for entry in entries}
    assert named == {hashlib.sha256(body).hexdigest() for body in (MAP, PICTURE, SKETCH)}
    assert rows_of(connect_string()) != before


COPY_A_ROW = """
INSERT INTO catalogue_datafile
    (uuid, dataset_id, position, path, size, sha256, media_type, store_id, key)
SELECT gen_random_uuid(), dataset_id, position, %s, size, sha256, media_type, store_id, key
  FROM catalogue_datafile WHERE path = 'map.nxs'
"""


def test_files_and_rows_are_of_one_moment_while_others_write(
    full_world: World, manage: Manage, empty_database: str, tmp_path: Path
) -> None:
    """What the manifest counts is what the dump holds, though a row comes each millisecond."""
    stopping = threading.Event()
    address = connect_string()

    def write() -> None:
        with psycopg.connect(address, autocommit=True) as server:
            for number in itertools.count():
                if stopping.is_set():
                    return
                server.execute(COPY_A_ROW, [f"copy {number}"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        manifest = back_up(tmp_path / "backup", lambda _: None)
    finally:
        stopping.set()
        writer.join()
    made = manage("restore", tmp_path / "backup", "--force", DATABASE_URL=empty_database)
    assert made.returncode == 0, made.stderr
    named = "SELECT count(*) FROM catalogue_datafile AS f JOIN catalogue_store AS s"
    with psycopg.connect(empty_database) as server:
        rows = server.execute(f"{named} ON s.id = f.store_id WHERE s.slug = 'products'").fetchone()
    assert {store.slug: store.files for store in manifest.stores}["products"] == (rows or [0])[0]


def test_two_backups_may_be_made_at_once(full_world: World, manage: Manage, tmp_path: Path) -> None:
    with keep_bytes_still(alone=False):
        assert manage("backup", tmp_path / "backup").returncode == 0


def test_nobody_backs_up_while_files_are_being_removed(
    full_world: World, manage: Manage, tmp_path: Path
) -> None:
    with keep_bytes_still(alone=True) as is_granted:
        assert is_granted
        refused = manage("backup", tmp_path / "backup")
    assert "doctor --mend is removing files" in refused.stderr
    assert not (tmp_path / "backup" / "manifest.json").exists()


def test_a_second_backup_needs_a_folder_of_its_own(backup: Path, manage: Manage) -> None:
    before = files_below(backup)
    assert "Name a new folder for each backup" in manage("backup", backup).stderr
    assert files_below(backup) == before


@pytest.mark.usefixtures("transactional_db")
def test_the_password_stands_on_no_command_line(
    world: World, manage: Manage, tmp_path: Path
) -> None:
    """A pg_dump that writes down how it was called stands first on the PATH."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("only a superuser makes an account with a password")
    real = find_clients().folder
    for name in ("pg_dump", "pg_restore", "psql"):
        spy = tmp_path / "bin" / name
        spy.parent.mkdir(exist_ok=True)
        spy.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/heard\nexec {real}/{name} "$@"\n')
        spy.chmod(0o755)
    role = f"painter_{os.getpid()}"
    database = connection.settings_dict
    host = str(database["HOST"]).replace("/", "%2F")
    place = f"{host}:{database['PORT'] or 5432}/{database['NAME']}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'madder lake'")
    try:
        made = manage(
            "backup",
            tmp_path / "backup",
            DATABASE_URL=f"postgresql://{role}:madder%20lake@{place}",
            PATH=f"{tmp_path / 'bin'}:{os.defpath}",
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP ROLE {role}")
    assert made.returncode == 0, made.stderr
    heard = (tmp_path / "heard").read_text()
    assert "--format=custom" in heard
    assert "madder" not in heard


def test_the_programs_are_those_nearest_to_the_server(db: None) -> None:
    found = find_clients()
    assert isinstance(found, Clients)
    assert found.major >= server_major()
    assert find_clients(found.major).major == found.major
