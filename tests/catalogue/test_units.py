import math
import time

import pytest

from catalogue.units import convert, is_known, to_si

ELECTRON_VOLT = 1.602176634e-19  # J, exact since 2019


@pytest.mark.parametrize(
    ("value", "unit", "si", "base"),
    [
        (12.4, "keV", 12.4e3 * ELECTRON_VOLT, "kg*m**2/s**2"),
        (1.0, "\N{ANGSTROM SIGN}", 1e-10, "m"),
        (1.0, "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", 1e-10, "m"),
        (1.0, "Ang", 1e-10, "m"),
        (5.0, "\N{MICRO SIGN}m", 5e-6, "m"),
        (5.0, "\N{GREEK SMALL LETTER MU}m", 5e-6, "m"),
        (80.0, "degC", 353.15, "K"),
        (80.0, "celsius", 353.15, "K"),
        (212.0, "fahrenheit", 373.15, "K"),
        (760.0, "Torr", 101325.0, "kg/m/s**2"),
        (8.0, "b", 8.0, "bit"),
        (1.0, "B", 8.0, "bit"),
        (1.0, "C", 1.0, "A*s"),
        (4.0, "m²", 4.0, "m**2"),
        (4.0, "nm⁻¹", 4e9, "1/m"),
        (4.0, "nm⁻²", 4e18, "1/m**2"),
        (4.0, "m·s⁻¹", 4.0, "m/s"),
        (180.0, "degrees", math.pi, "rad"),
        (2.0, "h", 7200.0, "s"),
        (3.0, None, 3.0, ""),
    ],
)
def test_a_unit_means_what_scientists_mean_by_it(
    value: float, unit: str | None, si: float, base: str
) -> None:
    found = to_si(value, unit)
    assert found is not None
    assert found.value == pytest.approx(si, rel=1e-9)
    assert found.unit == base


@pytest.mark.parametrize("unit", ["a.u.", "au", "arb", "NX_LENGTH", "steps", "\x00", "m2"])
def test_a_unit_that_is_not_understood_makes_no_number(unit: str) -> None:
    assert to_si(1.0, unit) is None
    assert not is_known(unit)


@pytest.mark.parametrize(
    "unit",
    [
        "m**99999999",
        "m**9**9**9",
        "m^9^9",
        "m**-88",
        "(" * 32,
        "m" * 33,
        "__import__('os')",
        "9**9 m",
        "m.*",
        "keV^0",
    ],
)
def test_a_hostile_unit_is_refused_at_once(unit: str) -> None:
    begun = time.monotonic()
    assert to_si(1.0, unit) is None
    assert time.monotonic() - begun < 1


def test_a_tenth_of_a_kilovolt_more_in_floats_is_still_the_same_energy() -> None:
    in_kev, in_ev = to_si(0.93, "keV"), to_si(930, "eV")
    assert in_kev is not None
    assert in_ev is not None
    assert in_kev.equals(in_ev)
    wavelength = to_si(in_kev.value, "m")
    assert wavelength is not None
    assert not in_kev.equals(wavelength)


def test_a_value_asked_back_in_its_own_unit_is_unchanged() -> None:
    assert convert(12.4, "keV", "keV") == 12.4
    assert convert(12400, "eV", "keV") == 12.4
    assert convert(353.15, "K", "celsius") == 80.0
    assert convert(1.0, "keV", "angstrom") is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        to_si(value, "m")


def test_a_value_beyond_the_floats_makes_no_number() -> None:
    assert to_si(1e308, "km") is None
