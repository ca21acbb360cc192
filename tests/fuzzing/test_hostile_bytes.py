"""Bytes of files are untrusted: a minute of what ``make fuzz`` does for an hour."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fuzzing.seeds import SHORT_CUT, from_input, seeds
from tests.makers.lz4 import compress, decode, decode_by_reference, decode_plainly

pytestmark = pytest.mark.usefixtures("compiled_kernels")

BYTES = bytes(range(1, 15))
OFFSET_OF_NOTHING = b"\x54abcde\0\0\xb0" + b"x" * 11


def in_a_child(*command: str, seconds: int) -> dict[str, Any]:
    """Run a program that must not die; return the JSON of its last line."""
    child = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert child.returncode == 0, child.stdout[-1000:] + child.stderr[-3000:]
    answer: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return answer


@pytest.mark.timeout(240)
def test_a_minute_of_looking_for_new_paths_finds_no_difference(tmp_path: Path) -> None:
    answer = in_a_child("tests.fuzzing", "--seconds", "60", "--folder", str(tmp_path), seconds=200)
    assert answer["findings"] == []
    assert answer["executions"] > 1000
    assert answer["corpus"] > len(list(seeds())), "it has found nothing that the seeds lack"


@pytest.mark.timeout(240)
def test_spoilt_chunks_are_refused_or_read_as_the_reference_reads_them() -> None:
    states = in_a_child("tests.fuzzing.mutated", "--count", "2000", seconds=200)
    assert states.pop("chunks") == sum(states.values()) == 2000
    assert states["UNREADABLE"] > 1000
    assert states["OK"] > 100, "hardly anything gets past the checks, so nothing is compared"


@pytest.mark.parametrize(
    ("side", "step", "is_within"),
    [("first", 0, True), ("first", -1, False), ("last", 63, True), ("last", 64, False)],
)
def test_a_step_beyond_a_guard_ends_the_process(side: str, step: int, *, is_within: bool) -> None:
    program = (
        "from ctypes import memset; from tests.fuzzing.guarded import Arena; "
        f"bytes_ = Arena(64).{side}(64); memset(bytes_.ctypes.data + {step}, 0, 1)"
    )
    child = subprocess.run([sys.executable, "-c", program], check=False)
    assert child.returncode == (0 if is_within else -signal.SIGSEGV)


def test_the_judges_agree_on_what_is_valid() -> None:
    for seed in seeds():
        size, block = from_input(seed)
        for length in range(len(block) + 1):
            part = block[:length]
            assert decode(part, size) == decode_plainly(part, size)
    assert decode(compress(BYTES), len(BYTES)) == BYTES


def test_what_the_format_forbids_is_refused_though_the_reference_takes_it() -> None:
    assert decode_by_reference(OFFSET_OF_NOTHING, 24) == b"abcde" + bytes(8) + b"x" * 11
    for literals in range(8):
        end = bytes([literals << 4]) + b"x" * literals
        data = BYTES * 2 + BYTES[:4] + b"x" * literals
        assert decode_by_reference(SHORT_CUT + end, len(data)) == data
        for judge in (decode, decode_plainly):
            assert judge(OFFSET_OF_NOTHING, 24) is None
            assert judge(SHORT_CUT + end, len(data)) == (data if literals >= 5 else None)
