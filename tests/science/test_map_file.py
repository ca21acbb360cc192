"""The file of a map, written row by row and summed block by block."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from processing.science.diffraction.integrator import Pattern
from processing.science.maps.map_file import Axis, MapAxes, MapFile, create_map

SHAPE = (3, 4, 50)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[MapFile]:
    y, x, q = (Axis(np.arange(float(n)), "mm", "an axis") for n in SHAPE)
    intensity = np.random.default_rng(5).random(SHAPE)
    intensity[..., :3] = np.nan  # behind the beam stop
    with create_map(tmp_path / "map.nxs", MapAxes(y, x, q)) as file:
        for row in range(SHAPE[0]):
            file.write_row(
                row,
                [
                    None
                    if (row, column) == (1, 2)
                    else Pattern(intensity[row, column], np.full(50, 0.1), np.ones(50))
                    for column in range(SHAPE[1])
                ],
            )
        yield file


@pytest.mark.parametrize("planes", [1, 7, 50, 1000])
def test_running_sums_do_not_depend_on_the_block(
    written: MapFile, tmp_path: Path, planes: int
) -> None:
    finished = list(written.write_cumulative(block_bytes=planes * 3 * 4 * 8))

    assert finished[-1] == 50
    assert len(finished) == -(-50 // min(planes, 50))
    with h5py.File(tmp_path / "map.nxs") as file:
        intensity = file["entry/map/intensity"][()].astype(np.float64)
        cumulative = file["entry/map/cumulative"][()]
    sums = np.nan_to_num(intensity).cumsum(axis=2)
    sums[1, 2] = np.nan
    np.testing.assert_allclose(cumulative[1:], np.moveaxis(sums, 2, 0), rtol=1e-6)


def test_a_position_without_pattern_is_empty_in_every_range(written: MapFile) -> None:
    list(written.write_cumulative())

    picture = written.read_range(10, 20)

    assert np.isnan(picture[1, 2])
    assert np.isfinite(picture).sum() == 11
    assert written.valid[1, 2] == 0


def test_the_mean_knows_how_many_frames_reach_a_bin(written: MapFile) -> None:
    assert np.isnan(written.mean[:3]).all()
    assert (written.maximum[3:] >= written.mean[3:]).all()
    assert written.mean[3:].mean() == pytest.approx(0.5, abs=0.05)
