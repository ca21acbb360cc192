"""Eight frames to sums, compressed or not: exact counts, honest states, no neighbours."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processing.science.diffraction.blocks import reduce_frames
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.diffraction.sums import Sums, SumState
from processing.science.kernels.fused import TILE
from processing.science.kernels.lanes import LANES
from tests.makers.chunks import decode, decode_by_hdf5, encode
from tests.makers.eights import Eight, Shape, expect, identity

pytestmark = pytest.mark.usefixtures("compiled_kernels")

INTEGERS = ("|u1", "<u2", "<u4", "|i1", "<i2", "<i4")
SIZES = (1, 7, 8, 9, 64, 100, 131)  # around octets and blocks of 64
FEW = settings(deadline=None, max_examples=25)


def frames_of(shape: Shape, seed: int = 0, bright: int = 3) -> NDArray[Any]:
    """Make eight frames of a few photons, of which some have counts up to the very largest."""
    random = np.random.default_rng(seed)
    frames = random.poisson(1.5, (LANES, shape.pixels))
    for frame in frames[:bright]:
        spots = random.integers(0, shape.pixels, 1 + shape.pixels // 20)
        frame[spots] = random.integers(0, np.iinfo(shape.kind).max, len(spots))
    frames[:, 0] += 1  # none is empty
    return frames.astype(shape.dtype)


def sum_chunks(
    shape: Shape, frames: NDArray[Any], ignored: NDArray[np.bool_] | None = None
) -> Eight:
    eight = Eight(shape, ignored=ignored)
    eight.reduce(eight.put([encode(frame, shape.block) for frame in frames]))
    return eight


def sum_plain(frames: NDArray[Any], ignored: NDArray[np.bool_] | None = None) -> Sums:
    pixels = frames.shape[1]
    is_ignored = np.zeros(pixels, bool) if ignored is None else ignored
    bits = np.packbits(is_ignored, bitorder="little")
    return reduce_frames(
        frames[:, None], TiledMatrix(*identity(pixels), np.ones(pixels), bits, np.arange(pixels))
    )


def check(
    frames: NDArray[Any],
    sums: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    ignored: NDArray[np.bool_] | None = None,
) -> None:
    """Hold sums of shape (frames, pixels), and states, against the counts themselves."""
    kept = slice(None) if ignored is None else ~ignored
    for frame, signal, variance, state in zip(frames, *sums, strict=True):
        expected, counts = expect(frame, ignored)
        assert state == expected
        if counts is not None:
            np.testing.assert_array_equal(signal[kept], counts[kept])
            np.testing.assert_array_equal(variance[kept], np.maximum(1, counts[kept]))


def check_both(
    shape: Shape, frames: NDArray[Any], ignored: NDArray[np.bool_] | None = None
) -> None:
    eight = sum_chunks(shape, frames, ignored)
    check(frames, (eight.signal.T, eight.variance.T, eight.states), ignored)
    sums = sum_plain(frames, ignored)
    check(frames, (sums.signal, sums.variance, sums.state), ignored)


@pytest.mark.parametrize("bright", [0, 2, 8])  # high bytes are added one by one, or at once
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_count_arrives_whatever_type_and_size(dtype: str, bright: int) -> None:
    for pixels in SIZES:
        shape = Shape(pixels, dtype, 64)
        check_both(shape, frames_of(shape, pixels, bright))


@pytest.mark.parametrize("pixels", [TILE - 1, TILE, TILE + 5, 2 * TILE + 1027])
@pytest.mark.parametrize("block", [2048, 8192])
def test_frames_larger_than_a_tile_are_summed_tile_by_tile(pixels: int, block: int) -> None:
    shape = Shape(pixels, "<u4", block)
    check_both(shape, frames_of(shape))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_a_marker_in_use_is_told_and_one_out_of_use_is_nothing(dtype: str) -> None:
    shape = Shape(99, dtype, 64)  # with a marker in each block, and among the last three
    ignored = np.zeros(99, bool)
    ignored[[3, 70, 97]] = True
    frames = frames_of(shape)
    for lane, place in enumerate((3, 70, 97, 4, 71, 98)):
        frames[lane, place] = np.iinfo(dtype).max
    if dtype[1] == "i":
        frames[6, 3], frames[7, 98] = -1, np.iinfo(dtype).min
    check_both(shape, frames, ignored)
    states = sum_chunks(shape, frames, ignored).states
    assert (states[:6] == [SumState.OK] * 3 + [SumState.MARKED] * 3).all()


def test_a_frame_without_light_is_empty_also_if_markers_shine_in_it() -> None:
    shape = Shape(99, "<u2", 64)
    ignored = np.zeros(99, bool)
    ignored[10], ignored[98] = True, True
    frames = np.zeros((LANES, 99), np.uint16)
    frames[1, [10, 98]] = 2**16 - 1
    frames[2, 40], frames[3, 97], frames[4, 10] = 1, 1, 1
    check_both(shape, frames, ignored)
    assert sum_chunks(shape, frames, ignored).states.tolist() == [3, 3, 0, 0, 0, 3, 3, 3]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_is_no_number_is_no_count(dtype: str) -> None:
    frames = np.random.default_rng(1).random((9, 20)).astype(dtype)
    ignored = np.zeros(20, bool)
    ignored[5] = True
    frames[:4, 5] = np.nan, np.inf, -1, -np.inf
    frames[4:8, 6] = np.nan, np.inf, -1, -np.inf
    sums = sum_plain(frames, ignored)
    assert sums.state.tolist() == [0] * 4 + [2] * 4 + [0]
    counts = frames.astype(np.float32)
    np.testing.assert_array_equal(
        sums.signal[[0, 3, 8]][:, ~ignored], counts[[0, 3, 8]][:, ~ignored]
    )


@pytest.mark.parametrize("dtype", [">u2", ">f4", "i8", "f2"])
def test_types_that_the_kernel_does_not_know_are_turned_into_some_it_knows(dtype: str) -> None:
    frames = np.random.default_rng(2).poisson(3, (3, 20)).astype(dtype)
    sums = sum_plain(frames)
    np.testing.assert_array_equal(sums.signal, frames.astype(float))
    assert not sums.state.any()


@pytest.mark.parametrize("n_frames", [1, 3, 7])
def test_lanes_without_a_frame_are_damaged_and_disturb_none(n_frames: int) -> None:
    shape = Shape(131, "<u4", 64)
    frames = frames_of(shape)
    eight = sum_chunks(shape, frames[:n_frames])
    check(
        frames[:n_frames],
        (eight.signal.T[:n_frames], eight.variance.T[:n_frames], eight.states[:n_frames]),
    )
    assert (eight.states[n_frames:] == SumState.UNREADABLE).all()
    sums = sum_plain(frames[:n_frames])
    check(frames[:n_frames], (sums.signal, sums.variance, sums.state))


def a_splitting_matrix(pixels: int) -> tuple[NDArray[Any], ...]:
    """Make a matrix of one tile in which each bin takes parts of many pixels."""
    random = np.random.default_rng(6)
    bins, per_bin = 7, 60
    weights = random.random(bins * per_bin, np.float32)
    return (
        np.array([0, bins]),
        np.arange(0, bins * per_bin + 1, per_bin, np.int32),
        np.arange(bins, dtype=np.int32),
        random.integers(0, pixels, bins * per_bin).astype(np.uint16),
        weights,
        weights * weights,
    )


@FEW
@given(st.permutations(range(LANES)), st.integers(0, LANES), st.integers(0, 2**32 - 1))
def test_a_frame_gives_the_same_bits_among_any_neighbours(
    order: list[int], bright: int, seed: int
) -> None:
    shape = Shape(203, "<u4", 64)
    chunks = [encode(frame, shape.block) for frame in frames_of(shape, seed, bright)]
    chunks[5] = chunks[5][:-9]
    results = []
    for bodies in (chunks, [chunks[lane] for lane in order]):
        eight = Eight(shape, a_splitting_matrix(shape.pixels))
        eight.reduce(eight.put(bodies))
        results.append(eight)
    one, other = results
    kept = other.states == SumState.OK
    np.testing.assert_array_equal(one.states[order], other.states)
    np.testing.assert_array_equal(one.signal[:, order][:, kept], other.signal[:, kept])
    np.testing.assert_array_equal(one.variance[:, order][:, kept], other.variance[:, kept])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_compressed_and_plain_frames_give_the_same_bits(dtype: str) -> None:
    shape = Shape(203, dtype, 64)
    frames, matrix = frames_of(shape), a_splitting_matrix(203)
    eight = Eight(shape, matrix)
    eight.reduce(eight.put([encode(frame, shape.block) for frame in frames]))
    tiled = TiledMatrix(*matrix, np.ones(7), np.zeros(26, np.uint8), np.arange(7))
    sums = reduce_frames(frames[:, None], tiled)
    np.testing.assert_array_equal(eight.signal.T, sums.signal)
    np.testing.assert_array_equal(eight.variance.T, sums.variance)


def test_a_bench_that_was_used_before_gives_the_same() -> None:
    shape = Shape(203, "<u4", 64)
    used, fresh = Eight(shape), Eight(shape)
    used.reduce(used.put([encode(frame, 64) for frame in frames_of(shape, 1, 8)]))
    for eight in (used, fresh):
        eight.reduce(eight.put([encode(frame, 64) for frame in frames_of(shape, 2, 0)]))
    np.testing.assert_array_equal(used.signal, fresh.signal)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_plain_reader_of_chunks_is_that_of_hdf5(dtype: str) -> None:
    for pixels in SIZES:
        frame = frames_of(Shape(pixels, dtype, 64), pixels)[0]
        chunk = encode(frame, 64)
        np.testing.assert_array_equal(decode(chunk, pixels, dtype, 64), frame)
        np.testing.assert_array_equal(decode_by_hdf5(chunk, pixels, dtype, 64), frame)
