"""Laws of azimuthal integration, on a detector of 80 by 100 pixels."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyFAI.calibrant import get_calibrant
from pyFAI.crystallography.resolution import Constant

from processing.science.diffraction.integrator import (
    FrameIntegrator,
    Reduction,
    blank_invalid,
    find_better_orientation,
)
from processing.science.diffraction.poni import Poni, read_poni
from processing.science.errors import ShapeError, WavelengthError

SHAPE = (80, 100)
LAB6_NM = 0.4156826  # cell edge of NIST SRM 660c


@pytest.fixture
def poni(tmp_path: Path) -> Poni:
    path = tmp_path / "small.poni"
    path.write_text(
        "poni_version: 2.1\nDetector: Detector\n"
        'Detector_config: {"pixel1": 1e-3, "pixel2": 1e-3, "orientation": 3}\n'
        # The beam hits a corner: no flip of this detector is symmetric.
        "Distance: 0.1\nPoni1: 0.005\nPoni2: 0.012\nWavelength: 0.5e-10\n"
    )
    return read_poni(path)


def an_integrator(poni: Poni, **choices: Any) -> FrameIntegrator:
    orientation = choices.pop("orientation", 3)
    mask = choices.pop("mask", None)
    reduction = Reduction(**{"bins": 200, "polarization": None, **choices})
    return FrameIntegrator(poni, reduction, frame_shape=SHAPE, orientation=orientation, mask=mask)


def lab6_frame(poni: Poni) -> np.ndarray:
    calibrant = get_calibrant("LaB6")
    calibrant.wavelength = poni.wavelength_m
    integrator = an_integrator(poni).integrator
    rings = calibrant.fake_calibration_image(integrator, Imax=1e4, resolution=Constant(0.8))
    return np.random.default_rng(1).poisson(rings + 50.0).astype(np.int32)


@pytest.mark.parametrize("splitting", ["full", "bbox", "no"])
def test_a_frame_gives_what_pyfai_gives(poni: Poni, splitting: str) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 30:60] = True
    frame = lab6_frame(poni)
    reducer = an_integrator(poni, splitting=splitting, polarization=0.95, mask=mask)

    pattern = reducer.integrate(frame, 1.25)

    expected = an_integrator(poni).integrator.integrate1d(
        frame,
        200,
        unit="q_nm^-1",
        mask=mask.astype(np.int8),
        polarization_factor=0.95,
        error_model="poisson",
        normalization_factor=1.25,
        method=(splitting, "csr", "cython"),
    )
    reached = expected.count > 0
    assert pattern.sigma is not None
    np.testing.assert_allclose(pattern.intensity[reached], expected.intensity[reached], rtol=1e-5)
    np.testing.assert_allclose(pattern.sigma[reached], expected.sigma[reached], rtol=1e-5)
    assert np.isnan(pattern.intensity[~reached]).all()


def test_rings_of_lab6_lie_where_its_cell_puts_them(poni: Poni) -> None:
    reducer = an_integrator(poni, bins=2000)
    pattern = reducer.integrate(lab6_frame(poni))

    for h, k, m in [(1, 0, 0), (1, 1, 0), (2, 1, 0)]:
        # d = a / sqrt(h² + k² + m²) and q = 2 pi / d
        q = 2 * math.pi * math.sqrt(h * h + k * k + m * m) / LAB6_NM
        near = np.abs(reducer.radial - q) < 0.6
        weights = np.nan_to_num(pattern.intensity[near] - 50)
        centre = np.average(reducer.radial[near], weights=weights)
        assert centre == pytest.approx(q, abs=0.05)  # a pixel spans 1.2 / nm


def test_q_in_nanometres_is_ten_times_q_in_angstroms(poni: Poni) -> None:
    nanometres = an_integrator(poni)
    angstroms = an_integrator(poni, unit="q_A^-1")
    frame = lab6_frame(poni)

    np.testing.assert_allclose(nanometres.radial, 10 * angstroms.radial)
    np.testing.assert_allclose(
        nanometres.integrate(frame).intensity, angstroms.integrate(frame).intensity, rtol=1e-4
    )


def test_angles_in_degrees_and_radians_agree(poni: Poni) -> None:
    degrees, radians = (an_integrator(poni, unit=unit) for unit in ("2th_deg", "2th_rad"))

    np.testing.assert_allclose(np.radians(degrees.radial), radians.radial)


def test_a_flat_scatterer_stays_flat(poni: Poni) -> None:
    reducer = an_integrator(poni, polarization=0.9)
    geometry = reducer.integrator
    frame = 1000 * geometry.solidAngleArray(SHAPE) * geometry.polarization(SHAPE, factor=0.9)

    intensity = reducer.integrate(frame).intensity

    np.testing.assert_allclose(intensity[np.isfinite(intensity)], 1000, rtol=1e-5)


def test_errors_shrink_with_the_number_of_pixels(poni: Poni) -> None:
    reducer = an_integrator(poni, bins=30, splitting="no", solid_angle=False)

    pattern = reducer.integrate(np.full(SHAPE, 100, np.int32))

    # n pixels of 100 counts: 10 / sqrt(n)
    reached = pattern.pixels > 0
    assert pattern.sigma is not None
    np.testing.assert_allclose(
        pattern.sigma[reached], 10 / np.sqrt(pattern.pixels[reached]), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("dtype", "marker"),
    [
        (np.int32, -1),
        (np.int32, -2),
        (np.int32, 2**31 - 1),
        (np.uint16, 2**16 - 1),
        (np.uint32, 2**32 - 1),
        (np.float32, np.nan),
        (">f4", np.nan),
        (">i4", -1),
    ],
)
def test_marked_pixels_take_no_part(poni: Poni, dtype: Any, marker: float) -> None:
    frame = np.full(SHAPE, 100, dtype)
    frame[:40] = marker

    pattern = an_integrator(poni, solid_angle=False, splitting="no").integrate(frame)

    reached = pattern.pixels > 0
    np.testing.assert_allclose(pattern.intensity[reached], 100, rtol=1e-6)
    assert pattern.pixels.sum() == 40 * 100


def test_a_bin_without_pixels_is_not_dark_but_nan(poni: Poni) -> None:
    mask = np.ones(SHAPE, bool)
    mask[40, 50] = False

    pattern = an_integrator(poni, splitting="no", mask=mask).integrate(np.ones(SHAPE, np.int32))

    assert np.isfinite(pattern.intensity).sum() == 1
    assert pattern.sigma is not None
    assert np.isfinite(pattern.sigma).sum() == 1


def test_a_monitor_at_half_doubles_intensity_and_error(poni: Poni) -> None:
    reducer = an_integrator(poni)
    frame = lab6_frame(poni)

    full, half = reducer.integrate(frame, 1.0), reducer.integrate(frame, 0.5)

    assert full.sigma is not None
    assert half.sigma is not None
    np.testing.assert_allclose(half.intensity, 2 * full.intensity, rtol=1e-5)
    np.testing.assert_allclose(half.sigma, 2 * full.sigma, rtol=1e-5)


def test_without_an_error_model_there_are_no_errors(poni: Poni) -> None:
    assert an_integrator(poni, error_model="none").integrate(lab6_frame(poni)).sigma is None


def test_ranges_cut_the_axis_and_the_ring(poni: Poni) -> None:
    cut = an_integrator(poni, radial_range=(20.0, 40.0), azimuth_range=(0.0, 30.0))
    whole = an_integrator(poni, radial_range=(20.0, 40.0))
    frame = np.ones(SHAPE, np.int32)

    assert cut.radial[0] > 20.0
    assert cut.radial[-1] < 40.0
    assert cut.integrate(frame).pixels.sum() < 0.7 * whole.integrate(frame).pixels.sum()


@pytest.mark.parametrize(
    ("orientation", "flip"),
    [(4, np.fliplr), (2, np.flipud), (1, lambda frame: frame[::-1, ::-1])],
)
def test_a_flipped_frame_with_its_orientation_declared_is_the_same(
    poni: Poni, orientation: int, flip: Any
) -> None:
    frame = lab6_frame(poni)
    straight = an_integrator(poni).integrate(frame).intensity

    declared = an_integrator(poni, orientation=orientation).integrate(flip(frame)).intensity
    undeclared = an_integrator(poni).integrate(flip(frame)).intensity

    both = np.isfinite(straight) & np.isfinite(declared)
    np.testing.assert_allclose(declared[both], straight[both], rtol=1e-6)
    deviation = np.nanmedian(np.abs(undeclared - straight) / straight)
    assert deviation > 0.05


def test_a_wrong_orientation_is_noticed(poni: Poni) -> None:
    frame = lab6_frame(poni)

    assert find_better_orientation(frame, poni, 3) is None
    assert find_better_orientation(np.fliplr(frame), poni, 3) == 4


def test_of_a_frame_that_the_mask_hides_no_orientation_is_better(poni: Poni) -> None:
    frame = lab6_frame(poni)
    assert find_better_orientation(frame, poni, 3, np.ones(frame.shape, bool)) is None


def test_counts_are_kept_and_the_frame_is_not_touched() -> None:
    frame = np.array([[5, -1], [2**31 - 1, 2**24]], np.int32)

    counts = blank_invalid(frame)

    np.testing.assert_array_equal(counts, [[5, np.nan], [np.nan, 2**24]])
    assert frame[0, 1] == -1


def test_wrong_shapes_are_refused(poni: Poni) -> None:
    with pytest.raises(ShapeError, match=r"mask has shape 100 x 80.*transposed"):
        an_integrator(poni, mask=np.zeros(SHAPE[::-1], bool))
    with pytest.raises(ShapeError, match="frame has shape 10 x 10"):
        an_integrator(poni).integrate(np.ones((10, 10)))


def test_q_needs_a_wavelength_and_an_angle_does_not(poni: Poni) -> None:
    blind = Poni(poni.text, poni.config | {"wavelength": None}, 3)

    with pytest.raises(WavelengthError, match="2th_deg"):
        an_integrator(blind)
    assert an_integrator(blind, unit="2th_deg").radial[-1] > 30
