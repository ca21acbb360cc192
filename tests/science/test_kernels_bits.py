"""Bit planes: what compiled code makes of them, beside numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from processing.science.kernels.bits import any_unmarked, find_markers, gather_bytes
from tests.makers.chunks import shuffle, unshuffle

TYPES = ("u1", "u2", "u4", "i1", "i2", "i4")
FEW = settings(deadline=None, max_examples=60)


def pixels_of(dtype: str) -> "st.SearchStrategy[NDArray[Any]]":
    """Pixels of which many are markers or next to them."""
    info = np.iinfo(dtype)
    special = st.sampled_from([info.min, info.max, info.max - 1, 0, 1, info.max // 2])
    return st.integers(1, 12).flatmap(
        lambda octets: arrays(dtype, 8 * octets, elements=special | st.integers(0, info.max))
    )


some_pixels = st.sampled_from(TYPES).flatmap(pixels_of)


def markers(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which elements hold no count."""
    return (pixels < 0) | (pixels == np.iinfo(pixels.dtype).max)


def as_bits(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(flags, bitorder="little")


@FEW
@given(some_pixels)
def test_planes_of_one_byte_become_that_byte_of_every_element(pixels: NDArray[Any]) -> None:
    planes, width = shuffle(pixels).ravel(), len(pixels) // 8
    words = np.full(width + 2, 7, np.uint64)
    for byte in range(pixels.itemsize):
        gather_bytes(planes, 8 * byte * width, width, words, 1)
        octets = pixels.view(np.uint8).reshape(len(pixels), -1)[:, byte]
        np.testing.assert_array_equal(words[1:-1].view(np.uint8), octets)
        assert words[0] == words[-1] == 7
    np.testing.assert_array_equal(unshuffle(planes, pixels.dtype), pixels)


@FEW
@given(some_pixels)
def test_the_largest_number_and_numbers_below_nought_are_marked(pixels: NDArray[Any]) -> None:
    planes, width = shuffle(pixels), len(pixels) // 8
    marks = np.zeros(width, np.uint8)
    find_markers(planes.ravel(), len(planes), width, pixels.dtype.kind == "i", marks)
    np.testing.assert_array_equal(marks, as_bits(markers(pixels)))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_single_marker_is_found_wherever_it_is(dtype: str) -> None:
    for place in range(24):
        pixels = np.arange(24).astype(dtype)
        pixels[place] = np.iinfo(dtype).max
        planes = shuffle(pixels)
        marks = np.zeros(3, np.uint8)
        find_markers(planes.ravel(), len(planes), 3, dtype[0] == "i", marks)
        assert np.flatnonzero(np.unpackbits(marks, bitorder="little")).tolist() == [place]


@FEW
@given(some_pixels, st.data())
def test_bits_of_marked_elements_do_not_count(pixels: NDArray[Any], draw: st.DataObject) -> None:
    planes, width = shuffle(pixels), len(pixels) // 8
    octet = draw.draw(st.integers(0, pixels.itemsize - 1))
    first, n_planes = 8 * octet, 8 * draw.draw(st.integers(1, pixels.itemsize - octet))
    marked = draw.draw(arrays(bool, len(pixels)))
    bits = np.unpackbits(planes[first : first + n_planes], axis=1, bitorder="little")
    found = any_unmarked(planes.ravel(), first * width, n_planes, width, as_bits(marked))
    assert found == bool(bits[:, ~marked].any())
