"""Phases, regions and dead frames in the product of xrd-map, on a painting that is known."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from catalogue.digests import canonical_json
from demo.makers.xrd import (
    FWHM_DEG,
    GROUND,
    PIGMENT,
    Geometry,
    Scan,
    Truth,
    write_poni,
    write_xrd_scan,
)
from processing.recipes.base import RecipeError, Workspace, working_in
from processing.recipes.manifest import JsonObject
from processing.recipes.xrd_map import xrd_map

SMALL = Geometry(detector="Pilatus100k")
GREEN = 2 * math.pi / 0.2665  # q of Cr2O3 (104), 1/nm; no ring of lead white within 0.5
DEAD = 7


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A painting of 5 by 5 positions, one frame of which is dead."""
    folder = tmp_path_factory.mktemp("painting")
    scan = Scan(shape=(5, 5), geometry=SMALL, compression="none", mean_counts=50.0)
    truth = write_xrd_scan(folder, scan)
    write_poni(folder / "a.poni", SMALL)
    with h5py.File(truth.files[0], "r+") as file:
        file["entry/instrument/pilatus/data"][DEAD] = 0
    return truth


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    with working_in(Workspace(tmp_path)) as work:
        yield work


def run(made: Truth, **parameters: Any) -> Path:
    told = {"bins": 300, "monitor": "monitor", **parameters}
    result: Path = xrd_map(made.files[0], made.files[0].with_name("a.poni"), **told)
    return result


def refusal_of(made: Truth, **parameters: Any) -> RecipeError:
    with pytest.raises(RecipeError) as refusal:
        run(made, **parameters)
    return refusal.value


def r_of(values: np.ndarray, truth: np.ndarray) -> float:
    both = np.isfinite(values)
    return float(np.corrcoef(values[both], truth[both])[0, 1])


def test_phase_maps_show_the_painting(made: Truth, work: Workspace) -> None:
    # The rings are made without polarisation.
    with h5py.File(run(made, phases=(GROUND, PIGMENT), polarization=None)) as file:
        shown = file["entry/phases"]
        assert shown.attrs["signal"] == GROUND
        assert list(shown.attrs["auxiliary_signals"]) == [PIGMENT]
        amounts = {name: shown[name][()] for name in (GROUND, PIGMENT)}
        errors = shown[f"{PIGMENT}_errors"][()]
        chi2 = shown["chi2"][()]
        references = {name: file[f"entry/references/{name}"][()] for name in (GROUND, PIGMENT)}

    assert r_of(amounts[PIGMENT], made.fraction) > 0.999
    assert r_of(amounts[GROUND], 1 - made.fraction) > 0.99
    assert np.nanmax(errors / np.nanmax(amounts[PIGMENT])) < 0.02
    assert np.nanmedian(chi2) < 10
    assert all(reference.max() == pytest.approx(1) for reference in references.values())
    told = {quantity.name: quantity for quantity in work.quantities}
    assert told["phases_line_width"].value == pytest.approx(FWHM_DEG, rel=0.1)
    assert told[f"mean_{PIGMENT}"].unit == "photon"


def test_a_dead_frame_is_named_and_has_no_phase(made: Truth, work: Workspace) -> None:
    with h5py.File(run(made, phases=(PIGMENT,))) as file:
        np.testing.assert_array_equal(file["entry/dead_frames"], [DEAD])
        np.testing.assert_array_equal(np.argwhere(file["entry/map/dead"]), [divmod(DEAD, 5)])
        assert np.isnan(file[f"entry/phases/{PIGMENT}"][divmod(DEAD, 5)])
    assert {q.name: q.value for q in work.quantities}["dead_frames"] == 1
    assert work.declared == ["map.nxs", "preview.png"]


