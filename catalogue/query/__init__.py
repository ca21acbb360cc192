"""
The language of searches: the same text in the box, the address and the API.

Nothing here knows of a database: a text becomes a ``Search``, and back.
"""

from catalogue.query.completion import Completion, at_cursor
from catalogue.query.conditions import (
    Bound,
    Condition,
    DateCondition,
    DateSpan,
    Fault,
    FieldCondition,
    Interval,
    NumberCondition,
    Range,
    Search,
    TextCondition,
    Words,
)
from catalogue.query.fields import FIELDS, Field, fields_like, find_field, stands_for
from catalogue.query.parse import MOST, parse
from catalogue.query.scan import LONGEST, Item, Term, scan
from catalogue.query.writing import add, canonical, quote, remove, without, write_term

__all__ = [
    "FIELDS",
    "LONGEST",
    "MOST",
    "Bound",
    "Completion",
    "Condition",
    "DateCondition",
    "DateSpan",
    "Fault",
    "Field",
    "FieldCondition",
    "Interval",
    "Item",
    "NumberCondition",
    "Range",
    "Search",
    "Term",
    "TextCondition",
    "Words",
    "add",
    "at_cursor",
    "canonical",
    "fields_like",
    "find_field",
    "parse",
    "quote",
    "remove",
    "scan",
    "stands_for",
    "without",
    "write_term",
]
