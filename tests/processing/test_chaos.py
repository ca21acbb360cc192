"""The short form of ``make chaos``: a few runs, every kind of blow, the same judgement."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


# The first four blows of this seed are a full disk, a stop, a crash of the database and a
# kill. They take 1.5 s and what each costs itself; the runs alone are 3 s of work for two.
SEED = "4870"
BLOWS = ("disk_full", "stops", "database_restarts", "kills")


@pytest.mark.timeout(900)  # a slow machine takes longer; nothing here is judged by the clock
def test_whatever_dies_each_run_ends_exactly_once() -> None:
    command = [sys.executable, "-m", "bench.chaos", "--seed", SEED, "--runs", "24", "--blows", "6"]
    chaos = subprocess.run(
        [*command, "--workers", "2", "--pause", "0.4"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert chaos.stdout, chaos.stderr
    found = json.loads(chaos.stdout.splitlines()[-1])
    assert found["processing_runs"] == found["succeeded"] == 24, found
    names = ("duplicates", "wrong_hashes", "zombie_commits", "rows_without_file", "orphans")
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)
    assert all(found[name] > 0 for name in BLOWS), found
    assert chaos.returncode == 0
