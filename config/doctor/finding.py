"""What a check says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works; look at it before it does not
    FAIL = "fail"  # it must be mended


@dataclass(frozen=True)
class Finding:
    """One sentence on one thing; ``check`` is filled in by the examination."""

    level: Level
    what: str
    how_to_mend: str = ""
    check: str = ""


@dataclass(frozen=True)
class Check:
    """
    One thing to look at.

    Parameters
    ----------
    name : str
        As the findings call it.
    look : callable
        Yields what it finds; nothing is changed.
    mend : callable, optional
        Puts right what loses nothing by it; returns what it did in a sentence.
    """

    name: str
    look: Callable[[], Iterator[Finding]]
    mend: Callable[[], str] | None = None


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warn(what: str, how_to_mend: str) -> Finding:
    return Finding(Level.WARN, what, how_to_mend)


def fail(what: str, how_to_mend: str) -> Finding:
    return Finding(Level.FAIL, what, how_to_mend)


def some(names: list[str], shown: int = 3) -> str:
    """Name a few of many."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")
