"""The picture of phase maps: a panel for each, with its name and its colour bar."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from processing.science.pictures import VIRIDIS, colour, span_of

Values = NDArray[np.float64]

MAX_SIDE = 640
MAX_PANELS = 9
TITLE = 16  # pixels of the line above a panel
BAR = 56  # pixels of the colour bar and its numbers, right of a panel
GAP = 8
TEXT_SIZE = 12
# Readable on white and on black: the picture has no background of its own.
INK = (120, 120, 120, 255)


def draw_panels(
    maps: Mapping[str, Values],
    path: Path,
    *,
    units: str = "",
    x_ascends: bool = True,
    y_ascends: bool = True,
    pixel_aspect: float = 1.0,
) -> None:
    """
    Draw maps side by side, each in the colours of viridis between its own ends, as a PNG.

    Parameters
    ----------
    maps : mapping of str to ndarray of shape (slow, fast)
        Name to values; NaN is transparent. Of more than nine the first are drawn.
    path : Path
        Where to write; about 640 pixels wide or high.
    units : str
        Of the numbers, written beside the names.
    x_ascends, y_ascends, pixel_aspect
        As of ``pictures.draw_map``.
    """
    shown = list(maps.items())[:MAX_PANELS]
    columns = math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    width, height = _panel_size(shown[0][1].shape, pixel_aspect, columns, rows)
    cell = (width + BAR + GAP, height + TITLE + GAP)
    picture = Image.new("RGBA", (cell[0] * columns, cell[1] * rows), (0, 0, 0, 0))
    for number, (name, values) in enumerate(shown):
        corner = (number % columns * cell[0], number // columns * cell[1])
        upright = values[:: -1 if y_ascends else 1, :: 1 if x_ascends else -1]
        panel = Image.fromarray(colour(upright)).resize((width, height), Image.Resampling.NEAREST)
        picture.paste(panel, (corner[0], corner[1] + TITLE))
        _label(picture, corner, (width, height), f"{name} ({units})" if units else name)
        _draw_bar(picture, (corner[0] + width + 4, corner[1] + TITLE), height, span_of(values))
    picture.save(path, "PNG")


def draw_composite(
    red_green_blue: NDArray[np.uint8],
    names: Sequence[str],
    path: Path,
    *,
    x_ascends: bool = True,
    y_ascends: bool = True,
    pixel_aspect: float = 1.0,
) -> None:
    """
    Draw a composite of up to three maps with a legend, as a PNG.

    Parameters
    ----------
    red_green_blue : ndarray of uint8 of shape (slow, fast, 3)
        Light of each channel.
    names : sequence of str
        What is shown in red, green and blue.
    path : Path
        Where to write; about 640 pixels wide or high.
    x_ascends, y_ascends, pixel_aspect
        As of ``pictures.draw_map``.
    """
    width, height = _panel_size(red_green_blue.shape, pixel_aspect, 1, 1)
    picture = Image.new("RGBA", (width, height + TITLE * len(names)), (0, 0, 0, 0))
    upright = red_green_blue[:: -1 if y_ascends else 1, :: 1 if x_ascends else -1]
    panel = Image.fromarray(np.ascontiguousarray(upright))
    picture.paste(panel.resize((width, height), Image.Resampling.NEAREST), (0, 0))
    pen = ImageDraw.Draw(picture)
    for number, name in enumerate(names):
        top = height + number * TITLE
        light = tuple(200 if channel == number else 0 for channel in range(3))
        pen.rectangle([2, top + 3, 12, top + 13], fill=(*light, 255))
        pen.text((18, top + 1), name, fill=INK, font=_font())
    picture.save(path, "PNG")


def _panel_size(
    shape: Sequence[int], pixel_aspect: float, columns: int, rows: int
) -> tuple[int, int]:
    """Fit panels into the picture; kept between bars, so that a line scan can still be seen."""
    slow, fast = shape[:2]
    tall = min(max(slow * pixel_aspect, fast / 8), fast * 8)
    scale = min(
        (MAX_SIDE / columns - BAR - GAP) / fast,
        (MAX_SIDE / rows - TITLE - GAP) / tall,
    )
    return max(24, round(fast * scale)), max(24, round(tall * scale))


def _draw_bar(
    picture: Image.Image, corner: tuple[int, int], height: int, span: tuple[float, float]
) -> None:
    levels = np.linspace(len(VIRIDIS) - 1, 0, height)
    channels = [
        np.interp(levels, np.arange(len(VIRIDIS)), [c[i] for c in VIRIDIS]) for i in range(3)
    ]
    bar = np.repeat(np.stack(channels, axis=-1).round().astype(np.uint8)[:, None], 8, axis=1)
    picture.paste(Image.fromarray(bar), corner)
    pen = ImageDraw.Draw(picture)
    pen.text((corner[0] + 11, corner[1] - 2), _short(span[1]), fill=INK, font=_font())
    below = corner[1] + height - TEXT_SIZE - 2
    pen.text((corner[0] + 11, below), _short(span[0]), fill=INK, font=_font())


def _label(picture: Image.Image, corner: tuple[int, int], size: tuple[int, int], text: str) -> None:
    pen, font = ImageDraw.Draw(picture), _font()
    room = size[0] + BAR
    while len(text) > 1 and pen.textlength(text, font=font) > room:
        text = text[:-2] + "…"
    pen.text((corner[0], corner[1] + 1), text, fill=INK, font=font)


def _short(value: float) -> str:
    return f"{value:.3g}"


def _font() -> Any:
    return ImageFont.load_default(TEXT_SIZE)
