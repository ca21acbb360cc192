"""Several maps as one, with values, errors and positions that are known."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from processing.science.diffraction.integrator import Pattern
from processing.science.errors import CombineError, MissingFieldError, UnreadableFileError
from processing.science.maps.combining import Mode, combine_rows
from processing.science.maps.composite_file import shine
from processing.science.maps.map_file import Axis, MapAxes, create_map
from processing.science.maps.map_reading import FinishedMap, open_map
from processing.science.maps.placing import Combined, check_alike, place_same, place_side_by_side
from processing.science.nexus import Readings

BINS = 5
Q = Axis(np.arange(10.0, 10 + BINS), "1/nm", "q")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def a_map(opened: ExitStack, folder: Path, name: str, values: Any, **told: Any) -> FinishedMap:
    """Write and open a map, flat along q: (slow, fast) of intensity, errors 10 % of it."""
    values = np.asarray(values, np.float64)
    slow, fast = values.shape
    y = told.get("y", np.arange(slow) * 0.1)
    x = told.get("x", np.arange(fast) * 0.1)
    units = told.get("units", "mm")
    axes = MapAxes(
        Axis(np.asarray(y), units, "sampy"),
        Axis(np.asarray(x), units, "sampx"),
        told.get("q", Q),
        told.get("has_errors", True),
        told.get("signal", "photon"),
    )
    path = folder / f"{name}.nxs"
    bins = len(axes.q.values)
    with create_map(path, axes) as written:
        for row in range(slow):
            written.write_row(
                row,
                [
                    None
                    if np.isnan(v)
                    else Pattern(np.full(bins, v), np.full(bins, abs(v) / 10), np.ones(bins))
                    for v in values[row]
                ],
            )
        list(written.write_cumulative())
        if "i0" in told:
            i0 = np.full(values.shape, float(told["i0"]))
            monitor = Readings("i0", told.get("i0_units", "counts"), i0.ravel())
            written.write_monitor(monitor, i0, told.get("reference", told["i0"]))
    return opened.enter_context(open_map(path, name))


def combine(combined: Combined, mode: Mode) -> tuple[np.ndarray, np.ndarray]:
    """Return intensity and error of one bin, as maps."""
    rows = list(combine_rows(combined, mode))
    return (
        np.array([row.intensity[:, 2] for row in rows]),
        np.array([row.errors[:, 2] for row in rows]),
    )


def test_a_mean_is_weighted_by_the_monitor_and_its_error_propagated(
    opened: ExitStack, tmp_path: Path
) -> None:
    # Twice the beam: each map is normalised to its own, so the second counts double.
    maps = [
        a_map(opened, tmp_path, "a", [[10.0, 4.0]], i0=100),
        a_map(opened, tmp_path, "b", [[26.0, np.nan]], i0=200),
    ]
    found, errors = combine(place_same(maps), "mean")
    # At the beam of the first: 26 photons of the second are 13.
    np.testing.assert_allclose(found, [[(100 * 10 + 200 * 13) / 300, 4.0]])
    np.testing.assert_allclose(errors, [[np.hypot(100 * 1.0, 200 * 1.3) / 300, 0.4]])


def test_a_sum_adds_what_all_maps_have(opened: ExitStack, tmp_path: Path) -> None:
    maps = [
        a_map(opened, tmp_path, "a", [[10.0, 4.0]]),
        a_map(opened, tmp_path, "b", [[30.0, np.nan]]),
    ]
    found, errors = combine(place_same(maps), "sum")
    np.testing.assert_allclose(found, [[40.0, np.nan]])
    np.testing.assert_allclose(errors, [[np.hypot(1, 3), np.nan]], rtol=1e-6)


def test_a_ratio_has_no_value_where_the_denominator_is_not_above_zero(
    opened: ExitStack, tmp_path: Path
) -> None:
    maps = [
        a_map(opened, tmp_path, "a", [[10.0, 10.0, 10.0, np.nan]]),
        a_map(opened, tmp_path, "b", [[4.0, 0.0, -2.0, 5.0]]),
    ]
    found, errors = combine(place_same(maps), "ratio")
    np.testing.assert_allclose(found, [[2.5, np.nan, np.nan, np.nan]])
    # 10 % of both: √2 · 10 % of the ratio.
    np.testing.assert_allclose(errors[0, 0], 2.5 * np.sqrt(2) / 10, rtol=1e-6)


def test_a_mosaic_lays_maps_where_the_stage_stood(opened: ExitStack, tmp_path: Path) -> None:
    maps = [
        a_map(opened, tmp_path, "right", [[3.0, 4.0]], x=[0.2, 0.3], y=[0.0]),
        a_map(opened, tmp_path, "left", [[1.0, 2.0], [5.0, 6.0]], x=[0.0, 0.1], y=[0.0, 0.1]),
        a_map(opened, tmp_path, "over", [[8.0, 9.0]], x=[0.1, 0.2], y=[0.1]),
    ]
    combined = place_side_by_side(maps)
    found, errors = combine(combined, "mosaic")
    np.testing.assert_allclose(combined.x.values, [0.0, 0.1, 0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(combined.y.values, [0.0, 0.1], atol=1e-12)
    # Where two lie on each other it is their mean.
    np.testing.assert_allclose(found, [[1.0, 2.0, 3.0, 4.0], [5.0, 7.0, 9.0, np.nan]])
    np.testing.assert_allclose(errors[1, 1], np.hypot(0.6, 0.8) / 2, rtol=1e-6)


def test_a_mosaic_of_a_stage_that_runs_downwards(opened: ExitStack, tmp_path: Path) -> None:
    maps = [
        a_map(opened, tmp_path, "a", [[1.0, 2.0]], x=[0.1, 0.0]),
        a_map(opened, tmp_path, "b", [[3.0, 4.0]], x=[0.3, 0.2]),
    ]
    combined = place_side_by_side(maps)
    np.testing.assert_allclose(combined.x.values, [0.3, 0.2, 0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(combine(combined, "mosaic")[0], [[3, 4, 1, 2]])


def refusal(maps: Sequence[FinishedMap], place: Any = place_same) -> str:
    def join() -> None:
        check_alike(maps)
        place(maps)

    with pytest.raises(CombineError) as refused:
        join()
    return str(refused.value)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"q": Axis(Q.values * 1.001, "1/nm", "q")}, "5 bins from 10.01 to 14.014 1/nm, that of a"),
        ({"q": Axis(Q.values[:4], "1/nm", "q")}, "4 bins"),
        ({"q": Axis(Q.values, "deg", "q")}, "its radial axis"),
        ({"signal": "counts"}, "its intensity is in counts"),
        ({"units": "um"}, "its slow axis is in um"),
        ({"i0": 5}, "its monitor is in counts, that of a in none"),
        ({"has_errors": False}, "its errors is in none"),
        ({"x": [0.0, 0.2]}, "its fast axis has 2 positions from 0 to 0.2 mm"),
    ],
)
def test_maps_that_do_not_fit_are_named(
    opened: ExitStack, tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    first = a_map(opened, tmp_path, "a", [[1.0, 2.0]])
    same = a_map(opened, tmp_path, "b", [[1.0, 2.0]])
    other = a_map(opened, tmp_path, "c", [[1.0, 2.0]], **told)
    text = refusal([first, same, other])
    assert text.startswith("c does not fit a")
    assert said in text


def test_what_cannot_lie_side_by_side_is_named(opened: ExitStack, tmp_path: Path) -> None:
    first = a_map(opened, tmp_path, "a", [[1.0, 2.0]])
    coarse = a_map(opened, tmp_path, "b", [[1.0, 2.0]], x=[1.0, 1.2])
    assert "b does not fit the others: its fast axis has steps of 0.2" in refusal(
        [first, coarse], place_side_by_side
    )
    far = a_map(opened, tmp_path, "c", [[1.0, 2.0]], x=[1e8, 1e8 + 0.1])
    assert "so far apart" in refusal([first, far], place_side_by_side)
    nowhere = a_map(opened, tmp_path, "d", [[1.0, 2.0]], units="")
    assert "d does not say where the stage stood" in refusal([nowhere], place_side_by_side)


def test_a_file_that_is_no_map_is_refused(opened: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "a.nxs").write_bytes(b"no HDF5")
    with pytest.raises(UnreadableFileError, match="map 1 cannot be read"):
        opened.enter_context(open_map(tmp_path / "a.nxs", "map 1"))
    with pytest.raises(MissingFieldError, match="a has no phase or region Cr2O3"):
        a_map(opened, tmp_path, "a", [[1.0]]).read_plane("Cr2O3")


@pytest.mark.parametrize("spoilt", ["q", "y", "errors", "i0", "reference"])
def test_a_map_that_another_program_spoilt_is_refused(
    opened: ExitStack, tmp_path: Path, spoilt: str
) -> None:
    a_map(opened, tmp_path, "a", [[1.0, 2.0]], i0=5.0)
    opened.close()
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        group = file["entry/map"]
        if spoilt == "reference":
            group["i0"].attrs["reference"] = 0.0
        elif spoilt == "y":
            group["y"][0] = np.nan
        else:
            del group[spoilt]
            group[spoilt] = np.ones(1)
        if spoilt == "q":
            del group["intensity"]
            group["intensity"] = np.ones((1, 2, 1))
    with pytest.raises(UnreadableFileError, match="no map of xrd-map"):
        opened.enter_context(open_map(tmp_path / "a.nxs", "a"))


def test_light_grows_from_the_first_to_the_last_percentile() -> None:
    plane = np.append(np.arange(1001.0), np.nan)
    light, span = shine(plane[None])
    assert span == (10, 990)
    assert (light[0, 0], light[0, 10], light[0, 500], light[0, 995]) == (0, 0, 128, 255)
    assert light[0, -1] == 0, "what is not there is black"
    assert (shine(np.full((2, 2), 7.0))[0] == 0).all()
