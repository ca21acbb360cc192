"""
Start one runner and watch it: log, limits, cancellation, and its files at the end.

Runs inside a Dask task or a thread, without Django. It leaves no process behind: the
runner leads its own process group, which is killed as one.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil
from pydantic import TypeAdapter, ValidationError

from catalogue.storage.content import adopt
from catalogue.storage.local import hash_file
from processing.recipes.environments import search_path
from processing.ticket import Event, Failure, LogLine, Outcome, OutputFile, Ticket, Usage

_POLL_S = 0.1
_GRACE_S = 5.0
_LONGEST_LINE = 4000
_MOST_LINES = 10_000

_RUN_TWICE = Failure(
    reason="lost",
    code="engine-lost",
    message="The engine has started this attempt twice. It is tried again.",
)

_NO_INTERPRETER = Failure(
    reason="environment",
    code="environment-changed",
    message="The Python environment of this recipe is not on this machine. The operator installs "
    "it again, or applies facility.toml without it.",
)

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
    if ticket.interpreter and not os.access(ticket.interpreter, os.X_OK):
        return Outcome(failure=_NO_INTERPRETER)
    try:
        _clear_earlier_attempts(ticket)
        ticket.staging.parent.mkdir(exist_ok=True)  # not its parents: an unmounted disk stays away
        try:
            ticket.staging.mkdir()
        except FileExistsError:
            return Outcome(failure=_RUN_TWICE)
        child = _Child(ticket, emit)
        stopped = child.watch(is_cancelled)
        outcome = child.outcome or Outcome(failure=child.explain_death())
        if stopped:
            outcome = Outcome(failure=stopped)
        if outcome.failure is None:
            outcome = _take_in(ticket, outcome)
        return outcome.model_copy(update={"usage": child.usage})
    except OSError as error:
        return Outcome(failure=_storage_failure(error))
    finally:
        if child is not None:  # else the folder is another's
            shutil.rmtree(ticket.staging, ignore_errors=True)


class _Child:
    """The runner's process, its channels and its use of the machine."""

    def __init__(self, ticket: Ticket, emit: Callable[[Event], None]) -> None:
        self.ticket = ticket
        self.emit = emit
        self.outcome: Outcome | None = None
        self.usage = Usage()
        self.status = 0
        self._lines = 0
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - the operator's choice, no shell
            [ticket.interpreter or sys.executable, "-m", "processing.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(ticket),
            cwd=ticket.staging,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_reports, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        with suppress(BrokenPipeError):  # it died at once; its log says why
            self._stdin.write(ticket.model_dump_json().encode() + b"\n")
            self._stdin.flush()

    def watch(self, is_cancelled: Callable[[], bool]) -> Failure | None:
        """Wait for the end, and bring it about where a limit is passed."""
        stopped: Failure | None = None
        while not self._has_ended():
            if stopped is None and (stopped := self._reason_to_stop(is_cancelled)):
                self._stop()
            time.sleep(_POLL_S)
        # Whatever the runner started must not outlive it.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for reader in self._readers:
            reader.join(timeout=_GRACE_S)
        self._stdin.close()
        return stopped

    def explain_death(self) -> Failure:
        """Say why a runner ended without a report."""
        signal_number = os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0
        if signal_number:
            name = signal.Signals(signal_number).name
            message = f"The run was killed ({name}), perhaps for want of memory. It is tried again."
            return Failure(reason="lost", code="killed", message=message)
        message = "The runner ended without a report; the end of the log says why."
        return Failure(reason="recipe", code="runner-died", message=message)

    @property
    def _stdin(self):  # type: ignore[no-untyped-def]  # IO[bytes], never None here
        return self._process.stdin

    def _has_ended(self) -> bool:
        pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
        if pid == 0:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.status = status
        self.usage = Usage(
            seconds=time.monotonic() - self._started,
            cpu_seconds=used.ru_utime + used.ru_stime,
            peak_memory_bytes=used.ru_maxrss * 1024,
        )
        return True

    def _reason_to_stop(self, is_cancelled: Callable[[], bool]) -> Failure | None:
        limits = self.ticket.limits
        if is_cancelled():
            message = "Cancelled on request."
            return Failure(reason="cancelled", code="cancelled", message=message)
        if time.monotonic() - self._started > limits.walltime_s:
            message = (
                f"The run took longer than the {limits.walltime_s:.0f} s that its recipe allows. "
                "Process fewer frames, or ask for a longer limit."
            )
            return Failure(reason="time", code="walltime", message=message)
        if _memory_of_group(self._process.pid) > limits.memory_bytes:
            message = (
                f"The run used more than the {limits.memory_bytes / 2**30:.1f} GiB of memory that "
                "its recipe allows. Ask its author for a larger limit."
            )
            return Failure(reason="memory", code="memory", message=message)
        return None

    def _stop(self) -> None:
        """Ask the group to end, and end it if it has not a few seconds later."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

        timer = threading.Timer(_GRACE_S, kill)
        timer.daemon = True
        timer.start()

    def _read_reports(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as channel:
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
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        with self._process.stderr as channel:
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


def _environment(ticket: Ticket) -> dict[str, str]:
    """Pass on what a recipe needs and no secret; fix what could change its bytes."""
    cores = str(ticket.limits.cores)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        # The checkout, where it is not installed: the runner starts in its own folder.
        "PYTHONPATH": search_path(),
        "HOME": str(ticket.staging),
        "TMPDIR": str(ticket.staging),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(int(datetime.fromisoformat(ticket.clock).timestamp())),
        "PALIMPSEST_SEED": str(ticket.seed),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": cores,
        "OPENBLAS_NUM_THREADS": cores,
        "MKL_NUM_THREADS": cores,
        "NUMEXPR_MAX_THREADS": cores,
    }


def _memory_of_group(pid: int) -> int:
    """Return the resident bytes of a process and all it started."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total


def _take_in(ticket: Ticket, outcome: Outcome) -> Outcome:
    """Hash the outputs and move them into the content store."""
    folder = ticket.staging / "outputs"
    for file in (*outcome.outputs, *([outcome.preview] if outcome.preview else [])):
        path = folder / file.path
        if path.is_symlink() or not path.is_file() or path.parent != folder:
            message = f"The recipe's output {file.path} is no plain file. Tell its author."
            return Outcome(failure=Failure(reason="output", code="output-unsafe", message=message))
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


def _storage_failure(error: OSError) -> Failure:
    message = (
        f"The store of results cannot be written ({error.strerror}). "
        "The run waits until the operator has looked at it."
    )
    return Failure(reason="disk", code="no-storage", message=message)


def _clear_earlier_attempts(ticket: Ticket) -> None:
    """Remove what killed attempts of the same run have left: only this one can publish."""
    for folder in ticket.staging.parent.glob(f"{ticket.uuid}.*"):
        if int(folder.suffix.lstrip(".")) < ticket.fence:
            shutil.rmtree(folder, ignore_errors=True)
