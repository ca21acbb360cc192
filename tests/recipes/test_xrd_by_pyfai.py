"""What only pyFAI knows, through the recipe: dark, flat, clipping, errors of rings, cakes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from processing.recipes.base import RecipeError, Workspace, working_in
from processing.recipes.xrd_map import xrd_map
from tests.makers.layouts import (
    BINS,
    SIDES,
    Layout,
    by_pyfai,
    integrator,
    make_frames,
    write_geometry,
    write_scan,
)

FRAMES = 66
PLAIN: dict[str, Any] = {"polarization": None, "solid_angle": False}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "outputs"
    folder.mkdir()
    work = Workspace(folder, cores=2)
    with working_in(work):
        yield work


@pytest.fixture
def poni(tmp_path: Path) -> Path:
    return write_geometry(tmp_path)


def a_scan(tmp_path: Path, frames: Any) -> list[Path]:
    return write_scan(tmp_path, frames, Layout())


def even_light() -> Any:
    """Frames of 20 photons per pixel."""
    return np.random.default_rng(7).poisson(20, (FRAMES, *SIDES)).astype("<u4")


def an_image(path: Path, pixels: Any) -> Path:
    fabio.edfimage.EdfImage(data=np.asarray(pixels, np.float32)).write(str(path))
    return path


def run(scan: Any, poni: Path, **given: Any) -> dict[str, Any]:
    options = {"bins": BINS, "splitting": "bbox", "shape": (6, 11)} | given
    with h5py.File(xrd_map(scan, poni, **options)) as file:
        found = {name: file["entry/map"][name][()] for name in file["entry/map"]}
        if "cake" in file["entry"]:
            found["cake"] = file["entry/cake/intensity"][()]
            found["azimuth"] = file["entry/cake/azimuth"][()]
            found["axes"] = list(file["entry/cake"].attrs["axes"])
        found["decided"] = json.loads(file["entry/process/configuration/data"].asstr()[()])
    found["intensity"] = found["intensity"].reshape(-1, BINS)
    return found


def test_a_dark_is_subtracted_and_a_flat_divides(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    response = 1 + np.indices(SIDES)[0] / 100  # rows see more and more
    uneven = np.repeat([5000 * response + 1000], FRAMES, axis=0).astype("<i4")
    dark = an_image(tmp_path / "dark.edf", np.full(SIDES, 1000))
    flat = an_image(tmp_path / "flat.edf", response)

    found = run(a_scan(tmp_path, uneven), poni, dark=dark, flat=flat, **PLAIN)

    reached = np.isfinite(found["intensity"])
    np.testing.assert_allclose(found["intensity"][reached], 5000, rtol=2e-4)  # whole counts
    assert found["decided"]["tier"] == "general"


def test_pixels_that_a_flat_does_not_know_take_no_part(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames("<i4", FRAMES, masked=False)
    frames[:, :, 30:] = 10**6  # where the flat is 0, below, or no number
    flat = np.ones(SIDES)
    flat[:, 30:40], flat[:, 40:50], flat[:, 50:] = 0.0, -0.5, np.nan

    scan = a_scan(tmp_path, frames)
    found = run(scan, poni, flat=an_image(tmp_path / "flat.edf", flat))

    assert np.nanmax(found["intensity"]) < 100


def test_a_dark_of_another_detector_is_refused(poni: Path, work: Workspace, tmp_path: Path) -> None:
    scan = a_scan(tmp_path, make_frames("<i4", FRAMES))
    with pytest.raises(RecipeError, match="The dark has shape 64 x 60") as refusal:
        run(scan, poni, dark=an_image(tmp_path / "dark.edf", np.zeros(SIDES[::-1])))
    assert refusal.value.code == "xrd-shape"


@pytest.mark.parametrize("error_model", ["poisson", "azimuthal", "none"])
def test_clipping_takes_spots_out_of_rings(
    error_model: str, poni: Path, work: Workspace, tmp_path: Path
) -> None:
    frames = even_light()
    rng = np.random.default_rng(3)
    frames[:, rng.integers(0, 60, 100), rng.integers(0, 64, 100)] = 500
    scan = a_scan(tmp_path, frames)

    plain = run(scan, poni, splitting="no", **PLAIN)["intensity"]
    found = run(scan, poni, clip=4.0, error_model=error_model, **PLAIN)

    # Of 3,840 pixels 100 have 500 photons instead of 20.
    assert np.nanmedian(plain) > 28
    assert np.nanmedian(found["intensity"]) == pytest.approx(20, abs=0.2)
    assert ("errors" in found) == (error_model != "none")
    assert found["decided"]["splitting"] == "no"
    assert any("not split" in told for told in work.warnings)


def test_errors_from_rings_know_what_is_not_counting_noise(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    """Counts multiplied by 10 scatter by 10 sqrt(n); Poisson would say sqrt(10 n)."""
    scan = a_scan(tmp_path, even_light() * 10)
    poisson = run(scan, poni, **PLAIN)["errors"]
    azimuthal = run(scan, poni, error_model="azimuthal", **PLAIN)["errors"]

    assert np.nanmedian(azimuthal / poisson) == pytest.approx(np.sqrt(10), rel=0.15)


def test_a_cake_of_each_position_is_that_of_pyfai(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames("<u4", FRAMES, masked=False)

    found = run(a_scan(tmp_path, frames), poni, azimuth_bins=8)

    assert found["cake"].shape == (6, 11, 8, BINS)
    assert found["axes"] == ["y", "x", "azimuth", "q"]
    geometry = integrator()
    for number in (0, 40):
        expected = geometry.integrate2d(
            frames[number].astype(np.float32),
            BINS,
            8,
            unit="q_nm^-1",
            polarization_factor=0.95,
            method=("bbox", "csr", "cython"),
        )
        reached = expected.count > 0
        cake = found["cake"][divmod(number, 11)]
        np.testing.assert_allclose(cake[reached], expected.intensity[reached], rtol=1e-5)
        assert np.isnan(cake[~reached]).all()
        np.testing.assert_allclose(found["azimuth"], expected.azimuthal)
    np.testing.assert_allclose(found["intensity"], by_pyfai(frames)[0], rtol=1e-5)
