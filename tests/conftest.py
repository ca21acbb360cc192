"""The people of the story, their clients, and a database that is the real one."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client

from tests.builders import World, a_world

# Six people per test: the slow hash of real passwords would be most of the run.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Start the embedded PostgreSQL, unless the tests run against a server outside."""
    if not settings.DATABASE_URL:
        from config import database  # noqa: PLC0415 - not needed with a server outside

        database.join(settings.PALIMPSEST_DATA)
    # Several test runs at once share the server, not the database.
    settings.DATABASES["default"]["TEST"]["NAME"] = f"test_palimpsest_{os.getpid()}"


@pytest.fixture(scope="session")
def compiled_kernels(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile what takes seconds, in one process of the test run while the others wait."""
    from processing.science.diffraction.warming import compile_kernels  # noqa: PLC0415 - numba takes half a second to import

    shared = Path(os.environ["NUMBA_CACHE_DIR"])  # noqa: TID251 - set for all tests
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        compile_kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def world(db: None, tmp_path: Path) -> World:
    """A facility, its stores in an empty folder, and the people of the story."""
    return a_world(tmp_path)


@pytest.fixture
def client_of(world: World) -> Callable[[str | None], Client]:
    """Give a signed-in browser for a person, or an anonymous one for None."""

    def sign_in(name: str | None) -> Client:
        client = Client()
        if name:
            client.force_login(getattr(world, name))
        return client

    return sign_in


@pytest.fixture
def environment_of_test_database(transactional_db: None) -> dict[str, str]:
    """Let a process outside the test work on the test's database."""
    database = settings.DATABASES["default"]
    account = quote(str(database["USER"]))
    if database["PASSWORD"]:
        account += f":{quote(str(database['PASSWORD']))}"
    host = quote(str(database["HOST"]), safe="")
    address = f"{host}:{database['PORT'] or 5432}"
    return {
        **os.environ,  # noqa: TID251 - the child's environment, not a setting
        "DATABASE_URL": f"postgresql://{account}@{address}/{database['NAME']}",
        "PALIMPSEST_ENGINE": "in-process",
    }


@pytest.fixture
def start_worker(
    environment_of_test_database: dict[str, str],
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start real workers, ``python manage.py worker``; none outlives the test."""
    workers: list[subprocess.Popen[bytes]] = []

    def start(**settings_: str) -> "subprocess.Popen[bytes]":
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=Path(__file__).resolve().parent.parent,
            env={**environment_of_test_database, **settings_},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
