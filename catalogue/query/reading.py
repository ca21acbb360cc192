"""What one term with a key asks for."""

import re
from datetime import date

from catalogue.query.conditions import (
    Condition,
    DateCondition,
    FieldCondition,
    Range,
    TermError,
    TextCondition,
    shown,
)
from catalogue.query.dates import read_span
from catalogue.query.fields import Field
from catalogue.query.numbers import is_attempt, read_range
from catalogue.query.physics import compare
from catalogue.query.scan import REFUSED, Item, Term
from catalogue.words import LONGEST_WORD, fold

MIXED = (
    "Numbers and texts of one key cannot be mixed. "
    "Put all values into quotes to compare them as texts, or none."
)


_PID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")
_YEAR = re.compile(r"[0-9]{4}")

_Found = tuple[list[Condition], list[str]]  # with sentences on what was mended


def read_term(term: Term, today: date) -> _Found:
    """
    Read a term that has a key.

    Returns
    -------
    conditions : list
        One for each number or date; conditions on one subject are yet to be joined.
    notes : list of str
        What was mended.

    Raises
    ------
    TermError
        If it cannot be used.
    """
    field, values = term.field, [it for it in term.items if it.text.strip()]
    if REFUSED in term.text:
        raise TermError("It holds a character that no text can hold. Type it anew.")
    if field is None or field.kind == "quantity":
        return _read_parameter(term, values)
    if not values:
        raise TermError(f"A value is missing. Write it without a space, as in {field.example}.")
    is_range = term.operator != ":" or any(".." in it.text for it in values)
    if field.kind == "date" or (field.kind == "year" and is_range):
        return _read_dates(term, field, values, today)
    if term.operator != ":":
        raise TermError(f"{field.name} cannot be larger or smaller. Write {field.example}.")
    read = tuple(dict.fromkeys(_read_value(field, _text(it)) for it in values))
    return [FieldCondition(field.name, read, term.negated)], []


def _text(item: Item) -> str:
    return " ".join(item.text.split())


def _read_value(field: Field, text: str) -> str:
    lower = text.lower()
    wrong = f"{shown(text)} is no value of {field.name}. "
    if field.kind == "choice":
        if lower not in field.choices:
            raise TermError(f"{wrong}Write one of {', '.join(field.choices)}.")
        return lower
    if field.kind == "year":
        if not _YEAR.fullmatch(text):
            raise TermError(f"{wrong}Write four digits, or a range such as year:2020..2023.")
        return text
    if field.kind in {"pid", "doi"}:
        # People paste addresses: the identifier stands somewhere in them.
        found = _PID.search(lower) if field.kind == "pid" else _DOI.search(text)
        if not found:
            raise TermError(f"{wrong}Write it as in {field.example}.")
        return found[0]
    if any(len(word) > LONGEST_WORD for word in fold(text).split()):
        raise TermError(f"{wrong}A word has {LONGEST_WORD} characters at most. Shorten it.")
    return text


def _read_dates(term: Term, field: Field, values: list[Item], today: date) -> _Found:
    name = "date" if field.kind == "year" else field.name
    read = [read_span(term.operator, _text(item), today) for item in values]
    spans = tuple(dict.fromkeys(span for span, _ in read))
    return [DateCondition(name, spans, term.negated)], [note for _, note in read if note]


def _read_parameter(term: Term, values: list[Item]) -> _Found:
    if not values and term.field:
        example = term.field.example
        raise TermError(f"A number is missing. Write it without a space, as in {example}.")
    is_number = [_is_number(term, item) for item in values]
    if not any(is_number):
        texts = tuple(dict.fromkeys(map(_text, values)))
        return [TextCondition(term.key, texts, term.negated)], []
    if not all(is_number):
        raise TermError(MIXED)
    read = [read_range(term.key, term.operator, _text(item)) for item in values]
    _refuse_decimal_comma(read)
    compared = [compare(it, negated=term.negated) for it in read]
    return [condition for condition, _ in compared], [note for _, note in compared if note]


def _is_number(term: Term, item: Item) -> bool:
    if term.field or term.operator != ":":
        return True
    return not item.is_quoted and is_attempt(_text(item))


def _refuse_decimal_comma(read: list[Range]) -> None:
    """Refuse 4,2K: it may mean 4.2 K, or 4 K and 2 K, but never 4 and 2 K."""
    has_unit = {bool(bound.unit) for it in read for bound in (it.low, it.high) if bound}
    if len(has_unit) > 1:
        raise TermError(
            "A comma separates values, of which one has a unit and another none. "
            "Write decimals with a point, or the unit with each number."
        )
