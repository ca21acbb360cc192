"""Numbers as a scientist writes them: rounded, with their unit."""

from datetime import datetime, timedelta

from django import template

from catalogue.models import Parameter

register = template.Library()

_NARROW_SPACE = "\u202f"  # does not break, so that a number keeps its unit
_MINUS, _TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@register.filter
def file_size(size: int) -> str:
    """Write a number of bytes in decimal units, 1 kB being 1000 bytes."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    digits = 1 if unit != "B" and value < 99.95 else 0
    return f"{value:.{digits}f}{_NARROW_SPACE}{unit}"


@register.filter
def grouped(value: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{value:,}".replace(",", _NARROW_SPACE)


@register.filter
def number(value: float) -> str:
    """Write a number with six significant digits, powers of ten as such."""
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    mantissa = mantissa.replace("-", _MINUS)
    if not exponent:
        return mantissa
    power = str(int(exponent)).translate(_SUPERSCRIPT)
    return f"{mantissa}{_NARROW_SPACE}{_TIMES}{_NARROW_SPACE}10{power}"


@register.filter
def quantity(parameter: Parameter) -> str:
    """Write the value of a catalogued parameter with the unit of its file."""
    if parameter.number is None:
        return f"{parameter.text} {parameter.unit}".strip()
    return f"{number(parameter.number)}{_NARROW_SPACE}{parameter.unit}".strip()


@register.filter
def until(start: datetime, end: datetime) -> str:
    """Write the time between two instants in its two largest units."""
    return seconds((end - start) / timedelta(seconds=1))


@register.filter
def seconds(value: float) -> str:
    """Write a duration, given in seconds, in its two largest units."""
    if value < 10:
        return f"{value:.1f}{_NARROW_SPACE}s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"h": hours, "min": minutes, "s": 0 if hours else rest}
    return " ".join(f"{part}{_NARROW_SPACE}{unit}" for unit, part in parts.items() if part)
