"""What is being typed at the cursor, so that suggestions can be made."""

from dataclasses import dataclass
from typing import Literal

from catalogue.query.scan import KEY, Item, Term, clean, scan


@dataclass(frozen=True)
class Completion:
    """
    What suggestions may replace.

    Attributes
    ----------
    kind : {"key", "value"}
        Whether the name of a field or parameter is being typed, or a value of it.
    key : str
        Of the value: a field's name, or that of a parameter in lower case; else empty.
    prefix : str
        What stands before the cursor, without a quotation mark.
    start, end : int
        The part of the query, in characters, in whose place a suggestion goes: a key
        with its colon, or a value in quotes if it needs them.
    """

    kind: Literal["key", "value"]
    key: str
    prefix: str
    start: int
    end: int


def at_cursor(text: str, position: int) -> Completion | None:
    """
    Tell what is being typed.

    Parameters
    ----------
    text : str
        The query as it stands.
    position : int
        How many characters stand before the cursor.

    Returns
    -------
    Completion or None
        None inside a phrase, and past the longest query.
    """
    known = clean(text)
    if not 0 <= position <= len(known):
        return None
    term = next((it for it in scan(known) if it.start < position <= it.end), None)
    if term is None:
        return Completion("key", "", "", position, position)
    if term.key and position >= term.items[0].start:
        return _value(known, position, term)
    return _key(known, position, term)


def _key(text: str, position: int, term: Term) -> Completion | None:
    start = term.start + term.negated
    if text.startswith(('"', "“", "”", "„"), start):
        return None
    typed = text[start:position]
    # No term yet: "detector.name:" waits for its value.
    if typed.endswith(":") and KEY.fullmatch(typed[:-1]):
        return Completion("value", typed[:-1].lower(), "", position, term.end)
    end = term.items[0].start if term.key else term.end
    return Completion("key", "", typed, start, end)


def _value(text: str, position: int, term: Term) -> Completion:
    item = next((it for it in term.items if it.start <= position <= it.end), term.items[-1])
    return Completion("value", term.key, _typed(text, position, item), item.start, item.end)


def _typed(text: str, position: int, item: Item) -> str:
    begun = text[item.start : position]
    return begun[1:].replace('""', '"') if item.is_quoted else begun
