"""Compile what corrections use, so that the first run does not wait for it."""

import numpy as np

from processing.science.calibration.correcting import (
    CommonMode,
    Correction,
    correct_agipd,
    correct_jungfrau,
    finish,
)
from processing.science.calibration.planes import Planes
from processing.science.euxfel.detectors import Detector


def warm_kernels() -> None:
    """Call every kernel with one frame of 512 rows, of the types that corrections have."""
    from processing.science.kernels import signals  # noqa: PLC0415 - numba is slow to import

    pixels = 512 * 8
    cells = np.zeros(1, np.int64)
    thresholds = np.full((1, 2, pixels), 2, np.int32)
    planes = {
        "AGIPD": Planes(_plane(3, pixels), _plane(3, pixels), _bits(3, pixels), thresholds),
        "JUNGFRAU": Planes(_plane(4, pixels), _plane(4, pixels), _bits(4, pixels), None),
    }
    words = np.zeros((1, pixels), np.uint16)
    codes = np.zeros((1, pixels), np.uint8)
    names: tuple[Detector, ...] = ("AGIPD", "JUNGFRAU")
    for name in names:
        if name == "AGIPD":
            done = correct_agipd(np.zeros((1, 2, pixels), np.uint16), cells, planes[name])
        else:
            done = correct_jungfrau(words, codes, cells, planes[name])
        finish(done, cells, planes[name], name, Correction(common_mode=CommonMode()))
    signal, gain, mask = done.signal[0], done.gain[0], done.mask[0]
    signals.quantise(signal, 1.0, np.zeros(pixels, np.int16))
    signals.sum_signal(signal, np.empty(signals.LANES))
    signals.is_same(gain, gain)
    signals.is_same(mask, mask)
    signals.count_stages_and_bits(gain, mask, np.zeros(4, np.int64), np.zeros(32, np.int64))
    signals.count_signals(signal, gain, 0.0, 1.0, np.zeros((3, 3), np.int64))


def _plane(planes: int, pixels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ones((1, planes, pixels), np.float32)


def _bits(planes: int, pixels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
    return np.zeros((1, planes, pixels), np.uint32)
