"""Take in a raw dataset, or derived ones with the activity that made them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.postgres.search import SearchVector
from django.db import transaction
from django.db.models import TextField, Value

from catalogue.access import opening_date
from catalogue.description import Description, FoundFile, FoundParameter
from catalogue.digests import dataset_digest
from catalogue.errors import ContentChangedError, RegistrationError
from catalogue.models import (
    Activity,
    DataFile,
    Dataset,
    EmbargoPolicy,
    Generated,
    Guard,
    Instrument,
    Parameter,
    Proposal,
    Sample,
    Store,
    Technique,
    Used,
    User,
)
from catalogue.units import to_si
from catalogue.words import fold


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


@transaction.atomic
def register_raw(description: Description, origin: RawOrigin) -> Registered:
    """
    Take in a raw dataset that a reader has described.

    Parameters
    ----------
    description : Description
        What the files say about themselves.
    origin : RawOrigin
        Instrument, proposal, place and embargo policy.

    Returns
    -------
    Registered
        The same files at the same place give the dataset that is there.

    Raises
    ------
    ContentChangedError
        If the place is taken by a dataset with other content; nothing is written.
    RegistrationError
        If the description cannot become a row.
    """
    _refuse_long_names(description, origin.key_prefix)
    first = description.files[0]
    digest = dataset_digest((file.path, file.sha256) for file in description.files)
    _wait_for_turn(origin.store)
    if known := _at_place(origin.store, origin.key_prefix + first.path):
        if known.instrument_id != origin.instrument.pk:
            # Neither its pid nor its page: it may be hidden from whoever asks.
            reason = f"{first.path} is registered with another instrument. Name that one."
            raise RegistrationError("instrument", reason)
        if known.digest == digest:
            return Registered(known, is_new=False)
        raise ContentChangedError(str(known.pid), first.path)
    dataset = Dataset.objects.create(
        kind=Dataset.Kind.RAW,
        content=description.content,
        title=_within(500, "title", description.title),
        facility=origin.instrument.facility,
        instrument=origin.instrument,
        owner=origin.owner,
        policy=origin.policy,
        licence=origin.policy.licence,
        start_time=description.start_time,
        end_time=description.end_time,
        run_number=description.run_number,
        size=sum(file.size for file in description.files),
        file_count=len(description.files),
        digest=digest,
        thumbnail=origin.thumbnail,
        warnings=list(description.warnings),
    )
    _add_files(
        dataset, origin.store, [(file, origin.key_prefix + file.path) for file in description.files]
    )
    _add_sample(dataset, description, origin.proposal)
    named = Technique.objects.filter(pid__in=description.techniques)
    dataset.techniques.set({*named, *origin.techniques})
    _add_parameters(dataset, description.parameters)
    Guard.objects.create(
        dataset=dataset,
        proposal=origin.proposal,
        instrument=origin.instrument,
        opens_on=_opening(dataset, origin.policy),
    )
    _record_acquisition(dataset, origin)
    _index(dataset)
    return Registered(dataset, is_new=True)


def _wait_for_turn(store: Store) -> None:
    """Let one registration into a store at a time, so that two give one dataset."""
    Store.objects.select_for_update(no_key=True).get(pk=store.pk)


def register_derived(record: ActivityRecord) -> Activity:
    """
    Record what was done and take in its results, inside the caller's transaction.

    Parameters
    ----------
    record : ActivityRecord
        The activity, the datasets it used and those it made; their files lie in the
        store already.

    Returns
    -------
    Activity
        With its ``generated`` rows. Results inherit every guard of every input, so they
        are never more open than the most closed of them, and their samples,
        techniques and instrument.
    """
    activity = Activity.objects.create(
        kind=Activity.Kind.PROCESSING,
        title=record.title[:500],
        recipe=record.recipe,
        version=record.version,
        run_key=record.run_key,
        key_document=record.key_document,
        parameters=dict(record.parameters),
        environment=dict(record.environment),
        person=record.person,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )
    sources = [dataset for datasets in record.used.values() for dataset in datasets]
    Used.objects.bulk_create(
        Used(activity=activity, dataset=dataset, role=role)
        for role, datasets in record.used.items()
        for dataset in datasets
    )
    for result in record.generated:
        dataset = _create_derived(result, record, sources)
        Generated.objects.create(activity=activity, dataset=dataset, role=result.role)
        _index(dataset)
    return activity


def _create_derived(
    result: DerivedDataset, record: ActivityRecord, sources: Sequence[Dataset]
) -> Dataset:
    subject = sources[0]
    dataset = Dataset.objects.create(
        kind=Dataset.Kind.DERIVED,
        content=result.content,
        title=result.title[:500],
        facility=subject.facility,
        instrument=subject.instrument,
        owner=record.person,
        policy=subject.policy,
        licence=subject.licence,
        start_time=record.ended_at,
        end_time=record.ended_at,
        size=sum(file.size for file in result.files),
        file_count=len(result.files),
        digest=result.digest,
        thumbnail=result.thumbnail,
        warnings=list(result.warnings),
    )
    _add_files(dataset, record.store, [(file, file.key) for file in result.files])
    dataset.samples.set(Sample.objects.filter(datasets__in=sources).distinct())
    dataset.techniques.set(Technique.objects.filter(datasets__in=sources).distinct())
    _add_parameters(dataset, result.parameters)
    inherited = Guard.objects.filter(dataset__in=sources)
    Guard.objects.bulk_create(_merge_guards(dataset, inherited))
    return dataset


def _add_files(
    dataset: Dataset, store: Store, placed: Sequence[tuple[FoundFile | DerivedFile, str]]
) -> None:
    DataFile.objects.bulk_create(
        DataFile(
            dataset=dataset,
            position=position,
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            media_type=file.media_type,
            modified_ns=file.modified_ns if isinstance(file, FoundFile) else None,
            store=store,
            key=key,
        )
        for position, (file, key) in enumerate(placed)
    )


def _merge_guards(dataset: Dataset, guards: Iterable[Guard]) -> list[Guard]:
    """Keep one guard per origin, with the latest date; never beats every date."""
    merged: dict[tuple[int | None, int | None], Guard] = {}
    for guard in guards:
        origin = (guard.proposal_id, guard.instrument_id)
        kept = merged.get(origin)
        if kept is None:
            merged[origin] = Guard(
                dataset=dataset,
                proposal_id=guard.proposal_id,
                instrument_id=guard.instrument_id,
                opens_on=guard.opens_on,
            )
        elif kept.opens_on is not None and guard.opens_on is not None:
            kept.opens_on = max(kept.opens_on, guard.opens_on)
        else:
            kept.opens_on = None
    return list(merged.values())


def _at_place(store: Store, key: str) -> Dataset | None:
    file = DataFile.objects.filter(store=store, key=key, position=0).select_related("dataset")
    found = file.first()
    return found.dataset if found else None


def _add_sample(dataset: Dataset, description: Description, proposal: Proposal | None) -> None:
    if not description.sample:
        return
    sample, _ = Sample.objects.get_or_create(
        proposal=proposal,
        name=_within(200, "sample", description.sample),
        defaults={"chemical_formula": (description.sample_formula or "")[:200]},
    )
    dataset.samples.add(sample)


def _add_parameters(dataset: Dataset, found: Iterable[FoundParameter]) -> None:
    rows = {}
    for parameter in found:
        row = Parameter(
            dataset=dataset, name=parameter.name[:200], unit=(parameter.unit or "")[:60]
        )
        if isinstance(parameter.value, str):
            row.text = parameter.value[:1000]
        else:
            row.number = parameter.value
            if base := to_si(parameter.value, parameter.unit):
                row.si_number, row.si_unit = base.value, base.unit
        rows[row.name] = row
    Parameter.objects.bulk_create(rows.values())


def _opening(dataset: Dataset, policy: EmbargoPolicy) -> Any:
    """Return the day on which raw data open; None while nobody knows when they ended."""
    base = {
        "dataset.end_time": dataset.end_time or dataset.start_time,
        "dataset.registered": dataset.registered_at,
    }[policy.starts_with]
    if base is None:
        return None
    try:
        return opening_date(base, policy.months, dataset.facility.timezone)
    except (ValueError, OverflowError) as error:
        reason = f"The data end on {base.date()}; no embargo can count from then. Correct the time."
        raise RegistrationError("end_time", reason) from error


def _record_acquisition(dataset: Dataset, origin: RawOrigin) -> None:
    activity = Activity.objects.create(
        kind=Activity.Kind.ACQUISITION,
        title=f"Measured at {origin.instrument}",
        person=None,
        started_at=dataset.start_time,
        ended_at=dataset.end_time,
    )
    Generated.objects.create(activity=activity, dataset=dataset, role="data")


def _index(dataset: Dataset) -> None:
    """Write the words by which a dataset is found, the weightiest in its title."""
    samples = [f"{s.name} {s.chemical_formula}" for s in dataset.samples.all()]
    techniques = [technique.name for technique in dataset.techniques.all()]
    guards = dataset.guards.select_related("proposal")
    proposals = [f"{g.proposal.number} {g.proposal.title}" for g in guards if g.proposal]
    parameters = [f"{p.name} {p.text}" for p in dataset.parameters.all()]
    files = [file.path for file in dataset.files.all()[:100]]
    weighted = {
        "A": [dataset.title, *samples],
        "B": [*techniques, *proposals, dataset.content],
        "C": [str(dataset.instrument or ""), *files],
        "D": parameters,
    }
    vector: Any = None
    for weight, texts in weighted.items():
        folded = Value(fold(" ".join(texts)), output_field=TextField())
        part = SearchVector(folded, weight=weight, config="simple")
        vector = part if vector is None else vector + part
    Dataset.objects.filter(pk=dataset.pk).update(search=vector)


def _refuse_long_names(description: Description, prefix: str) -> None:
    longest = max((file.path for file in description.files), key=len)
    if len(longest) > 1000 or len(prefix + longest) > 1200:
        reason = "A path of more than 1000 characters, or 1200 from the store's root, is too long."
        raise RegistrationError("path", f"{reason} Shorten the names of its folders.")


def _within(length: int, name: str, text: str) -> str:
    if not text.strip() or len(text) > length or "\x00" in text:
        raise RegistrationError(name, f"{name} must be text of 1 to {length} characters")
    return text.strip()
