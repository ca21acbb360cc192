"""
Compute many items at once, with results in the order of the items.

The recipe says ``work.map(function, items)``; who computes is an ``Executor``: threads,
processes of this machine, or other machines. Items are taken from their iterable only
as results are handed on, so a generator of a million frames is never held in memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from pickle import PicklingError  # noqa: TID251 - its error only, nothing is loaded
from typing import Any, Protocol, TypeVar

from processing.recipes.failures import RecipeError

Item = TypeVar("Item")
Part = TypeVar("Part")

TRIES = 3
_IN_THREADS = "releases_the_interpreter"
CHUNKS_PER_SLOT = 2  # one at work, one waiting


@dataclass(frozen=True)
class Answer:
    """What became of one item: its value, or the error in words."""

    value: Any = None
    error: str = ""


class Executor(Protocol):
    """
    Computes chunks of items.

    ``slots`` is how many it computes at once. A chunk that is lost, because whoever had
    it died, ends its future with an ``OSError`` or ``BrokenExecutor``; the executor must
    take the next one nevertheless.
    """

    @property
    def slots(self) -> int: ...

    def submit(
        self, function: Callable[[Any], Any], items: list[Any]
    ) -> "Future[list[Answer]]": ...

    def close(self) -> None: ...


def compute_chunk(function: Callable[[Any], Any], items: list[Any]) -> list[Answer]:
    """Compute some items one after the other; one that fails harms no other."""
    return [_compute(function, item) for item in items]


def _compute(function: Callable[[Any], Any], item: Any) -> Answer:
    try:
        return Answer(function(item))
    except Exception as error:  # noqa: BLE001 - told to the caller, who tries again
        return Answer(error=f"{type(error).__name__}: {error}"[:500])


class Threads:
    """Threads of this process: for functions that release the interpreter, or are closures."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._pool = ThreadPoolExecutor(slots)

    def submit(self, function: Callable[[Any], Any], items: list[Any]) -> Future[list[Answer]]:
        return self._pool.submit(compute_chunk, function, items)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class Processes:
    """
    Processes of this machine, in the process group of the run.

    They start afresh instead of as copies of this one: a copy of a process with threads
    may hold their locks for ever.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._pool = self._open()

    def _open(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.slots, mp_context=get_context("spawn"))

    def submit(self, function: Callable[[Any], Any], items: list[Any]) -> Future[list[Answer]]:
        try:
            return self._pool.submit(compute_chunk, function, items)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._open()
            return self._pool.submit(compute_chunk, function, items)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def in_threads(function: Callable[[Item], Part]) -> Callable[[Item], Part]:
    """
    Mark a function that releases the interpreter while it computes.

    On the run's own cores threads call it, which start at once and share what they open;
    to other machines it travels like any other.
    """
    function.__dict__[_IN_THREADS] = True
    return function


def is_for_threads(function: Callable[[Any], Any]) -> bool:
    """Say whether a function was marked by ``in_threads``."""
    return bool(getattr(function, _IN_THREADS, False))


def open_local(cores: int, function: Callable[[Any], Any]) -> Executor:
    """Choose processes where there are cores for them, and the function can and should travel."""
    if cores > 1 and can_travel(function) and not is_for_threads(function):
        return Processes(cores)
    return Threads(cores)


def can_travel(function: Callable[[Any], Any]) -> bool:
    """Say whether another process can be told to call a function."""
    try:
        ForkingPickler.dumps(function)
    except (AttributeError, TypeError, PicklingError):
        return False
    return True


@dataclass
class _Chunk:
    first: int
    items: list[Any]
    future: Future[list[Answer]] | None = None
    answers: list[Answer] = field(default_factory=list)


def map_in_order(
    executor: Executor, function: Callable[[Any], Any], items: Iterable[Any], size: int
) -> Iterator[list[Any]]:
    """
    Yield results chunk by chunk, in the order of the items.

    Parameters
    ----------
    executor : Executor
        Never holds more than ``CHUNKS_PER_SLOT`` chunks for each of its slots.
    function : callable
        Of one item, without side effects: it may be called again for the same one.
    items : iterable
        Taken as needed.
    size : int
        Items in a chunk.

    Raises
    ------
    RecipeError
        With code ``poison-item`` if one item fails ``TRIES`` times.
    """
    chunks = _cut(items, size)
    flying: deque[_Chunk] = deque()
    while True:
        for chunk in islice(chunks, executor.slots * CHUNKS_PER_SLOT - len(flying)):
            chunk.future = executor.submit(function, chunk.items)
            flying.append(chunk)
        if not flying:
            return
        chunk = flying[0]
        try:
            chunk.answers = _result_of(chunk)
        except (BrokenExecutor, OSError):
            _find_the_culprit(executor, function, flying)
        flying.popleft()
        yield [
            answer.value if not answer.error else _insist(executor, function, chunk, place)
            for place, answer in enumerate(chunk.answers)
        ]


def _cut(items: Iterable[Any], size: int) -> Iterator[_Chunk]:
    iterator, first = iter(items), 0
    while part := list(islice(iterator, size)):
        yield _Chunk(first, part)
        first += len(part)


def _result_of(chunk: _Chunk) -> list[Answer]:
    if chunk.answers:
        return chunk.answers
    assert chunk.future is not None  # noqa: S101 - what flies was submitted
    return chunk.future.result()


def _find_the_culprit(
    executor: Executor, function: Callable[[Any], Any], flying: Iterable[_Chunk]
) -> None:
    """
    Compute one by one what was under way when a process died.

    Each of these chunks may have killed it, and each dies with it: only alone it is
    seen which.
    """
    for chunk in flying:
        try:
            chunk.answers = _result_of(chunk)
        except (BrokenExecutor, OSError):
            chunk.answers = [
                _compute_alone(executor, function, chunk.first + place, item)
                for place, item in enumerate(chunk.items)
            ]


def _compute_alone(
    executor: Executor, function: Callable[[Any], Any], number: int, item: Any
) -> Answer:
    for _ in range(TRIES - 1):
        try:
            (answer,) = executor.submit(function, [item]).result()
        except (BrokenExecutor, OSError):
            continue
        return answer
    raise _poison(number, item, "the process that computed it died")


def _insist(executor: Executor, function: Callable[[Any], Any], chunk: _Chunk, place: int) -> Any:
    """Try one item again that has failed once."""
    error = chunk.answers[place].error
    for _ in range(TRIES - 1):
        answer = _compute_alone(executor, function, chunk.first + place, chunk.items[place])
        if not answer.error:
            return answer.value
        error = answer.error
    raise _poison(chunk.first + place, chunk.items[place], error)


def _poison(number: int, item: Any, error: str) -> RecipeError:
    return RecipeError(
        "poison-item",
        f"Item {number + 1}, {repr(item)[:200]}, failed {TRIES} times: {error.rstrip('.')}. "
        "Look at this part of the data, or leave it out, and launch again.",
    )
