"""How old constants were when the data were taken to which they are applied."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Age:
    """
    Since when constants hold, and when the run began.

    Attributes
    ----------
    valid_from, start : datetime
        In UTC.
    """

    valid_from: datetime
    start: datetime

    @property
    def days(self) -> float:
        """How long the constants had held when the run began; negative if they came later."""
        return (self.start - self.valid_from) / _DAY

    def __str__(self) -> str:
        side = "after" if self.days < 0 else "before"
        return f"valid from {self.valid_from:%Y-%m-%d %H:%M} UTC, {self._span()} {side} the run"

    def _span(self) -> str:
        days = abs(self.days)
        if days >= 100:
            return f"{days:.0f} days"
        return f"{days:.3g} days" if days >= 1 else f"{24 * days:.2g} hours"
