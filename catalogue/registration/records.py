"""What whoever registers hands over, and what they get back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalogue.description import FoundParameter
from catalogue.models import (
    Dataset,
    EmbargoPolicy,
    Instrument,
    Proposal,
    Store,
    Technique,
    User,
)


@dataclass(frozen=True)
class RawOrigin:
    """Where raw data come from, as decided by whoever registers: a rule or a person."""

    instrument: Instrument
    store: Store
    key_prefix: str  # the dataset's root inside the store, "" or ending in "/"
    policy: EmbargoPolicy
    proposal: Proposal | None = None
    owner: User | None = None
    techniques: Sequence[Technique] = ()
    thumbnail: str = ""  # sha256 in the content store
    source_id: str = ""  # how the instrument's own software calls the acquisition
    description: str = ""


@dataclass(frozen=True)
class DerivedFile:
    """A file that lies in the content store already."""

    path: str
    size: int
    sha256: str
    media_type: str
    key: str


@dataclass(frozen=True)
class DerivedDataset:
    """A result in one role of an activity."""

    role: str
    content: str
    title: str
    files: Sequence[DerivedFile]
    digest: str  # of the data, without pictures of them
    thumbnail: str = ""
    parameters: Sequence[FoundParameter] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class ActivityRecord:
    """What was done; it becomes an immutable row together with its results."""

    title: str
    used: Mapping[str, Sequence[Dataset]]
    generated: Sequence[DerivedDataset]
    store: Store
    recipe: str = ""
    version: str = ""
    run_key: str = ""
    key_document: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    person: User | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Registered:
    """The dataset, and whether it is new or was there with the same content."""

    dataset: Dataset
    is_new: bool
