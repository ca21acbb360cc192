"""Read many files in several child processes at once."""

import os
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from catalogue.description import Description
from catalogue.errors import RefusedFileError
from catalogue.readers.child import MEMORY, TIMEOUT_S, Reader, Wish

Answer = tuple[Wish, Description | RefusedFileError]

_AHEAD = 200  # answers that wait for whoever takes them


def read_many(
    wishes: Iterable[Wish],
    *,
    readers: int = 0,
    timeout_s: float = TIMEOUT_S,
    memory: int = MEMORY,
) -> Iterator[Answer]:
    """
    Describe files and folders, each as soon as it is read.

    Parameters
    ----------
    wishes : iterable of Wish
        What to read; taken as the readers get on.
    readers : int
        How many child processes; by default as many as there are processors.
    timeout_s : float
        For each file.
    memory : int
        How much address space each child may use, in bytes.

    Yields
    ------
    tuple of Wish and Description or RefusedFileError
        In the order in which they are done.
    """
    number = readers or os.cpu_count() or 1
    children = [Reader(timeout_s=timeout_s, memory=memory) for _ in range(number)]
    with closing(_Pool(wishes, children)) as pool:
        yield from pool.answers()


class _Pool:
    """One thread for each child hands on what it says."""

    def __init__(self, wishes: Iterable[Wish], readers: list[Reader]) -> None:
        self._coming, self._lock = iter(wishes), threading.Lock()
        self._answers: queue.Queue[Answer | None] = queue.Queue(_AHEAD)
        self._is_over = threading.Event()
        self._readers = readers
        self._threads = ThreadPoolExecutor(len(readers))
        self._work = [self._threads.submit(self._read, reader) for reader in readers]

    def answers(self) -> Iterator[Answer]:
        for _ in self._work:
            while answer := self._answers.get():
                yield answer
        for work in self._work:
            work.result()  # tells of what nobody foresaw

    def _read(self, reader: Reader) -> None:
        try:
            with reader:
                for answer in reader.read(self._take()):
                    self._hand_over(answer)
        finally:
            self._hand_over(None)

    def _take(self) -> Iterator[Wish]:
        while not self._is_over.is_set():
            with self._lock:
                wish = next(self._coming, None)
            if wish is None:
                return
            yield wish

    def _hand_over(self, answer: Answer | None) -> None:
        while not self._is_over.is_set():
            try:
                self._answers.put(answer, timeout=1)
            except queue.Full:
                continue
            else:
                return

    def close(self) -> None:
        """End the children, whatever they are at."""
        self._is_over.set()
        for reader in self._readers:
            reader.stop()
        self._threads.shutdown()
