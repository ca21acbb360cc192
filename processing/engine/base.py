"""What a worker asks of whatever executes runs."""

from typing import Protocol

from processing.ticket import Event, Outcome, Ticket


class Handle(Protocol):
    """One attempt under way."""

    def wait(self, timeout_s: float) -> Outcome | None:
        """Return what the attempt brought, or None if it goes on after the timeout."""

    def events(self) -> list[Event]:
        """Return log lines and progress since the last call, in order."""

    def cancel(self) -> None:
        """Stop the attempt's code, all of its processes; ``wait`` tells when it is gone."""


class Engine(Protocol):
    """
    Executes tickets, each in a process group of its own.

    It keeps no truth: the table of processing runs does. Each implementation passes
    ``tests/contract/test_engines.py``.
    """

    def submit(self, ticket: Ticket) -> Handle:
        """
        Start an attempt.

        Raises
        ------
        EngineError
            If the engine cannot be reached.
        """

    def close(self) -> None:
        """Give up all resources; attempts under way are stopped."""
