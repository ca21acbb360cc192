"""Phase maps of patterns with known amounts."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pyFAI.calibrant import get_calibrant
from scipy.optimize import nnls

from processing.science.diffraction.integrator import Pattern
from processing.science.errors import PhaseError, WavelengthError
from processing.science.maps.map_file import Axis, MapAxes, create_map
from processing.science.maps.phases import PhaseModel, build_model, write_phases
from processing.science.maps.radial import RadialAxis
from processing.science.maps.references import (
    LineReference,
    MeasuredReference,
    Reference,
    read_calibrant,
)

WAVELENGTH = 0.9e-10
AXIS = RadialAxis(np.linspace(5, 45, 600), "1/nm", WAVELENGTH)
FWHM = 0.4
OWN_Q = np.linspace(4, 46, 600)


def a_model(*names: str, fwhm_deg: float | None = FWHM) -> PhaseModel:
    references: list[Reference] = [read_calibrant(name) for name in names]
    return build_model(references, AXIS, np.ones(600), fwhm_deg=fwhm_deg)


def mix(model: PhaseModel, amounts: np.ndarray, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Add a falling background and Gaussian noise of a Poisson's size; return its sigma too."""
    clean = amounts @ model.references.T + 8 * np.exp(-AXIS.values / 15)
    sigma = np.sqrt(clean / 40)
    return clean + sigma * np.random.default_rng(seed).normal(size=clean.shape), sigma


def test_amounts_come_back_within_their_errors() -> None:
    model = a_model("Cr2O3", "hydrocerussite", "LaB6")
    truth = np.random.default_rng(3).random((300, 3)) * [50, 20, 5] + 1
    found = model.fit(*mix(model, truth))

    pulls = (found.amounts - truth) / found.errors
    assert np.abs(pulls.mean(axis=0)).max() < 0.2
    assert np.abs(pulls.std(axis=0) - 1).max() < 0.15
    assert abs(found.chi2.mean() - 1) < 0.02


def test_a_phase_that_is_not_there_is_not_found() -> None:
    model = a_model("Cr2O3", "LaB6")
    found = model.fit(*mix(model, np.tile([30.0, 0.0], (200, 1))))
    assert (found.amounts >= 0).all()
    assert (found.amounts[:, 1] == 0).mean() > 0.3, "half of the noise would be below 0"
    assert (found.amounts[:, 1] < 4 * found.errors[:, 1]).all()


def test_each_position_is_fitted_as_scipy_fits_it_alone() -> None:
    model = a_model("Cr2O3", "hydrocerussite")
    intensity, sigma = mix(model, np.array([[3.0, 9.0], [0.0, 1.0], [7.0, 0.0]]))
    found = model.fit(intensity, sigma)
    columns = np.hstack([model.references, model.background])
    for position in range(3):
        weight = 1 / sigma[position]
        alone, _ = nnls(columns * weight[:, None], intensity[position] * weight)
        np.testing.assert_allclose(found.amounts[position], alone[:2], rtol=1e-6, atol=1e-9)


def test_bins_without_value_or_error_take_no_part() -> None:
    model = a_model("Cr2O3", "hydrocerussite")
    intensity, sigma = mix(model, np.array([[3.0, 9.0]] * 3))
    intensity[:, 200:210], sigma[:, 300] = np.nan, 0.0
    intensity[2] = np.nan
    found = model.fit(intensity, sigma)
    np.testing.assert_allclose(found.amounts[:2], [[3, 9], [3, 9]], rtol=0.1)
    assert np.isnan(found.amounts[2]).all()
    assert np.isnan(found.chi2[2])


def test_without_errors_the_scatter_tells_them() -> None:
    model = a_model("Cr2O3", "hydrocerussite")
    truth = np.tile([20.0, 10.0], (200, 1))
    clean = truth @ model.references.T + 5
    noisy = clean + 0.3 * np.random.default_rng(7).normal(size=clean.shape)
    found = model.fit(noisy, None)
    pulls = (found.amounts - truth) / found.errors
    assert np.abs(pulls.std(axis=0) - 1).max() < 0.2


