"""What an import does: lines to print, events for the audit log, what has to follow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db.models import Model

BATCH = 5000  # rows per statement

Action = Literal["create", "change", "end"]

Differences = dict[str, tuple[Any, Any]]
"""Old and new value of each field that differs."""

_LONGEST = 60


@dataclass(frozen=True)
class Change:
    """One difference between a delivery and the catalogue."""

    action: Action
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action:7} {self.what}{f'  ({self.detail})' if self.detail else ''}"


@dataclass
class Written:
    """
    What was written of one kind of row.

    ``events`` holds proposal, old and new state for each act of the audit log. By primary
    keys: the proposals of ``reworded`` and the ``datasets`` are found by other words now,
    and embargoes may follow the proposals of ``redated``.
    """

    changes: list[Change] = field(default_factory=list)
    events: dict[str, list[tuple[Model, Any, Any]]] = field(default_factory=dict)
    reworded: set[int] = field(default_factory=set)
    redated: set[int] = field(default_factory=set)
    datasets: set[int] = field(default_factory=set)


def differing(row: Model, values: Mapping[str, Any]) -> Differences:
    """Give a row new values; return those that it did not have."""
    found = {
        name: (getattr(row, name), value)
        for name, value in values.items()
        if getattr(row, name) != value
    }
    for name, (_, value) in found.items():
        setattr(row, name, value)
    return found


def tell(found: Differences, hidden: Collection[str] = ()) -> str:
    """Write differences in words; of long and hidden values only the name."""
    return ", ".join(
        name if name in hidden or len(f"{old}{new}") > _LONGEST else f"{name}: {old} -> {new}"
        for name, (old, new) in found.items()
    )
