"""
Eight frames side by side: vectors of eight float32, and moves of sixteen bytes.

numba has no vectors of its own, so they are spelled here in LLVM's terms, which lowers
them to whatever the processor has: one AVX register, or two of SSE. A kernel says
``total = fused(total, weight, load(tile, row))`` for eight frames at once.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_BYTES = ir.IntType(8)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Lanes")


_LANES = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    """Return the address of an element of a contiguous array, as one of another type."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


@intrinsic
def zeros(typingctx: Any) -> Any:
    """Return eight zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_FLOATS, [0.0] * LANES)

    return Signature(_LANES, (), None), generate


@intrinsic
def load(typingctx: Any, array: Any, row: Any) -> Any:
    """Return row ``row`` of a float32 array whose rows are eight long."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = builder.mul(arguments[1], ir.Constant(arguments[1].type, LANES))
        place = _pointer(context, builder, signature.args[0], arguments[0], index, _FLOATS)
        return builder.load(place, align=4)

    return Signature(_LANES, (array, types.intp), None), generate


@intrinsic
def store(typingctx: Any, array: Any, row: Any, lanes: Any) -> Any:
    """Write row ``row`` of a float32 array whose rows are eight long."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = builder.mul(arguments[1], ir.Constant(arguments[1].type, LANES))
        place = _pointer(context, builder, signature.args[0], arguments[0], index, _FLOATS)
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return Signature(types.none, (array, types.intp, _LANES), None), generate


@intrinsic
def fused(typingctx: Any, total: Any, weight: Any, lanes: Any) -> Any:
    """Return total + weight * lanes, rounded once where the processor can."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weight, lanes = arguments
        one = builder.insert_element(
            ir.Constant(_FLOATS, ir.Undefined), weight, ir.Constant(ir.IntType(32), 0)
        )
        same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        splat = builder.shuffle_vector(one, one, same)
        product = builder.fmul(splat, lanes, flags=("contract",))
        return builder.fadd(total, product, flags=("contract",))

    return Signature(_LANES, (_LANES, types.float32, _LANES), None), generate


@intrinsic
def at_least_one(typingctx: Any, lanes: Any) -> Any:
    """Return max(1, lanes): the variance that pyFAI gives to a count."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ones = ir.Constant(_FLOATS, [1.0] * LANES)
        above = builder.fcmp_ordered(">", arguments[0], ones)
        return builder.select(above, arguments[0], ones)

    return Signature(_LANES, (_LANES,), None), generate


@intrinsic
def plus(typingctx: Any, one: Any, other: Any) -> Any:
    """Return the sum of two vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return Signature(_LANES, (_LANES, _LANES), None), generate


@intrinsic
def add_to(typingctx: Any, sums: Any, row: Any, lanes: Any) -> Any:
    """Add eight float32 to row ``row`` of a float64 array whose rows are eight long."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        doubles = ir.VectorType(ir.DoubleType(), LANES)
        index = builder.mul(arguments[1], ir.Constant(arguments[1].type, LANES))
        place = _pointer(context, builder, signature.args[0], arguments[0], index, doubles)
        wide = builder.fpext(arguments[2], doubles)
        builder.store(builder.fadd(builder.load(place, align=8), wide), place, align=8)
        return context.get_dummy_value()

    return Signature(types.none, (sums, types.intp, _LANES), None), generate


@intrinsic
def spread(typingctx: Any, words: Any, octet: Any, stride: Any, tile: Any, row: Any) -> Any:
    """
    Write eight pixels of eight frames as float32, frames side by side.

    ``words[frame * stride + octet]`` is a u64 of the bytes of eight pixels; pixel i goes to
    ``tile[row + i, frame]``. It is one transposition of 8 x 8 bytes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for number, lanes in enumerate(_pixels(context, builder, signature, arguments)):
            _write(context, builder, signature, arguments, number, lanes)
        return context.get_dummy_value()

    return Signature(types.none, (words, types.intp, types.intp, tile, types.intp), None), generate


