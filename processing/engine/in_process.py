"""The engine for tests and single machines: a thread per attempt, nothing else."""

import threading
from collections import deque

from processing.engine.base import Handle
from processing.engine.supervisor import supervise
from processing.ticket import Event, Outcome, Ticket


class InProcessHandle:
    """A supervisor in a thread of this process; the recipe still runs in its own."""

    def __init__(self, ticket: Ticket) -> None:
        self._events: deque[Event] = deque()
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._outcome: Outcome | None = None
        self._thread = threading.Thread(target=self._run, args=(ticket,), daemon=True)
        self._thread.start()

    def _run(self, ticket: Ticket) -> None:
        self._outcome = supervise(ticket, self._events.append, self._cancelled.is_set)
        self._done.set()

    def wait(self, timeout_s: float) -> Outcome | None:
        self._done.wait(timeout_s)
        return self._outcome

    def events(self) -> list[Event]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def cancel(self) -> None:
        self._cancelled.set()


class InProcessEngine:
    """Executes tickets on this machine."""

    def __init__(self) -> None:
        self._handles: list[InProcessHandle] = []

    def submit(self, ticket: Ticket) -> Handle:
        handle = InProcessHandle(ticket)
        self._handles = [h for h in self._handles if h.wait(0) is None] + [handle]
        return handle

    def close(self) -> None:
        for handle in self._handles:
            handle.cancel()
        for handle in self._handles:
            handle.wait(10.0)
