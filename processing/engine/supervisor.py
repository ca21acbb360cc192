"""
Start one runner and watch it: log, limits, cancellation, and its files at the end.

Runs inside a Dask task or a thread, without Django. It leaves no process behind: the
runner leads its own process group, which is killed as one.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from catalogue.storage.content import adopt
from catalogue.storage.local import hash_file
from processing.engine.failures import (
    CANCELLED,
    NO_INTERPRETER,
    RUN_TWICE,
    STILLBORN,
    explain_death,
    storage_failure,
    too_large,
    too_long,
)
from processing.engine.footing import count_oom_kills, look_at_disk, memory_of_group
from processing.engine.repeating import judge
from processing.engine.zygotes import End, StillbornError, start_runner, warm_up
from processing.recipes.environments import fixed_environment, kernel_cache, own_environment
from processing.recipes.warming import start_warming
from processing.ticket import Event, Failure, LogLine, Outcome, OutputFile, Ticket, Usage

_POLL_S = 0.1
_WEIGH_S = 0.25
_MERCY_S = 0.5  # so that whoever cancels sees the process gone within a second
_GRACE_S = 5.0
_LONGEST_LINE = 4000
_MOST_LINES = 10_000

_report: TypeAdapter[Event | Outcome] = TypeAdapter(Event | Outcome)


def supervise(
    ticket: Ticket, emit: Callable[[Event], None], is_cancelled: Callable[[], bool]
) -> Outcome:
    """
    Execute a ticket in a process group of its own.

    Parameters
    ----------
    ticket : Ticket
        What to run, and within which limits.
    emit : callable
        Takes each log line and each progress as it comes, from any thread.
    is_cancelled : callable
        Asked ten times a second; true stops the run.

    Returns
    -------
    Outcome
        Outputs with size and sha256, their files in the content store; or a failure.
        The staging folder is gone in either case.
    """
    child: _Child | None = None
    try:
        if failure := _prepare(ticket):
            return Outcome(failure=failure)
        child = _Child(ticket, emit)
        stopped = child.watch(is_cancelled)
        outcome = child.outcome or Outcome(failure=child.explain_death())
        if stopped:
            outcome = Outcome(failure=stopped)
        if outcome.failure is None:
            outcome = _take_in(ticket, outcome)
        return outcome.model_copy(update={"usage": child.usage})
    except StillbornError:
        return Outcome(failure=STILLBORN)
    except OSError as error:
        return Outcome(failure=storage_failure(error))
    finally:
        if child is not None:  # else the folder is another's
            shutil.rmtree(ticket.staging, ignore_errors=True)


def _prepare(ticket: Ticket) -> Failure | None:
    """Make the attempt's folder; say why not, where that cannot be."""
    if ticket.interpreter and not os.access(ticket.interpreter, os.X_OK):
        return NO_INTERPRETER
    _clear_earlier_attempts(ticket)
    if failure := look_at_disk(ticket.content_store, ticket.limits.scratch_bytes):
        return failure
    ticket.staging.parent.mkdir(exist_ok=True)  # not its parents: an unmounted disk stays away
    try:
        ticket.staging.mkdir()
    except FileExistsError:
        return RUN_TWICE
    return None