@intrinsic
def spread_more(
    typingctx: Any, words: Any, octet: Any, stride: Any, tile: Any, row: Any, scale: Any
) -> Any:
    """Add ``scale`` times eight pixels of eight frames to what ``spread`` has written."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        one = builder.insert_element(
            ir.Constant(_FLOATS, ir.Undefined), arguments[5], ir.Constant(ir.IntType(32), 0)
        )
        same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        splat = builder.shuffle_vector(one, one, same)
        for number, lanes in enumerate(_pixels(context, builder, signature, arguments)):
            place = _row(context, builder, signature, arguments, number)
            more = builder.fadd(builder.load(place, align=4), builder.fmul(lanes, splat))
            builder.store(more, place, align=4)
        return context.get_dummy_value()

    taken = (words, types.intp, types.intp, tile, types.intp, types.float32)
    return Signature(types.none, taken, None), generate


def _pixels(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Yield, for each of eight pixels, its byte in each of eight frames as float32."""
    words, octet, stride = arguments[:3]
    index32 = ir.IntType(32)
    gathered = ir.Constant(ir.VectorType(ir.IntType(64), LANES), ir.Undefined)
    for frame in range(LANES):
        at = builder.add(builder.mul(stride, ir.Constant(stride.type, frame)), octet)
        place = _pointer(context, builder, signature.args[0], words, at, ir.IntType(64))
        word = builder.load(place, align=8)
        gathered = builder.insert_element(gathered, word, ir.Constant(index32, frame))
    all_bytes = builder.bitcast(gathered, ir.VectorType(_BYTES, 8 * LANES))
    turned = [frame * 8 + pixel for pixel in range(8) for frame in range(LANES)]
    mask = ir.Constant(ir.VectorType(index32, 8 * LANES), turned)
    pixels = builder.shuffle_vector(all_bytes, all_bytes, mask)
    for pixel in range(8):
        taken = ir.Constant(
            ir.VectorType(index32, LANES), list(range(pixel * LANES, pixel * LANES + LANES))
        )
        row = builder.shuffle_vector(pixels, pixels, taken)
        yield builder.uitofp(builder.zext(row, ir.VectorType(index32, LANES)), _FLOATS)


def _row(context: Any, builder: Any, signature: Any, arguments: Any, number: int) -> Any:
    row = builder.add(arguments[4], ir.Constant(arguments[4].type, number))
    index = builder.mul(row, ir.Constant(row.type, LANES))
    return _pointer(context, builder, signature.args[3], arguments[3], index, _FLOATS)


def _write(
    context: Any, builder: Any, signature: Any, arguments: Any, number: int, lanes: Any
) -> None:
    builder.store(lanes, _row(context, builder, signature, arguments, number), align=4)


def copy_sixteen(target: Any, to: int, source: Any, start: int) -> None:
    """Move sixteen bytes between u1 arrays; both must reach that far, none is checked."""
    target[to : to + 16] = source[start : start + 16].copy()


@intrinsic
def _copy_sixteen(typingctx: Any, target: Any, to: Any, source: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sixteen = ir.VectorType(_BYTES, 16)
        kinds = signature.args
        into = _pointer(context, builder, kinds[0], arguments[0], arguments[1], sixteen)
        out_of = _pointer(context, builder, kinds[2], arguments[2], arguments[3], sixteen)
        builder.store(builder.load(out_of, align=1), into, align=1)
        return context.get_dummy_value()

    return Signature(types.none, (target, types.intp, source, types.intp), None), generate


@overload(copy_sixteen)
def _compile_copy_sixteen(target: Any, to: Any, source: Any, start: Any) -> Any:
    def move(target: Any, to: Any, source: Any, start: Any) -> None:
        _copy_sixteen(target, to, source, start)

    return move
