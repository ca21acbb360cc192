"""
``make chaos``: whatever dies, each processing run ends once; the last line is JSON.

Real workers on a PostgreSQL and a disk of their own. Blow after blow is drawn from a seed,
so that ``--seed N`` deals the same ones in the same order again; what they hit depends on
the machine. Half of the runs write their fence into their result: a zombie's bytes differ.
"""

import argparse
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chaos.crew import Crew
from bench.chaos.disk import Disk
from bench.chaos.server import Server

_BLOWS = {"kill": 50, "stop": 25, "database": 6, "disk": 7, "nothing": 12}
_PATIENCE_S = 900.0
_BREACHES = ("duplicates", "wrong_hashes", "zombie_commits", "rows_without_file", "orphans")


def main() -> None:
    asked = _read_arguments()
    say(f"seed {asked.seed}: make chaos SEED={asked.seed} deals the same blows again")
    # A process that warms kernels up may write for a moment longer than its worker lives.
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's account passes through
        server = Server(_make(folder / "db"))
        disk = Disk(folder / "disk")
        say("full disk: " + ("a tmpfs, filled" if disk.is_mounted else "a stand-in, /dev/full"))
        try:
            server.start()
            found = _hurt(asked, folder, server, disk)
        finally:
            disk.remove()
            server.stop("immediate")
    print(json.dumps(found))
    is_good = found["succeeded"] == found["processing_runs"]
    sys.exit(0 if is_good and not any(found[name] for name in _BREACHES) else 1)


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--blows", type=int, default=10**6, help="so many at most")
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between two, mean")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds")
    parser.add_argument("--engine", choices=["in-process", "dask"], default="in-process")
    return parser.parse_args()


def _hurt(asked: argparse.Namespace, folder: Path, server: Server, disk: Disk) -> dict[str, Any]:
    environment = {
        **os.environ,
        "DATABASE_URL": server.address,
        "PALIMPSEST_DATA": str(_make(folder / "var")),
        "PALIMPSEST_SECRET_KEY": "only for chaos",
        "PALIMPSEST_ENGINE": asked.engine,
        "PALIMPSEST_LEASE_S": str(asked.lease),
        "PALIMPSEST_RETRY_S": "0.05",
    }
    _begin(environment)
    from bench.chaos.judgement import judge  # noqa: PLC0415 - needs Django, set up
    from bench.chaos.queue import count_begun, count_open, fill_queue  # noqa: PLC0415 - the same

    draw = random.Random(asked.seed)  # noqa: S311 - repeatable on purpose
    fill_queue(folder, disk, asked.runs, draw)
    crew = Crew(asked.workers, environment, folder / "workers.log")
    begun = time.monotonic()
    try:
        # Who is hit before the first run is only slow to start.
        while not count_begun() and time.monotonic() < begun + _PATIENCE_S:
            time.sleep(0.05)
        dealt = _deal(asked, draw, _Ring(crew, server, disk, asked.lease), count_open)
    finally:
        crew.end()
    zombies = (
        (folder / "workers.log").read_text(errors="replace").count("no longer holds the lease")
    )
    seconds = time.monotonic() - begun
    return {
        **judge(),
        "kills": dealt["kill"],
        "stops": dealt["stop"],
        "database_restarts": dealt["database"],
        "disk_full": dealt["disk"],
        "disk": "tmpfs" if disk.is_mounted else "/dev/full",
        "orphans": crew.orphans,
        "zombies_refused": zombies,
        "engine": asked.engine,
        "seconds": round(seconds, 1),
        "seed": asked.seed,
    }


@dataclass(frozen=True)
class _Ring:
    """All that can be hit."""

    crew: Crew
    server: Server
    disk: Disk
    lease_s: float

    def strike(self, kind: str, place: int, mode: str) -> bool:
        """Deal one blow; false if who is to be stopped lies on the ground already."""
        if kind == "kill":
            self.crew.kill(place)
        elif kind == "stop":
            return self.crew.stop(place, 1.6 * self.lease_s)
        elif kind == "database":
            self.server.stop(mode)
            self.server.start()
        elif kind == "disk":
            self.disk.fill()
        return True


def _deal(
    asked: argparse.Namespace, draw: random.Random, ring: _Ring, count_open: Callable[[], int]
) -> Counter[str]:
    """Deal blows until nothing is left to do."""
    dealt: Counter[str] = Counter()
    drawn = 0
    deadline = time.monotonic() + _PATIENCE_S
    while (left := count_open()) and time.monotonic() < deadline:
        # Every number is drawn whatever came before: the sequence depends on the seed alone.
        (kind,) = draw.choices(list(_BLOWS), weights=list(_BLOWS.values()))
        place, pause = draw.randrange(asked.workers), draw.uniform(0.5, 1.5) * asked.pause
        mode = draw.choice(["fast", "immediate"])
        if drawn < asked.blows:
            dealt[kind] += ring.strike(kind, place, mode)
        drawn += 1
        until = time.monotonic() + pause
        while time.monotonic() < until:
            ring.crew.look()
            time.sleep(0.05)
        ring.disk.empty()
        if drawn % 20 == 0:
            say(f"{left} processing runs to go; dealt {dict(dealt)}")
    return dealt


def _begin(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django  # noqa: PLC0415 - reads the settings
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    call_command("migrate", verbosity=0)


def _make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
