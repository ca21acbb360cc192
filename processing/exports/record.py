"""
One record of how data came to be, cut to what a person may see: all exports draw from it.

What the reader may not see keeps its shape alone: ``hidden-1`` and so on, numbered anew
in each answer, so that two answers cannot be laid side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class RecordedFile:
    """One file of a dataset; ``size`` in bytes."""

    uuid: UUID
    path: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True)
class TakenBack:
    """That a dataset is not to be used any more."""

    kind: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class RecordedDataset:
    """
    A dataset as a reader may know it; of a hidden one only ``key`` is set.

    Attributes
    ----------
    key : str
        Its pid, or ``hidden-1``.
    is_readable : bool
        Whether the reader may fetch its bytes today.
    is_cut : bool
        Whether there is more, of its files or its history, than the record holds.
    """

    key: str
    pid: UUID | None = None
    kind: str = ""
    content: str = ""
    title: str = ""
    licence: str = ""
    digest: str = ""
    registered_at: datetime | None = None
    files: tuple[RecordedFile, ...] = ()
    taken_back: TakenBack | None = None
    is_readable: bool = False
    is_cut: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.pid is None


@dataclass(frozen=True)
class RecordedParameter:
    name: str
    value: Any
    unit: str = ""


@dataclass(frozen=True)
class RecordedPerson:
    pid: UUID
    name: str
    orcid: str = ""


@dataclass(frozen=True)
class RecordedActivity:
    """What was done; of a hidden one only ``key`` is set, ``hidden-activity-1``."""

    key: str
    pid: UUID | None = None
    kind: str = ""
    title: str = ""
    recipe: str = ""
    version: str = ""
    run_key: str = ""
    parameters: tuple[RecordedParameter, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""  # digest of what the recipe declares
    person: RecordedPerson | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""  # in a sentence, if it has failed

    @property
    def is_hidden(self) -> bool:
        return self.pid is None


@dataclass(frozen=True)
class Link:
    """A dataset in a role of an activity, both by key."""

    activity: str
    dataset: str
    role: str


@dataclass(frozen=True)
class Place:
    """The facility whose catalogue says all this."""

    name: str
    ror: str = ""


@dataclass(frozen=True)
class Record:
    """
    A history: datasets and activities by key, and the edges between them.

    Attributes
    ----------
    base : str
        Address of this catalogue, under which everything is named.
    subjects : tuple of str
        Keys of the datasets that were asked about, or that the run has made.
    """

    base: str
    place: Place
    subjects: tuple[str, ...]
    datasets: Mapping[str, RecordedDataset]
    activities: Mapping[str, RecordedActivity]
    used: tuple[Link, ...]
    generated: tuple[Link, ...]

    @property
    def is_cut(self) -> bool:
        return any(row.is_cut for row in self.datasets.values())

    def used_by(self, activity: str) -> list[RecordedDataset]:
        return [self.datasets[link.dataset] for link in self.used if link.activity == activity]

    def generated_by(self, activity: str) -> list[RecordedDataset]:
        return [self.datasets[link.dataset] for link in self.generated if link.activity == activity]

    def without_titles_of_hidden(self) -> "Record":
        """Take away the titles of activities that were named after a hidden dataset."""
        told = {
            key: replace(row, title=row.recipe)
            if any(given.is_hidden for given in self.used_by(key))
            else row
            for key, row in self.activities.items()
        }
        return replace(self, activities=told)