def test_the_width_of_the_lines_is_found() -> None:
    made = a_model("Cr2O3", "hydrocerussite")
    mean = (np.array([20.0, 30.0]) @ made.references.T) + 5
    references = [read_calibrant("Cr2O3"), read_calibrant("hydrocerussite")]
    found = build_model(references, AXIS, mean)
    assert found.fwhm_deg == pytest.approx(FWHM, rel=0.05)


def test_a_calibrant_has_its_lines_where_pyfai_has_them_and_their_heights() -> None:
    drawn = read_calibrant("Cr2O3").draw(AXIS, 0.1)
    calibrant = get_calibrant("Cr2O3")
    strongest = 20 * np.pi / calibrant.dspacing[1]  # (104), intensity 100
    assert drawn.max() == 1
    assert abs(AXIS.values[drawn.argmax()] - strongest) < np.diff(AXIS.values)[0]
    first = np.abs(AXIS.values - 20 * np.pi / calibrant.dspacing[0]) < 0.3
    assert drawn[first].max() == pytest.approx(0.6958, abs=0.08)  # (012), intensity 69.58


@pytest.mark.parametrize("units", ["1/angstrom", "deg", "rad"])
def test_a_reference_is_the_same_on_every_axis(units: str) -> None:
    axis = RadialAxis(
        RadialAxis(np.array([1.0]), units, WAVELENGTH).place(AXIS.values, "1/nm"), units, WAVELENGTH
    )
    np.testing.assert_allclose(axis.q_nm, AXIS.q_nm, rtol=1e-12)
    for reference in (
        read_calibrant("LaB6"),
        MeasuredReference("own", OWN_Q, 2 + np.sin(OWN_Q)),
    ):
        np.testing.assert_allclose(
            reference.draw(axis, FWHM), reference.draw(AXIS, FWHM), atol=1e-9
        )


def test_what_cannot_be_fitted_is_refused_by_name() -> None:
    with pytest.raises(PhaseError, match=r"no calibrant “Cr2O4”\. Near are Cr2O3"):
        read_calibrant("Cr2O4")
    with pytest.raises(PhaseError, match="no calibrant"):
        read_calibrant("../LaB6.D")
    with pytest.raises(PhaseError, match="Two references are called LaB6"):
        a_model("LaB6", "LaB6")
    first = read_calibrant("LaB6")
    twin = LineReference("twin", first.q_nm * 1.00002, first.heights)
    with pytest.raises(PhaseError, match="LaB6 and twin cannot be told apart"):
        build_model([first, twin], AXIS, np.ones(600), fwhm_deg=FWHM)
    far = LineReference("far", np.array([90.0]), np.ones(1))
    with pytest.raises(PhaseError, match="far has no reflection between 5 and 45 1/nm"):
        build_model([far], AXIS, np.ones(600), fwhm_deg=FWHM)
    low = MeasuredReference("low", np.array([1.0, 5.2]), np.ones(2))
    with pytest.raises(PhaseError, match="only 3 bins"):
        build_model([read_calibrant("LaB6"), low], AXIS, np.ones(600), fwhm_deg=FWHM)
    with pytest.raises(WavelengthError, match="Add the wavelength"):
        read_calibrant("LaB6").draw(RadialAxis(AXIS.values, "1/nm"), FWHM)


def peak_of_writing(folder: Path, slow: int) -> int:
    """Return the bytes at most held while the phases of a map are written."""
    y, x = (Axis(np.arange(float(n)), "mm", "motor") for n in (slow, 100))
    model = a_model("Cr2O3", "hydrocerussite")
    pattern = Pattern(model.references.sum(axis=1) + 1, np.ones(600), np.ones(600))
    with create_map(folder / f"{slow}.nxs", MapAxes(y, x, Axis(AXIS.values, "1/nm", "q"))) as file:
        for row in range(slow):
            file.write_row(row, [pattern] * 100)
        tracemalloc.start()
        try:
            assert list(write_phases(file, model))[-1] == slow * 100
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_memory_does_not_grow_with_the_map(tmp_path: Path) -> None:
    assert peak_of_writing(tmp_path, 100) < 1.2 * peak_of_writing(tmp_path, 40)
