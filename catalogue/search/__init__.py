"""Find datasets by one query language; the same query serves page and REST."""

from catalogue.search.asking import FACETS, Asked, Query, read_query
from catalogue.search.counting import Counted, Facet, FacetValue, count, count_asked
from catalogue.search.cursors import Cursor, neighbours, read_cursor
from catalogue.search.finding import Found, find, find_asked, in_order

__all__ = [
    "FACETS",
    "Asked",
    "Counted",
    "Cursor",
    "Facet",
    "FacetValue",
    "Found",
    "Query",
    "count",
    "count_asked",
    "find",
    "find_asked",
    "in_order",
    "neighbours",
    "read_cursor",
    "read_query",
]
