"""Days, months and years of a query, as half-open spans of local dates."""

import re
from datetime import date, timedelta

from catalogue.query.conditions import DateCondition, DateSpan, TermError, shown

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")
_LAST = re.compile(r"last-([1-9][0-9]{0,4})-days?")
_DAY = timedelta(days=1)
_FIRST_YEAR = 1000

SWAPPED = "The range began with its later end; the ends were swapped."


def read_span(operator: str, text: str, today: date) -> tuple[DateSpan, str]:
    """
    Read one value of a date.

    Parameters
    ----------
    operator : {":", "<", "<=", ">", ">="}
        What stands before the value.
    text : str
        "2024", "2024-03", "2024-03-05", "today", "last-30-days", or, after a colon, two
        of them with ".." between, of which one may be missing.
    today : date
        In the facility's time zone.

    Returns
    -------
    span : DateSpan
        With whole months and years at both ends.
    note : str
        What was mended, else empty.

    Raises
    ------
    TermError
        If it is no date.
    """
    text = text.lower()
    if operator == ":" and ".." in text:
        first, last, note = _read_range(text, today)
    else:
        (start, end), note = _read_days(text, today), ""
        first, last = {
            ":": (start, end),
            "<": (None, start),
            "<=": (None, end),
            ">": (end, None),
            ">=": (start, None),
        }[operator]
    is_relative = "today" in text or "last" in text
    return DateSpan(first, last, operator + text if is_relative else ""), note


def _read_range(text: str, today: date) -> tuple[date | None, date | None, str]:
    low, _, high = text.partition("..")
    if not low and not high:
        raise TermError("The range has no end. Write one at least, such as ..2024-06.")
    first = _read_days(low, today) if low else None
    last = _read_days(high, today) if high else None
    if first and last and first[0] > last[0]:
        return last[0], first[1], SWAPPED
    return first and first[0], last and last[1], ""


def _read_days(text: str, today: date) -> tuple[date, date]:
    """Return the first day and the day after the last."""
    try:
        if text == "today":
            return today, today + _DAY
        if found := _LAST.fullmatch(text):
            return today + _DAY - int(found[1]) * _DAY, today + _DAY
        if found := _DATE.fullmatch(text):
            return _calendar(*(int(part) for part in found.groups() if part))
    except (ValueError, OverflowError):
        raise TermError(
            f"{shown(text)} is not in the calendar. Write a day that there is."
        ) from None
    raise TermError(
        f"{shown(text)} is no date. Write 2024, 2024-03, 2024-03-05, today or last-30-days, "
        "or two of them with .. between."
    )


def _calendar(year: int, month: int | None = None, day: int | None = None) -> tuple[date, date]:
    if not _FIRST_YEAR <= year < date.max.year:
        raise ValueError("an instant of another zone may lie outside what a date can be")
    if month is None:
        return date(year, 1, 1), date(year + 1, 1, 1)
    if day is None:
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, day), date(year, month, day) + _DAY


def holds_every_day(condition: DateCondition) -> bool:
    """Tell whether two open spans overlap, so that no day lies outside."""
    starts = [it.start for it in condition.spans if it.start and not it.end]
    ends = [it.end for it in condition.spans if it.end and not it.start]
    return bool(starts and ends) and min(starts) <= max(ends)


def write_span(span: DateSpan) -> str:
    """Write operator and value of a span, as short as they can be."""
    if span.relative:
        return span.relative
    if span.start is None:
        return f"<{span.end}"
    if span.end is None:
        return f">={span.start}"
    year, month = span.start.year, span.start.month
    for short in (f"{year:04}", f"{year:04}-{month:02}", str(span.start)):
        if (span.start, span.end) == _read_days(short, span.start):
            return f":{short}"
    return f":{span.start}..{span.end - _DAY}"
