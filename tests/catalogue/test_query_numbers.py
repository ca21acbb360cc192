"""Numbers of a query mean what they mean in physics, in whatever unit."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from catalogue.query import Interval, NumberCondition, canonical, stands_for
from catalogue.readers.quantities import KEV_ANGSTROM, photon_pair
from catalogue.units import convert, to_si
from tests.catalogue.queries import faultless, read

EV = 1.602176634e-19  # J, exact since 2019
JOULE = "kg*m**2/s**2"
PLANCK, LIGHT = 6.62607015e-34, 299792458.0  # J s, m/s, both exact
NEUTRON = 1.67492750056e-27  # kg, CODATA 2022


def numbers(text: str) -> NumberCondition:
    (condition,) = read(text).ranges
    return condition


def holds(interval: Interval, value: float) -> bool:
    """Compare as a database does."""
    low, high = interval.low, interval.high
    is_above = low is None or value > low or (interval.low_inclusive and value == low)
    is_below = high is None or value < high or (interval.high_inclusive and value == high)
    return is_above and is_below


def finds(text: str, name: str, number: float, unit: str = "") -> bool:
    """Tell whether a dataset with this one parameter is found."""
    si = to_si(number, unit)
    assert si is not None
    return all(
        condition.negated
        ^ any(
            it.si_unit == si.unit
            and any(stands_for(key, name) for key in it.names)
            and holds(it, si.value)
            for it in condition.alternatives
        )
        for condition in faultless(text).ranges
    )


# Numbers: what a value is in SI


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("ring_energy:9..12keV", JOULE, 9e3 * EV, 12e3 * EV),
        ("ring_energy:9keV..12000eV", JOULE, 9e3 * EV, 12e3 * EV),
        ("ring_energy:9keV..12", JOULE, 9e3 * EV, 12e3 * EV),
        ("temperature<80K", "K", None, 80.0),
        ("temperature < 80 K", "K", None, 80.0),
        ("temperature≤80K", "K", None, 80.0),
        ("temperature:..80K", "K", None, 80.0),
        ("temperature:80 K..", "K", 80.0, None),
        ("temperature:-10..25°C", "K", 263.15, 298.15),
        ("temperature:-10℃..298.15K", "K", 263.15, 298.15),
        ("temperature>=32 °F", "K", 273.15, None),
        ("wave:0.9..1.1Å", "m", 0.9e-10, 1.1e-10),
        ("wave>=0.9 Å", "m", 0.9e-10, None),
        ("exposure:0.1s", "s", 0.1, 0.1),
        ("exposure:1e-1s", "s", 0.1, 0.1),
        ("exposure=.1 s", "s", 0.1, 0.1),
        ("pressure:1..2 bar", "kg/m/s**2", 1e5, 2e5),
        ("pressure:760Torr", "kg/m/s**2", 101325.0, 101325.0),
        ("motor:-5..5mm", "m", -5e-3, 5e-3),
        ("motor:\N{MINUS SIGN}5..+5mm", "m", -5e-3, 5e-3),
        ("motor:..-5 µm", "m", None, -5e-6),
        ("q:1..2 1/nm", "1/m", 1e9, 2e9),
        ("q:1 1/nm..2nm^-1", "1/m", 1e9, 2e9),
        ("flux>1e12s⁻¹", "1/s", 1e12, None),
        ("angle:180°", "rad", math.pi, math.pi),
        ("bits:8b", "bit", 8.0, 8.0),
        ("charge:1C", "A*s", 1.0, 1.0),
        ("humidity<50%", "", None, 0.5),
        ("detector.distance:0.2m", "m", 0.2, 0.2),
        ("time:1..2h", "s", 3600.0, 7200.0),
    ],
)  # fmt: skip
def test_numbers_are_compared_in_si(
    text: str, unit: str, low: float | None, high: float | None
) -> None:
    faultless(text)
    interval = numbers(text).alternatives[0]
    assert interval.si_unit == unit
    for found, true in ((interval.low, low), (interval.high, high)):
        assert (found is None) is (true is None)
        # Equality allows for one part in 1e9, ends of ranges for less.
        assert found is None or found == pytest.approx(true, rel=2e-9)


@pytest.mark.parametrize(
    ("text", "number", "unit", "is_found"),
    [
        ("x:0.93keV", 930, "eV", True),  # which floats deny
        ("x:0.93keV", 930.000001, "eV", False),
        ("x>=930eV", 0.93, "keV", True),
        ("x<=0.93keV", 930, "eV", True),
        ("x<0.93keV", 930, "eV", False),
        ("x>930eV", 0.93, "keV", False),
        ("x<80K", -193.15, "degC", False),
        ("x<=80K", -193.15, "degC", True),
        ("x<80K", 9, "K", True),
        ("x<80", 100, "", False),  # as texts, 100 were less than 80
        ("x<-5mm", -5000, "µm", False),
        ("x<=-5mm", -5000, "µm", True),
        ("x>0K", 0, "K", False),
        ("x:0mm", 0, "m", True),
        ("x:1..2bar", 1500, "hPa", True),
        ("x:1..2bar", 1.5, "keV", False),
        ("x:8b", 1, "barn", False),
        ("x:1000", 1000, "count", True),
        ("x:1000", 1000, "pixel", True),
        ("x:1000 frames", 1000, "", True),
        ("x:5", 5, "mm", False),
        ("x:1..2K,5K", 5, "K", True),
        ("x:1..2K,5K", 3, "K", False),
        ("x<10K x>100K", 5, "K", True),
        ("x<10K x>100K", 500, "K", True),
        ("x<10K x>100K", 50, "K", False),
        ("-x<10K", 5, "K", False),
        ("-x<10K", 50, "K", True),
        ("-x<10K -x>100K", 500, "K", False),
    ],
)  # fmt: skip
def test_a_range_means_what_it_says_in_whatever_unit(
    text: str, number: float, unit: str, is_found: bool  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    assert finds(text, "x", number, unit) is is_found


def test_a_word_after_a_number_is_a_unit_only_if_there_is_one() -> None:
    assert canonical(faultless("frames:100 lead")) == "lead frames:100"
    assert canonical(faultless("exposure:0.1 s lead")) == "lead exposure:0.1s"
    assert canonical(faultless("frames:100 in air")) == "in air frames:100"  # no inch
    assert canonical(faultless("frames:100 K>5mm")) == "frames:100 k>5mm"


# Energy and wavelength


@pytest.mark.parametrize(
    ("text", "name", "number", "unit", "is_found"),
    [
        ("energy:9..12keV", "photon_energy", 10, "keV", True),
        ("energy:9..12keV", "photon_wavelength", KEV_ANGSTROM / 10, "angstrom", True),
        ("energy:9..12keV", "incident_wavelength", 0.15, "nm", False),
        ("energy:9..12keV", "source.energy", 10, "keV", False),  # of the ring
        ("energy:9..12keV", "photon_energy.min", 10, "keV", True),
        ("wavelength>=0.9Å", "photon_energy", 13.77, "keV", True),  # 12.398419843/0.9 = 13.776
        ("wavelength>=0.9Å", "photon_energy", 13.78, "keV", False),
        ("wavelength>0.9Å", "incident_photon_energy", KEV_ANGSTROM / 0.9, "keV", False),
        ("wavelength<0.9Å", "photon_energy", 13.78, "keV", True),
        ("wavelength:1A", "photon_energy", KEV_ANGSTROM, "keV", True),  # no ampere
        ("energy>0keV", "wavelength", 1, "angstrom", True),
        ("energy>-1keV", "wavelength", 1, "angstrom", True),
        ("energy<-1keV", "wavelength", 1, "angstrom", False),
        ("-energy:9..12keV", "wavelength", KEV_ANGSTROM / 10, "angstrom", False),
        ("energy:9keV wavelength:1Å", "wavelength", 1, "angstrom", True),  # one filter: or
        ("photon_energy:10keV", "energy", 10, "keV", True),
        ("incident_photon_energy:10keV", "incident_energy", 10, "keV", True),
        ("photon_wavelength:1Å", "wavelength", 1, "angstrom", True),
        ("incident_wavelength:1Å", "photon_wavelength", 0.1, "nm", True),
        ("neutron_energy<25meV", "neutron_wavelength", 1.81, "angstrom", True),
        ("neutron_energy<25meV", "neutron_wavelength", 1.80, "angstrom", False),
        ("neutron_energy<25meV", "photon_wavelength", 1.81, "angstrom", False),
    ],
)
def test_energy_and_wavelength_are_one_filter(
    text: str, name: str, number: float, unit: str, is_found: bool  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    assert finds(text, name, number, unit) is is_found


def test_a_smallest_wavelength_is_a_largest_energy() -> None:
    wave, energy = numbers("wavelength>=1Å").alternatives
    assert (wave.high, energy.low) == (None, None)
    # h c, and for neutrons h**2 / 2 m, to the digits of the constants in use
    assert energy.high == pytest.approx(PLANCK * LIGHT / 1e-10, rel=1e-10)
    wave, energy = numbers("neutron_wavelength>=1Å").alternatives
    assert energy.high == pytest.approx(PLANCK**2 / (2 * NEUTRON * 1e-20), rel=1e-5)


def test_a_thermal_neutron_of_2200_m_per_s_is_one_of_1_8_angstrom() -> None:
    energy_j = NEUTRON * 2200**2 / 2
    assert finds(f"neutron_energy:{energy_j}J", "neutron_energy", energy_j, "J")
    (_, wave) = numbers(f"neutron_energy:{energy_j}J").alternatives
    assert wave.low == pytest.approx(PLANCK / (NEUTRON * 2200), rel=1e-5)  # de Broglie


@given(some.floats(0.01, 100), some.floats(0.01, 100), some.sampled_from(["keV", "Å"]))
def test_what_states_energy_is_found_like_what_states_wavelength(
    end: float, energy_kev: float, unit: str
) -> None:
    wavelength = KEV_ANGSTROM / energy_kev
    assume(not math.isclose(end, energy_kev if unit == "keV" else wavelength, rel_tol=1e-8))
    text = f"energy>={end}keV" if unit == "keV" else f"wavelength<={end}Å"
    assert finds(text, "photon_energy", energy_kev, "keV") is finds(
        text, "photon_wavelength", wavelength, "angstrom"
    )


@given(some.floats(0.01, 1000))
def test_the_partner_that_a_reader_adds_is_found_by_equality(energy_kev: float) -> None:
    for found in photon_pair("photon_energy", energy_kev, "keV"):
        assert isinstance(found.value, float)
        assert finds(f"energy:{energy_kev}keV", found.name, found.value, found.unit or "")


@given(some.floats(-1e6, 1e6), some.sampled_from([("mm", "µm"), ("K", "degC"), ("bar", "Torr")]))
def test_the_ends_of_a_range_belong_to_it_in_any_unit(
    number: float, units: tuple[str, str]
) -> None:
    unit, other = units
    same = convert(number, unit, other)
    assert same is not None
    assume(unit != "K" or number > 1)  # the offset eats digits near absolute zero
    for text in (f"x:{number!r}{unit}", f"x>={number!r}{unit}", f"x<={number!r}{unit}"):
        assert finds(text, "x", number, unit)
    if number == 0 or abs(number) > 1e-3:
        assert finds(f"x:{number!r}{unit}", "x", same, other)
