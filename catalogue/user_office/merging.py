"""Rows that speak of the same person, proposal or membership become one."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TypeVar

from catalogue.user_office.faults import UserOfficeFault
from catalogue.user_office.reading import Placed
from catalogue.user_office.rows import AffiliationRow, PersonRow, Row

R = TypeVar("R", bound=Row)
K = TypeVar("K", bound=Hashable)

_ADDS_UP = "affiliations"  # a table gives each on a row of its own


def merge(
    rows: Iterable[Placed[R]], key: Callable[[R], K], faults: list[UserOfficeFault]
) -> dict[K, Placed[R]]:
    """
    Merge rows of the same key: what one leaves out another may say.

    Parameters
    ----------
    rows : iterable of Placed
        In the order of the delivery.
    key : callable
        What tells two things apart.
    faults : list of UserOfficeFault
        Gains one for each field of which two rows say different things.

    Returns
    -------
    dict
        One row for each key, with the place of the first.
    """
    merged: dict[K, Placed[R]] = {}
    for placed in rows:
        name = key(placed.row)
        first = merged.get(name)
        if first is None:
            merged[name] = placed
            continue
        faults += _contradictions(first, placed)
        merged[name] = replace(first, row=_join(first.row, placed.row))
    return merged


def _contradictions(first: Placed[R], again: Placed[R]) -> list[UserOfficeFault]:
    both = first.row.model_fields_set & again.row.model_fields_set - {_ADDS_UP}
    pairs = [(name, getattr(first.row, name), getattr(again.row, name)) for name in sorted(both)]
    return [
        again.fault(name, f"{new} contradicts {first}, which says {old}; keep one of them")
        for name, old, new in pairs
        if old != new
    ]


def _join(first: R, again: R) -> R:
    said = {name: getattr(again, name) for name in again.model_fields_set}
    if isinstance(first, PersonRow) and isinstance(again, PersonRow):
        said[_ADDS_UP] = tuple(dict.fromkeys((*first.affiliations, *again.affiliations)))
    return first.model_copy(update=said)


def affiliations_of(
    people: Iterable[Placed[PersonRow]], faults: list[UserOfficeFault]
) -> dict[tuple[str, str], Placed[AffiliationRow]]:
    """Return the affiliations that people have, one for each name and city."""
    rows = [
        Placed(affiliation, placed.file, placed.place)
        for placed in people
        for affiliation in placed.row.affiliations
    ]
    return merge(rows, lambda row: (row.name, row.city), faults)
