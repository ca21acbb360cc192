"""Runners are forked from a warm process, and yet each is its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from processing.engine import zygotes
from processing.engine.failures import explain_death, storage_failure
from processing.engine.footing import look_at_disk
from processing.engine.zygotes import Runner, StillbornError, start_runner
from processing.recipes.environments import fixed_environment

ROOT = Path(__file__).resolve().parents[2]
OTHER_DISK = Path("/dev/shm")  # noqa: S108 - another file system; no file is made there


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """Stand in for the package: its runner tells who it is and ends with its input."""
    folder = tmp_path / "code" / "processing"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "zygote.py").write_text((ROOT / "processing" / "zygote.py").read_text())
    _write_runner(folder, "old")
    yield folder.parent
    zygotes._end_all()  # noqa: SLF001 - as this process does when it ends


def _write_runner(folder: Path, word: str) -> None:
    (folder / "runner.py").write_text(
        "import os, sys\n"
        "import numpy\n"
        "def main():\n"
        f"    print({word!r}, os.getpid(), os.getpgid(0), os.getcwd(), os.environ.get('HOME'),\n"
        "          numpy.random.random(), 'SECRET' in os.environ, flush=True)\n"
        "    sys.stdin.read()\n"
    )


def start(package: Path, folder: Path) -> tuple[Runner, list[str]]:
    environment = {"PYTHONPATH": str(package), "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    runner = start_runner(sys.executable, environment, folder, {"HOME": str(folder)})
    return runner, runner.stdout.readline().decode().split()


def finish(runner: Runner) -> zygotes.End:
    runner.stdin.close()
    end = runner.wait(20.0)
    assert end is not None
    runner.stdout.close()
    runner.stderr.close()
    return end


def test_each_attempt_has_a_process_a_group_and_random_numbers_of_its_own(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the worker")
    (first, one), (second, two) = start(package, tmp_path), start(package, tmp_path)
    assert one[1] == one[2] == str(first.pid)
    assert two[1] == two[2] == str(second.pid) != str(first.pid)
    assert one[3] == one[4] == str(tmp_path)
    assert one[5] != two[5], "a fork keeps the state of its parent's generator"
    assert one[6] == two[6] == "False"
    assert finish(first).status == finish(second).status == 0


def test_after_an_upgrade_no_runner_is_forked_from_the_old_code(
    package: Path, tmp_path: Path
) -> None:
    runner, said = start(package, tmp_path)
    finish(runner)
    _write_runner(package / "processing", "newer")
    runner, said_then = start(package, tmp_path)
    finish(runner)
    assert (said[0], said_then[0]) == ("old", "newer")


def test_a_killed_zygote_is_replaced(package: Path, tmp_path: Path) -> None:
    runner, _ = start(package, tmp_path)
    finish(runner)
    for zygote in list(zygotes._zygotes.values()):  # noqa: SLF001 - the process to kill
        zygote.process.kill()
        zygote.process.wait()
    runner, said = start(package, tmp_path)
    finish(runner)
    assert said[0] == "old"


def test_an_interpreter_that_cannot_import_the_runner_is_told(
    package: Path, tmp_path: Path
) -> None:
    (package / "processing" / "runner.py").write_text("import no_such_package_at_all")
    with pytest.raises(StillbornError):
        start(package, tmp_path)


def test_a_runner_whose_keeper_was_killed_is_killed_too(package: Path, tmp_path: Path) -> None:
    runner, _ = start(package, tmp_path)
    midwife = psutil.Process(runner.pid).parent()
    assert midwife is not None
    midwife.kill()
    end = runner.wait(20.0)
    assert end is not None
    assert end.status is None
    deadline = time.monotonic() + 20
    while _is_alive(runner.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(runner.pid)
    for stream in (runner.stdin, runner.stdout, runner.stderr):
        stream.close()


def test_neither_zygote_nor_runner_survives_a_killed_supervisor(
    package: Path, tmp_path: Path
) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from processing.engine import zygotes\n"
        "from processing.recipes.environments import fixed_environment\n"
        "folder = Path(sys.argv[1])\n"
        "runner = zygotes.start_runner(sys.executable, fixed_environment(1), folder, {})\n"
        "(zygote,) = zygotes._zygotes.values()\n"
        "print(zygote.process.pid, runner.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        supervisor.kill()
    deadline = time.monotonic() + 20
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("status", "oom_kills", "reason", "code"),
    [
        (signal.SIGKILL, 0, "lost", "killed"),
        (signal.SIGKILL, 1, "memory", "out-of-memory"),
        (signal.SIGTERM, 1, "lost", "killed"),
        (signal.SIGSEGV, 0, "recipe", "crashed"),
        (0, 0, "recipe", "runner-died"),
        (None, 0, "lost", "killed"),
    ],
)
def test_a_death_without_a_report_is_told_apart(
    status: int | None, oom_kills: int, reason: str, code: str
) -> None:
    failure = explain_death(status, oom_kills=oom_kills)
    assert (failure.reason, failure.code) == (reason, code)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told_from_a_broken_one() -> None:
    with pytest.raises(OSError, match="No space") as full:
        Path("/dev/full").write_bytes(b"x")
    assert storage_failure(full.value).code == "disk-full"
    assert storage_failure(PermissionError(13, "Permission denied")).code == "no-storage"


def test_too_little_room_is_found_before_the_start(tmp_path: Path) -> None:
    assert look_at_disk(tmp_path) is None
    failure = look_at_disk(tmp_path, needed_bytes=2**60)
    assert failure is not None
    assert failure.code == "disk-full"
    assert f"{2**40:,} MiB" in failure.message, "in MiB"


@pytest.mark.skipif(not OTHER_DISK.exists(), reason="needs a second file system")
def test_staging_and_store_on_two_disks_are_found_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "store").symlink_to(OTHER_DISK)
    if OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("both are one file system here")
    failure = look_at_disk(tmp_path)
    assert failure is not None
    assert failure.code == "two-disks"


def test_a_runner_sees_no_variable_of_the_workers_but_the_path() -> None:
    assert "DATABASE_URL" not in fixed_environment(1)
    assert fixed_environment(4)["OMP_NUM_THREADS"] == "4"