def test_a_region_above_its_background_shows_the_painting(made: Truth, work: Workspace) -> None:
    ring = {"name": "green", "low": GREEN - 0.5, "high": GREEN + 0.5}
    plain = {**ring, "name": "plain", "background": "none"}
    narrow = {"name": "narrow", "low": GREEN / 10 - 0.05, "high": GREEN / 10 + 0.05}
    with h5py.File(run(made, rois=[ring, plain, {**narrow, "unit": "q_A^-1"}])) as file:
        shown = file["entry/regions"]
        net, below, total = (shown[name][()] for name in ("green", "green_background", "plain"))
        assert shown["green"].attrs["radial_units"] == "1/nm"
        np.testing.assert_allclose(shown["narrow"], net, rtol=1e-6)
        intensity, q = file["entry/map/intensity"][()], file["entry/map/q"][()]
        stored = file["entry/process/parameters/rois"].asstr()[()]
    assert r_of(net, made.fraction) > 0.999
    inside = (q >= GREEN - 0.5) & (q <= GREEN + 0.5)
    np.testing.assert_allclose(total, intensity[..., inside].sum(axis=2), rtol=1e-6)
    np.testing.assert_allclose(net + below, total, rtol=1e-5)
    assert '"name": "green"' in stored


def test_a_pattern_of_ones_own_is_a_phase(made: Truth, work: Workspace, tmp_path: Path) -> None:
    # What the ground alone gives, taken from the unpainted corner, less its background.
    with h5py.File(run(made)) as file:
        q, corner = file["entry/map/q"][()], file["entry/map/intensity"][0, 0]
    own = tmp_path / "lead white.xy"
    rows = np.column_stack([q, np.nan_to_num(corner - np.nanmin(corner))])
    np.savetxt(own, rows, header="q_nm^-1 I")
    with h5py.File(run(made, references=[own], phases=(PIGMENT,))) as file:
        assert file["entry/phases"].attrs["signal"] == PIGMENT
        white = file["entry/phases/lead_white"][()]
    assert r_of(white, 1 - made.fraction) > 0.99


def test_more_references_than_a_fit_can_tell_apart_are_refused(
    made: Truth, work: Workspace, tmp_path: Path
) -> None:
    files = [tmp_path / f"phase_{number}.xy" for number in range(33)]
    for file in files:
        file.write_text("# q_nm^-1\n1 1\n2 2\n", encoding="utf-8")
    refusal = refusal_of(made, references=files)
    assert refusal.code == "xrd-phases"
    assert "33 references" in str(refusal)


def test_the_picture_shows_the_phases(made: Truth, work: Workspace) -> None:
    run(made, phases=(GROUND, PIGMENT))
    picture = work.folder / "preview.png"
    with Image.open(picture) as opened:
        pixels = np.asarray(opened)
    assert max(pixels.shape) <= 640
    # Bottom left is ground, the middle of the disc is pigment: in turn bright and dark.
    half = pixels.shape[1] // 2
    middle = pixels.shape[0] // 2
    ground, pigment = pixels[:, :half], pixels[:, half:]
    assert ground[-12, 4, :3].sum() > pigment[-12, 4, :3].sum() + 100
    assert ground[middle, half // 2, :3].sum() + 100 < pigment[middle, half // 2, :3].sum()
    first = picture.read_bytes()
    run(made, phases=(GROUND, PIGMENT))
    assert picture.read_bytes() == first


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"phases": ("azurite",)}, "xrd-phases", "no calibrant “azurite”"),
        ({"phases": (PIGMENT, PIGMENT)}, "xrd-phases", "Give each phase once"),
        ({"rois": [{"name": "a", "low": 20, "high": 10}]}, "xrd-roi", "low edge comes first"),
        ({"rois": [{"name": "a", "low": 400, "high": 410}]}, "xrd-roi", "holds no bin"),
    ],
)
def test_what_the_map_does_not_have_is_refused_before_any_frame_is_read(
    made: Truth, work: Workspace, asked: dict[str, Any], code: str, said: str
) -> None:
    refused = refusal_of(made, **asked)
    assert (refused.code, said in str(refused)) == (code, True), refused
    assert work.declared == []


def test_equal_regions_give_one_run_key() -> None:
    manifest = xrd_map.manifest
    short = manifest.validate_parameters({"rois": [{"name": "a", "low": 1, "high": 2}]})
    full: JsonObject = {"name": "a", "low": 1.0, "high": 2.0, "unit": None, "background": "linear"}
    assert canonical_json(short["rois"]) == canonical_json([full]), "1 and 1.0 are one number"
    assert short == manifest.validate_parameters({"rois": [full]})
    assert manifest.validate_parameters({})["rois"] == []
