"""What whoever registers hands over, and what they get back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalogue.description import Description, FoundParameter
from catalogue.digests import dataset_digest
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
class NamedSample:
    name: str
    chemical_formula: str = ""


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
    samples: Sequence[NamedSample] = ()  # beside the one that the files name
    declaration: str = ""  # sha256 of all that a machine said of it, if one did


Spot = tuple[int, str]
"""A store, and a key inside it."""


@dataclass(frozen=True)
class RawDataset:
    """What the files of a raw dataset say, and where it comes from."""

    description: Description
    origin: RawOrigin

    @property
    def digest(self) -> str:
        files = self.description.files
        return dataset_digest((file.path, file.sha256) for file in files)

    @property
    def spot(self) -> Spot:
        """The place of its first file: by that a dataset is known again."""
        return self.origin.store.pk, self.origin.key_prefix + self.description.files[0].path


@dataclass(frozen=True)
class DerivedFile:
    """A file that lies in the content store already."""

    path: str
    size: int
    sha256: str
    media_type: str
    key: str


@dataclass(frozen=True)
class ConstantRecord:
    """What a result calibrates: for which detector, from when, under which conditions."""

    kind: str
    valid_from: datetime
    detector: str = ""
    module: str = ""
    conditions: Mapping[str, float | str] = field(default_factory=dict)


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
    constant: ConstantRecord | None = None


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
    resolution: Mapping[str, Any] = field(default_factory=dict)
    configuration: str = ""
    person: User | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Registered:
    """The dataset, and whether it is new or was there with the same content."""

    dataset: Dataset
    is_new: bool
