"""Products with real bytes, commands as processes, and a second database to restore into."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from catalogue.models import Attachment, Dataset
from catalogue.registration import ActivityRecord, DerivedDataset, DerivedFile, register_derived
from catalogue.storage.content import keep_bytes
from config.backup.writing import back_up
from processing.models import ArchiveCopy
from tests.builders import World, a_dataset

ROOT = Path(__file__).resolve().parents[2]

Done = subprocess.CompletedProcess[str]
Manage = Callable[..., Done]
MakeProduct = Callable[..., Dataset]

MAP, PICTURE, SKETCH = b"intensity over q" * 5000, b"a thumbnail", b"a sketch of the set-up"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture
def make_product(world: World) -> MakeProduct:
    """Register a derived dataset of one file in the content store."""

    def make(body: bytes = b"a map", thumbnail: bytes = b"") -> Dataset:
        root = Path(world.products.root)
        sha256 = hashlib.sha256(body).hexdigest()
        key = keep_bytes(root, body, sha256)
        picture = hashlib.sha256(thumbnail).hexdigest() if thumbnail else ""
        if thumbnail:
            keep_bytes(root, thumbnail, picture)
        file = DerivedFile("map.nxs", len(body), sha256, "application/x-hdf5", key)
        result = DerivedDataset(
            "result", "xrd-map", "A map", [file], digest=sha256, thumbnail=picture
        )
        record = ActivityRecord(
            "Integrate", {"scan": [a_dataset(world)]}, [result], store=world.products
        )
        return Dataset.objects.get(generated_by__activity=register_derived(record))

    return make


@pytest.fixture
def manage(environment_of_test_database: dict[str, str]) -> Manage:
    """Run manage.py as a process on the test's database, or on another."""

    def run(*arguments: str | Path, **environment: str) -> Done:
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env={**environment_of_test_database, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def empty_database(environment_of_test_database: dict[str, str]) -> Iterator[str]:
    """Make a database beside the test's, and give its address."""
    name = f"restored_{os.getpid()}"
    address = urlsplit(environment_of_test_database["DATABASE_URL"])
    with psycopg.connect(connect_string(), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlunsplit(address._replace(path=f"/{name}"))
    with psycopg.connect(connect_string(), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def connect_string() -> str:
    """Return how to reach the test's database without Django."""
    known = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    given = {name: str(known[key]) for name, key in names.items() if known[key]}
    return psycopg.conninfo.make_conninfo(dbname=str(known["NAME"]), **given)


def rows_of(address: str) -> dict[str, tuple[object, ...]]:
    """Return count and content of every table, in an order of no account."""
    content = "SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
    with psycopg.connect(address) as server:
        tables = [name for (name,) in server.execute(TABLES)]
        found = {}
        for table in tables:
            found[table] = server.execute(f'{content} FROM "{table}" AS t').fetchone() or ()  # type: ignore[call-overload]  # names from the server itself
    return found


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def full_world(transactional_db: None, world: World, make_product: MakeProduct) -> World:
    """A raw dataset, a product with a picture, its archive copy, and an attachment."""
    product = make_product(MAP, PICTURE)
    copy = Path(world.archive.root, str(product.pid), "map.nxs")
    copy.parent.mkdir()
    copy.write_bytes(MAP)
    ArchiveCopy.objects.create(dataset=product, store=world.archive, state="archived")
    sha256 = hashlib.sha256(SKETCH).hexdigest()
    keep_bytes(Path(world.products.root), SKETCH, sha256)
    Attachment.objects.create(
        dataset=product, name="sketch", media_type="image/png", size=len(SKETCH), sha256=sha256
    )
    return world


@pytest.fixture
def backup(full_world: World, tmp_path: Path) -> Path:
    """A sound backup of the full world, whose stores are empty by now."""
    folder = tmp_path / "backup"
    assert back_up(folder, lambda _: None).missing == []
    for store in (full_world.products, full_world.archive):
        shutil.rmtree(store.root)
        Path(store.root).mkdir()
    return folder
