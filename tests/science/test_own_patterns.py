"""Reference patterns that users bring: text of two columns, and NeXus curves."""

import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from processing.science.errors import PhaseError, UnreadableFileError, WavelengthError
from processing.science.maps.own_patterns import read_pattern

Q = np.linspace(5, 40, 100)
PEAK = np.exp(-((Q - 20) ** 2))
WAVELENGTH = 1e-10


def a_text(path: Path, head: str, places: np.ndarray) -> Path:
    lines = [f"{x:.9g} {y:.9g} 0.1" for x, y in zip(places, PEAK, strict=True)]
    path.write_text("\n".join([*head.splitlines(), *lines, ""]), encoding="utf-8")
    return path


def two_theta(wavelength: float) -> np.ndarray:
    return np.asarray(np.degrees(2 * np.arcsin(Q * wavelength * 1e9 / (4 * np.pi))))


@pytest.mark.parametrize(
    ("head", "places"),
    [
        ("# q_nm^-1 I", Q),
        ("# made by hand\n# q_A^-1, counts", Q / 10),
        ("# 2th_deg", two_theta(WAVELENGTH)),
        ("# 2th_deg\n# Wavelength: 1.5406e-10 m", two_theta(1.5406e-10)),
        ("! 2th_rad wavelength = 0.7 A", np.radians(two_theta(0.7e-10))),
    ],
)
def test_a_text_says_its_axis(tmp_path: Path, head: str, places: np.ndarray) -> None:
    found = read_pattern(a_text(tmp_path / "azurite-2.xy", head, places), None, WAVELENGTH)
    assert found.name == "azurite_2"
    np.testing.assert_allclose(found.q_nm, Q, rtol=1e-6)
    np.testing.assert_allclose(found.intensity, PEAK, atol=1e-8)


def test_where_it_does_not_the_parameter_does(tmp_path: Path) -> None:
    text = a_text(tmp_path / "2.dat", "", Q / 10)
    found = read_pattern(text, "q_A^-1", None)
    np.testing.assert_allclose(found.q_nm, Q, rtol=1e-6)
    assert found.name == "phase_2"
    with pytest.raises(PhaseError, match=r"2\.dat does not say whether its axis is q or 2θ"):
        read_pattern(text, None, None)
    with pytest.raises(WavelengthError):
        read_pattern(text, "2th_deg", None)


def test_descending_and_repeated_places_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.xy"
    path.write_text("# q_nm^-1\n3,30\n2,20\n2,20\n1,nan\n", encoding="utf-8")
    found = read_pattern(path, None, None)
    np.testing.assert_array_equal(found.q_nm, [2, 3])
    np.testing.assert_array_equal(found.intensity, [20, 30])


def test_the_default_plot_of_a_nexus_file_is_the_pattern(tmp_path: Path) -> None:
    path = tmp_path / "chi2.nxs"
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["default"] = "result"
        data = entry.create_group("result")
        data.attrs.update({"signal": "I", "axes": ["q"]})
        data["I"], data["q"] = PEAK, Q / 10
        data["q"].attrs["units"] = "1/angstrom"
    found = read_pattern(path, None, None)
    np.testing.assert_allclose(found.q_nm, Q)
    assert found.name == "phase_chi2", "chi2 is the name of a map"


@pytest.mark.parametrize(
    "text",
    ["", "# q_nm^-1\n", "# q_nm^-1\n1 2\nthree 4\n", "# q_nm^-1\n1\n2\n", "# q_nm^-1\n1 2\n"],
)
def test_what_is_no_pattern_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xy"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((UnreadableFileError, PhaseError), match=r"a\.xy"):
        read_pattern(path, None, None)


@pytest.mark.parametrize("default", [".", "entry", "missing", "/"])
def test_a_nexus_file_without_a_curve_is_refused_and_goes_in_no_circle(
    tmp_path: Path, default: str
) -> None:
    path = tmp_path / "a.nxs"
    with h5py.File(path, "w") as file:
        file.attrs["default"] = default
        file.create_group("entry").attrs["default"] = ".."
    with pytest.raises(UnreadableFileError, match="is no curve"):
        read_pattern(path, None, None)


def test_the_name_of_a_phase_is_that_of_no_other_map(tmp_path: Path) -> None:
    def name_of(stem: str) -> str:
        return read_pattern(a_text(tmp_path / f"{stem}.xy", "# q_nm^-1", Q), None, None).name

    assert name_of("q") == "phase_q"
    assert name_of("phase_lead_errors") == "phase_lead_errors_pattern"
    assert name_of("lead_errors") == "lead_errors_pattern", "beside lead lie its errors"
    assert len(name_of("a" * 200)) == 60, "names stand in the catalogue"


@pytest.mark.parametrize("said", ["1.2.3 A", "0 A", "0.0 nm", "1e-999 m", ". m"])
def test_a_wavelength_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    text = a_text(tmp_path / "a.xy", f"# 2th_deg wavelength: {said}", Q)
    with pytest.raises(PhaseError, match=r"a\.xy states a wavelength"):
        read_pattern(text, None, WAVELENGTH)


def test_a_comment_of_nothing_but_spaces_takes_no_time(tmp_path: Path) -> None:
    """Two runs of spaces beside each other could be told apart in as many ways, squared."""
    text = a_text(tmp_path / "a.xy", "# q_nm^-1 wavelength" + " " * 50_000, Q)
    began = time.process_time()
    read_pattern(text, None, None)
    assert time.process_time() - began < 1


def test_a_text_of_too_many_points_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.xy"
    path.write_text("# q_nm^-1\n" + "1 1\n" * 1_000_001, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="1000000 lines"):
        read_pattern(path, None, None)


def test_a_nexus_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nxs"
    with h5py.File(path, "w") as file:
        file["curve"] = Q
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnreadableFileError, match=r"a\.nxs"):
        read_pattern(path, None, None)
