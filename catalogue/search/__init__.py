"""Find datasets by one query language; the same query serves page and REST."""

from catalogue.search.asking import FACETS, Query, read_query
from catalogue.search.counting import Counted, Facet, FacetValue, count
from catalogue.search.cursors import Cursor, neighbours, read_cursor
from catalogue.search.finding import Found, find, in_order

__all__ = [
    "FACETS",
    "Counted",
    "Cursor",
    "Facet",
    "FacetValue",
    "Found",
    "Query",
    "count",
    "find",
    "in_order",
    "neighbours",
    "read_cursor",
    "read_query",
]
