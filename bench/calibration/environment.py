"""The peers' environment: made once, under ``PALIMPSEST_DATA``; one process that is asked."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PINNED = ("aare==2025.11.21",)  # the newest with a wheel for Python 3.11


class Peers:
    """aare and numpy in an environment of their own, in one process that keeps its data."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = threads
        self.python = folder / "peers" / "bin" / "python"
        self._ready = folder / "peers" / ".ready"

    def install(self) -> bool:
        """Return whether they are there."""
        if self._ready.is_file() and self._ready.read_text() == " ".join(PINNED):
            return True
        venv.create(self.folder / "peers", with_pip=True)
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, *PINNED], check=False).returncode:  # noqa: S603 - our own arguments
            return False
        self._ready.write_text(" ".join(PINNED))
        return True

    def __enter__(self) -> Self:
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        process = subprocess.Popen(  # noqa: S603 - our own file
            [self.python, str(Path(__file__).with_name("peers.py")), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            env={"PATH": os.environ["PATH"], **threads},
            text=True,
        )
        self._process, self._to, self._from = process, process.stdin, process.stdout
        return self

    def ask(self, name: str, **asked: Any) -> dict[str, Any]:
        """Have one thing measured once; ``keep`` leaves the answer in a file."""
        question = {"name": name, "threads": self.threads, **asked}
        self._to.write(json.dumps(question) + "\n")
        self._to.flush()
        answer = self._from.readline()
        if not answer:
            raise RuntimeError(f"The peers' process ended while it measured {name}.")
        return dict(json.loads(answer))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._to.close()
        self._process.wait()
        self._from.close()
