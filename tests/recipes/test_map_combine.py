"""The recipe map-combine, on the maps of its own example."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from processing.checking import check_recipe
from processing.recipes.base import Input, Inputs, RecipeError, Workspace, working_in
from processing.recipes.map_combine import estimate, map_combine
from processing.recipes.map_combine_example import write_example


@pytest.fixture
def maps(tmp_path: Path) -> list[Path]:
    """Two maps of 2 x 3 positions, the second right of the first."""
    return [tmp_path / name for name in write_example(tmp_path).inputs["maps"]]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "outputs").mkdir()
    work = Workspace(tmp_path / "outputs", recipe="map-combine", version="1.0.0", run_key="5" * 64)
    with working_in(work):
        yield work


def test_the_example_gives_the_same_twice(tmp_path: Path) -> None:
    said: list[str] = []
    assert check_recipe(map_combine.manifest, tmp_path, said.append), said
    assert said[-1] == "Replay of map.nxs: identical bytes."


def test_a_mosaic_is_a_map_like_any_other(maps: list[Path], work: Workspace) -> None:
    result = map_combine(maps)
    assert result.composite is None
    assert work.declared == ["map.nxs", "preview.png"]
    with h5py.File(result.map) as file, h5py.File(maps[1]) as right:
        shown = file["entry/map"]
        assert shown["intensity"].shape == (2, 6, 40)
        np.testing.assert_allclose(shown["x"], 0.1 * np.arange(6), atol=1e-12)
        np.testing.assert_allclose(shown["intensity"][:, 3:], right["entry/map/intensity"])
        np.testing.assert_allclose(shown["errors"][:, 3:], right["entry/map/errors"])
        total = shown["intensity"][()].sum(axis=2)
        np.testing.assert_allclose(shown["cumulative"][-1], total, rtol=1e-6)
    again = result.map.rename(work.folder / "mosaic.nxs")
    assert map_combine([again], mode="mean").map is not None, "and can be combined again"


def test_the_file_tells_all_inputs(maps: list[Path], work: Workspace) -> None:
    given: Inputs[Any] = Inputs(
        Input([path], digest=str(n) * 64) for n, path in enumerate(maps, start=1)
    )
    result = map_combine.function(given, mode="mosaic")
    with h5py.File(result.map) as file:
        process = file["entry/process"]
        assert process["identifier_input_maps_1"].asstr()[()] == "1" * 64
        assert process["identifier_input_maps_2"].asstr()[()] == "2" * 64
        assert process["program"].asstr()[()] == "map-combine"
        assert '"corners"' in process["configuration/data"].asstr()[()]


def test_a_ratio_has_no_unit_and_a_map_over_itself_is_one(
    maps: list[Path], work: Workspace
) -> None:
    result = map_combine([maps[0], maps[0]], mode="ratio")
    with h5py.File(result.map) as file:
        np.testing.assert_allclose(file["entry/map/intensity"], 1.0, rtol=1e-6)
        assert file["entry/map/intensity"].attrs["units"] == ""


def test_a_stack_keeps_every_map(maps: list[Path], work: Workspace) -> None:
    result = map_combine([maps[0], maps[0]], mode="stack")
    assert result.map is None
    with h5py.File(result.composite) as file, h5py.File(maps[0]) as first:
        shown = file[f"entry/{file['entry'].attrs['default']}"]
        assert list(shown.attrs["axes"]) == ["map", "y", "x", "q"]
        np.testing.assert_array_equal(shown["intensity"][1], first["entry/map/intensity"])
        np.testing.assert_array_equal(shown["intensity_errors"][0], first["entry/map/errors"])
    assert (work.folder / "preview.png").exists()


def test_a_picture_has_a_colour_for_each_map(maps: list[Path], work: Workspace) -> None:
    result = map_combine([maps[0], maps[0]], mode="rgb")
    with h5py.File(result.composite) as file:
        shown = file["entry/rgb"]
        picture = shown[shown.attrs["signal"]][()]
        assert picture.shape == (2, 3, 3)
        # The example grows brighter from the first position to the last.
        np.testing.assert_array_equal(picture[0, 0], [0, 0, 0])
        np.testing.assert_array_equal(picture[-1, -1], [255, 255, 0])
        assert shown["green"].attrs["long_name"] == "intensity, map 2"
    with Image.open(work.folder / "preview.png") as preview:
        assert preview.width <= 640


@pytest.mark.parametrize(
    ("count", "choices", "code", "said"),
    [
        (1, {"mode": "ratio"}, "xrd-combine-axes", "given are 1"),
        (4, {"mode": "rgb"}, "xrd-combine-axes", "given are 4 maps"),
        (3, {"mode": "rgb", "channels": ("a", "b")}, "xrd-combine-axes", "2 channels"),
        (
            2,
            {"mode": "rgb", "channels": ("azurite",)},
            "xrd-no-field",
            "no phase or region azurite",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(
    maps: list[Path], work: Workspace, count: int, choices: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(RecipeError, match=said) as refused:
        map_combine([maps[0]] * count, **choices)
    assert refused.value.code == code


def test_maps_with_other_positions_are_refused_by_name(maps: list[Path], work: Workspace) -> None:
    with pytest.raises(RecipeError, match=r"map 2 \(map_2\.nxs\) does not fit map 1") as refused:
        map_combine(maps, mode="mean")
    assert refused.value.code == "xrd-combine-axes"


def test_the_price_grows_with_the_maps() -> None:
    assert estimate({"maps": [10**8, 10**8]}, {"mode": "mosaic"}) == (3.0, 2 * 10**8)
    assert estimate({"maps": [10**8, 10**8]}, {"mode": "mean"}) == (3.0, 10**8)
