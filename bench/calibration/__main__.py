"""
``make bench-calibration``: corrections and darks against others; the last line is JSON.

Every ratio is the median over pairs of peer and ours, one after the other on the same data; in
memory each is the least of three calls. Answers are compared first: numpy's bit for bit, aare's
within its division. Exit codes: 0 passed, 1 below a gate, 2 answers differ, 3 no peer, 4 too much
else on the machine.
"""

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

THREADS = int(os.environ.get("THREADS", "0")) or len(os.sched_getaffinity(0))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = str(THREADS)

import h5py  # noqa: E402 - threads are counted before
import hdf5plugin  # noqa: E402, F401 - registers the filter
import numpy as np  # noqa: E402

from bench.calibration.environment import PINNED, Peers  # noqa: E402
from bench.calibration.generating import DARKS, FRAMES, generate  # noqa: E402
from bench.calibration.ours import TRAINS, Ours, timed  # noqa: E402
from processing.science.calibration.correcting import Correction  # noqa: E402
from processing.science.kernels.limits import LARGEST, NOTHING  # noqa: E402

PAIRS = int(os.environ.get("PAIRS", "5"))
STEP = 0.1
FRAMES_OF = "INSTRUMENT/SPB_IRDA_JF4M/CORR/JNGFR{:02d}:output/data"
RTOL = 1e-6  # aare divides by the gain, we multiply by its inverse
GATES = {
    "ratio_aare": 2.5,
    "ratio_numpy": 12.0,
    "ratio_gzip": 15.0,
    "ratio_agipd": 20.0,
    "ratio_dark": 2.0,
}
# Ours, and how the others do the same; the quickest of them counts.
JOBS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "jungfrau": (
        "jungfrau",
        {"ratio_aare": ["jungfrau_aare"], "ratio_numpy": ["jungfrau_where", "jungfrau_choose"]},
    ),
    "agipd": ("agipd", {"ratio_agipd": ["agipd_choose", "agipd_where"]}),
    "dark": ("dark", {"ratio_dark": ["dark_g0", "dark_push"]}),
}


