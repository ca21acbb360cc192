"""The engine for tests and single machines: a thread per attempt, nothing else."""

import logging
import threading
from collections import deque

from processing.engine.base import Handle
from processing.engine.supervisor import supervise
from processing.ticket import Event, Failure, Outcome, Ticket

_log = logging.getLogger(__name__)

_LOST = Outcome(
    failure=Failure(
        reason="lost",
        code="engine-lost",
        message="The supervisor of the run failed; the worker's log says why. It is tried again.",
    )
)


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
        try:
            self._outcome = supervise(ticket, self._events.append, self._cancelled.is_set)
        except (OSError, RuntimeError, ValueError):
            _log.exception("The supervisor of processing run %s failed", ticket.uuid)
        finally:
            self._done.set()  # nobody waits for ever

    def wait(self, timeout_s: float) -> Outcome | None:
        return (self._outcome or _LOST) if self._done.wait(timeout_s) else None

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
