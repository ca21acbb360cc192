"""Assemble one SQL statement from parts that carry their own values."""

from collections.abc import Sequence
from typing import Any

from django.db import connection


class Statement:
    """Text and values in step: what is added later stands later."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._values: list[Any] = []

    def add(self, text: str, values: Sequence[Any] = ()) -> "Statement":
        """Append a part with the values of its placeholders."""
        self._texts.append(text)
        self._values += values
        return self

    def rows(self) -> list[tuple[Any, ...]]:
        """Run it and return all rows."""
        with connection.cursor() as cursor:
            cursor.execute("\n".join(self._texts), self._values)
            return list(cursor.fetchall())