def main() -> int:
    folder = Path(os.environ["PALIMPSEST_DATA"]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    say("Generating ...")
    generate(folder)
    ours, peers = Ours(folder, THREADS), Peers(folder, THREADS)
    ours.write_run()
    has_peers = peers.install()
    load = [os.getloadavg()[0]]
    told: dict[str, Any] = {"bench": "calibration", "cores": THREADS, "pairs": PAIRS}
    if has_peers:
        with peers:
            told["equal"] = _compare(ours, peers, folder)
            if not told["equal"]:
                print(json.dumps(told))
                return 2
            for name, rivals in JOBS.values():
                told |= _measure(getattr(ours, name), rivals, peers)
    told |= _measure_floor(ours)
    files = _measure_files(ours)
    told["equal"] = told.get("equal", True) and files.pop("equal")
    told |= files
    load.append(os.getloadavg()[0])
    told |= {"load": [round(it, 2) for it in load], "contended": max(load) > THREADS + 1}
    told["versions"] = {
        name: importlib.metadata.version(name) for name in ("numba", "numpy", "h5py")
    }
    told["versions"] |= dict([PINNED[0].split("==")])
    print(json.dumps(told))
    return _judge(told, has_peers=has_peers)


def _judge(told: dict[str, Any], *, has_peers: bool) -> int:
    if not told["equal"]:
        return 2
    if not has_peers:
        return 3
    if told["contended"]:
        return 4
    return int(any(told[name] < gate for name, gate in GATES.items()))


def _compare(ours: Ours, peers: Peers, folder: Path) -> bool:
    """Compare every number of every answer; this is also everybody's warm-up."""
    rtol = {"jungfrau_aare": RTOL, "dark_g0": 1e-12, "dark_push": 1e-9}
    same = True
    for job, rivals in JOBS.values():
        found = getattr(ours, job)()
        for name in (name for names in rivals.values() for name in names):
            peers.ask(name, keep=True)
            answer = np.load(folder / f"{name}.answer.npy").reshape(found.shape)
            close = np.isclose(found, answer, rtol=rtol.get(name, 0), atol=0, equal_nan=True)
            share = float(np.mean(close))
            say(f"{name:16} {'equal' if share == 1 else f'{1 - share:.2e} differ'}")
            same &= share == 1
            (folder / f"{name}.answer.npy").unlink()
    return same


def _measure(
    work: Callable[[], Any], rivals: dict[str, list[str]], peers: Peers
) -> dict[str, float]:
    """Return the ratio to the quickest of each kind of rival."""
    told: dict[str, float] = {}
    for key, names in rivals.items():
        best = None
        for name in names:
            pairs = [
                (_least_of_three(lambda: peers.ask(name)), _least_of_three(lambda: timed(work)))  # noqa: B023 - called at once
                for _ in range(PAIRS)
            ]
            ratio = median(peer["wall_s"] / own["wall_s"] for peer, own in pairs)
            cpu = median(peer["cpu_s"] / own["cpu_s"] for peer, own in pairs)
            wall = [median(it[side]["wall_s"] for it in pairs) * 1e3 for side in (0, 1)]
            say(
                f"{name:16} {wall[0]:8.1f} ms, ours {wall[1]:7.1f} ms: {ratio:5.2f} x, "
                f"CPU {cpu:5.2f} x"
            )
            if best is None or ratio < best[0]:
                best = ratio, cpu
        assert best is not None  # noqa: S101 - every kind has a name
        told |= {key: round(best[0], 2), f"{key}_cpu": round(best[1], 2)}
    return told


def _least_of_three(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """After the other side's turn the first call finds cold caches, and pages still to be given."""
    return min((measure() for _ in range(3)), key=lambda told: told["wall_s"])


def _measure_floor(ours: Ours) -> dict[str, float]:
    timed(ours.floor), timed(ours.jungfrau), timed(ours.jungfrau_with_marks)
    runs = [
        (timed(ours.floor), timed(ours.jungfrau), timed(ours.jungfrau_with_marks))
        for _ in range(PAIRS)
    ]
    walls = [median(run[place]["wall_s"] for run in runs) for place in range(3)]
    milliseconds = [round(wall / FRAMES * 1e3, 3) for wall in walls]
    say("floor, ours, ours with gain and mask: {} / {} / {} ms a frame".format(*milliseconds))
    return {
        "floor_share": round(walls[0] / walls[1], 3),
        "floor_ms": milliseconds[0],
        "ours_ms": milliseconds[1],
        "ours_with_mask_ms": milliseconds[2],
        "dark_frames": DARKS,
    }


def _measure_files(ours: Ours) -> dict[str, Any]:
    """From file to file, against gzip: in steps, the quick way to store, and as float32."""
    whole, steps = Correction(), Correction(quantise=STEP)
    ours.clear_files(gzip=True)
    gzipped = ours.to_file(whole, gzip=True)
    ours.clear_files()
    equal = _same_files(ours, ours.to_file(whole), gzipped)
    ours.clear_files()
    equal &= _within_half_a_step(ours.to_file(steps), gzipped)
    rounds = [
        (
            _time_files(ours, whole, gzip=True),
            _time_files(ours, whole),
            _time_files(ours, steps),
        )
        for _ in range(max(3, PAIRS // 2))
    ]
    ratios = [median(it[0]["wall_s"] / it[place]["wall_s"] for it in rounds) for place in (1, 2)]
    walls = [median(it[place]["wall_s"] for it in rounds) / TRAINS * 1e3 for place in range(3)]
    say("gzip-1 {:.0f}, float32 {:.1f}, in steps {:.1f} ms a train".format(*walls))
    say(f"file to file: {ratios[0]:.1f} x as float32, {ratios[1]:.1f} x in steps")
    return {
        "equal": equal,
        "ratio_gzip": round(ratios[1], 2),
        "ratio_gzip_f4": round(ratios[0], 2),
        "file_ms": [round(wall, 1) for wall in walls],
    }


def _time_files(ours: Ours, correction: Correction, *, gzip: bool = False) -> dict[str, float]:
    """Time it into fresh files, as a run has them."""
    ours.clear_files(gzip=gzip)
    return timed(lambda: ours.to_file(correction, gzip=gzip))


def _same_files(ours: Ours, written: list[Path], gzipped: list[Path]) -> bool:
    """Compare every bit with what gzip holds, and signals with plain numpy."""
    for number, (one, other) in enumerate(zip(written, gzipped, strict=True)):
        with h5py.File(one) as file, h5py.File(other) as peer:
            found = file[FRAMES_OF.format(number + 1)]
            if any(found[name][()].tobytes() != peer[name][()].tobytes() for name in peer):
                return False
            for train, frame in enumerate(found["adc"]):
                if not np.array_equal(frame.ravel(), ours.plain(number, train), equal_nan=True):
                    return False
    return True


def _within_half_a_step(written: list[Path], gzipped: list[Path]) -> bool:
    for number, (one, other) in enumerate(zip(written, gzipped, strict=True)):
        with h5py.File(one) as file, h5py.File(other) as peer:
            for held, exact in zip(
                file[FRAMES_OF.format(number + 1)]["adc"], peer["adc"], strict=True
            ):
                value = np.where(held == NOTHING, np.nan, held * STEP)
                clipped = np.clip(exact, -LARGEST * STEP, LARGEST * STEP)
                if not np.allclose(value, clipped, rtol=0, atol=0.501 * STEP, equal_nan=True):
                    return False
    return True


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
