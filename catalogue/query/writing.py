"""Queries as text: in one canonical form, and with a term more or less."""

import re
from collections.abc import Iterator
from dataclasses import replace

from catalogue.query.conditions import (
    DateCondition,
    FieldCondition,
    NumberCondition,
    Search,
    TextCondition,
    Words,
)
from catalogue.query.dates import write_span
from catalogue.query.fields import find_field
from catalogue.query.numbers import is_attempt, write_range
from catalogue.query.scan import KEY, Term, scan
from catalogue.words import fold

_BARE = re.compile(r'[^\s,"“”„/][^\s,]*')
_BARE_TEXT = re.compile(r"[^\W\d]\w*(?:[./\-]\w+)*")


def quote(value: str) -> str:
    """Write a value of a field as it may stand after the colon."""
    value = " ".join(value.split())
    return value if _BARE.fullmatch(value) else _quoted(value)


def write_term(name: str, *values: str) -> str:
    """Write a term of a field: ``write_term("sample", "Roman glass")``."""
    return f"{name}:{','.join(map(quote, values))}"


def canonical(search: Search) -> str:
    """
    Write a search so that equal searches have equal texts.

    Returns
    -------
    str
        Which ``parse`` reads as the same search; without what was faulty.
    """
    parts = [
        *_write_words(search.words),
        *(f"-{_write_word(it)}" for it in search.excluded),
        *(part for condition in search.fields for part in _write_field(condition)),
        *(part for condition in search.dates for part in _write_dates(condition)),
        *(part for condition in search.ranges for part in _write_numbers(condition)),
        *(part for condition in search.texts for part in _write_texts(condition)),
    ]
    return " ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _write_words(found: tuple[Words, ...]) -> Iterator[str]:
    last = max((at for at, it in enumerate(found) if not it.is_phrase), default=None)
    for at, words in enumerate(found):
        # The last word may be unfinished without a star.
        yield _write_word(words).removesuffix("*" if at == last else "")


def _write_word(found: Words) -> str:
    if found.is_phrase:
        return f'"{" ".join(found.words)}"'
    return "-".join(found.words) + "*" * found.is_prefix


def _sign(condition: FieldCondition | DateCondition | NumberCondition | TextCondition) -> str:
    return "-" * condition.negated


def _write_field(condition: FieldCondition) -> Iterator[str]:
    yield _sign(condition) + write_term(condition.name, *condition.values)


def _write_dates(condition: DateCondition) -> Iterator[str]:
    for span in condition.spans:
        yield f"{_sign(condition)}{condition.name}{write_span(span)}"


def _write_numbers(condition: NumberCondition) -> Iterator[str]:
    for found in condition.ranges:
        yield f"{_sign(condition)}{_write_key(found.key)}{write_range(found)}"


def _write_texts(condition: TextCondition) -> Iterator[str]:
    values = ",".join(map(_write_text, condition.values))
    yield f"{_sign(condition)}{_write_key(condition.key)}:{values}"


def _write_text(value: str) -> str:
    """Write a text of a parameter so that it is not read as a number."""
    is_bare = _BARE_TEXT.fullmatch(value) and not is_attempt(value)
    return value if is_bare else _quoted(value)


def _write_key(key: str) -> str:
    field = find_field(key)
    is_bare = KEY.fullmatch(key) and (field is None or field.kind == "quantity")
    return key if is_bare else _quoted(key)


def add(text: str, written: str) -> str:
    """
    Add a term to a query, as when a value of a facet is chosen.

    Parameters
    ----------
    text : str
        A query, also a faulty one.
    written : str
        A term with a key; see ``write_term``.
    """
    terms = [term.text for term in scan(text)]
    return " ".join(terms if written in terms else [*terms, written])


def without(text: str, term: Term) -> str:
    """Leave a term out of a query, one that ``scan`` has found there."""
    return _rejoined([it for it in scan(text) if it.start != term.start])


def remove(text: str, name: str, value: str) -> str:
    """
    Take a value of a field out of a query, as when a facet's choice is undone.

    Parameters
    ----------
    text : str
        A query, also a faulty one.
    name : str
        Of a field.
    value : str
        In any case of letters; excluded values stay.
    """
    kept: list[Term] = []
    for term in scan(text):
        values = [" ".join(item.text.split()) for item in term.items]
        rest = [it for it in values if it.casefold() != value.casefold()]
        is_meant = term.field and term.key == name and not term.negated
        if not is_meant or len(rest) == len(values):
            kept.append(term)
        elif any(rest):
            kept.append(replace(term, text=write_term(name, *filter(None, rest))))
    return _rejoined(kept)


def _rejoined(terms: list[Term]) -> str:
    """Write terms one after the other, none of which may swallow the next."""
    text = " ".join(it.text for it in terms)
    if [it.text for it in scan(text)] == [it.text for it in terms]:
        return text
    # "frames:100 lead bar" without lead: bar would become a unit.
    return " ".join(map(_plain, sorted(terms, key=lambda it: bool(it.key))))


def _plain(term: Term) -> str:
    """Write a word without signs that might be read with what stands beside it."""
    (item,) = term.items[:1]
    if term.key or item.is_quoted:
        return term.text
    star = "*" * item.text.endswith("*")
    return "-" * term.negated + "-".join(fold(item.text).split()) + star
