"""Numbers with units, read from a text."""

import math
import re

from catalogue import units
from catalogue.query.conditions import Bound, Range, TermError, shown
from catalogue.query.fields import BEAM

_NUMBER = r"[+\-\u2212]?(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+\-\u2212]?[0-9]+)?"
_UNIT = r"(?:(?:1/)?[^\W\d_]|[°℃℉%(])(?:(?!\.\.)[^\s,\"<>:=])*"
_END = rf"({_NUMBER})\s*({_UNIT})?"
_VALUE = re.compile(rf"(?:{_END})?(?:(\.\.)(?:{_END})?)?")
_ATTEMPT = re.compile(r"[+\-\u2212]?(?:\.*[0-9]|(?:nan|inf|infinity|∞)\Z)", re.IGNORECASE)
_DIGIT = re.compile("[0-9]")
_FIRST_NUMBER = re.compile(_NUMBER)
_FIRST_UNIT = re.compile(_UNIT)
# A unit after a space must be a word of its own, and no key of the next term.
_NEXT_UNIT = re.compile(rf"\s+({_UNIT})(?=[\s,]|\.\.|\Z)(?!\s*(?:[=<>≤≥]))")
# Year, inch and others are units too, but after a number people go on with such words.
_WORDS = frozenset(
    {"a", "as", "at", "cat", "chain", "cup", "dot", "foot", "hand", "in", "link", "mass", "pole",
     "rod", "stone", "unit"}
)  # fmt: skip
# What people write: words with a power of one digit, multiplied and divided.
_POWER = r"(?:(?:\*\*|\^)?\(?[+-]?[1-9]\)?|[⁻¹²³]+)?"
_FACTOR = rf"\(*[^\W\d_]+(?:_[^\W\d_]+)*{_POWER}\)*{_POWER}"
_SYMBOL = rf"\(*[°℃℉%][CF]?{_POWER}\)*"
_WELL_FORMED = re.compile(rf"(?:1/)?(?:{_FACTOR}|{_SYMBOL})(?:[*/·](?:{_FACTOR}|{_SYMBOL}))*")
# Case tells units apart: mT and MT, meV and MeV.
_MEANT = {
    "ev": "eV", "kev": "keV", "mev": "meV or MeV", "pa": "Pa", "kpa": "kPa", "hz": "Hz",
    "khz": "kHz",
}  # fmt: skip
_LARGEST = 1.7e308  # leaves room for the tolerance below the largest float


def measure(text: str, at: int) -> int:
    """
    Find where a number or range of numbers ends, with a unit that follows a space.

    Returns
    -------
    int
        ``at`` itself if no number begins there.
    """
    end = _end_of_number(text, at)
    return _end_of_number(text, end + 2) if text.startswith("..", end) else end


def _end_of_number(text: str, at: int) -> int:
    number = _FIRST_NUMBER.match(text, at)
    if number is None:
        return at
    if unit := _FIRST_UNIT.match(text, number.end()):
        return unit.end()
    unit = _NEXT_UNIT.match(text, number.end())
    if unit and unit[1] not in _WORDS and _is_known(unit[1]):
        return unit.end()
    return number.end()


def is_attempt(text: str) -> bool:
    """Tell whether a text is meant as a number, well written or not."""
    return bool(_ATTEMPT.match(text) or (".." in text and _DIGIT.search(text)))


def read_range(key: str, operator: str, text: str) -> Range:
    """
    Read a number or range as written.

    Parameters
    ----------
    key : str
        Of the parameter, in lower case.
    operator : {":", "<", "<=", ">", ">="}
        What stands before the text.
    text : str
        "9keV", "9..12 keV", "..80K"; ranges after a colon only.

    Raises
    ------
    TermError
        If it is no finite number, or a unit is not understood.
    """
    low, low_unit, dots, high, high_unit = _parts(operator, text)
    first = None if low is None else Bound(_number(low), _unit(key, low_unit or high_unit))
    if operator in {"<", "<="} and first:
        return Range(key, None, Bound(first.number, first.unit, operator == "<="))
    if operator in {">", ">="} and first:
        return Range(key, Bound(first.number, first.unit, operator == ">="), None)
    last = None if high is None else Bound(_number(high), _unit(key, high_unit or low_unit))
    return Range(key, first, last if dots else first)


def _parts(operator: str, text: str) -> tuple[str | None, ...]:
    found = _VALUE.fullmatch(text)
    if found is None or not (found[1] or found[4]):
        raise TermError(
            f"{shown(text)} is no number with a unit, nor a range of them. "
            'Write 80K or 9..12keV; put a text into quotes, as in "Eiger 4M".'
        )
    if operator != ":" and found[3]:
        raise TermError(f"{operator} takes one number. Write a range after a colon.")
    return found.groups()


def _number(text: str) -> float:
    number = float(text.replace("\N{MINUS SIGN}", "-"))
    if abs(number) > _LARGEST:
        raise TermError(f"{shown(text)} is beyond the numbers of a computer. Write a smaller one.")
    return number


def _unit(key: str, unit: str | None) -> str:
    """Check a unit as it is written beside a number of this key."""
    unit = unit or ""
    # Crystallographers write A for angstrom, and so does the reader of files take it.
    if unit == "A" and key in BEAM:
        return "angstrom"
    if unit in {"C", "F"} and "temperature" in key:
        name = {"C": "coulomb", "F": "farad"}[unit]
        raise TermError(f"{unit} means {name}. Write °{unit} for a temperature.")
    if not unit or _is_known(unit):
        return unit
    meant = _MEANT.get(unit.lower())
    hint = f"Did you mean {meant}?" if meant else "Write it as in keV, Å, mm/s or 1/nm."
    raise TermError(f"{shown(unit)} is no unit that is understood. {hint} Put a text into quotes.")


def _is_known(unit: str) -> bool:
    return (
        len(unit) <= units.LONGEST and bool(_WELL_FORMED.fullmatch(unit)) and units.is_known(unit)
    )


def to_si(bound: Bound) -> units.SiValue:
    """
    Express an end of a range in SI base units.

    Raises
    ------
    TermError
        If that leads out of the floats.
    """
    found = units.to_si(bound.number, bound.unit)
    if found is None or abs(found.value) > _LARGEST:
        raise TermError(
            f"{bound.number:g} {bound.unit} cannot be written in SI base units. "
            "Write a smaller number, or another unit."
        )
    return found


def write_range(found: Range) -> str:
    """Write operator, numbers and units of a range."""
    low, high = found.low, found.high
    if low is None or high is None:
        end = low or high
        sign = ">" if low else "<"
        return "" if end is None else f"{sign}{'=' * end.is_inclusive}{_written(end)}"
    if low == high:
        return f":{_written(low)}"
    first = Bound(low.number, "") if low.unit == high.unit else low
    return f":{_written(first)}..{_written(high)}"


def _written(bound: Bound) -> str:
    number = repr(bound.number)
    space = " " if bound.unit[:1].isdigit() else ""  # 2 1/nm
    return f"{number.removesuffix('.0')}{space}{bound.unit}"


def is_below(one: float, other: float) -> bool:
    """Tell whether a value is smaller, by more than the noise of a conversion."""
    return one < other and not math.isclose(one, other, rel_tol=1e-9)
