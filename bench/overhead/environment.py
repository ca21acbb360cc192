"""The environment of the others: made once, under ``PALIMPSEST_DATA``."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

PINNED = ("aiida-core==2.9.4", "dagster==1.13.28")


class Peers:
    """AiiDA and Dagster in an environment of their own; None of it touches ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "peers" / "bin" / "python"
        self._ready = folder / "peers" / ".ready"

    def install(self) -> None:
        if self._ready.is_file() and self._ready.read_text() == " ".join(PINNED):
            return
        venv.create(self.folder / "peers", with_pip=True)
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PINNED], check=True)  # noqa: S603 - our own arguments
        self._ready.write_text(" ".join(PINNED))

    def ask(self, name: str) -> dict[str, Any]:
        """Measure one of them in a process of its own."""
        environment = {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AIIDA_PATH": str(self.folder / "aiida"),
            "PYTHONWARNINGS": "ignore",
        }
        if name == "aiida" and not (self.folder / "aiida").exists():
            (self.folder / "aiida").mkdir()
            subprocess.run(  # noqa: S603 - the profile AiiDA makes for laptops: SQLite, no broker
                [self.python.with_name("verdi"), "presto"],
                check=True, env=environment, stdout=sys.stderr,
            )  # fmt: skip
        command = [self.python, str(Path(__file__).with_name("peers.py")), str(self.folder), name]
        asked = subprocess.run(  # noqa: S603 - our own file
            command, check=True, env=environment, stdout=subprocess.PIPE, text=True
        )
        return dict(json.loads(asked.stdout.splitlines()[-1]))
