"""From ranges as written to intervals in SI that a database compares."""

from dataclasses import dataclass, replace

from catalogue.query.conditions import Interval, NumberCondition, Range, TermError
from catalogue.query.fields import (
    NEUTRON_ENERGY,
    NEUTRON_WAVELENGTH,
    PHOTON_ENERGY,
    PHOTON_WAVELENGTH,
)
from catalogue.query.numbers import is_below, to_si

_EV = 1.602176634e-19  # J
_ANGSTROM = 1e-10  # m
_JOULE, _METRE = "kg*m**2/s**2", "m"
_EQUAL = 1e-9  # relative: 0.93 keV and 930 eV differ in floats
_EDGE = 1e-12
_LEAST = 1e-100  # J or m: a square of it is still a float
# Numbers of things: written bare, and stored in any of these.
_COUNTED = ("", "count", "pixel")

SWAPPED = "The range began with its larger end; the ends were swapped."


@dataclass(frozen=True)
class Beam:
    """
    Particles whose energy and wavelength are one quantity: E = constant / λ**power.

    Attributes
    ----------
    energies, wavelengths : tuple of str
        Names of parameters.
    constant : float
        In J·m**power.
    power : int
        1 for photons, 2 for slow particles with mass.
    """

    energies: tuple[str, ...]
    wavelengths: tuple[str, ...]
    constant: float
    power: int

    def partner(self, unit: str, value: float | None) -> float | None:
        """Give the wavelength of an energy, or the energy of a wavelength, if it has one."""
        if value is None or value <= 0:
            return None
        if unit == _METRE:
            return float(self.constant / value**self.power)
        return float((self.constant / value) ** (1 / self.power))


BEAMS = (
    # h c, as the reader of files takes it
    Beam(PHOTON_ENERGY, PHOTON_WAVELENGTH, 12.398419843e3 * _EV * _ANGSTROM, 1),
    # h**2 / 2 m: a neutron of 1 Å has 81.804 meV
    Beam(NEUTRON_ENERGY, NEUTRON_WAVELENGTH, 81.804e-3 * _EV * _ANGSTROM**2, 2),
)


def compare(found: Range, *, negated: bool) -> tuple[NumberCondition, str]:
    """
    Tell what the database has to compare for a range.

    Parameters
    ----------
    found : Range
        As written, of whatever key.
    negated : bool
        Whether matches are to be left out.

    Returns
    -------
    condition : NumberCondition
        For a beam, its energy and its wavelength are alternatives.
    note : str
        What was mended, else empty.

    Raises
    ------
    TermError
        If the ends are no quantities of one kind, or not of the kind that the key has.
    """
    ends = [to_si(bound) for bound in (found.low, found.high) if bound]
    if len({end.unit for end in ends}) > 1:
        raise TermError("The ends have units of different kinds. Write both in one unit.")
    note = ""
    if len(ends) == 2 and is_below(ends[1].value, ends[0].value):
        found, note = Range(found.key, found.high, found.low), SWAPPED
        ends.reverse()
    low = ends[0].value if found.low else None
    high = ends[-1].value if found.high else None
    interval = _with_tolerance(found, ends[0].unit, low, high)
    beam = next((it for it in BEAMS if found.key in it.energies + it.wavelengths), None)
    if beam is not None:
        meant = _of_beam(beam, interval)
        return NumberCondition(beam.energies[0], (found,), meant, negated), note
    alike = _COUNTED if interval.si_unit in _COUNTED else (interval.si_unit,)
    meant = tuple(replace(interval, si_unit=unit) for unit in alike)
    return NumberCondition(found.key, (found,), meant, negated), note


def _with_tolerance(found: Range, unit: str, low: float | None, high: float | None) -> Interval:
    names = (found.key,)
    if found.low == found.high:
        return Interval(names, unit, _moved(low, -_EQUAL), _moved(high, _EQUAL))
    opens = found.low is None or found.low.is_inclusive
    closes = found.high is None or found.high.is_inclusive
    first = _moved(low, -_EDGE if opens else _EDGE)
    return Interval(names, unit, first, _moved(high, _EDGE if closes else -_EDGE), opens, closes)


def _moved(value: float | None, relative: float) -> float | None:
    return None if value is None else value + relative * abs(value)


def _of_beam(beam: Beam, stated: Interval) -> tuple[Interval, ...]:
    """Return the interval of the quantity that was stated, and of the other one."""
    is_energy = stated.si_unit == _JOULE
    _check_beam(stated)
    names, others = beam.energies, beam.wavelengths
    names, others = (names, others) if is_energy else (others, names)
    own = replace(stated, names=names)
    if stated.high is not None and stated.high <= 0:
        return (own,)
    # The larger the energy, the smaller the wavelength: the ends change places.
    other = Interval(
        others,
        _METRE if is_energy else _JOULE,
        beam.partner(stated.si_unit, stated.high),
        beam.partner(stated.si_unit, stated.low),
        stated.high_inclusive,
        stated.low_inclusive,
    )
    return own, other


def _check_beam(stated: Interval) -> None:
    ends = [end for end in (stated.low, stated.high) if end is not None]
    if stated.si_unit not in {_JOULE, _METRE}:
        raise TermError("A unit of energy or length is missing. Write it as in 9..12keV or 1Å.")
    if stated.si_unit == _METRE and min(ends) <= 0:
        raise TermError("A wavelength is larger than zero. Write one that is.")
    if any(end and not _LEAST < abs(end) < 1 / _LEAST for end in ends):
        raise TermError("No beam is like that. Write a number with fewer digits.")


def holds_every_number(condition: NumberCondition) -> bool:
    """Tell whether two open ranges of one key overlap, so that no number lies outside."""
    first = condition.alternatives[0]
    alike = (first.names, first.si_unit)
    stated = [it for it in condition.alternatives if (it.names, it.si_unit) == alike]
    floors = [it.low for it in stated if it.low is not None and it.high is None]
    ceilings = [it.high for it in stated if it.high is not None and it.low is None]
    return bool(floors and ceilings) and min(floors) < max(ceilings)
