"""A small picture of a dataset: one frame, one map, or one curve."""

import io

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
    levels = _shrink(np.where(_meaningful(values), values, np.nan).astype("f8"))
    known = levels[np.isfinite(levels)]
    if known.size == 0:
        return None
    low, middle, high = np.percentile(known, [1, 50, 99.5])
    # From the middle upwards counts span decades; below it they are all background.
    scale = max(middle - low, (high - low) / 1000) or 1.0
    depth = np.log1p(max(high - low, scale) / scale)
    bright = np.log1p(np.clip(np.nan_to_num(levels, nan=low) - low, 0, high - low) / scale) / depth
    steps = np.clip(bright, 0, 1) * (len(_VIRIDIS) - 1)
    colours = [np.interp(steps, np.arange(len(_VIRIDIS)), _VIRIDIS[:, part]) for part in range(3)]
    picture = Image.fromarray(np.stack(colours, axis=-1).round().astype("u1"))
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


def _shrink(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Average blocks until the image fits; a gap stays a gap, a spot stays visible."""
    step = max(1, -(-values.shape[0] // TALLEST), -(-values.shape[1] // WIDEST))
    if step > 1:
        rows, columns = (max(1, length // step) for length in values.shape)
        cut = values[: rows * step, : columns * step]
        blocks = cut.reshape(rows, cut.shape[0] // rows, columns, cut.shape[1] // columns)
        known = np.isfinite(blocks)
        total = np.where(known, blocks, 0).sum(axis=(1, 3))
        count = known.sum(axis=(1, 3))
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    # A map of 5 x 5 points would be a speck.
    grow = min(TALLEST // values.shape[0], WIDEST // values.shape[1])
    return values.repeat(grow, axis=0).repeat(grow, axis=1)


def _fit(values: NDArray[np.floating], begin: float, end: float) -> NDArray[np.floating]:
    low, high = values.min(), values.max()
    if not high > low:
        return np.full(values.shape, (begin + end) / 2)
    return np.asarray(begin + (values - low) / (high - low) * (end - begin))


def _encode(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
