"""
Read files in a child process: a crash of HDF5 is a finding, not the end of the server.

The child has limits of memory and processor time, an empty working directory (HDF5 looks
there for linked files) and none of the variables by which HDF5 looks elsewhere.
"""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import hdf5plugin
from pydantic import BaseModel

from catalogue.description import Description, Progress
from catalogue.errors import RefusedFileError
from catalogue.hdf5.findings import refused, shown

MEMORY = 8 << 30  # bytes of address space
TIMEOUT_S = 4 * 3600.0  # a terabyte at 100 MB/s takes 2.8 hours to hash

_ROOT = Path(__file__).parents[2]  # where the package catalogue lies
_log = logging.getLogger(__name__)


def read_in_child(
    path: Path,
    *,
    progress: Progress | None = None,
    required: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
    memory: int = MEMORY,
) -> Description:
    """
    Describe a file or folder like ``catalogue.readers.read``, in a process of its own.

    Parameters
    ----------
    path : Path
        What to look into.
    progress : callable, optional
        Called with bytes done and bytes in all.
    required : sequence of str
        Paths that a whole HDF5 file must hold.
    timeout_s : float
        After so many seconds the child is ended.
    memory : int
        How much address space it may use, in bytes.

    Returns
    -------
    Description
        As the child found it.

    Raises
    ------
    RefusedFileError
        As the child refused it; ``file-unreadable`` if the child crashed or took too long.
    """
    command = [sys.executable, "-m", "catalogue.readers", str(path.absolute()),
               "--memory", str(memory), "--seconds", str(int(timeout_s) + 1)]  # fmt: skip
    for name in required:
        command += ["--required", name]
    with (
        tempfile.TemporaryDirectory(prefix="palimpsest-") as empty,
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603  # our own module, arguments without a shell
            command, cwd=empty, env=_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=complaints,
        ) as child,
    ):  # fmt: skip
        try:
            return _listen(child, path.name, progress or _ignore, time.monotonic() + timeout_s)
        finally:
            child.kill()
            child.wait()
            _keep(complaints, path.name)


def _listen(
    child: "subprocess.Popen[bytes]", name: str, progress: Progress, until: float
) -> Description:
    for line in _lines(child, name, until):
        match json.loads(line):
            case {"progress": [done, total]}:
                progress(done, total)
            case {"refused": {"code": code, "message": message, "file": file}}:
                raise RefusedFileError(code, message, file=file)
            case {"description": _}:
                return _Answer.model_validate_json(line).description
    raise refused("file-unreadable", _how_it_ended(child.wait()), name)


def _lines(child: "subprocess.Popen[bytes]", name: str, until: float) -> Iterator[bytes]:
    """Yield what the child says line by line, until it is silent or the time is over."""
    if child.stdout is None:
        return
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0 and selector.select(left):
            block = os.read(child.stdout.fileno(), 1 << 16)
            if not block:
                return
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
    raise refused("file-unreadable", "The file took too long to read; it was given up.", name)


def _environment() -> dict[str, str]:
    """Return all that the child sees; HDF5_EXT_PREFIX and its kin are not in it."""
    return {
        "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH,
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(_ROOT),
    }


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "The file needs too much computing to read; it was given up."
    if code < 0:
        return (
            f"The file made the program that reads it crash ({signal.Signals(-code).name}): it is "
            "damaged or meant to harm. Copy it again."
        )
    return "The file could not be read; the server's log knows why. Ask its operator."


def _keep(complaints: IO[bytes], name: str) -> None:
    complaints.seek(0)
    if text := complaints.read()[-4000:].decode(errors="replace").strip():
        _log.warning("reading %s: %s", shown(name), text)


def _ignore(done: int, total: int) -> None:
    """Take progress that nobody asked for."""


class _Answer(BaseModel):
    description: Description
