"""Ways to spoil a chunk, each drawn from a seed: what disks, networks and enemies do."""

import random
from collections.abc import Callable

from tests.makers.chunks import HEADER, LENGTH, block_places
from tests.makers.eights import Shape
from tests.makers.lz4 import find_matches

Mutation = Callable[[bytearray, Shape, random.Random], bytearray]

_LENGTHS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
_OFFSETS = (0, 1, 15, 16, 255, 2**15, 2**16 - 1)


def flip_bits(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    for _ in range(draw.choice((1, 1, 2, 8))):
        chunk[draw.randrange(len(chunk))] ^= 1 << draw.randrange(8)
    return chunk


def flip_bits_behind_the_header(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    if len(chunk) > HEADER + LENGTH:
        chunk[draw.randrange(HEADER + LENGTH, len(chunk))] ^= 1 << draw.randrange(8)
    return chunk


def cut(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    return chunk[: draw.randrange(len(chunk))]


def lengthen(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    return chunk + draw.randbytes(draw.choice((1, 4, 100)))


def lie_in_the_header(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    first, stop = draw.choice(((0, 8), (8, 12)))
    true = int.from_bytes(chunk[first:stop], "big")
    lie = draw.choice((0, 1, true - 1, true + 8, 2 * true, 2**31, 2 ** (8 * (stop - first)) - 1))
    chunk[first:stop] = (lie % 2 ** (8 * (stop - first))).to_bytes(stop - first, "big")
    return chunk


def lie_about_a_length(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    begin, end = _a_block(chunk, shape, draw)
    if end:
        lie = draw.choice((*_LENGTHS, end - begin - 1, end - begin + 1, len(chunk) - begin))
        chunk[begin - LENGTH : begin] = max(0, lie).to_bytes(LENGTH, "big")
    return chunk


def lie_about_an_offset(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    begin, end = _a_block(chunk, shape, draw)
    matches = list(find_matches(bytes(chunk[begin:end])))
    if matches:
        match = draw.choice(matches)
        lie = draw.choice((*_OFFSETS, match.offset + 1, match.offset - 1)) % 2**16
        place = begin + match.place
        chunk[place : place + 2] = lie.to_bytes(2, "little")
    return chunk


def never_end_a_length(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    begin, end = _a_block(chunk, shape, draw)
    if end > begin:
        place = draw.randrange(begin, end)
        chunk[place:end] = b"\xff" * (end - place)
    return chunk


def overwrite(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    begin, end = _a_block(chunk, shape, draw)
    for place in range(begin, min(end, begin + draw.choice((1, 3, 20)))):
        chunk[place] = draw.choice((0, 15, 240, 255, draw.randrange(256)))
    return chunk


def move_a_part(chunk: bytearray, shape: Shape, draw: random.Random) -> bytearray:
    place, length = draw.randrange(len(chunk)), draw.randrange(1, 40)
    part = chunk[place : place + length]
    del chunk[place : place + length]
    place = draw.randrange(len(chunk) + 1)
    return chunk[:place] + part + chunk[place:]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits_behind_the_header,
    cut,
    lengthen,
    lie_in_the_header,
    lie_about_a_length,
    lie_about_an_offset,
    never_end_a_length,
    overwrite,
    move_a_part,
)


def mutate(chunk: bytes, shape: Shape, draw: random.Random) -> bytes:
    """Return a spoilt copy of a chunk; a second blow may follow the first."""
    spoilt = draw.choice(MUTATIONS)(bytearray(chunk), shape, draw)
    if spoilt and draw.random() < 0.2:
        spoilt = flip_bits(spoilt, shape, draw)
    return bytes(spoilt)


def _a_block(chunk: bytearray, shape: Shape, draw: random.Random) -> tuple[int, int]:
    places = block_places(bytes(chunk), shape.pixels, shape.block)
    return draw.choice(places) if places else (0, 0)
