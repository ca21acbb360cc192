"""Blocks of LZ4: valid ones give their bytes, and no others are taken."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processing.science.kernels.lanes import copy_sixteen
from processing.science.kernels.lz4 import SLACK, decode_lz4
from tests.fuzzing.seeds import SHORT_CUT
from tests.makers.lz4 import compress, decode, decode_by_reference, decode_plainly

BEFORE, BEHIND = b"\xaa" * 7, b"\xbb" * 40  # other blocks of the chunk
FEW = settings(deadline=None, max_examples=200)

runs = st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 300))
texts = st.lists(runs, min_size=1, max_size=6).map(
    lambda parts: b"".join(part * times for part, times in parts)
)


def decode_compiled(block: bytes, size: int) -> bytes | None:
    source = np.frombuffer(BEFORE + block + BEHIND, np.uint8)
    target = np.full(size + SLACK, 0xCC, np.uint8)
    first = len(BEFORE)
    is_valid = decode_lz4(source, first, first + len(block), target, size)
    return target[:size].tobytes() if is_valid else None


@FEW
@given(texts)
@example(b"x")
@example(bytes(8192))
def test_what_was_compressed_comes_back(data: bytes) -> None:
    assert decode_compiled(compress(data), len(data)) == data


@FEW
@given(texts, st.data())
def test_spoilt_blocks_are_judged_as_the_reference_and_the_format_judge_them(
    data: bytes, draw: st.DataObject
) -> None:
    block = bytearray(compress(data))
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(0, len(block) - 1))
        block[place] = draw.draw(st.sampled_from([0, 1, 15, 16, 240, 255]) | st.integers(0, 255))
    size = len(data) + draw.draw(st.sampled_from([0, 0, 0, -1, 1]))
    if size:
        expected = decode(bytes(block), size)
        assert decode_compiled(bytes(block), size) == expected
        assert decode_plainly(bytes(block), size) == expected


@pytest.mark.parametrize("period", range(1, 40))
def test_a_match_repeats_what_lies_any_distance_before(period: int) -> None:
    pattern = bytes(range(1, period + 1))
    for length in range(period + 30, period + 70):
        data = (pattern * 80)[:length] + b"the end"
        assert decode_compiled(compress(data), len(data)) == data


def test_a_block_that_is_cut_anywhere_is_refused() -> None:
    data = bytes(300) + bytes(range(256)) * 2 + b"abc" * 50
    block = compress(data)
    for length in range(len(block)):
        assert decode_compiled(block[:length], len(data)) is None
    assert decode_compiled(block + b"\0", len(data)) is None


@pytest.mark.parametrize("wrong", [-20, -1, 1, 20])
def test_a_block_of_another_size_is_refused(wrong: int) -> None:
    data = b"0123456789" * 30
    assert decode_compiled(compress(data), len(data) + wrong) is None


@pytest.mark.parametrize("offset", [0, 6, 2**15, 2**16 - 1])
def test_a_match_in_what_was_not_written_is_refused(offset: int) -> None:
    literals, end = b"\x54abcde", b"\xb0" + b"x" * 11
    valid = literals + (5).to_bytes(2, "little") + end
    assert decode_compiled(valid, 24) == b"abcdeabcdeabc" + b"x" * 11
    assert decode_compiled(literals + offset.to_bytes(2, "little") + end, 24) is None


@pytest.mark.parametrize(("literals", "is_valid"), [(4, False), (5, True), (6, True)])
def test_a_block_ends_with_five_literals_at_least(literals: int, *, is_valid: bool) -> None:
    end = bytes([literals << 4]) + b"x" * literals
    block = b"\xcfabcdefghijkl\x01\0\0" + end  # a match of nineteen
    data = b"abcdefghijkl" + b"l" * 19 + b"x" * literals
    assert decode(block, len(data)) == (data if is_valid else None)
    assert decode_compiled(block, len(data)) == (data if is_valid else None)


@pytest.mark.parametrize("literals", range(8))
def test_no_short_cut_leads_around_the_rules_for_the_end(literals: int) -> None:
    block = SHORT_CUT + bytes([literals << 4]) + b"x" * literals
    size = 32 + literals
    assert decode_by_reference(block, size) is not None
    assert (decode_compiled(block, size) is not None) == (literals >= 5)


def test_a_length_without_an_end_is_refused() -> None:
    for length in (1, 2, 100, 10_000):
        assert decode_compiled(b"\xf0" + b"\xff" * length, 500) is None
        assert decode_compiled(b"\x1fa\x01\0" + b"\xff" * length, 500) is None


def test_nothing_behind_the_slack_is_written() -> None:
    data = b"abcdefgh" * 20
    block = np.frombuffer(compress(data), np.uint8)
    target = np.zeros(len(data) + 2 * SLACK, np.uint8)
    assert decode_lz4(block, 0, len(block), target, len(data))
    assert not target[len(data) + SLACK :].any()


def test_the_move_of_sixteen_bytes_has_a_twin_in_python() -> None:
    source, target = np.arange(40, dtype=np.uint8), np.zeros(40, np.uint8)
    copy_sixteen(target, 3, source, 20)
    assert target.tolist() == [0] * 3 + list(range(20, 36)) + [0] * 21
