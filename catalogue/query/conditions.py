"""What a query asks for, once it is understood."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

_SHOWN = 80  # characters of a faulty term

_Value = TypeVar("_Value")


def _once(values: Iterable[_Value]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))


def shown(text: str) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


class TermError(Exception):
    """A term cannot be used; the text says why and what to write instead."""


@dataclass(frozen=True)
class Fault:
    """
    What is wrong with a part of a query.

    Attributes
    ----------
    start, end : int
        Where in the query, in characters.
    text : str
        That part, shortened; free of what no text can hold.
    reason : str
        One or two sentences, with the next step.
    is_mended : bool
        The term takes part nevertheless, as the reason says; else it is left out.
    """

    start: int
    end: int
    text: str
    reason: str
    is_mended: bool = False


@dataclass(frozen=True)
class Words:
    """
    Words that must all occur.

    Attributes
    ----------
    words : tuple of str
        Folded, at least one.
    is_phrase : bool
        One directly after the other, in this order.
    is_prefix : bool
        The last may be the beginning of a word.
    """

    words: tuple[str, ...]
    is_phrase: bool = False
    is_prefix: bool = False


@dataclass(frozen=True)
class FieldCondition:
    """A field has any of these values; negated, none of them."""

    name: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def subject(self) -> tuple[str, bool]:
        return self.name, self.negated

    def joined(self, other: "FieldCondition") -> "FieldCondition":
        return replace(self, values=_once(self.values + other.values))


@dataclass(frozen=True)
class DateSpan:
    """
    Days from ``start`` until before ``end``, in the facility's time zone.

    Attributes
    ----------
    start, end : date or None
        None where the span is open.
    relative : str
        Operator and value as written, ":last-30-days", if they depend on today: a saved
        search moves on with the calendar.
    """

    start: date | None
    end: date | None
    relative: str = ""


@dataclass(frozen=True)
class DateCondition:
    """``date`` (of the measurement) or ``registered`` lies in any of these spans."""

    name: str
    spans: tuple[DateSpan, ...]
    negated: bool = False

    @property
    def subject(self) -> tuple[str, bool]:
        return self.name, self.negated

    def joined(self, other: "DateCondition") -> "DateCondition":
        return replace(self, spans=_once(self.spans + other.spans))


@dataclass(frozen=True)
class Bound:
    """One end of a range, as written."""

    number: float
    unit: str
    is_inclusive: bool = True


@dataclass(frozen=True)
class Range:
    """A range as written; both ends alike mean equality."""

    key: str
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True)
class Interval:
    """
    What the database compares.

    Attributes
    ----------
    names : tuple of str
        Keys, in lower case; see ``stands_for``.
    si_unit : str
        As ``units.to_si`` and the catalogue's keys write it; empty for a pure number.
    low, high : float or None
        In that unit, with tolerance: inclusive ends lie a little outside, exclusive
        ones a little inside of what was written. None where the range is open.
    low_inclusive, high_inclusive : bool
        Whether a value that equals the end belongs to it.
    """

    names: tuple[str, ...]
    si_unit: str
    low: float | None
    high: float | None
    low_inclusive: bool = True
    high_inclusive: bool = True


@dataclass(frozen=True)
class NumberCondition:
    """
    A parameter lies in any of these intervals; negated, in none of them.

    Attributes
    ----------
    key : str
        What the ranges have in common; "energy" also stands for wavelengths.
    ranges : tuple of Range
        As written.
    alternatives : tuple of Interval
        What they mean.
    negated : bool
        Whether datasets that match are left out.
    """

    key: str
    ranges: tuple[Range, ...]
    alternatives: tuple[Interval, ...]
    negated: bool = False

    @property
    def subject(self) -> tuple[str, bool]:
        return self.key, self.negated

    def joined(self, other: "NumberCondition") -> "NumberCondition":
        return replace(
            self,
            ranges=_once(self.ranges + other.ranges),
            alternatives=_once(self.alternatives + other.alternatives),
        )


@dataclass(frozen=True)
class TextCondition:
    """A parameter is any of these texts, whatever the case; negated, none of them."""

    key: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def subject(self) -> tuple[str, bool]:
        return self.key, self.negated

    def joined(self, other: "TextCondition") -> "TextCondition":
        return replace(self, values=_once(self.values + other.values))


Condition = FieldCondition | DateCondition | NumberCondition | TextCondition


@dataclass(frozen=True)
class Search:
    """
    A whole query; all of its parts must hold.

    Two searches are equal if they find the same, whatever was wrong with their texts.
    """

    words: tuple[Words, ...] = ()
    excluded: tuple[Words, ...] = ()
    fields: tuple[FieldCondition, ...] = ()
    dates: tuple[DateCondition, ...] = ()
    ranges: tuple[NumberCondition, ...] = ()
    texts: tuple[TextCondition, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), compare=False)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.fields, *self.dates, *self.ranges, *self.texts)

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.excluded or self.conditions)
