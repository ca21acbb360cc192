"""Small pictures of results, as pages show them beside a title."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

MAX_WIDTH = 640
MAX_HEIGHT = 640
VIRIDIS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)
CLIPPED_PERCENTILES = (0.2, 99.8)


def draw_map(
    values: NDArray[np.float64],
    path: Path,
    *,
    x_ascends: bool = True,
    y_ascends: bool = True,
    pixel_aspect: float = 1.0,
) -> None:
    """
    Draw a map in the colours of viridis, larger x right and larger y up, as a PNG.

    Colours span the 0.2 and 99.8 percentiles. NaN is transparent.

    Parameters
    ----------
    values : ndarray of shape (slow, fast)
        Any unit: the picture has no scale.
    path : Path
        Where to write; at most 640 pixels wide and high.
    x_ascends, y_ascends : bool
        Whether positions grow with the column and with the row.
    pixel_aspect : float
        Height of a map pixel over its width, in the unit of the axes.
    """
    rows, columns = values.shape
    upright = values[:: -1 if y_ascends else 1, :: 1 if x_ascends else -1]
    picture = Image.fromarray(colour(upright))
    # Kept between bars, so that a line scan or a stretched raster can still be seen.
    height = min(max(rows * pixel_aspect, columns / 8), columns * 8)
    scale = min(MAX_WIDTH / columns, MAX_HEIGHT / height)
    size = (max(1, round(columns * scale)), max(1, round(height * scale)))
    picture.resize(size, Image.Resampling.NEAREST).save(path, "PNG")


def draw_pattern(intensity: NDArray[np.float64], path: Path) -> None:
    """
    Draw one pattern as a curve, as a PNG of 640 x 320 pixels.

    Parameters
    ----------
    intensity : ndarray of shape (bins,)
        Drawn as its square root, so that weak reflections show; NaN leaves a gap.
    path : Path
        Where to write.
    """
    width, height, margin = MAX_WIDTH, MAX_WIDTH // 2, 8
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    heights = np.sqrt(np.clip(intensity, 0, None))
    highest = np.nanmax(heights) if np.isfinite(heights).any() else 0.0
    if highest > 0:
        x = margin + np.arange(len(heights)) * (width - 2 * margin) / max(1, len(heights) - 1)
        y = height - margin - heights / highest * (height - 2 * margin)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        pen = ImageDraw.Draw(picture)
        for start, end in pairwise(points):
            if np.isfinite([*start, *end]).all():
                pen.line([start, end], fill=(*VIRIDIS[4], 255), width=2)
    picture.save(path, "PNG")


def colour(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """
    Turn numbers into the colours of viridis.

    Parameters
    ----------
    values : ndarray of shape (slow, fast)
        Clipped at the 0.2 and 99.8 percentiles.

    Returns
    -------
    ndarray of uint8 of shape (slow, fast, 4)
        Red, green, blue and opacity; NaN is transparent.
    """
    finite = np.isfinite(values)
    low, high = span_of(values)
    span = high - low if high > low else 1.0
    level = np.where(finite, np.clip((values - low) / span, 0, 1), 0) * (len(VIRIDIS) - 1)
    anchors = np.arange(len(VIRIDIS))
    channels = [np.interp(level, anchors, [rgb[i] for rgb in VIRIDIS]) for i in range(3)]
    return np.stack([*channels, np.where(finite, 255, 0)], axis=-1).round().astype(np.uint8)


def span_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """
    Say which values have the ends of the colour scale.

    Parameters
    ----------
    values : ndarray of shape (slow, fast)
        NaN takes no part.

    Returns
    -------
    tuple of float
        The 0.2 and 99.8 percentiles; 0 and 1 if nothing is finite.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, CLIPPED_PERCENTILES)
    return float(low), float(high)
