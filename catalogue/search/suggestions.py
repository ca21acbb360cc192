"""Suggest how to go on while somebody types a query: from what they may see, and no more."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalogue.access import Person
from catalogue.models import ParameterKey
from catalogue.query import (
    Completion,
    Field,
    Search,
    TextCondition,
    at_cursor,
    canonical,
    fields_like,
    find_field,
    quote,
    scan,
    stands_for,
)
from catalogue.search.evidence import Evidence
from catalogue.search.occurring import (
    FACETS,
    SOURCES,
    find_choices,
    find_keys,
    find_values,
    texts_of,
)
from catalogue.words import fold

_DAYS = ("today", "last-7-days", "last-30-days", "last-365-days")
_LONGEST = 200  # characters of a text that somebody would take over
_MOST_KEYS = 3  # parameters of one short name
_SIGN = re.compile("[<>≤≥]=?")
_COMPARED = frozenset({"quantity", "date", "year"})  # kinds of fields, also by < and >


@dataclass(frozen=True)
class Suggestion:
    """
    One way to go on.

    Attributes
    ----------
    kind : {"key", "value"}
        Whether a name is suggested, or a value of it.
    text : str
        What is to stand in the query.
    label, help : str
        How it is shown, and a sentence or name beside it; the latter may be empty.
    start, end : int
        The part of the query, in characters, in whose place the text goes.
    """

    kind: str
    text: str
    label: str
    help: str
    start: int
    end: int


@dataclass(frozen=True)
class _Offer:
    text: str
    label: str
    help: str = ""


def suggest(person: Person, text: str, position: int, limit: int = 10) -> list[Suggestion]:
    """
    Suggest names and values at the cursor.

    Parameters
    ----------
    person : User or AnonymousUser
        Who types. What occurs only in data that they do not see is never suggested; what
        is rare in what they see may be missed.
    text : str
        The query as it stands.
    position : int
        How many characters stand before the cursor.
    limit : int
        How many at most.
    """
    at = at_cursor(text, position)
    if at is None:
        return []
    written = text[at.start : at.end]
    offers = _keys(person, at, written) if at.kind == "key" else _values(person, at)
    distinct: dict[str, _Offer] = {}
    for offer in offers:
        distinct.setdefault(offer.text.casefold(), offer)
    wanted = [offer for offer in distinct.values() if offer.text != written]
    return [
        Suggestion(at.kind, offer.text, offer.label, offer.help, at.start, at.end)
        for offer in wanted[:limit]
    ]


def _keys(person: Person, at: Completion, written: str) -> Iterator[_Offer]:
    """Offer names; what stands behind the cursor may be compared already, and stays so."""
    found = _SIGN.search(written)
    sign = found[0] if found else ":"
    for field in fields_like(at.prefix):
        if sign == ":" or field.kind in _COMPARED:
            yield _Offer(f"{field.name}{sign}", field.name, field.meaning)
    if at.prefix:
        for name, unit in find_keys(Evidence(person), at.prefix.lower()):
            yield from _parameter(name, unit, sign)


def _parameter(name: str, unit: str, sign: str) -> Iterator[_Offer]:
    """Offer the name of a parameter, of a series that of the whole."""
    name = name.removesuffix(".min").removesuffix(".max")
    field = find_field(name)
    if field and field.kind == "quantity":
        return
    key, _ = _written(name, "x")
    help_ = f"A parameter of the data, in {unit} or alike." if unit.isalpha() else _PARAMETER
    yield _Offer(f"{key}{sign}", name, help_)


_PARAMETER = "A parameter of the data."


def _written(key: str, text: str) -> tuple[str, str]:
    """Return the name of a parameter and a text of it as the language writes them."""
    whole = canonical(Search(texts=(TextCondition(key, (text,)),)))
    (item,) = scan(whole)[0].items
    return whole[: item.start - 1], whole[item.start : item.end]


def _values(person: Person, at: Completion) -> Iterable[_Offer]:
    field = find_field(at.key)
    if field is None:
        return _texts(person, at)
    if field.name in FACETS:
        return _facet(person, field.name, at.prefix)
    if field.name in SOURCES:
        prefix = at.prefix if field.name == "tag" else at.prefix.lower()
        found = find_values(Evidence(person), SOURCES[field.name], prefix)
        return [_Offer(quote(value), value) for value in found if value]
    return _fixed(field, at.prefix.lower())


def _fixed(field: Field, prefix: str) -> list[_Offer]:
    values = _DAYS if field.kind == "date" else field.choices
    return [_Offer(value, value) for value in values if value.startswith(prefix)]


def _facet(person: Person, name: str, typed: str) -> list[_Offer]:
    """Offer the values of which a word begins so; those that begin so themselves first."""
    wanted = fold(typed)
    offers: dict[bool, list[_Offer]] = {True: [], False: []}
    for value, label, words in find_choices(Evidence(person), name):
        if any(f" {wanted}" in f" {fold(each)}" for each in (value, *words)):
            is_begun = fold(value).startswith(wanted)
            offers[is_begun].append(_Offer(quote(value), value, label))
    return offers[True] + offers[False]


def _texts(person: Person, at: Completion) -> Iterator[_Offer]:
    """Offer texts of a parameter; the exact name goes before those that it is short for."""
    names = ParameterKey.objects.filter(si_unit="").values_list("name", "pk")
    keys = [(name.lower() != at.key, name, pk) for name, pk in names if stands_for(at.key, name)]
    if not keys:
        return
    evidence = Evidence(person)
    for _, name, pk in sorted(keys)[:_MOST_KEYS]:
        for text in find_values(evidence, texts_of(pk), at.prefix.lower()):
            if len(text) <= _LONGEST:
                yield _Offer(_written(name, text)[1], text)
