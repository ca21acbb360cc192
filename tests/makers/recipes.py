"""Recipes for tests of the engine: real ones, run by the real runner, only small."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import Field

from processing.recipes.base import (
    Input,
    Inputs,
    OrderedInputs,
    Output,
    RecipeError,
    recipe,
    workspace,
)
from processing.recipes.comparison import Comparison, Difference

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


class Delivered(NamedTuple):
    """Two outputs, of which the second may be left out."""

    joined: Output[Literal["copy"]]
    report: Output[Literal["report"]] | None


NO_DARK: OrderedInputs[Literal["dark"]] = OrderedInputs()


@recipe("join-scans", version="1.0.0", environment=["numpy"], walltime_s=60)
def join_scans(
    scans: Annotated[Inputs[Literal["nexus-scan"]], Field(description="Any number of scans")],
    dark: OrderedInputs[Literal["dark"]] = NO_DARK,
    *,
    report: bool = True,
) -> Delivered:
    """Put scans behind each other."""
    work = workspace()
    joined = work.output("joined.bin")
    joined.write_bytes(b"|".join(scan.file.read_bytes() for scan in (*scans, *dark)))
    work.output("index.txt", role="joined").write_text(f"{len(scans)} scans")
    if not report:
        return Delivered(joined, None)
    told = work.output("report.txt")
    told.write_text(work.now.isoformat())
    return Delivered(joined, told)


@join_scans.estimate
def price_of_join(sizes: dict[str, list[int]], parameters: dict[str, Any]) -> tuple[float, int]:
    """A core copies 100 MB/s."""
    if not parameters["report"]:
        raise ValueError("nothing is known of this")
    return sum(sizes["scans"]) / 1e8, sum(sizes["scans"])


@dataclass(frozen=True)
class Frame:
    """An item of a fan-out: what to do with it, and where to leave traces."""

    number: int
    traces: str
    how: str = ""


def develop(frame: Frame) -> int:
    """Square a number; go wrong first, or always, where the frame says so."""
    trace = Path(frame.traces) / f"{frame.number}.{time.monotonic_ns()}"
    trace.write_text(str(os.getpid()))
    tries = len(list(trace.parent.glob(f"{frame.number}.*")))
    if frame.how == "once" and tries == 1:
        raise ValueError("the detector was asleep")
    if frame.how == "never":
        raise ValueError("the detector is broken")
    if frame.how == "kill once" and tries == 1:
        os.kill(os.getpid(), 9)
    if frame.how == "kill":
        os.kill(os.getpid(), 9)
    if frame.how == "kill worker once" and tries == 1:
        os.kill(os.getppid(), 9)
        time.sleep(600)
    if frame.how == "slow":
        time.sleep(0.5)
    if frame.how == "forever":
        time.sleep(600)
    return frame.number**2


@recipe("develop-frames", version="1.0.0", environment=["numpy"], cores=2, chunk=2, walltime_s=60)
def develop_frames(scan: Scan, *, traces: str, count: int = 6, how: str = "") -> Copied:
    """Develop frames on two cores; the third is treated in a way of its own."""
    return _develop(traces, count, how)


def _develop(traces: str, count: int, how: str) -> Copied:
    work = workspace()
    frames = (Frame(number, traces, how if number == 2 else "") for number in range(count))
    result: Any = work.output("copy.bin")
    squares = work.map(develop, frames, total=count, stage="developing")
    result.write_text(" ".join(map(str, squares)))
    return cast("Copied", result)


@recipe("spread-frames", version="1.0.0", environment=["numpy"], chunk=2, walltime_s=60, fan_out=4)
def spread_frames(scan: Scan, *, traces: str, count: int = 6, how: str = "") -> Copied:
    """Develop frames on a cluster, if there is one; the third in a way of its own."""
    return _develop(traces, count, how)


@recipe("roll-dice", version="1.0.0", environment=["numpy"], walltime_s=60)
def roll_dice(scan: Scan, *, sides: int = 6) -> Copied:
    """Write a number that is never the same, but has as many digits."""
    result = workspace().output("copy.bin")
    result.write_text(f"{sides} {time.time_ns()}")
    return result


@roll_dice.compare
def judge_dice(original: Path, replay: Path) -> Comparison:
    """Only the sides of the die mean something."""
    one, other = (path.read_text().split()[0] for path in (original, replay))
    if one == other:
        return Comparison("equal-within-tolerance")
    return Comparison("different", (Difference("/", "another die", float(other) - float(one)),))


@roll_dice.example
def example_of_dice(folder: Path) -> dict[str, Path]:
    (folder / "scan.bin").write_bytes(b"frames")
    return {"scan": folder / "scan.bin"}


@recipe("ignore-terminate", version="1.0.0", environment=["numpy"], walltime_s=60)
def ignore_terminate(scan: Scan) -> Copied:
    """Answer no request to end."""
    work = workspace()
    result = work.output("copy.bin")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    work.progress(0, 100)
    time.sleep(60)
    return result
