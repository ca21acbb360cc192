"""Queries as the tests read them, on one day."""

from datetime import date

from catalogue.query import Search, parse

TODAY = date(2026, 3, 1)


def read(text: str) -> Search:
    return parse(text, today=TODAY)


def faultless(text: str) -> Search:
    search = read(text)
    assert search.faults == ()
    return search
