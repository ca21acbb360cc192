"""
Read files in a child process: a crash of HDF5 is a finding, not the end of the server.

The child has limits of memory and processor time, an empty working directory (HDF5 looks
there for linked files) and none of the variables by which HDF5 looks elsewhere. Starting
it takes half a second; for many files it reads one after the other.
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
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hdf5plugin
from pydantic import BaseModel

from catalogue.description import Description, Progress
from catalogue.errors import RefusedFileError
from catalogue.hdf5.findings import refused, shown

MEMORY = 8 << 30  # bytes of address space
TIMEOUT_S = 4 * 3600.0  # a terabyte at 100 MB/s takes 2.8 hours to hash
MOST_FILES = 5000  # that one child reads: what libraries leak is given back with its end
AHEAD = 4  # files that a child knows of before it is asked for their answers

_ROOT = Path(__file__).parents[2]  # where the package catalogue lies
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """
    What is to be read.

    Attributes
    ----------
    path : str
        A file or folder.
    required : tuple of str
        Paths that a whole HDF5 file must hold.
    whole : bool
        Refuse an HDF5 file while one that it links to is not there.
    """

    path: str
    required: tuple[str, ...] = ()
    whole: bool = False

    @property
    def name(self) -> str:
        return Path(self.path).name


def read_in_child(
    path: Path,
    *,
    progress: Progress | None = None,
    required: Sequence[str] = (),
    whole: bool = False,
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
    whole : bool
        Refuse an HDF5 file while one that it links to is not there.
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
    wish = Wish(str(path.absolute()), tuple(required), whole)
    with Reader(timeout_s=timeout_s, memory=memory) as reader:
        ((_, found),) = reader.read([wish], progress)
    if isinstance(found, RefusedFileError):
        raise found
    return found


class Reader:
    """
    A child that reads one file after another; what ends it costs one file alone.

    Parameters
    ----------
    timeout_s : float
        For each file; after so many seconds the child is ended, and another begun.
    memory : int
        How much address space it may use, in bytes.
    most_files : int
        After so many the child is replaced.
    """

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        memory: int = MEMORY,
        most_files: int = MOST_FILES,
    ) -> None:
        self._timeout_s = timeout_s
        self._memory = memory
        self._most_files = most_files
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(
        self, wishes: Iterable[Wish], progress: Progress | None = None
    ) -> Iterator[tuple[Wish, Description | RefusedFileError]]:
        """
        Describe files and folders in their order.

        Parameters
        ----------
        wishes : iterable of Wish
            Taken as the child gets on, a few ahead of the answers.
        progress : callable, optional
            Called with bytes done and bytes in all of the file at hand.

        Yields
        ------
        tuple of Wish and Description or RefusedFileError
            What was found, or why not: ``file-unreadable`` if the child crashed or took
            too long.
        """
        coming = iter(wishes)
        waiting: deque[Wish] = deque()
        while True:
            self._fill(waiting, coming)
            if not waiting or self._child is None:
                return
            wish = waiting.popleft()
            found = self._child.answer(wish.name, progress or _ignore, self._timeout_s)
            if self._child.is_over:
                self._end()
                for other in waiting:
                    self._ask(other)
            yield wish, found

    def stop(self) -> None:
        """End the child from another thread; whoever waits for its answer hears that."""
        if child := self._child:
            child.kill()

    def _fill(self, waiting: deque[Wish], coming: Iterator[Wish]) -> None:
        """Ask for a few files more; a child that has read many is replaced between two."""
        while len(waiting) < AHEAD:
            is_used_up = self._child is not None and self._child.asked >= self._most_files
            if is_used_up and waiting:
                return
            wish = next(coming, None)
            if wish is None:
                return
            if is_used_up:
                self._end()
            self._ask(wish)
            waiting.append(wish)

    def _ask(self, wish: Wish) -> None:
        if self._child is None:
            self._child = _Child(self._memory, self._timeout_s)
        self._child.ask(wish)

    def _end(self) -> None:
        if self._child:
            self._child.end()
        self._child = None


class _Child:
    """One process, and what it was asked."""

    def __init__(self, memory: int, timeout_s: float) -> None:
        self.asked = 0
        self.is_over = False  # it has ended, or is not to be trusted any more
        self._empty = tempfile.TemporaryDirectory(prefix="palimpsest-")
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        self._complained = 0  # bytes
        self._process = subprocess.Popen(  # noqa: S603 - our own module, without a shell
            [sys.executable, "-m", "catalogue.readers", "--serve",
             "--memory", str(memory), "--seconds", str(int(timeout_s) + 1)],
            cwd=self._empty.name, env=_environment(), bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
        )  # fmt: skip
        self._input: Any = self._process.stdin
        self._output: Any = self._process.stdout
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def ask(self, wish: Wish) -> None:
        self.asked += 1
        with suppress(BrokenPipeError):  # whoever waits for the answer will hear why
            self._input.write(json.dumps(asdict(wish)).encode() + b"\n")

    def answer(
        self, name: str, progress: Progress, timeout_s: float
    ) -> Description | RefusedFileError:
        """Wait for what the child says of the file that it was asked for first."""
        try:
            return self._listen(name, progress, time.monotonic() + timeout_s)
        except RefusedFileError as error:
            return error
        finally:
            self._keep_complaints(name)

    def _listen(self, name: str, progress: Progress, until: float) -> Description:
        for line in self._hear(name, until):
            match json.loads(line):
                case {"progress": [done, total]}:
                    progress(done, total)
                case {"refused": {"code": code, "message": message, "file": file}, **rest}:
                    self.is_over = "last" in rest
                    raise RefusedFileError(code, message, file=file)
                case {"description": _}:
                    return _Answer.model_validate_json(line).description
        self.is_over = True
        raise refused("file-unreadable", _how_it_ended(self._process.wait()), name)

    def _hear(self, name: str, until: float) -> Iterator[bytes]:
        """Yield what the child says line by line, until it is silent or the time is over."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while True:
                while self._lines:
                    yield self._lines.popleft()
                if not selector.select(max(0.0, until - time.monotonic())):
                    break
                block = os.read(self._output.fileno(), 1 << 16)
                if not block:
                    return
                *whole, self._rest = (self._rest + block).split(b"\n")
                self._lines.extend(whole)
        self.is_over = True
        raise refused("file-unreadable", "The file took too long to read; it was given up.", name)

    def _keep_complaints(self, name: str) -> None:
        # Without moving the place in the file: the child shares it.
        text = os.pread(self._complaints.fileno(), 1 << 20, self._complained)
        self._complained += len(text)
        if said := text[-4000:].decode(errors="replace").strip():
            _log.warning("reading %s: %s", shown(name), said)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self.kill()
        self._process.wait()
        for stream in (self._input, self._output, self._complaints):
            stream.close()
        self._empty.cleanup()


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


def _ignore(done: int, total: int) -> None:
    """Take progress that nobody asked for."""


class _Answer(BaseModel):
    description: Description
