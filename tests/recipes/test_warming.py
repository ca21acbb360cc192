"""Kernels are compiled beside a worker, once for each machine, and never longer than it lives."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from processing.recipes.environments import fixed_environment
from processing.recipes.warming import note_of, start_warming

PARENT = """
import sys, time
from processing.recipes.environments import fixed_environment
from processing.recipes.warming import start_warming
started = start_warming(fixed_environment(1) | {"NUMBA_CACHE_DIR": sys.argv[1]})
print(started, flush=True)
time.sleep(60)
"""


def children_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def test_warming_up_ends_with_whoever_started_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "True\n"
    (child,) = children_of(parent)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30  # a function that is being compiled is finished first
    while child.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not child.is_running()
    assert not note_of(tmp_path).exists()


def test_what_is_warm_is_not_warmed_again(tmp_path: Path) -> None:
    note_of(tmp_path).touch()
    assert not start_warming(fixed_environment(1) | {"NUMBA_CACHE_DIR": str(tmp_path)})
