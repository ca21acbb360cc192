"""The short form of ``make chaos``: a few runs, every kind of blow, the same judgement."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)  # a slow machine takes longer; nothing here is judged by the clock
def test_whatever_dies_each_run_ends_exactly_once() -> None:
    command = [sys.executable, "-m", "bench.chaos", "--seed", "5", "--runs", "16", "--blows", "10"]
    chaos = subprocess.run(
        [*command, "--workers", "2", "--pause", "0.8"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert chaos.stdout, chaos.stderr
    found = json.loads(chaos.stdout.splitlines()[-1])
    assert found["processing_runs"] == found["succeeded"] == 16, found
    names = ("duplicates", "wrong_hashes", "zombie_commits", "rows_without_file", "orphans")
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)
    assert found["kills"] > 0
    assert chaos.returncode == 0
