"""
Bring a backup back: prove all of it, write the files, then the rows in one transaction.

Whatever goes wrong before the last step leaves an empty database; files that are
already in their store are found there and proved by a second call.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from catalogue.errors import StoreError
from catalogue.places import CONTENT
from catalogue.storage.local import LocalStore, hash_file
from config.backup.clients import environment, find_clients, server_major
from config.backup.errors import BackupError
from config.backup.manifest import (
    DATABASE,
    Entry,
    Manifest,
    content_path,
    read_entries,
    read_manifest,
)

_TABLES = """
SELECT count(*) FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
"""
_WORDS = "Nothing was restored; take another backup."
_EMPTY = """
DO $$ DECLARE found record; BEGIN
  FOR found IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP TABLE IF EXISTS public.%I CASCADE', found.name);
  END LOOP;
  FOR found IN SELECT p.oid::regprocedure AS name FROM pg_proc AS p
    WHERE p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e') LOOP
    EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', found.name);
  END LOOP;
END $$;
"""


def restore(
    folder: Path, roots: Mapping[str, Path], say: Callable[[str], None], *, force: bool = False
) -> Manifest:
    """
    Write a backup into an empty database and empty stores.

    Parameters
    ----------
    folder : Path
        What ``back_up`` has written.
    roots : mapping of str to Path
        Folders of stores that now lie elsewhere; the database learns of them.
    say : callable
        Told what is being done.
    force : bool
        Replace a database that holds something, and add to stores that do.

    Raises
    ------
    BackupError
        If the backup is damaged, or the place for it is not as it should be; nothing
        of the database has changed then.
    """
    manifest = read_manifest(folder)
    _refuse_unknown(manifest)
    say("Proof: every part of the backup against its checksum.")
    prove(folder, manifest)
    targets = _targets(manifest, roots)
    if not force:
        _refuse_full(targets)
    say("Stores: every file, read back after it was written.")
    _put_files(folder, targets)
    say("Database: all rows in one transaction.")
    _restore_database(folder / DATABASE, manifest, roots)
    return manifest


def prove(folder: Path, manifest: Manifest) -> None:
    """
    Hash every part of a backup.

    Raises
    ------
    BackupError
        Naming the first part that is not what was written.
    """
    for name, part in manifest.parts.items():
        path = folder / name
        if not path.is_file() or hash_file(path) != part.sha256:
            raise BackupError(f"{name} is damaged or gone. {_WORDS}")
    for entry in read_entries(folder):
        path = content_path(folder, entry.sha256)
        if not path.is_file() or path.stat().st_size != entry.size:
            raise BackupError(f"content {entry.sha256[:12]}… is cut off or gone. {_WORDS}")
    for path in (folder / "content").glob("??/*"):
        if hash_file(path) != path.name:
            raise BackupError(f"content {path.name[:12]}… is damaged. {_WORDS}")


def _refuse_unknown(manifest: Manifest) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or ()}
    if newer := sorted(set(manifest.migrations) - known):
        raise BackupError(
            f"The backup was made by a newer Palimpsest: {newer[-1]} is not known here. "
            "Install the version that made it."
        )
    if server_major() < manifest.server_major:
        raise BackupError(
            f"The backup comes from PostgreSQL {manifest.server_major}, this server is "
            f"{server_major()}. Take a server that is as new."
        )


def _targets(manifest: Manifest, roots: Mapping[str, Path]) -> dict[str, Path]:
    """Return the folders to write to; each must be there, or a mount is missing."""
    written = {store.slug: store for store in manifest.stores if not store.read_only}
    if strange := sorted(set(roots) - {store.slug for store in manifest.stores}):
        raise BackupError(f"The backup knows no store {strange[0]}. Check the name after --root.")
    targets = {}
    for slug, store in written.items():
        root = roots.get(slug, Path(store.root))
        if not root.is_dir():
            raise BackupError(
                f"The folder of store {slug} is not there. Make or mount it, or name another "
                f"with --root {slug}=FOLDER."
            )
        targets[slug] = root
    return targets


def _refuse_full(targets: Mapping[str, Path]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        is_empty = cursor.fetchone()[0] == 0
    if not is_empty:
        raise BackupError(
            "The database is not empty. Name a new one in DATABASE_URL, or replace what it "
            "holds with --force."
        )
    for slug, root in targets.items():
        if any(root.iterdir()):
            raise BackupError(
                f"The folder of store {slug} is not empty. Empty it, or add to it with --force."
            )


def _put_files(folder: Path, targets: Mapping[str, Path]) -> None:
    stores = {slug: LocalStore(slug, root) for slug, root in targets.items()}
    for entry in read_entries(folder):
        try:
            _put(stores[entry.store], content_path(folder, entry.sha256), entry)
        except StoreError as error:
            raise BackupError(f"{error} The database was not touched.") from error


def _put(store: LocalStore, source: Path, entry: Entry) -> None:
    target = store.root / entry.key
    if target.is_file() and hash_file(target) != entry.sha256:
        target.unlink()  # damaged: its note of a checksum would be believed
    store.put(source, entry.key, sha256=entry.sha256)
    if store.slug == CONTENT:
        target.chmod(0o444)  # as it was: what lies under its sha256 never changes


def _restore_database(dump: Path, manifest: Manifest, roots: Mapping[str, Path]) -> None:
    """Stream the dump into one transaction; it ends with it or not at all."""
    clients = find_clients(manifest.clients_major)
    read = clients.command("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(dump))
    quietly = ("--no-password", "--no-psqlrc", "--quiet", "--output=/dev/null")
    write = clients.command("psql", *quietly, "--single-transaction", "--set=ON_ERROR_STOP=1")
    write.append("--file=-")
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(write, env=environment(), stdin=pipe, stderr=pipe) as writer,  # noqa: S603 - PostgreSQL's own
        subprocess.Popen(read, env=environment(), stdout=pipe, stderr=pipe) as reader,  # noqa: S603 - the same
    ):
        assert writer.stdin is not None  # noqa: S101 - asked for above
        assert reader.stdout is not None  # noqa: S101 - the same
        try:
            writer.stdin.write(_EMPTY.encode())
            shutil.copyfileobj(reader.stdout, writer.stdin)
            writer.stdin.write(_move(roots).encode())
        except BrokenPipeError:
            reader.kill()  # psql has refused something; it says what below
        told = reader.communicate()[1]
        if reader.returncode > 0:
            writer.kill()  # an end of input would be the end of the transaction
        complaint = writer.communicate()[1]
    if reader.returncode or writer.returncode:
        said = (complaint + told).decode(errors="replace")
        raise BackupError(f"The database is as it was: the dump was refused. It says:\n{said}")


def _move(roots: Mapping[str, Path]) -> str:
    """Tell the database where stores lie now."""
    move = "UPDATE public.catalogue_store SET root = {} WHERE slug = {};\n"
    return "".join(
        sql.SQL(move).format(sql.Literal(str(root)), sql.Literal(slug)).as_string(None)
        for slug, root in roots.items()
    )
