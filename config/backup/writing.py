"""
Make a backup: rows first, then the bytes they name.

Files are written before the rows that name them and are never changed, so the bytes of
every row of the dump are there after the dump, and stay while the lock is held that
keeps leftovers from being removed. The list of files is read in the very snapshot that
pg_dump sees.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from catalogue.errors import StoreError
from catalogue.leftovers import keep_bytes_still
from catalogue.models import Store as StoreRow
from catalogue.places import store_behind
from catalogue.storage import Store
from catalogue.storage.local import hash_file, sync_folder
from config.backup.clients import Clients, environment, find_clients, server_major
from config.backup.errors import BackupError
from config.backup.manifest import (
    DATABASE,
    FILES,
    MANIFEST,
    Entry,
    Manifest,
    Missing,
    Part,
    StoreSummary,
    content_path,
)
from config.holdings import Holding, list_holdings

_BLOCK = 1 << 20

_SUMMARY = """
SELECT s.slug, s.root, s.read_only, count(f.id), coalesce(sum(f.size), 0)
  FROM catalogue_store AS s LEFT JOIN catalogue_datafile AS f ON f.store_id = s.id
 GROUP BY s.id ORDER BY s.slug
"""


def back_up(folder: Path, say: Callable[[str], None]) -> Manifest:
    """
    Write database and stores into a folder.

    Parameters
    ----------
    folder : Path
        Empty or not there yet; readable for its owner only, since the database holds
        what is under embargo.
    say : callable
        Told what is being done.

    Returns
    -------
    Manifest
        Its ``missing`` names files that could not be copied; the rest is sound.

    Raises
    ------
    BackupError
        If there can be no backup at all; the folder holds no manifest then.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder.name} is not empty. Name a new folder for each backup.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    clients = find_clients()
    with keep_bytes_still(alone=False) as is_granted, (folder / "wanted.part").open("w+") as wanted:
        if not is_granted:
            raise BackupError("manage.py doctor --mend is removing files. Wait until it ends.")
        say("Database: one snapshot of all rows, and the list of files that they name.")
        with _snapshot() as snapshot:
            _dump(clients, snapshot, folder / DATABASE)
            stores = _summarise()
            for holding in list_holdings():
                wanted.write(json.dumps(vars(holding)) + "\n")
        say("Stores: every file that a row names, hashed on the way.")
        wanted.seek(0)
        missing = _copy_all(wanted, folder)
    (folder / "wanted.part").unlink()
    manifest = _describe(folder, clients, stores, missing)
    _write(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
    return manifest


@contextmanager
def _snapshot() -> Iterator[str]:
    """Open a transaction in which nothing changes, and name what it sees."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _dump(clients: Clients, snapshot: str, target: Path) -> None:
    options = ("--no-password", "--format=custom", f"--snapshot={snapshot}", f"--file={target}")
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program, our own arguments
        clients.command("pg_dump", *options),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"pg_dump has failed, there is no backup. It says:\n{done.stderr}")


def _summarise() -> list[StoreSummary]:
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY)
        names = ("slug", "root", "read_only", "files", "size")
        return [StoreSummary(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _copy_all(wanted: IO[str], folder: Path) -> list[Missing]:
    stores = {row.slug: store_behind(row) for row in StoreRow.objects.all()}
    missing = []
    with (folder / FILES).open("w", encoding="utf-8") as entries:
        for line in wanted:
            holding = Holding(**json.loads(line))
            try:
                size = _copy(stores[holding.store], holding, content_path(folder, holding.sha256))
            except StoreError as error:
                reason = str(error)
                missing.append(Missing(store=holding.store, key=holding.key, reason=reason))
                continue
            entry = Entry(store=holding.store, key=holding.key, sha256=holding.sha256, size=size)
            entries.write(entry.model_dump_json() + "\n")
        entries.flush()
        os.fsync(entries.fileno())
    for below in (folder / "content").glob("*"):
        sync_folder(below)
    return missing


def _copy(store: Store, holding: Holding, target: Path) -> int:
    """Copy a file under its sha256, unless it is there; return its size in bytes."""
    if target.is_file():
        return target.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{target.name}")
    digest = hashlib.sha256()
    try:
        with store.open(holding.key) as reader, part.open("wb") as writer:
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
            writer.flush()
            os.fsync(writer.fileno())
        if digest.hexdigest() != holding.sha256:
            raise StoreError(holding.store, f"{holding.key} has changed. Restore it from a copy.")
        part.chmod(0o400)
        return part.replace(target).stat().st_size
    finally:
        part.unlink(missing_ok=True)


def _describe(
    folder: Path, clients: Clients, stores: list[StoreSummary], missing: list[Missing]
) -> Manifest:
    applied = MigrationRecorder(connection).applied_migrations()
    parts = {
        name: Part(sha256=hash_file(folder / name), size=(folder / name).stat().st_size)
        for name in (DATABASE, FILES)
    }
    return Manifest(
        made_at=datetime.now(UTC),
        server_major=server_major(),
        clients_major=clients.major,
        migrations=sorted(f"{app}.{name}" for app, name in applied),
        parts=parts,
        stores=stores,
        missing=missing,
    )


def _write(path: Path, content: bytes) -> None:
    """Let a file appear whole, and survive a crash."""
    part = path.with_name(f".part-{path.name}")
    with part.open("wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(path)
    sync_folder(path.parent)
