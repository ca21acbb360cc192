"""Regions of interest: a reflection above what lies under it."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from processing.science.errors import RegionError
from processing.science.maps.radial import RadialAxis
from processing.science.maps.regions import Region, Window, integrate_region, place_regions
from processing.science.maps.tiles import cut, read_tiles

AXIS = RadialAxis(np.linspace(10, 30, 201), "1/nm", 1e-10)


def a_window(**changes: object) -> Window:
    told = {"name": "ring", "low": 19.0, "high": 21.0, "units": "1/nm", "background": "linear"}
    return place_regions([Region(**(told | changes))], AXIS)[0]  # type: ignore[arg-type]  # a case of many types


def test_a_reflection_on_a_slope_is_what_was_put_in() -> None:
    ring = np.exp(-(((AXIS.values - 20) / 0.3) ** 2))
    heights = np.array([1.0, 5.0, 0.0])
    patterns = heights[:, None] * ring + 100 - 3 * AXIS.values

    net, below, _ = integrate_region(patterns, None, a_window())
    np.testing.assert_allclose(net, heights * ring.sum(), rtol=1e-5, atol=1e-9)

    plain, nothing, _ = integrate_region(patterns, None, a_window(background="none"))
    np.testing.assert_allclose(plain, net + below)
    assert (nothing == 0).all()


def test_errors_of_a_region_are_those_of_its_scatter() -> None:
    random = np.random.default_rng(4)
    sigma = 1 + AXIS.values / 10
    patterns = 50 + sigma * random.normal(size=(4000, 201))
    net, _, errors = integrate_region(patterns, np.tile(sigma, (4000, 1)), a_window())
    assert errors is not None
    assert net.std() == pytest.approx(errors[0], rel=0.05)
    assert abs(net.mean()) < 5 * errors[0] / np.sqrt(4000)


def test_empty_bins_are_no_counts() -> None:
    patterns = np.full((3, 201), 7.0)
    patterns[0, 98] = np.nan  # inside: the background counts one bin less
    patterns[1, :90] = np.nan  # a foot is missing
    patterns[2] = np.nan
    net, _, _ = integrate_region(patterns, None, a_window())
    np.testing.assert_allclose(net, [0, np.nan, np.nan], atol=1e-9)


def test_a_region_in_another_unit_is_the_same_bins() -> None:
    two_theta = AXIS.two_theta_deg
    window = a_window(low=two_theta[90] - 1e-6, high=two_theta[110] + 1e-6, units="deg")
    assert (window.start, window.stop) == (90, 111)
    window = a_window(low=1.8999, high=2.1001, units="1/angstrom")
    assert (window.start, window.stop) == (90, 111)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"low": 21.0, "high": 19.0}, "The low edge comes first"),
        ({"low": 20.0, "high": 20.0}, "The low edge comes first"),
        ({"low": 40.0, "high": 41.0}, "reaches from 10 to 30 1/nm"),
        ({"low": 20.01, "high": 20.02}, "holds no bin"),
        ({"low": 9.0, "high": 12.0}, "no bin beside it"),
        ({"name": "x"}, "The name x is taken"),
        ({"name": "a_errors"}, "The name a_errors is taken"),
    ],
)
def test_a_region_that_the_map_does_not_have_is_refused(
    changes: dict[str, object], said: str
) -> None:
    with pytest.raises(RegionError, match=said):
        a_window(**changes)


def test_two_regions_of_one_name_are_refused() -> None:
    region = Region("a", 12, 13, "1/nm")
    with pytest.raises(RegionError, match="Two regions are called a"):
        place_regions([region, region], AXIS)


@pytest.mark.parametrize("shape", [(3, 4, 50), (1, 130, 20), (7, 1, 30)])
@pytest.mark.parametrize("block_bytes", [1, 20_000, 10**9])
def test_tiles_cover_each_position_once(
    tmp_path: Path, shape: tuple[int, int, int], block_bytes: int
) -> None:
    seen = np.zeros(shape[:2], int)
    for rows, columns in cut(shape, block_bytes):
        seen[rows, columns] += 1
    assert (seen == 1).all()
    values = np.random.default_rng(1).random(shape)
    found = np.full(shape[:2], np.nan)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["intensity"] = values
        for tile in read_tiles(file, block_bytes):
            assert tile.errors is None
            found[tile.rows, tile.columns] = tile.arrange(tile.intensity.sum(axis=1))
    np.testing.assert_allclose(found, values.sum(axis=2))
