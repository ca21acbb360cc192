"""
The worker: claims runs, hands them to the engine, keeps the beat, settles the outcome.

Each run under way has a thread that only watches; the computing is elsewhere. If the
database goes away for a while the thread waits for it, but never beyond its lease: then
somebody else may have the run, and the attempt is stopped.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from catalogue.errors import StoreError
from processing import leases
from processing.bell import Bell, Listener, ring
from processing.engine.base import Engine, Handle
from processing.errors import EngineError, LeaseLostError
from processing.issuing import issue_ticket
from processing.leases import Claim
from processing.lifecycle import record_events, settle
from processing.ticket import Event, Failure, LogLine, Outcome, Ticket

_log = logging.getLogger(__name__)

_IDLE_S = 1.0  # however quiet the bell
_REAP_S = 1.0
_LOOK_S = 0.1
_AWAY_S = 0.2
_BEAT_S = 0.5  # often: a beat also learns of a wish to cancel, should the bell be lost
_GOODBYE_S = 15.0
_ENGINE_AWAY_S = 5.0
_DATABASE_AWAY = (OperationalError, InterfaceError)

Answer = TypeVar("Answer")


def _broken(error: Exception) -> Failure:
    message = (
        f"The worker itself failed ({type(error).__name__}); its log says why. The run is tried "
        "again; tell the operator if that happens often."
    )
    return Failure(reason="lost", code="engine-lost", message=message)


class Worker:
    """
    Works on the queue until it is told to stop.

    Parameters
    ----------
    engine : Engine
        Where the runs execute.
    slots : int
        Runs at once; each slot is a thread with its own connection.
    lease_s : float
        Seconds after which others may take over a run whose worker is silent.
    """

    def __init__(self, engine: Engine, *, slots: int, lease_s: float) -> None:
        self.engine = engine
        self.slots = slots
        self.lease_s = lease_s
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.stopping = threading.Event()
        self._bell = Bell()
        self._attempts: dict[int, _Attempt] = {}

    def run(self) -> None:
        """Serve the queue until ``stopping`` is set; then give back what is under way."""
        _log.info("Worker %s waits for processing runs", self.name)
        Listener(self._hear, self.stopping).start()
        slots = [threading.Thread(target=self._serve, daemon=True) for _ in range(self.slots)]
        for slot in slots:
            slot.start()
        while not self.stopping.wait(_REAP_S):
            self._reap()
        self._bell.ring()
        for slot in slots:
            slot.join(_GOODBYE_S)

    def _reap(self) -> None:
        try:
            for uuid, state in leases.reap():
                _log.info("Processing run %s had lost its worker: %s", uuid, state)
        except _DATABASE_AWAY:
            _log.warning("The database does not answer; trying again")
            connection.close()

    def _hear(self, word: str) -> None:
        """Look at the queue, or whether a run of ours is to be cancelled; the rows decide."""
        attempt = self._attempts.get(int(word)) if word.isdecimal() else None
        if attempt is not None:
            attempt.next_beat = 0.0
        self._bell.ring()

    def _serve(self) -> None:
        """Claim one run after the other and see each to its end."""
        while not self.stopping.is_set():
            heard = self._bell.count  # before the look: what is rung meanwhile wakes us
            try:
                held = leases.claim(self.name, self.lease_s)
            except _DATABASE_AWAY:
                connection.close()
                self.stopping.wait(_AWAY_S)
                continue
            if held is None:
                self._bell.wait(heard, _IDLE_S)
            else:
                self._watch(held)
        connection.close()

    def _watch(self, held: Claim) -> None:
        attempt = _Attempt(held, self.engine, self.lease_s, self.stopping)
        self._attempts[held.run_id] = attempt
        try:
            attempt.go()
        except LeaseLostError as error:
            _log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - a thread's border: who else gives the run back?
            _log.exception("Watching processing run %s failed", held.run_id)
            self._report_broken(held, error)
        finally:
            del self._attempts[held.run_id]

    def _report_broken(self, held: Claim, error: Exception) -> None:
        connection.close()
        try:
            settle(held, Outcome(failure=_broken(error)))
        except (LeaseLostError, *_DATABASE_AWAY):
            _log.warning("Processing run %s is left to whoever ends its lease", held.run_id)


class _Attempt:
    """One claimed run from ticket to outcome."""

    def __init__(
        self, held: Claim, engine: Engine, lease_s: float, stopping: threading.Event
    ) -> None:
        self.held = held
        self.engine = engine
        self.lease_s = lease_s
        self.stopping = stopping
        self.held_until = time.monotonic() + lease_s
        self.next_beat = time.monotonic() + min(_BEAT_S, lease_s / 4)  # a claim is a beat
        self.unwritten: list[Event] = []

    def go(self) -> None:
        try:
            ticket = self._patiently(lambda: issue_ticket(self.held))
            if self.held.attempt > 1:
                again = f"Attempt {self.held.attempt}: the one before ended without a result."
                record_events(self.held, [LogLine(level="warning", text=again)])
            handle = self.engine.submit(ticket)
            try:
                outcome = self._attend(handle, ticket)
            except Exception:
                handle.cancel()  # nobody waits for it any more
                raise
        except StoreError as error:
            outcome = Outcome(failure=Failure(reason="disk", code="no-storage", message=str(error)))
        except EngineError as error:
            waiting = Failure(reason="lost", code="engine-lost", message=str(error))
            leases.release(self.held, waiting, wait_s=_ENGINE_AWAY_S, counts=False)
            return
        if outcome is not None:
            result = outcome
            self._patiently(lambda: settle(self.held, result))

    def _attend(self, handle: Handle, ticket: Ticket) -> Outcome | None:
        """Watch the engine until the attempt ends; None where it was given back."""
        while (outcome := handle.wait(_LOOK_S)) is None:
            if self.stopping.is_set():
                self._give_back(handle)
                return None
            try:
                self._write_down(handle)
                self._beat(handle)
            except _DATABASE_AWAY:
                connection.close()
            if time.monotonic() > self.held_until:
                handle.cancel()
                raise LeaseLostError(ticket.uuid, self.held.fence)
        self._patiently(lambda: self._write_down(handle))
        return outcome

    def _write_down(self, handle: Handle) -> None:
        """Write what the attempt has said; while the database is away it is kept here."""
        self.unwritten += handle.events()
        record_events(self.held, self.unwritten)
        self.unwritten = []

    def _beat(self, handle: Handle) -> None:
        now = time.monotonic()
        if now < self.next_beat:
            return
        answer = leases.beat(self.held, self.lease_s)
        self.next_beat = now + min(_BEAT_S, self.lease_s / 4)
        if not answer.is_held:
            self.held_until = 0.0
            return
        self.held_until = now + self.lease_s
        if answer.is_cancel_requested:
            handle.cancel()

    def _give_back(self, handle: Handle) -> None:
        handle.cancel()
        message = "The worker was stopped; another one takes the run up. Nothing is to be done."
        failure = Failure(reason="lost", code="worker-stopped", message=message)
        leases.release(self.held, failure, wait_s=0.0, counts=False)
        ring()
        handle.wait(_GOODBYE_S)

    def _patiently(self, act: Callable[[], Answer]) -> Answer:
        """Repeat an act while the database is away, as long as the lease lasts."""
        while True:
            try:
                return act()
            except _DATABASE_AWAY:
                connection.close()
                if time.monotonic() > self.held_until:
                    raise
                time.sleep(_AWAY_S)
