"""What is wrong with a delivery: every fault with its file, row and field."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class UserOfficeFault:
    """
    One fault.

    ``place`` is "line 7" in a table and "#/people/3" in JSON; ``field`` is empty where
    the row as a whole is at fault.
    """

    file: str
    place: str
    field: str
    reason: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.file, self.place, self.field) if part)
        return f"{where}: {self.reason}" if where else self.reason


class UserOfficeError(Exception):
    """A delivery with faults; nothing of it was stored."""

    def __init__(self, faults: Sequence[UserOfficeFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, faults)))
