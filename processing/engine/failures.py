"""What an attempt can die of, each in words that end with the next step."""

import errno
import os
import signal

from processing.ticket import Failure

CANCELLED = Failure(
    reason="cancelled",
    code="cancelled",
    message="Cancelled on request. Launch it again if the result is wanted after all.",
)

RUN_TWICE = Failure(
    reason="lost",
    code="engine-lost",
    message="The engine has started this attempt twice. It is tried again; nothing is to be done.",
)

NO_INTERPRETER = Failure(
    reason="environment",
    code="environment-changed",
    message="The Python environment of this recipe is not on this machine. The operator installs "
    "it again, or applies facility.toml without it.",
)

STILLBORN = Failure(
    reason="environment",
    code="no-interpreter",
    message="The Python that this recipe needs does not start on the worker's machine. The run "
    "waits until the operator has repaired the recipe's environment.",
)

# Of these the code itself is the cause: another attempt would end alike.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


def too_long(walltime_s: float) -> Failure:
    message = (
        f"The run took longer than the {walltime_s:.0f} s that its recipe allows. "
        "Process fewer frames, or ask for a longer limit."
    )
    return Failure(reason="time", code="walltime", message=message)


def too_large(memory_bytes: int) -> Failure:
    message = (
        f"The run used more than the {memory_bytes / 2**30:.1f} GiB of memory that its recipe "
        "allows. Process fewer frames, or ask the recipe's author for a larger limit."
    )
    return Failure(reason="memory", code="memory", message=message)


def explain_death(status: int | None, *, oom_kills: int) -> Failure:
    """
    Say why a runner ended without a report.

    Parameters
    ----------
    status : int or None
        As wait(2) gives it; None if it was lost with whoever watched over it.
    oom_kills : int
        Processes that the kernel has killed meanwhile for want of memory.
    """
    if status is None:
        message = "The run was lost with the process that watched over it. It is tried again."
        return Failure(reason="lost", code="killed", message=message)
    if not os.WIFSIGNALED(status):
        message = (
            "The recipe's process ended without a report. The end of the log says why; show it "
            "to the recipe's author."
        )
        return Failure(reason="recipe", code="runner-died", message=message)
    number = signal.Signals(os.WTERMSIG(status))
    if number == signal.SIGKILL and oom_kills:
        message = (
            "The machine ran out of memory and its kernel stopped the run. It is tried again; "
            "if it happens again, ask the operator for a machine with more memory."
        )
        return Failure(reason="memory", code="out-of-memory", message=message)
    if number in _CRASHES:
        message = (
            f"The recipe's process crashed ({number.name}). Show the end of the log to the "
            "recipe's author; the same input would crash it again."
        )
        return Failure(reason="recipe", code="crashed", message=message)
    message = (
        f"Somebody stopped the recipe's process ({number.name}). It is tried again; nothing is "
        "to be done."
    )
    return Failure(reason="lost", code="killed", message=message)


def storage_failure(error: OSError) -> Failure:
    """Tell a full disk from one that is away or broken."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full()
    message = (
        f"The store of results cannot be written ({error.strerror}). "
        "The run waits until the operator has looked at it."
    )
    return Failure(reason="disk", code="no-storage", message=message)


def disk_full(free_bytes: int | None = None, needed_bytes: int = 0) -> Failure:
    what = "The disk of the results is full, and the run cannot write."
    if free_bytes is not None:
        what = (
            f"The run needs {needed_bytes / 2**20:,.0f} MiB on the disk of the results, and "
            f"{free_bytes / 2**20:,.0f} MiB are free."
        )
    message = f"{what} It waits, and goes on by itself when the operator has made room."
    return Failure(reason="disk", code="disk-full", message=message)


def two_disks() -> Failure:
    message = (
        "staging and store of the results lie on two file systems, so that no result can be "
        "moved in one step. The run waits until the operator has put both on one."
    )
    return Failure(reason="disk", code="two-disks", message=message)
