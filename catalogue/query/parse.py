"""From the text of a query to what it asks for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Protocol, Self, TypeVar

from catalogue.query.conditions import (
    Condition,
    DateCondition,
    Fault,
    FieldCondition,
    NumberCondition,
    Search,
    TermError,
    TextCondition,
    Words,
    shown,
)
from catalogue.query.dates import holds_every_day
from catalogue.query.physics import holds_every_number
from catalogue.query.reading import MIXED, read_term
from catalogue.query.scan import LONGEST, Term, clean, scan
from catalogue.words import LONGEST_WORD, fold

MOST = 100  # words and values

_TOO_MANY = f"A query has {MOST} words and values at most. Leave out what is not needed."
_TOO_LONG = f"A query has {LONGEST} characters at most; the rest was not read. Shorten it."
_IDLE = (
    "Ranges of one key are alternatives: together these hold everything. "
    "For what lies between both ends write one range, such as 10..100K or 2024-01..2024-06."
)

_Read = tuple[Term, Condition]


class _Joinable(Protocol):
    @property
    def subject(self) -> tuple[str, bool]: ...

    def joined(self, other: Self, /) -> Self: ...


_Part = TypeVar("_Part", bound=_Joinable)


def parse(text: str, *, today: date) -> Search:
    """
    Read a query.

    Parameters
    ----------
    text : str
        Anything; what cannot be used becomes a fault and is left out.
    today : date
        In the facility's time zone, for ``date:today``.

    Returns
    -------
    Search
        The last word that stands outside quotes may be the beginning of one.
    """
    terms, faults = _affordable(text)
    read: list[_Read] = []
    for term in (it for it in terms if it.key):
        try:
            found, notes = read_term(term, today)
            _refuse_mixture(read, found)
        except TermError as error:
            faults.append(_fault(term, str(error)))
        else:
            read += ((term, condition) for condition in found)
            faults += (_fault(term, note, is_mended=True) for note in notes)
    dates = _merged(it for _, it in read if isinstance(it, DateCondition))
    ranges = _merged(it for _, it in read if isinstance(it, NumberCondition))
    idle: list[Condition] = [it for it in dates if holds_every_day(it)]
    idle += (it for it in ranges if holds_every_number(it))
    faults += _tell_idle(idle, read)
    return Search(
        _with_prefix(_words(it for it in terms if not it.key and not it.negated)),
        tuple(dict.fromkeys(_words(it for it in terms if not it.key and it.negated))),
        _merged(it for _, it in read if isinstance(it, FieldCondition)),
        dates,
        ranges,
        _merged(it for _, it in read if isinstance(it, TextCondition)),
        tuple(sorted(faults, key=lambda it: it.start)),
    )


def _affordable(text: str) -> tuple[list[Term], list[Fault]]:
    """Leave out what is too much to be searched for at once."""
    known, weight = clean(text), 0
    faults = []
    if len(known) < len(text):
        rest = shown(clean(text[len(known) :]))
        faults.append(Fault(len(known), len(text), rest, _TOO_LONG))
    terms: list[Term] = []
    for term in scan(known):
        weight += len(term.items) if term.key else len(fold(term.items[0].text).split())
        if weight > MOST:
            faults.append(Fault(term.start, len(known), shown(known[term.start :]), _TOO_MANY))
            break
        terms.append(term)
    return terms, faults


def _fault(term: Term, reason: str, *, is_mended: bool = False) -> Fault:
    return Fault(term.start, term.end, shown(term.text), reason, is_mended)


def _refuse_mixture(read: Iterable[_Read], found: Iterable[Condition]) -> None:
    """Refuse numbers and texts of one key: any of them would have to do."""
    kinds = {
        it.subject: type(it) for _, it in read if isinstance(it, NumberCondition | TextCondition)
    }
    for condition in found:
        if isinstance(condition, NumberCondition | TextCondition):
            kind = type(condition)
            if kinds.setdefault(condition.subject, kind) is not kind:
                raise TermError(MIXED)


def _merged(conditions: Iterable[_Part]) -> tuple[_Part, ...]:
    """Join conditions on the same subject, of which any has to hold."""
    merged: dict[tuple[str, bool], _Part] = {}
    for condition in conditions:
        known = merged.get(condition.subject)
        merged[condition.subject] = known.joined(condition) if known else condition
    return tuple(merged.values())


def _tell_idle(idle: Iterable[Condition], read: Iterable[_Read]) -> Iterator[Fault]:
    """Tell of conditions that leave nothing out, or everything, at their last term."""
    last = {(type(it), it.subject): term for term, it in read}
    for condition in idle:
        yield _fault(last[type(condition), condition.subject], _IDLE, is_mended=True)


def _words(terms: Iterable[Term]) -> list[Words]:
    found = []
    for item in (term.items[0] for term in terms):
        if words := tuple(word[:LONGEST_WORD] for word in fold(item.text).split()):
            is_begun = item.text.endswith("*") and not item.is_quoted
            found.append(Words(words, item.is_quoted, is_begun))
    return found


def _with_prefix(found: list[Words]) -> tuple[Words, ...]:
    last = max((at for at, it in enumerate(found) if not it.is_phrase), default=None)
    if last is not None:
        found[last] = replace(found[last], is_prefix=True)
    # Of equal words the later one stays, so that the last one remains the last.
    return tuple(reversed(dict.fromkeys(reversed(found))))
