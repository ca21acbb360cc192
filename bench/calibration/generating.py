"""The data of the benchmark: seeded, made once, read by ours and by the peers."""

from pathlib import Path

import numpy as np

FRAMES = 16  # JUNGFRAU 8 x 512 x 1024
PIXELS = 8 * 512 * 1024
SWITCHED = 0.0055
CELLS, TRAINS = 8, 32  # AGIPD, one module
MEDIUM, LOW = 0.00053, 0.00364  # of its pixels, in the run that performance.md takes
DARKS = 200  # frames of one JUNGFRAU module
_DONE = "generated-3"


def generate(folder: Path) -> None:
    """Write arrays as ``.npy``, unless they are there."""
    if (folder / _DONE).exists():
        return
    random = np.random.default_rng(5)
    _jungfrau(folder, random)
    _agipd(folder, random)
    darks = random.normal(3000, 6, (DARKS, 512, 1024)).astype(np.uint16)
    np.save(folder / "darks.npy", darks)
    (folder / _DONE).touch()


def _jungfrau(folder: Path, random: np.random.Generator) -> None:
    """0.55 % of the pixels switched at random, which is the worst case; 0.2 % bad ones."""
    words = random.normal(3100, 60, (FRAMES, PIXELS)).astype(np.uint16)
    switched = random.random(words.shape, dtype=np.float32) < SWITCHED
    codes = random.choice(np.array([0x4000, 0xC000], np.uint16), int(switched.sum()))
    words[switched] = codes | random.integers(9000, 14_000, len(codes)).astype(np.uint16)
    np.save(folder / "words.npy", words)
    centres = np.array([3000, 14_000, 14_500]).reshape(3, 1)
    gains = np.array([40.0, -1.5, -0.1]).reshape(3, 1)
    pedestal = (centres + random.normal(0, 30, (3, PIXELS))).astype(np.float32)
    divisor = (gains * random.normal(1, 0.02, (3, PIXELS))).astype(np.float32)
    divisor[:, random.random(PIXELS) < 0.002] = np.nan
    np.save(folder / "pedestal.npy", pedestal)
    np.save(folder / "divisor.npy", divisor)
    np.save(folder / "scale.npy", (1 / divisor).astype(np.float32))


def _agipd(folder: Path, random: np.random.Generator) -> None:
    """One memory cell as numpy is fastest with; stages as often as in a published run."""
    pixels = 512 * 128
    raw = random.normal(5000, 20, (CELLS * TRAINS, 2, pixels)).astype(np.uint16)
    drawn = random.random((CELLS * TRAINS, pixels), dtype=np.float32)
    raw[:, 1][drawn < MEDIUM + LOW] = 6000
    raw[:, 1][drawn < LOW] = 7000
    np.save(folder / "agipd.npy", raw)
    offset = random.normal(4500, 30, (3, pixels)).astype(np.float32)
    scale = random.normal(1, 0.02, (3, pixels)).astype(np.float32)
    threshold = np.array([[5500.5], [6500.5]]) + random.normal(0, 10, (2, pixels))
    np.save(folder / "agipd_offset.npy", offset)
    np.save(folder / "agipd_scale.npy", scale)
    np.save(folder / "agipd_threshold.npy", threshold.astype(np.float32))
