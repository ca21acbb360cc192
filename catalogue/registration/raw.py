"""Raw datasets: one that a reader described, or hundreds that a machine describes."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from catalogue.description import Description
from catalogue.digests import dataset_digest
from catalogue.embargo import policy_dates, settle
from catalogue.errors import ContentChangedError, RegistrationError
from catalogue.models import Activity, DataFile, Dataset, Generated, Guard, Store, Technique
from catalogue.registration.parts import (
    add_files,
    add_parameters,
    add_samples,
    add_techniques,
    within,
)
from catalogue.registration.records import RawOrigin, Registered


@dataclass(frozen=True)
class RawDataset:
    """What the files of a raw dataset say, and where it comes from."""

    description: Description
    origin: RawOrigin

    @property
    def digest(self) -> str:
        files = self.description.files
        return dataset_digest((file.path, file.sha256) for file in files)


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
    wanted = RawDataset(description, origin)
    _refuse_long_names(wanted)
    _wait_for_turn(origin.store)
    key = origin.key_prefix + description.files[0].path
    if known := _at_places(origin.store, [key]).get(key):
        return Registered(_agree(known, wanted), is_new=False)
    return Registered(_insert([wanted])[0], is_new=True)


@transaction.atomic
def register_many(wanted: Sequence[RawDataset]) -> list[Dataset]:
    """
    Take in many raw datasets at once, all of them or none.

    Parameters
    ----------
    wanted : sequence of RawDataset
        None of which is registered yet; the caller has looked, under the lock of the
        stores that hold the files.

    Returns
    -------
    list of Dataset
        In the same order.

    Raises
    ------
    RegistrationError
        If one of the descriptions cannot become a row.
    """
    for one in wanted:
        _refuse_long_names(one)
    return _insert(wanted)


def _wait_for_turn(store: Store) -> None:
    """Let one registration into a store at a time, so that two give one dataset."""
    Store.objects.select_for_update(no_key=True).get(pk=store.pk)


def _at_places(store: Store, keys: Sequence[str]) -> dict[str, Dataset]:
    """Return the datasets whose first files lie at these keys."""
    files = DataFile.objects.filter(store=store, key__in=keys, position=0)
    return {file.key: file.dataset for file in files.select_related("dataset")}


def _agree(known: Dataset, wanted: RawDataset) -> Dataset:
    name = wanted.description.files[0].path
    if known.instrument_id != wanted.origin.instrument.pk:
        # Neither its pid nor its page: it may be hidden from whoever asks.
        reason = f"{name} is registered with another instrument. Name that one."
        raise RegistrationError("instrument", reason)
    if known.digest != wanted.digest:
        raise ContentChangedError(str(known.pid), name)
    return known


def _insert(wanted: Sequence[RawDataset]) -> list[Dataset]:
    rows = Dataset.objects.bulk_create(_row(one) for one in wanted)
    pairs = list(zip(rows, wanted, strict=True))
    add_files(
        (
            row,
            one.origin.store,
            [(file, one.origin.key_prefix + file.path) for file in one.description.files],
        )
        for row, one in pairs
    )
    add_samples(
        (row, one.origin.proposal, one.description.sample, one.description.sample_formula)
        for row, one in pairs
    )
    add_techniques(_techniques(pairs))
    add_parameters((row, one.description.parameters) for row, one in pairs)
    Guard.objects.bulk_create(_guard(row, one.origin) for row, one in pairs)
    _record_acquisitions(pairs)
    settle([row.pk for row in rows])
    _note_openings(rows)
    return rows


def _row(wanted: RawDataset) -> Dataset:
    description, origin = wanted.description, wanted.origin
    return Dataset(
        kind=Dataset.Kind.RAW,
        content=description.content,
        title=within(500, "title", description.title),
        description=origin.description,
        source_id=origin.source_id,
        facility=origin.instrument.facility,
        instrument=origin.instrument,
        owner=origin.owner,
        policy=origin.policy,
        licence=origin.policy.licence,
        start_time=description.start_time,
        end_time=description.end_time,
        registered_at=timezone.now(),
        run_number=description.run_number,
        size=sum(file.size for file in description.files),
        file_count=len(description.files),
        digest=wanted.digest,
        thumbnail=origin.thumbnail,
        warnings=list(description.warnings),
    )


def _guard(row: Dataset, origin: RawOrigin) -> Guard:
    dates = policy_dates(row, origin.policy, origin.proposal)
    return Guard(
        dataset=row,
        proposal=origin.proposal,
        instrument=origin.instrument,
        opens_on=dates.opens_on,
        listed_on=dates.listed_on,
        is_proprietary=dates.is_proprietary,
    )


def _techniques(
    pairs: Sequence[tuple[Dataset, RawDataset]],
) -> list[tuple[Dataset, list[Technique]]]:
    named = {pid for _, one in pairs for pid in one.description.techniques}
    known = {term.pid: term for term in Technique.objects.filter(pid__in=named)} if named else {}
    return [
        (
            row,
            [
                *(known[pid] for pid in one.description.techniques if pid in known),
                *one.origin.techniques,
            ],
        )
        for row, one in pairs
    ]


def _record_acquisitions(pairs: Sequence[tuple[Dataset, RawDataset]]) -> None:
    activities = Activity.objects.bulk_create(
        Activity(
            kind=Activity.Kind.ACQUISITION,
            title=f"Measured at {one.origin.instrument}",
            started_at=row.start_time,
            ended_at=row.end_time,
        )
        for row, one in pairs
    )
    Generated.objects.bulk_create(
        Generated(activity=activity, dataset=row, role="data")
        for (row, _), activity in zip(pairs, activities, strict=True)
    )


def _note_openings(rows: Sequence[Dataset]) -> None:
    """Tell nobody of data that come in open: they have not just been opened."""
    pks = [row.pk for row in rows]
    Dataset.objects.filter(pk__in=pks, opens_at__lte=timezone.now()).update(opening_noted=True)


def _refuse_long_names(wanted: RawDataset) -> None:
    longest = max((file.path for file in wanted.description.files), key=len)
    if len(longest) > 1000 or len(wanted.origin.key_prefix + longest) > 1200:
        reason = "A path of more than 1000 characters, or 1200 from the store's root, is too long."
        raise RegistrationError("path", f"{reason} Shorten the names of its folders.")
