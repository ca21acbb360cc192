"""
Which dataset a late-bound role gets: a rule in words, a choice that is always the same.

Nothing here asks the database. The order is total (validity, then registration, then key),
or two passes would disagree and recompute for ever.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Value = str | float
Origin = int  # a proposal's key, or minus an instrument's for data of no proposal

_FOREVER = timedelta.max


class Within(BaseModel):
    """Two numbers are taken for equal if they differ by no more than this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    within: float = Field(ge=0, allow_inf_nan=False)


class Binding(BaseModel):
    """How the dataset of one role is picked, anew for every subject."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["calibration", "dataset"] = "dataset"
    content: str  # of a constant its kind, of a dataset its content
    match: dict[str, Literal["equal"] | Within] = {}
    pick: Literal["closest_before", "closest", "valid_at"] = "closest_before"
    max_age_s: float | None = None

    def __str__(self) -> str:
        which = {
            "closest_before": f"the latest {self.content} before it",
            "closest": f"the {self.content} nearest to it in time",
            "valid_at": f"the {self.content} that is valid at its time",
        }[self.pick]
        age = "" if self.max_age_s is None else f", at most {_tell_age(self.max_age_s)} away"
        same = "".join(f", {_tell_match(name, m)}" for name, m in self.match.items())
        return f"{which}{same}{age}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A dataset that may be picked, for subjects of the same instrument.

    ``origins`` are the proposals, or instruments of data without one, to which it is
    still closed; it is empty for what everybody may read.
    """

    pk: int
    pid: str
    digest: str
    title: str
    instrument: int | None
    valid_from: datetime
    known_since: datetime
    valid_to: datetime | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    origins: frozenset[Origin] = frozenset()


@dataclass(frozen=True, slots=True)
class Asking:
    """A subject, as far as it decides what is picked for it."""

    start_time: datetime | None
    instrument: int | None
    origins: frozenset[Origin] = frozenset()
    values: Mapping[str, Value] = field(default_factory=dict)


class Shelf:
    """
    All candidates of one role, in the order in which they are tried.

    Parameters
    ----------
    binding : Binding
        The rule.
    candidates : sequence of Candidate
        None of them retracted.
    """

    def __init__(self, binding: Binding, candidates: Sequence[Candidate]) -> None:
        self.binding = binding
        self._exact = sorted(name for name, how in binding.match.items() if how == "equal")
        self._near = {n: how.within for n, how in binding.match.items() if how != "equal"}
        self._age = _FOREVER
        if binding.max_age_s is not None:
            self._age = timedelta(seconds=binding.max_age_s)
        self.has_closed = any(one.origins for one in candidates)
        self._drawers: dict[tuple[Value | None, ...], list[Candidate]] = {}
        for one in sorted(candidates, key=lambda c: (c.valid_from, c.known_since, c.pk)):
            self._drawers.setdefault(self._drawer_of(one), []).append(one)
        self._starts = {
            key: [one.valid_from for one in drawer] for key, drawer in self._drawers.items()
        }

    def pick(self, subject: Asking) -> Candidate | None:
        """Return what a subject gets, None if nothing fits."""
        at = subject.start_time
        if at is None or self.missing(subject):
            return None
        key = self._drawer_of(subject)
        drawer = self._drawers.get(key, [])
        place = bisect_right(self._starts.get(key, []), at)
        before = self._first(drawer, range(place - 1, -1, -1), subject, at)
        if self.binding.pick != "closest":
            return before
        after = self._first(drawer, range(place, len(drawer)), subject, at)
        if after is not None:  # of equal times the latest known counts, here as before it
            last = bisect_right(self._starts[key], after.valid_from) - 1
            after = self._first(drawer, range(last, place - 1, -1), subject, at)
        return min(
            (one for one in (before, after) if one is not None),
            key=lambda one: abs(one.valid_from - at),
            default=None,
        )

    def missing(self, subject: Asking) -> list[str]:
        """Return the names that the rule compares and the subject does not tell."""
        return [name for name in self.binding.match if name not in subject.values]

    def _drawer_of(self, one: Candidate | Asking) -> tuple[Value | None, ...]:
        return (one.instrument, *(_plain(one.values.get(name)) for name in self._exact))

    def _first(
        self, drawer: Sequence[Candidate], places: Iterable[int], subject: Asking, at: datetime
    ) -> Candidate | None:
        for place in places:
            one = drawer[place]
            if abs(one.valid_from - at) > self._age:
                return None  # the others are still further away
            if self._fits(one, subject, at):
                return one
        return None

    def _fits(self, one: Candidate, subject: Asking, at: datetime) -> bool:
        is_over = one.valid_to is not None and one.valid_to <= at
        if is_over and self.binding.pick != "closest":
            return False
        # A product is as closed as the most closed of its inputs: what belongs to others,
        # and is not open, would hide the product from the subject's own team.
        if not one.origins <= subject.origins:
            return False
        return all(
            _is_near(one.values.get(name), subject.values[name], within)
            for name, within in self._near.items()
        )


def _plain(value: Value | None) -> Value | None:
    """Spell names alike: one file says Pilatus1M, another pilatus1m."""
    return value.strip().casefold() if isinstance(value, str) else value


def _is_near(one: Value | None, other: Value, within: float) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    return abs(one - other) <= within


def _tell_match(name: str, how: Literal["equal"] | Within) -> str:
    return f"same {name}" if how == "equal" else f"{name} within {how.within:g}"


def _tell_age(seconds: float) -> str:
    days = seconds / 86400
    return f"{days:g} days" if days >= 1 else f"{seconds / 3600:g} hours"
