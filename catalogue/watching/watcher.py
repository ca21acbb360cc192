"""Look and register, again and again, until told to stop."""

import logging
import threading
import time
from collections import Counter

from django.db import InterfaceError, OperationalError, connection

from catalogue.watching.arrivals import Due
from catalogue.watching.looking import Look, look_around
from catalogue.watching.reading import LARGE, StoppedError, read_due

_log = logging.getLogger(__name__)

NAME = "palimpsest-watcher"
"""How the database knows the connection that looks: pages tell by it when it last did."""

_DATABASE_AWAY = (OperationalError, InterfaceError)
_MOST_AT_ONCE = 1000
_SHARE = 10  # looking takes a tenth of the time, however large the tree
_GOODBYE_S = 10.0


class Watcher:
    """
    One thread that looks, and two that read: a terabyte does not delay what is small.

    Parameters
    ----------
    pause_s : float
        Seconds from the end of a look to the next one, at least.
    """

    def __init__(self, pause_s: float = 5.0) -> None:
        self._pause_s = pause_s
        self.stopping = threading.Event()
        self._wake = threading.Event()
        self._lanes = [_Lane(self.stopping, self._wake), _Lane(self.stopping, self._wake)]
        self._thread = threading.Thread(target=self.run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait some seconds for what is under way."""
        self.stopping.set()
        self._wake.set()
        until = time.monotonic() + _GOODBYE_S
        if self._thread.is_alive():
            self._thread.join(_GOODBYE_S)
        for lane in self._lanes:
            lane.join(max(0.0, until - time.monotonic()))

    def run(self) -> None:
        """Look again and again; what was due and found no lane is due again."""
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                self._wake.clear()
                self._hand_out(_look_by_name())
            except _DATABASE_AWAY:
                _log.warning("The database does not answer; trying again")
                connection.close()
            except Exception:  # noqa: BLE001 - a thread's border: nobody else would look again
                _log.exception("Looking for new data failed; trying again")
            self._wake.wait(max(self._pause_s, _SHARE * (time.monotonic() - began)))
        connection.close()

    def _hand_out(self, found: Look) -> None:
        quick, slow = self._lanes
        small = [one for one in found.due if one.size < LARGE]
        large = [one for one in found.due if one.size >= LARGE]
        quick.offer(small[:_MOST_AT_ONCE], has_more=len(small) > _MOST_AT_ONCE)
        slow.offer(large[:_MOST_AT_ONCE], has_more=False)


class _Lane:
    """Reads one load after another; while it is busy it takes none."""

    def __init__(self, stopping: threading.Event, wake: threading.Event) -> None:
        self._stopping = stopping
        self._wake = wake
        self._thread: threading.Thread | None = None

    def offer(self, due: list[Due], *, has_more: bool) -> None:
        if due and not self.is_alive():
            self._thread = threading.Thread(target=self._read, args=(due, has_more), daemon=True)
            self._thread.start()

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _read(self, due: list[Due], has_more: bool) -> None:  # noqa: FBT001 - a thread's argument
        try:
            read_due(due, self._stopping)
        except StoppedError:
            pass
        except _DATABASE_AWAY:
            _log.warning("The database does not answer; registering again later")
        finally:
            connection.close()
            if has_more:
                self._wake.set()


def watch_once() -> tuple[Look, Counter[str]]:
    """Look once and register what is due, here and now."""
    found = _look_by_name()
    return found, read_due(found.due, threading.Event())


def _look_by_name() -> Look:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [NAME])
    return look_around()