class _Child:
    """The runner's process, its channels and its use of the machine."""

    def __init__(self, ticket: Ticket, emit: Callable[[Event], None]) -> None:
        self.ticket = ticket
        self.emit = emit
        self.outcome: Outcome | None = None
        self.end = End(status=None)
        self._lines = 0
        self._started = time.monotonic()
        self._weighed = self._started
        self._oom_kills = count_oom_kills()
        self._runner = start_runner(
            ticket.interpreter or sys.executable,
            fixed_environment(ticket.limits.cores),
            ticket.staging,
            own_environment(ticket.staging, ticket.clock, ticket.seed, ticket.cache),
        )
        self._readers = [
            threading.Thread(target=self._read_reports, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        with suppress(BrokenPipeError):  # it died at once; its log says why
            self._runner.stdin.write(ticket.model_dump_json().encode() + b"\n")
            self._runner.stdin.flush()

    @property
    def usage(self) -> Usage:
        return Usage(
            seconds=time.monotonic() - self._started,
            cpu_seconds=self.end.cpu_seconds,
            peak_memory_bytes=self.end.peak_memory_bytes,
        )

    def watch(self, is_cancelled: Callable[[], bool]) -> Failure | None:
        """Wait for the end, and bring it about where a limit is passed."""
        stopped: Failure | None = None
        while (end := self._runner.wait(_POLL_S)) is None:
            if stopped is None and (stopped := self._reason_to_stop(is_cancelled)):
                self._stop()
        self.end = end
        for reader in self._readers:
            reader.join(timeout=_GRACE_S)
        with suppress(BrokenPipeError):
            self._runner.stdin.close()
        return stopped

    def explain_death(self) -> Failure:
        """Say why a runner ended without a report."""
        return explain_death(self.end.status, oom_kills=count_oom_kills() - self._oom_kills)

    def _reason_to_stop(self, is_cancelled: Callable[[], bool]) -> Failure | None:
        limits = self.ticket.limits
        now = time.monotonic()
        if is_cancelled():
            return CANCELLED
        if now - self._started > limits.walltime_s:
            return too_long(limits.walltime_s)
        if now - self._weighed > _WEIGH_S:  # it looks at every process of the machine
            self._weighed = now
            if memory_of_group(self._runner.pid) > limits.memory_bytes:
                return too_large(limits.memory_bytes)
        return None

    def _stop(self) -> None:
        """Ask the group to end, and end it if it has not a moment later."""
        self._runner.signal(signal.SIGTERM)
        timer = threading.Timer(_MERCY_S, self._runner.signal, [signal.SIGKILL])
        timer.daemon = True
        timer.start()

    def _read_reports(self) -> None:
        with self._runner.stdout as channel:
            for line in channel:
                try:
                    report = _report.validate_json(line)
                except ValidationError:
                    continue  # cut off by a kill
                if isinstance(report, Outcome):
                    self.outcome = report
                elif not isinstance(report, LogLine) or self._may_log():
                    self.emit(report)

    def _read_log(self) -> None:
        with self._runner.stderr as channel:
            for line in channel:
                text = line.decode("utf-8", "replace").rstrip()[:_LONGEST_LINE]
                if text and self._may_log():
                    self.emit(LogLine(text=text))

    def _may_log(self) -> bool:
        """Keep a runaway log from filling the database."""
        self._lines += 1
        if self._lines == _MOST_LINES:
            self.emit(LogLine(level="warning", text="The log is cut here: too many lines."))
        return self._lines < _MOST_LINES


def warm_up_runners(cache: Path | None = None) -> None:
    """Have a runner of one core, as most recipes want, and compiled kernels ready."""
    warm_up(sys.executable, fixed_environment(1))
    if cache is not None:
        start_warming(fixed_environment(1) | kernel_cache(cache))


def _take_in(ticket: Ticket, outcome: Outcome) -> Outcome:
    """Hash the outputs and move them into the content store."""
    folder = ticket.staging / "outputs"
    for file in (*outcome.outputs, *([outcome.preview] if outcome.preview else [])):
        path = folder / file.path
        if path.is_symlink() or not path.is_file() or path.parent != folder:
            message = f"The recipe's output {file.path} is no plain file. Tell its author."
            return Outcome(failure=Failure(reason="output", code="output-unsafe", message=message))
    if ticket.original is not None:
        return judge(ticket.original, folder, outcome)
    return outcome.model_copy(
        update={
            "outputs": tuple(_take_in_file(ticket, folder, file) for file in outcome.outputs),
            "preview": _take_in_file(ticket, folder, outcome.preview) if outcome.preview else None,
        }
    )


def _take_in_file(ticket: Ticket, folder: Path, file: OutputFile) -> OutputFile:
    path = folder / file.path
    size, sha256 = path.stat().st_size, hash_file(path)
    adopt(ticket.content_store, path, sha256)
    return file.model_copy(update={"size": size, "sha256": sha256})


def _clear_earlier_attempts(ticket: Ticket) -> None:
    """Remove what killed attempts of the same run have left: only this one can publish."""
    for folder in ticket.staging.parent.glob(f"{ticket.uuid}.*"):
        if int(folder.suffix.lstrip(".")) < ticket.fence:
            shutil.rmtree(folder, ignore_errors=True)
