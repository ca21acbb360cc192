"""A small picture of a dataset: one frame, one map, or one curve."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDEST = 320  # pixels
TALLEST = 240
_INK, _PAPER, _MARGIN = (68, 1, 84), (255, 255, 255), 8

# Viridis, each sixteenth colour of 256: equal steps of value look equal, also in grey.
_VIRIDIS = np.array(
    [
        (68, 1, 84), (72, 26, 108), (71, 47, 125), (65, 68, 135), (57, 86, 140), (49, 104, 142),
        (42, 120, 142), (35, 136, 142), (31, 152, 139), (34, 168, 132), (53, 183, 121),
        (84, 197, 104), (122, 209, 81), (165, 219, 54), (210, 226, 27), (253, 231, 37),
    ]
)  # fmt: skip

_PALETTE = (
    np.stack(
        [np.interp(np.linspace(0, 15, 256), np.arange(16), _VIRIDIS[:, part]) for part in range(3)],
        axis=-1,
    )
    .round()
    .astype("u1")
    .tobytes()
)


def draw_image(values: NDArray[np.number]) -> bytes | None:
    """
    Draw a frame or map in viridis, bright values compressed by a logarithm.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Counts or any other number. NaN, infinite, negative values in frames of counts and
        the largest value of an unsigned type (gaps of a detector) are drawn as the lowest.

    Returns
    -------
    bytes or None
        A PNG of at most 320 x 240 pixels; None if no value is finite.
    """
    levels = _shrink(values, _meaningful(values))
    known = levels[np.isfinite(levels)]
    if known.size == 0:
        return None
    ranks = (np.array([0.01, 0.5, 0.995]) * (known.size - 1)).astype(int)
    low, middle, high = np.partition(known, ranks)[ranks]
    # From the middle upwards counts span decades; below it they are all background.
    scale = max(middle - low, (high - low) / 1000) or 1.0
    depth = np.log1p(max(high - low, scale) / scale)
    bright = np.log1p(np.clip(np.nan_to_num(levels, nan=low) - low, 0, high - low) / scale) / depth
    picture = Image.fromarray(_enlarge((np.clip(bright, 0, 1) * 255).round().astype("u1")))
    picture.putpalette(_PALETTE)
    return _encode(picture)


def draw_curve(y: NDArray[np.number], x: NDArray[np.number] | None = None) -> bytes | None:
    """
    Draw a curve.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Values; those that are not finite are left out.
    x : ndarray of shape (n,), optional
        Where they stand; by default evenly spaced.

    Returns
    -------
    bytes or None
        A PNG of 320 x 240 pixels; None if there are fewer than two values.
    """
    across = np.arange(len(y), dtype="f8") if x is None else np.asarray(x, "f8")
    up = np.asarray(y, "f8")
    known = np.isfinite(up) & np.isfinite(across)
    if known.sum() < 2:
        return None
    points = np.column_stack(
        [
            _fit(across[known], _MARGIN, WIDEST - _MARGIN),
            _fit(up[known], TALLEST - _MARGIN, _MARGIN),
        ]
    )
    picture = Image.new("RGB", (WIDEST, TALLEST), _PAPER)
    ImageDraw.Draw(picture).line([(x, y) for x, y in points.round(1).tolist()], _INK, width=2)
    return _encode(picture)


def _meaningful(values: NDArray[np.number]) -> NDArray[np.bool_]:
    kind = values.dtype.kind
    if kind == "u":
        return np.asarray(values != 2 ** (8 * values.dtype.itemsize) - 1, "?")
    return np.asarray(values >= 0 if kind == "i" else np.isfinite(values), "?")


def _shrink(values: NDArray[np.number], known: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Average blocks until the image fits; a gap stays a gap, a spot stays visible."""
    if not known.all():
        values = np.where(known, values, np.zeros((), values.dtype))
    step = max(1, -(-values.shape[0] // TALLEST), -(-values.shape[1] // WIDEST))
    total = _add_up(values, step)
    if known.all():
        return np.asarray(total / (min(step, values.shape[0]) * min(step, values.shape[1])))
    count = _add_up(known, step)
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _add_up(values: NDArray[Any], step: int) -> NDArray[np.floating]:
    """Add up squares of pixels, line by line, which is how they lie in memory."""
    # Enough for 32 bit counts, and half as long as in double precision.
    kind = "f4" if values.dtype.kind in "iub" and values.dtype.itemsize <= 4 else "f8"
    if step == 1:
        return values.astype(kind)
    rows, columns = (max(1, length // step) for length in values.shape)
    cut = values[: rows * step, : columns * step]
    lines = cut.reshape(rows, cut.shape[0] // rows, cut.shape[1]).sum(axis=1, dtype=kind)
    return np.asarray(lines.reshape(rows, columns, cut.shape[1] // columns).sum(axis=2))


def _enlarge(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat each pixel as often as fits: a map of 5 x 5 points would be a speck."""
    grow = max(1, min(TALLEST // pixels.shape[0], WIDEST // pixels.shape[1]))
    return pixels.repeat(grow, axis=0).repeat(grow, axis=1)


def _fit(values: NDArray[np.floating], begin: float, end: float) -> NDArray[np.floating]:
    low, high = values.min(), values.max()
    if not high > low:
        return np.full(values.shape, (begin + end) / 2)
    return np.asarray(begin + (values - low) / (high - low) * (end - begin))


def _encode(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=2)
    return stream.getvalue()
