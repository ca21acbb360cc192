"""How any section of facility.toml is read, and made true in the database."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.db import models
from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of facility.toml: unknown keys are faults."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Change:
    """One difference between file and database, as a line to print."""

    action: Literal["create", "change", "move", "remove", "keep"]
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action:7} {self.what}{f'  ({self.detail})' if self.detail else ''}"


class Locator:
    """Finds the line of a key: the parser of Python's library does not tell."""

    _HEADER = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()

    def line_of(self, path: Iterable[str]) -> int:
        """Return the number of the line that speaks of a key, or of its nearest table."""
        parts = [str(part) for part in path]
        for depth in range(len(parts), -1, -1):
            start = self._header(parts[:depth])
            if start is None:
                continue
            if depth == len(parts):
                return max(start, 1)
            return self._key(parts[depth], start) or max(start, 1)
        return 1

    def _header(self, table: list[str]) -> int | None:
        if not table:
            return 0
        for number, line in enumerate(self.lines, start=1):
            found = self._HEADER.match(line)
            if found and [p.strip().strip("\"'") for p in found.group(1).split(".")] == table:
                return number
        return None

    def _key(self, key: str, start: int) -> int | None:
        expression = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*[.=]")
        for number, line in enumerate(self.lines[start:], start=start + 1):
            if self._HEADER.match(line):
                return None
            if expression.match(line):
                return number
        return None


def sync(model: type[models.Model], what: str, slug: str, values: dict[str, Any]) -> list[Change]:
    """Create or change the row of a slug; return what was done, nothing if nothing."""
    manager = model._default_manager
    row = manager.filter(slug=slug).first()
    if row is None:
        manager.create(slug=slug, **values)
        return [Change("create", f"{what} {slug}")]
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not differing:
        return []
    detail = ", ".join(
        _tell_difference(name, getattr(row, name), value) for name, value in differing.items()
    )
    for name, value in differing.items():
        setattr(row, name, value)
    row.save()
    return [Change("change", f"{what} {slug}", detail)]


def _tell_difference(name: str, old: Any, new: Any) -> str:
    """Name old and new; of tables only the keys that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return ", ".join(f"{name}.{key}: {old.get(key)} -> {new.get(key)}" for key in keys)
    return f"{name}: {old} -> {new}"


def remove_undeclared(
    model: type[models.Model], what: str, declared: Iterable[str]
) -> list[Change]:
    """Remove rows that only the file speaks for, where it no longer does."""
    rows = model._default_manager.exclude(slug__in=list(declared))
    changes = [Change("remove", f"{what} {row}") for row in rows]
    rows.delete()
    return changes


def report_undeclared(
    model: type[models.Model], what: str, declared: Iterable[str]
) -> list[Change]:
    """Datasets hang on these rows: they stay, and plan says so."""
    rows = model._default_manager.exclude(slug__in=list(declared))
    return [Change("keep", f"{what} {row}", "no longer declared") for row in rows]
