"""
Three dark runs and one with light of an AGIPD module, small enough to try calibration with.

Launch dark-characterise on the darks, then the notebook detector-calibration on the fourth run
with the constants that came out.
"""

from datetime import timedelta
from pathlib import Path

import numpy as np

from demo.makers.detectors import FIRST_TRAIN, START, Clock, Words, write_agipd_run

# Run to its gain, and the signal, gain level and noise in ADU that its pixels have.
RUNS = {
    "r0011": (0, 6000.0, 5200.0, 12.0),
    "r0012": (1, 5400.0, 6100.0, 6.0),
    "r0013": (2, 5100.0, 6900.0, 5.0),
    "r0014": (0, 6000.0, 5200.0, 12.0),  # with light
}
_TRAINS = 24
_SHAPE = (_TRAINS, 1, 512, 128)
_BEAM_ADU = 900.0  # in the middle of the spot of light


def write_dark_run(folder: Path, name: str, proposal: int) -> None:
    """
    Write one of the four runs.

    Parameters
    ----------
    folder : Path
        Of its files.
    name : str
        One of ``RUNS``.
    proposal : int
        Number of the proposal, which the files state.
    """
    place = list(RUNS).index(name)
    gain, signal, level, noise = RUNS[name]
    clock = Clock(
        run=int(name[1:]),
        proposal=proposal,
        first_train=FIRST_TRAIN + 10_000 * place,
        start=START + timedelta(minutes=5 * place),
    )
    random = np.random.default_rng(place)
    analog = signal + noise * random.standard_normal(_SHAPE, np.float32)
    if name == "r0014":
        y, x = np.ogrid[:512, :128]
        analog += _BEAM_ADU * np.exp(-((x - 64) ** 2 + (y - 256) ** 2) / 1e3)
    levels = level + 3 * random.standard_normal(_SHAPE, np.float32)
    pixels = {0: (_whole_adu(analog), _whole_adu(levels))}
    write_agipd_run(folder, pixels, clock=clock, gain_mode=0 if name == "r0014" else gain + 1)


def _whole_adu(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Words:
    return np.rint(values).astype(np.uint16)
