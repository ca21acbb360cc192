"""Recipes for tests of the engine: real ones, run by the real runner, only small."""

import os
import subprocess
import sys
import time
from typing import Annotated, Literal

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


@recipe("misbehave", version="1.0.0", environment=["numpy"], memory=300 * 2**20, walltime_s=2)
def misbehave(
    scan: Scan,
    *,
    how: Literal[
        "refuse", "raise", "silent", "undeclared", "symlink", "memory", "forever", "orphan",
        "die", "print", "secret",
    ],
) -> Copied:  # fmt: skip
    """Go wrong in the way that is asked for."""
    work = workspace()
    result = work.output("copy.bin")
    if how == "refuse":
        raise RecipeError("scan-dark", "All frames are dark. Was the shutter open?")
    if how == "raise":
        raise ValueError("nine is not a colour")
    if how == "silent":
        return result
    if how == "memory":
        hoard = bytearray(700 * 2**20)
        hoard[::4096] = b"x" * len(hoard[::4096])
        time.sleep(30)
    if how == "forever":
        time.sleep(600)
    if how == "orphan":
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)", "palimpsest-orphan"]
        )
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "symlink":
        result.symlink_to("/etc/passwd")
        return result
    if how == "print":
        print("not JSON at all", flush=True)
    if how == "secret":
        print("secret" if "PALIMPSEST_SECRET_KEY" in os.environ else "no secret", flush=True)
    result.write_bytes(b"done")
    if how == "undeclared":
        (work.folder / "extra.bin").write_bytes(b"?")
    return result
