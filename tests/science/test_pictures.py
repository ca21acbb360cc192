from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.science.pictures import VIRIDIS, draw_map, draw_pattern


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.width <= 640
        return np.asarray(picture)


@pytest.mark.parametrize("y_ascends", [True, False])
@pytest.mark.parametrize("x_ascends", [True, False])
def test_larger_x_is_right_and_larger_y_up(
    tmp_path: Path,
    x_ascends: bool,  # noqa: FBT001 - a case
    y_ascends: bool,  # noqa: FBT001 - a case
) -> None:
    values = np.zeros((2, 3))
    values[1 if y_ascends else 0, 2 if x_ascends else 0] = 1.0  # where x and y are largest

    draw_map(values, tmp_path / "a.png", x_ascends=x_ascends, y_ascends=y_ascends)

    pixels = pixels_of(tmp_path / "a.png")
    assert tuple(pixels[0, -1, :3]) == VIRIDIS[-1]
    assert tuple(pixels[-1, 0, :3]) == VIRIDIS[0]


def test_what_was_not_measured_is_transparent(tmp_path: Path) -> None:
    draw_map(np.array([[1.0, np.nan]]), tmp_path / "a.png")

    opacity = pixels_of(tmp_path / "a.png")[..., 3]
    assert (opacity[0, 0], opacity[0, -1]) == (255, 0)


@pytest.mark.parametrize("shape", [(2000, 1500), (1, 300), (300, 1), (1, 1)])
def test_any_map_fits_the_page(tmp_path: Path, shape: tuple[int, int]) -> None:
    draw_map(np.full(shape, np.nan), tmp_path / "a.png")

    rows, columns = pixels_of(tmp_path / "a.png").shape[:2]
    assert max(rows, columns) == 640
    assert min(rows, columns) >= 80  # a line scan is still a strip to look at


def test_a_pattern_is_drawn_from_left_to_right_with_its_gap(tmp_path: Path) -> None:
    curve = np.linspace(0, 1, 100)
    curve[40:60] = np.nan

    draw_pattern(curve, tmp_path / "a.png")

    drawn = pixels_of(tmp_path / "a.png")[..., 3].any(axis=0)
    assert drawn[20]
    assert drawn[600]
    assert not drawn[280:360].any()
