"""Where the terms of a query begin and end: the one place that knows quotes and spaces."""

import re
from dataclasses import dataclass

from catalogue.query.fields import Field, find_field
from catalogue.query.numbers import measure

LONGEST = 2000  # characters
REFUSED = "\N{REPLACEMENT CHARACTER}"  # for what neither a database nor UTF-8 can hold

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_SPACE = re.compile(r"\s*")
_RUN = re.compile(r"\S+")
_RAW = re.compile(r"[^\s,]*")
KEY = re.compile(r"[^\W\d](?:[\w.\-]*\w)?")
# "temperature < 80K" may have spaces, since a number follows; "lead: tin" is no term.
_OPERATOR = re.compile(
    r"\s*(?P<spaced>[<>]=?|[≤≥=])\s*(?=[+\-\u2212]?\.?[0-9])|(?P<close>:(?!//)|[<>]=?|[≤≥=])"
)
_SAME = {"≤": "<=", "≥": ">=", "=": ":"}
# A quotation mark inside quotes is written twice; typographic ones come from documents.
_QUOTED = re.compile(r'"((?:[^"]|"")*)("|\Z)|[“”„]([^“”]*)([“”]|\Z)')
_CLOSING = {'"': '"', "“": "”", "”": "”", "„": "“"}


@dataclass(frozen=True)
class Item:
    """One value, or one word or phrase; ``text`` is without its quotation marks."""

    start: int
    end: int
    text: str
    is_quoted: bool = False


@dataclass(frozen=True)
class Term:
    """
    One part of a query.

    Attributes
    ----------
    start, end : int
        Where in the query, in characters.
    text : str
        As written; an open quotation is closed.
    negated : bool
        A minus stands before it.
    key : str
        A field's name, or that of a parameter in lower case; empty for words.
    field : Field or None
        The field of this name.
    operator : str
        ":", "<", "<=", ">" or ">="; empty for words.
    items : tuple of Item
        The values, also empty ones; one word or phrase if there is no key.
    """

    start: int
    end: int
    text: str
    negated: bool
    key: str
    field: Field | None
    operator: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class _Head:
    key: str
    field: Field | None
    operator: str
    end: int


def clean(text: str) -> str:
    """Replace what no text can hold, and cut after the last term that may be read."""
    text = _NO_TEXT.sub(REFUSED, text[: LONGEST + 1])
    if len(text) <= LONGEST:
        return text
    return text[: max(text.rfind(" "), 0) or LONGEST]


def scan(text: str) -> tuple[Term, ...]:
    """Find the terms of a query; every character that is no space belongs to one."""
    text = clean(text)
    terms: list[Term] = []
    at = _skip(text, 0)
    while at < len(text):
        terms.append(_read_term(text, at))
        at = _skip(text, terms[-1].end)
    return tuple(terms)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _read_term(text: str, start: int) -> Term:
    negated = text.startswith("-", start)
    head = _read_head(text, start + negated)
    items = _read_items(text, head) if head else ()
    # "Study: glass" is a word and a word, "instrument: id13" a slip that is told.
    if head is None or not (head.field or any(item.text.strip() for item in items)):
        word = _read_word(text, start + negated, head)
        head, items = _Head("", None, "", start), (word,)
    end = items[-1].end
    written = _close(text[start:end], items[-1])
    return Term(start, end, written, negated, head.key, head.field, head.operator, items)


def _read_head(text: str, at: int) -> _Head | None:
    quoted = _read_quoted(text, at)
    name = None if quoted else KEY.match(text, at)
    end = quoted.end if quoted else name.end() if name else at
    operator = _OPERATOR.match(text, end) if end > at else None
    if operator is None:
        return None
    written = " ".join(quoted.text.split()) if quoted else text[at:end]
    field = find_field(written)
    if quoted and field and field.kind != "quantity":
        field = None
    sign = operator["spaced"] or operator["close"]
    key = field.name if field else written.lower()
    return _Head(key, field, _SAME.get(sign, sign), operator.end()) if key else None


def _read_items(text: str, head: _Head) -> tuple[Item, ...]:
    is_number = head.field is None or head.field.kind == "quantity"
    items = [_read_item(text, head.end, is_number=is_number)]
    while text.startswith(",", items[-1].end):
        items.append(_read_item(text, items[-1].end + 1, is_number=is_number))
    return tuple(items)


def _read_item(text: str, at: int, *, is_number: bool) -> Item:
    if quoted := _read_quoted(text, at):
        return quoted
    rest = _RAW.match(text, measure(text, at) if is_number else at)
    end = rest.end() if rest else at
    return Item(at, end, text[at:end])


def _read_word(text: str, at: int, head: _Head | None) -> Item:
    if quoted := _read_quoted(text, at):
        return quoted
    run = _RUN.match(text, at)
    # An empty value may be an open quotation, which is a term of its own.
    end = head.end if head else run.end() if run else at
    return Item(at, end, text[at:end])


def _read_quoted(text: str, at: int) -> Item | None:
    found = _QUOTED.match(text, at)
    if found is None:
        return None
    inside = found[3] if found[1] is None else found[1].replace('""', '"')
    return Item(at, found.end(), inside, is_quoted=True)


def _close(written: str, last: Item) -> str:
    """Close a quotation that the end of the query left open."""
    if not last.is_quoted:
        return written
    begin = len(written) - (last.end - last.start)
    found = _QUOTED.match(written, begin)
    is_open = found is not None and not (found[2] or found[4])
    return written + _CLOSING[written[begin]] if is_open else written
