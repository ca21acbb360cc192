"""
Quantities in SI base units, from unit texts as files and people write them.

Texts come from strangers: they are bounded, checked against an alphabet, and a text that
is not understood is no error, its value is simply not comparable with others.
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from tokenize import TokenError

from pint import Unit, UnitRegistry
from pint.errors import PintError

LONGEST = 32  # characters of a unit text; "photon/mm**2/s" has 14

# NFKC would turn a raised 2 into a plain one, and "m²" into "m2".
_RAISED = re.compile("[⁻¹²³]+")
_SYMBOLS = str.maketrans({"·": "*", "\N{MINUS SIGN}": "-"})
_ALPHABET = re.compile(r"[A-Za-zµμÅΩ°%0-9 ._*/^()+-]+")
# One digit after a power sign: m**99999999 would keep a processor busy.
_WILD_POWER = re.compile(r"(\*\*|\^)(?!\s*\(?-?\d\)?(?![\d.]|\s*(\*\*|\^)))")

_ALIASES = {
    "b": "bit",
    "RAD": "radian",
    "Torr": "torr",
    "mTorr": "mtorr",
    "Angstrom": "angstrom",
    "Angstroms": "angstrom",
    "Ang": "angstrom",
    "°C": "degC",
    "°F": "degF",
    "°": "degree",
    "Ohm": "ohm",
    "Ohms": "ohm",
    "Kelvin": "kelvin",
}

# Arbitrary units: pint reads "a.u." as atomic mass times year, "au" as astronomical unit.
_ARBITRARY = frozenset({"a.u.", "au", "a.u", "arb", "arb.", "arb. units", "a. u."})

_DEFINITIONS = ("photon = count", "frame = count", "pulse = count")


@dataclass(frozen=True)
class SiValue:
    """
    A quantity that can be compared with others of its dimension.

    Attributes
    ----------
    value : float
        In SI base units; never NaN or infinite.
    unit : str
        These base units in short, "kg*m**2/s**2"; empty for a pure number.
    dimension : str
        "[length] ** 2 * [mass] / [time] ** 2"; "dimensionless" for angles and counts.
    """

    value: float
    unit: str
    dimension: str

    def equals(self, other: "SiValue") -> bool:
        """Tell whether both mean the same: 0.93 keV is 930 eV, though not in floats."""
        return self.dimension == other.dimension and math.isclose(
            self.value, other.value, rel_tol=1e-9
        )


def to_si(value: float, unit: str | None) -> SiValue | None:
    """
    Express a quantity in SI base units.

    Parameters
    ----------
    value : float
        The number as written beside the unit.
    unit : str or None
        Any spelling of SI and common units; None or blank for a pure number.

    Returns
    -------
    SiValue or None
        None if the unit is not understood, arbitrary, or leads out of the floats.

    Raises
    ------
    ValueError
        If the value is NaN or infinite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number. Leave the quantity out instead.")
    base = _base_of(unit or "")
    if base is None:
        return None
    found = base.express(float(value))
    if found is None or not math.isfinite(found):
        return None
    return SiValue(found, base.unit, base.dimension)


@dataclass(frozen=True)
class _Base:
    """What a unit is in SI base units; no factor where more than a factor is needed."""

    source: Unit
    unit: str
    dimension: str
    factor: float | None = None

    def express(self, value: float) -> float | None:
        return value * self.factor if self.factor else _to_base(value, self.source)


@lru_cache(maxsize=1024)
def _base_of(text: str) -> _Base | None:
    """Ask pint once for each spelling: an answer takes it a third of a millisecond."""
    known = _parse(text)
    if known is None or (factor := _to_base(1.0, known)) is None:
        return None
    base = _registry().Quantity(1.0, known).to_base_units()
    # Degrees Celsius and decibels are not zero at zero, or not twice as much at two.
    is_linear = _to_base(0.0, known) == 0 and _to_base(2.0, known) == 2 * factor
    return _Base(known, f"{base.units:~C}", str(base.dimensionality), factor if is_linear else None)


def _to_base(value: float, unit: Unit) -> float | None:
    try:
        return float(_registry().Quantity(value, unit).to_base_units().magnitude)
    except (PintError, ArithmeticError):
        return None


def convert(value: float, unit: str, wanted: str) -> float | None:
    """
    Express a quantity in another unit, to 12 significant digits.

    Parameters
    ----------
    value : float
        The number as written beside the unit.
    unit, wanted : str
        From which unit to which; equal ones give the value back unchanged.

    Returns
    -------
    float or None
        None if a unit is not understood or the dimensions differ.
    """
    if unit == wanted:
        return value
    known, target = _parse(unit), _parse(wanted)
    if known is None or target is None:
        return None
    try:
        found = float(_registry().Quantity(float(value), known).to(target).magnitude)
    except (PintError, ArithmeticError):
        return None
    return float(f"{found:.12g}") if math.isfinite(found) else None


def is_known(unit: str) -> bool:
    """Tell whether a value with this unit can be compared with others."""
    return _parse(unit) is not None


@cache
def _registry() -> "UnitRegistry[float]":
    registry: UnitRegistry[float] = UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


_UNREADABLE = (
    PintError, TokenError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError,
    AssertionError,
)  # fmt: skip


@lru_cache(maxsize=1024)
def _parse(text: str) -> Unit | None:
    plain = _plain(text)
    if plain is None:
        return None
    try:
        return _registry().parse_units(plain)
    # A text may fail in pint's tokenizer and arithmetic, not only in its look-up.
    except _UNREADABLE:
        return None


def _plain(text: str) -> str | None:
    """Return a spelling that pint may read, None for one it must not."""
    text = text.strip()
    if len(text) > LONGEST or text.lower() in _ARBITRARY:
        return None
    text = _RAISED.sub(r"**\g<0>", text)
    text = unicodedata.normalize("NFKC", text).translate(_SYMBOLS)
    text = _ALIASES.get(text, text)
    if text and (not _ALPHABET.fullmatch(text) or _WILD_POWER.search(text)):
        return None
    return text
