"""Recipes for tests of the engine: real ones, run by the real runner, only small."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from processing.recipes.base import Input, Output, RecipeError, recipe, workspace

Scan = Input[Literal["nexus-scan"]]
Copied = Output[Literal["copy"]]


@recipe("copy-scan", version="1.0.0", environment=["numpy"], walltime_s=60)
def copy_scan(
    scan: Scan,
    *,
    steps: Annotated[int, Field(ge=1, le=1000)] = 3,
    pause_s: Annotated[float, Field(ge=0, le=10)] = 0.0,
    note: str = "",
) -> Copied:
    """Copy a scan in steps, so that something can happen meanwhile."""
    work = workspace()
    result = work.output("copy.bin")
    body = scan.file.read_bytes()
    with result.open("wb") as writer:
        for step in range(steps):
            work.log(f"step {step + 1}")
            work.progress(step, steps, "copying")
            writer.write(body)
            time.sleep(pause_s)
    work.quantity("copied", float(len(body) * steps), "byte")
    return result


def _refuse(_: Any) -> None:
    raise RecipeError("scan-dark", "All frames are dark. Was the shutter open?")


def _raise(_: Any) -> None:
    raise ValueError("nine is not a colour")


def _hoard_memory(_: Any) -> None:
    hoard = bytearray(700 * 2**20)
    hoard[::4096] = b"x" * len(hoard[::4096])
    time.sleep(30)


def _leave_an_orphan(_: Any) -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "palimpsest-orphan"])


def _print_secrets(_: Any) -> None:
    # The engine's own test settings hold one.
    found = "PALIMPSEST_SECRET_KEY" in os.environ  # noqa: TID251 - what a recipe could see
    sys.stdout.write("secret\n" if found else "no secret\n")
    sys.stdout.flush()


def _print_rubbish(_: Any) -> None:
    sys.stdout.write("not JSON at all\n")
    sys.stdout.flush()


def _forget_to_close(result: Path) -> None:
    writer = result.open("wb")
    writer.write(b"all of it")
    _FORGOTTEN.append(writer)


_FORGOTTEN: list[Any] = []

WAYS: dict[str, Callable[[Path], object]] = {
    "refuse": _refuse,
    "raise": _raise,
    "memory": _hoard_memory,
    "forever": lambda _: time.sleep(600),
    "orphan": _leave_an_orphan,
    "die": lambda _: os.kill(os.getpid(), 9),
    "print": _print_rubbish,
    "secret": _print_secrets,
    "open": _forget_to_close,
    "silent": lambda result: result.unlink(),
    "undeclared": lambda result: result.with_name("extra.bin").write_bytes(b"?"),
    "symlink": lambda result: (result.unlink(), result.symlink_to("/etc/passwd")),
}


@recipe("misbehave", version="1.0.0", environment=["numpy"], memory=300 * 2**20, walltime_s=6)
def misbehave(scan: Scan, *, how: str) -> Copied:
    """Go wrong in the way that is asked for."""
    result = workspace().output("copy.bin")
    result.write_bytes(b"done")
    WAYS[how](result)
    return result


@recipe("ignore-terminate", version="1.0.0", environment=["numpy"], walltime_s=60)
def ignore_terminate(scan: Scan) -> Copied:
    """Answer no request to end."""
    work = workspace()
    result = work.output("copy.bin")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    work.progress(0, 100)
    time.sleep(60)
    return result
