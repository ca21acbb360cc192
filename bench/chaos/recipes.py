"""What the runs of chaos compute: bytes that anybody can check, some with their fence."""

import hashlib
import time
from pathlib import Path
from typing import Literal

from processing.recipes.base import Input, Output, recipe, workspace

LENGTH = 100


def body_of(number: int, fence: int | None) -> bytes:
    """Return the bytes that the run of a number must leave; 3 kB."""
    line = hashlib.sha256(f"{number}".encode()).digest() * LENGTH
    return line if fence is None else line + f"fence {fence}".encode()


@recipe("chaos", version="1.0.0", environment=["numpy"], walltime_s=120)
def chaos(
    scan: Input[Literal["nexus-scan"]],
    *,
    number: int,
    work_s: float,
    is_fenced: bool = False,
    full_disk: str = "",
) -> Output[Literal["copy"]]:
    """Work for a while; of some runs each attempt leaves other bytes than the one before."""
    work = workspace()
    result: Path = work.output("result.bin")
    scan.file.read_bytes()
    fence = int(work.folder.parent.suffix.lstrip(".")) if is_fenced else None
    body = body_of(number, fence)
    half = len(body) // 2
    with result.open("wb") as writer:
        writer.write(body[:half])
        work.progress(1, 2)
        time.sleep(work_s)
        if full_disk and Path(full_disk).exists():
            Path("/dev/full").write_bytes(body)  # where no small disk could be mounted
        writer.write(body[half:])
    return result
