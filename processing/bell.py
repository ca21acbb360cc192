"""
The bell of the queue: PostgreSQL's NOTIFY, so that nobody waits for the next look.

It is a hint and no more: the rows are the truth, workers look at them every second
anyhow, and a ring that is lost costs that second.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from django.db import connection

_log = logging.getLogger(__name__)

_CHANNEL = "palimpsest_queue"
_LOOK_S = 0.5


def ring(cancelled: int | None = None) -> None:
    """
    Tell all workers to look at the queue, once the transaction is committed.

    Parameters
    ----------
    cancelled : int, optional
        Row of a running run that somebody wants to stop.
    """
    word = "" if cancelled is None else str(cancelled)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [_CHANNEL, word])


class Bell:
    """Wakes those who wait in this process; a ring while nobody waits is not lost."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = threading.Condition()

    def ring(self) -> None:
        with self._rung:
            self.count += 1
            self._rung.notify_all()

    def wait(self, heard: int, timeout_s: float) -> None:
        """Wait until there were more rings than one has heard, or for the timeout."""
        with self._rung:
            self._rung.wait_for(lambda: self.count != heard, timeout_s)


class Listener(threading.Thread):
    """
    Hears the rings of other processes on a connection of its own.

    Parameters
    ----------
    on_ring : callable
        Called with each word: "" or the row of a run to be cancelled.
    stopping : Event
        Ends the thread.
    """

    def __init__(self, on_ring: Callable[[str], None], stopping: threading.Event) -> None:
        super().__init__(daemon=True, name="listener")
        self._on_ring = on_ring
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.is_set():
            with suppress(psycopg.Error):
                self._listen()
            self._stopping.wait(_LOOK_S)

    def _listen(self) -> None:
        parameters: dict[str, Any] = connection.get_connection_params()
        wanted = {key: parameters[key] for key in _WANTED if key in parameters}
        with psycopg.connect(**wanted, autocommit=True) as line:
            line.execute(f"LISTEN {_CHANNEL}")
            self._on_ring("")  # whatever was rung before we listened
            while not self._stopping.is_set():
                for note in line.notifies(timeout=_LOOK_S):
                    self._on_ring(note.payload)


_WANTED = ("dbname", "user", "password", "host", "port", "connect_timeout", "sslmode")
