"""An attempt of an engine, seen to its end."""

import time

from processing.engine.base import Handle
from processing.ticket import Event, Outcome

PATIENCE_S = 90.0
"""For machines with other work; nothing is judged by it."""


def finish(handle: Handle, timeout_s: float = PATIENCE_S) -> tuple[Outcome, list[Event]]:
    """Return what an attempt has brought, and all that it has said."""
    events: list[Event] = []
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        outcome = handle.wait(0.1)
        events += handle.events()
        if outcome is not None:
            return outcome, events
    raise AssertionError("the attempt did not end")
