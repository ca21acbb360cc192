"""Each kernel gives bit for bit what a few lines of numpy give, for any words."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from processing.science.kernels import agipd, jungfrau, signals

Words = NDArray[np.uint16]
PIXELS = 48
ANY_WORDS = arrays(np.uint16, (3, PIXELS))
SATURATED = 1 << 12
WRONG_GAIN = 1 << 21


def constants(planes: int, seed: int) -> tuple[Any, Any, Any]:
    """Offsets around 3000 ADU, gains of both signs, every seventh pixel bad in some plane."""
    random = np.random.default_rng(seed)
    offset = random.normal(3000, 500, (planes, PIXELS)).astype(np.float32)
    scale = random.normal(0, 0.03, (planes, PIXELS)).astype(np.float32)
    bits = np.where(random.random((planes, PIXELS)) < 1 / 7, 1 << 3, 0).astype(np.uint32)
    scale[bits != 0] = np.nan
    return offset, scale, bits


def jungfrau_twin(words: Words, offset: Any, scale: Any, bits: Any) -> tuple[Any, Any, Any]:
    code, value = words >> 14, (words & 0x3FFF).astype(np.float32)
    pixel = np.arange(words.shape[1])
    signal = (value - offset[code, pixel]) * scale[code, pixel]
    saturated = (words == 0x3FFF) | (words == 0xC000)
    signal[saturated] = np.nan
    mask = bits[code, pixel] | np.where(saturated, SATURATED, 0).astype(np.uint32)
    return signal, np.array([0, 1, 255, 2], np.uint8)[code], mask


def agipd_twin(raw: Words, thresholds: Any, offset: Any, scale: Any, bits: Any) -> Any:
    analog, level = raw[:, 0].astype(np.float32), raw[:, 1].astype(np.int32)
    stage = np.where(level >= thresholds[1], 2, 1) * (level >= thresholds[0])
    pixel = np.arange(raw.shape[2])
    signal = (analog - offset[stage, pixel]) * scale[stage, pixel]
    return signal, stage.astype(np.uint8), bits[stage, pixel]


def same_bits(found: Any, expected: Any) -> bool:
    return bool(np.array_equal(np.isnan(found), np.isnan(expected))) and bool(
        np.array_equal(np.nan_to_num(found, nan=0.0), np.nan_to_num(expected, nan=0.0))
    )


def correct_words(words: Words, planes: Any, kernel: str, *, marks: bool = True) -> Any:
    words = words.copy()
    signal = np.full(words.shape, -1, np.float32)
    gain, mask = np.full(words.shape, 9, np.uint8), np.full(words.shape, 9, np.uint32)
    more = (words.view(np.uint64),) if kernel == "correct_words" else ()
    rows = np.arange(len(words))
    kept = (gain, mask) if marks else (None, None)
    room = (np.zeros(jungfrau.PLACES, np.uint32),) if kernel == "correct_words" else ()
    getattr(jungfrau, kernel)(words, *more, rows, 0, words.shape[1], *planes, signal, *kept, *room)
    return signal, gain, mask


@pytest.mark.parametrize("kernel", ["correct_words", "correct_words_one_by_one"])
@given(words=ANY_WORDS, seed=st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_jungfrau_words_come_out_as_numpy_has_them(kernel: str, words: Words, seed: int) -> None:
    offset, scale, bits = constants(4, seed)
    scale[2], bits[2] = np.nan, WRONG_GAIN
    found = correct_words(words, (offset, scale, bits), kernel)
    expected = jungfrau_twin(words, offset, scale, bits)
    assert same_bits(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
    assert np.array_equal(found[2], expected[2])
    assert np.array_equal(np.isnan(found[0]), found[2] != 0), "NaN where the mask says why"


def test_signals_are_the_same_without_gain_and_mask() -> None:
    planes = constants(4, 1)
    words = np.random.default_rng(0).integers(0, 2**16, (5, PIXELS)).astype(np.uint16)
    alone = correct_words(words, planes, "correct_words", marks=False)
    assert same_bits(alone[0], correct_words(words, planes, "correct_words")[0])
    assert (alone[1] == 9).all(), "untouched"


@pytest.mark.parametrize(
    ("word", "bits", "stage"),
    [(0x3FFF, SATURATED, 0), (0xC000, SATURATED, 2), (0x8123, WRONG_GAIN, 255)],
)
def test_words_that_mean_no_signal_are_nan_with_their_bit(word: int, bits: int, stage: int) -> None:
    offset, scale, clean = constants(4, 0)
    clean[:], scale[:] = 0, 1
    scale[2], clean[2] = np.nan, WRONG_GAIN
    words = np.full((1, PIXELS), 5000, np.uint16)
    words[0, 5] = word
    signal, gain, mask = correct_words(words, (offset, scale, clean), "correct_words")
    assert np.flatnonzero(np.isnan(signal)).tolist() == [5]
    assert (mask[0, 5], gain[0, 5]) == (bits, stage)


def test_a_span_leaves_the_other_pixels_and_frames_alone() -> None:
    offset, scale, bits = constants(4, 0)
    words = np.full((3, PIXELS), 0x4001, np.uint16)
    signal, gain = np.full(words.shape, 7, np.float32), np.full(words.shape, 7, np.uint8)
    mask = np.full(words.shape, 7, np.uint32)
    args = (offset, scale, bits, signal, gain, mask, np.zeros(jungfrau.PLACES, np.uint32))
    jungfrau.correct_words(words, words.view(np.uint64), np.array([1]), 8, 16, *args)
    changed = np.zeros(words.shape, bool)
    changed[1, 8:16] = True
    assert np.array_equal(gain == 1, changed)
    assert np.array_equal(gain == 7, ~changed)


def test_separate_gain_codes_become_words() -> None:
    adc = np.full((1, 8), 5, np.uint16)
    codes = np.array([[0, 1, 2, 3, 4, 255, 0, 1]], np.uint8)
    jungfrau.pack_codes(adc, codes, 0, 8)
    assert (adc >> 14).tolist() == [[0, 1, 2, 3, 2, 2, 0, 1]]
    assert (adc & 0x3FFF == 5).all()


@given(raw=arrays(np.uint16, (3, 2, PIXELS)), seed=st.integers(0, 5), low=st.integers(0, 65_536))
@settings(max_examples=60, deadline=None)
def test_agipd_frames_come_out_as_numpy_has_them(raw: Words, seed: int, low: int) -> None:
    offset, scale, bits = constants(3, seed)
    gap = np.random.default_rng(seed).integers(1, 3000, PIXELS)
    thresholds = np.minimum([np.full(PIXELS, low), low + gap], 70_000).astype(np.int32)
    signal = np.empty((3, PIXELS), np.float32)
    gain, mask = np.full((3, PIXELS), 9, np.uint8), np.empty((3, PIXELS), np.uint32)
    agipd.correct_frames(
        raw, np.arange(3), 0, PIXELS, offset, scale, thresholds, bits, signal, gain,
        gain.view(np.uint64), mask, np.zeros(agipd.PLACES, np.uint32),
    )  # fmt: skip
    expected = agipd_twin(raw, thresholds, offset, scale, bits)
    assert same_bits(signal, expected[0])
    assert np.array_equal(gain, expected[1])
    assert np.array_equal(mask, expected[2])


FLOATS = arrays(np.float32, 64, elements=st.floats(width=32))


@given(signal=FLOATS, step=st.sampled_from([0.1, 1.0, 0.03125, 7.0]))
@settings(max_examples=60, deadline=None)
def test_a_quantised_signal_is_within_half_a_step(signal: Any, step: float) -> None:
    steps = np.empty(len(signal), np.int16)
    clipped = signals.quantise(signal, step, steps)
    is_nan = np.isnan(signal)
    assert np.array_equal(steps == -32_768, is_nan)
    beyond = np.abs(np.rint(signal.astype(np.float64) / step)) > 32_000
    assert clipped == beyond[~is_nan].sum()
    assert set(np.abs(steps[beyond & ~is_nan])) <= {32_000}
    kept = ~is_nan & ~beyond
    error = np.abs(steps[kept] * step - signal[kept].astype(np.float64))
    assert (error <= step / 2 * (1 + 1e-12)).all()


def test_the_common_mode_of_an_asic_is_found_in_its_dark_pixels() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(0, 2, (64, 64)).astype(np.float32)
    truth[:10] += 500  # light
    gain = np.zeros((64, 64), np.uint8)
    gain[60:] = 1
    scale = np.full((64, 64), 0.5, np.float32)
    scale[20, 20] = np.nan
    shifted = ((truth + np.where(gain == 0, 17.0, 0.0)) * scale).astype(np.float32)
    done = signals.subtract_common_mode(shifted, gain, scale, -50.0, 30.0, 0.66, 4)
    assert done == 4
    dark = truth[10:60].mean()
    assert np.nanmax(np.abs(shifted[:60] / 0.5 - (truth[:60] - dark))) < 1e-2
    assert np.array_equal(shifted[60:], truth[60:] * scale[60:]), "of high gain only"
    assert np.isnan(shifted[20, 20])


def test_an_asic_full_of_light_keeps_its_signal() -> None:
    signal = np.full((64, 64), 400, np.float32)
    signal[:40] = 5  # 62 % dark
    before = signal.copy()
    ones = np.ones((64, 64), np.float32)
    assert (
        signals.subtract_common_mode(
            signal, np.zeros((64, 64), np.uint8), ones, -50.0, 30.0, 0.66, 4
        )
        == 0
    )
    assert np.array_equal(signal, before)


@given(place=st.integers(0, 9_999))
@settings(max_examples=20, deadline=None)
def test_arrays_are_the_same_unless_one_number_differs(place: int) -> None:
    one = np.arange(10_000, dtype=np.uint32)
    other = one.copy()
    assert signals.is_same(one, other)
    other[place] ^= 1 << 31
    assert not signals.is_same(one, other)


def test_counts_are_those_of_numpy() -> None:
    random = np.random.default_rng(4)
    gain = random.choice(np.array([0, 1, 2, 255], np.uint8), 1000)
    mask = random.choice(np.array([0, 0, 1, 6, 1 << 31], np.uint32), 1000)
    signal = np.where(mask, np.nan, random.normal(0, 100, 1000)).astype(np.float32)
    stages, bits = np.zeros(4, np.int64), np.zeros(32, np.int64)
    assert signals.count_stages_and_bits(gain, mask, stages, bits) == (mask != 0).sum()
    assert stages.tolist() == [(gain == stage).sum() for stage in (0, 1, 2, 255)]
    assert bits.tolist() == [((mask >> bit) & 1).sum() for bit in range(32)]
    sums = np.empty(signals.LANES)
    counted = signals.sum_signal(signal, sums)
    assert sums.sum() == pytest.approx(np.nansum(signal.astype(np.float64)))
    assert counted == np.isfinite(signal).sum()
    histogram = np.zeros((3, 12), np.int64)
    signals.count_signals(signal, gain, -100.0, 20.0, histogram)
    edges = [-np.inf, *np.arange(-100, 101, 20), np.inf]
    for stage in range(3):
        expected = np.histogram(signal[(gain == stage) & np.isfinite(signal)], edges)[0]
        assert histogram[stage].tolist() == expected.tolist()
