"""Raw datasets: one that a reader described, or hundreds that a machine describes."""

from collections.abc import Collection, Iterator, Sequence

from django.db import transaction
from django.utils import timezone

from catalogue.description import Description
from catalogue.embargo.dates import policy_dates, settle
from catalogue.errors import CatalogueError, ContentChangedError, RegistrationError
from catalogue.models import (
    Activity,
    DataFile,
    Dataset,
    Generated,
    Guard,
    Proposal,
    Store,
    Technique,
)
from catalogue.registration.constants import add_constants
from catalogue.registration.parts import (
    add_files,
    add_parameters,
    add_samples,
    add_techniques,
    insert,
    within,
)
from catalogue.registration.records import RawDataset, RawOrigin, Registered, Spot


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
    (outcome,) = register_found([RawDataset(description, origin)])
    if isinstance(outcome, CatalogueError):
        raise outcome
    return outcome


@transaction.atomic
def register_found(wanted: Sequence[RawDataset]) -> list[Registered | CatalogueError]:
    """
    Take in raw datasets that readers have described, each if it can be.

    Parameters
    ----------
    wanted : sequence of RawDataset
        The number of statements does not depend on how many they are.

    Returns
    -------
    list of Registered or CatalogueError
        In the same order: the same files at the same place give the dataset that is
        there; an error is what ``register_raw`` would raise.
    """
    _wait_for_turn({one.origin.store.pk for one in wanted})
    known = at_places(wanted)
    fresh: dict[Spot, RawDataset] = {}
    faults: dict[int, CatalogueError] = {}
    for number, one in enumerate(wanted):
        if one.spot in known or one.spot in fresh:
            continue
        if fault := _fault(one):
            faults[number] = fault
        else:
            fresh[one.spot] = one
    rows = dict(zip(fresh, _insert(list(fresh.values())), strict=True))
    return [
        faults.get(number)
        or (
            Registered(rows[one.spot], is_new=True)
            if fresh.get(one.spot) is one
            else _recognise(known.get(one.spot) or rows[one.spot], one)
        )
        for number, one in enumerate(wanted)
    ]


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


def _wait_for_turn(stores: Collection[int]) -> None:
    """Let one registration into a store at a time, so that two give one dataset."""
    rows = Store.objects.filter(pk__in=stores).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))


def at_places(wanted: Sequence[RawDataset]) -> dict[Spot, Dataset]:
    """Return the datasets whose first files lie where those of the wanted ones do."""
    stores, keys = zip(*(one.spot for one in wanted), strict=True) if wanted else ((), ())
    files = DataFile.objects.filter(store__in=set(stores), key__in=set(keys), position=0)
    return {(file.store_id, file.key): file.dataset for file in files.select_related("dataset")}


def _recognise(known: Dataset, wanted: RawDataset) -> Registered | CatalogueError:
    name = wanted.description.files[0].path
    if known.instrument_id != wanted.origin.instrument.pk:
        # Neither its pid nor its page: it may be hidden from whoever asks.
        reason = f"{name} is registered with another instrument. Name that one."
        return RegistrationError("instrument", reason)
    if known.digest != wanted.digest:
        return ContentChangedError(str(known.pid), name)
    return Registered(known, is_new=False)


def _fault(wanted: RawDataset) -> RegistrationError | None:
    """Say why a description cannot become a row, before anything is written."""
    try:
        _refuse_long_names(wanted)
        _guard(_row(wanted), wanted.origin)
        if wanted.description.sample:
            within(200, "sample", wanted.description.sample)
    except RegistrationError as error:
        return error
    return None


def _insert(wanted: Sequence[RawDataset]) -> list[Dataset]:
    if not wanted:
        return []
    rows = [_row(one) for one in wanted]
    insert(rows)
    pairs = list(zip(rows, wanted, strict=True))
    add_files(
        (
            row,
            one.origin.store,
            [(file, one.origin.key_prefix + file.path) for file in one.description.files],
        )
        for row, one in pairs
    )
    add_samples(_samples(pairs))
    add_techniques(_techniques(pairs))
    add_parameters((row, one.description.parameters) for row, one in pairs)
    add_constants((row, one.description) for row, one in pairs)
    insert([_guard(row, one.origin) for row, one in pairs])
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


def _samples(
    pairs: Sequence[tuple[Dataset, RawDataset]],
) -> Iterator[tuple[Dataset, Proposal | None, str | None, str | None]]:
    for row, one in pairs:
        proposal = one.origin.proposal
        yield row, proposal, one.description.sample, one.description.sample_formula
        for sample in one.origin.samples:
            yield row, proposal, sample.name, sample.chemical_formula


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
    activities = [
        Activity(
            kind=Activity.Kind.ACQUISITION,
            title=f"Measured at {one.origin.instrument}",
            environment={"declaration": one.origin.declaration} if one.origin.declaration else {},
            started_at=row.start_time,
            ended_at=row.end_time,
        )
        for row, one in pairs
    ]
    insert(activities)
    insert(
        [
            Generated(activity_id=activity.pk, dataset_id=row.pk, role="data")
            for (row, _), activity in zip(pairs, activities, strict=True)
        ]
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
