"""
Read the run key inside an HDF5 file of a stranger, in a process of its own.

``python -m processing.exports.peek FILE`` prints the key, or nothing. A file may be meant to
harm: the child has limits of memory and time, an empty folder, and follows no link outside.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import hdf5plugin

from catalogue.errors import RefusedFileError
from catalogue.hdf5 import DanglingError, Manifest, OpenFiles, read_text

KEY_PATH = "/entry/process/identifier_run_key"
_KEY = re.compile(r"[0-9a-f]{64}")
_MEMORY = 2 << 30  # bytes of address space
_SECONDS = 20
_ROOT = Path(__file__).parents[2]


def read_run_key(path: Path) -> str:
    """
    Return the run key that a file says it was made under, empty if it says none.

    Parameters
    ----------
    path : Path
        Any file, of whatever kind.
    """
    with tempfile.TemporaryDirectory(prefix="palimpsest-") as empty:
        try:
            done = subprocess.run(  # noqa: S603 - our own module, without a shell
                [sys.executable, "-m", "processing.exports.peek", str(path.absolute())],
                cwd=empty, env=_environment(), capture_output=True, text=True,
                timeout=2 * _SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ""
    found = done.stdout.strip()
    return found if _KEY.fullmatch(found) else ""


def _environment() -> dict[str, str]:
    """Return all that the child sees; HDF5_EXT_PREFIX and its kin are not in it."""
    return {
        "HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH,
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(_ROOT),
    }


def main(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with OpenFiles(Manifest({path.name: path})) as files:
            field = files.follow(files.root(path.name), KEY_PATH).object
            found = read_text(field)[:100]
    except (RefusedFileError, DanglingError, KeyError, AttributeError, OSError):
        return  # nothing there that could be a key
    os.write(1, found.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
