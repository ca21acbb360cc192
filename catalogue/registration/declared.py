"""Raw datasets that a machine declares by the hundred, and may declare again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from django.db import connection, transaction

from catalogue.errors import Fault, OtherContentError
from catalogue.models import Dataset, Generated, Instrument, Store
from catalogue.registration.raw import at_places, register_many
from catalogue.registration.records import RawDataset, Registered, Spot

_Pair = tuple[RawDataset, Dataset | None]


@transaction.atomic
def register_declared(wanted: Sequence[RawDataset]) -> list[Registered]:
    """
    Take in those datasets that are not there yet, all of them or none.

    A dataset is there if one of its instrument has its source id, or if the place of its
    first file is taken. The number of statements does not depend on how many are wanted.

    Parameters
    ----------
    wanted : sequence of RawDataset
        Each with a source id, and none with that of another.

    Returns
    -------
    list of Registered
        In the same order.

    Raises
    ------
    OtherContentError
        If some are there and were declared otherwise; it names each by its place.
    RegistrationError
        If one of the descriptions cannot become a row.
    """
    _wait_for_turn(wanted)
    by_name, by_place = _named_alike(wanted), at_places(wanted)
    pairs = [(one, by_name.get(_name(one)) or by_place.get(one.spot)) for one in wanted]
    if faults := list(_disagreements(pairs)):
        raise OtherContentError(faults)
    made = iter(register_many([one for one, known in pairs if known is None]))
    return [
        Registered(known, is_new=False) if known else Registered(next(made), is_new=True)
        for _, known in pairs
    ]


def instruments_at(spots: Iterable[Spot]) -> dict[Spot, set[int | None]]:
    """
    Find with which instruments files are registered, all in one statement.

    Parameters
    ----------
    spots : iterable of Spot
        Of any files, not only of the first ones of datasets.

    Returns
    -------
    dict of Spot to set of int or None
        Of places that are taken; None stands for a dataset without instrument.
    """
    wanted = set(spots)
    stores, keys = ({spot[0] for spot in wanted}, [spot[1] for spot in wanted])
    with connection.cursor() as cursor:
        # As arrays: the index takes one of any length, and a statement few parameters.
        cursor.execute(
            "SELECT f.store_id, f.key, d.instrument_id FROM catalogue_datafile f"
            " JOIN catalogue_dataset d ON d.id = f.dataset_id"
            " WHERE f.store_id = ANY(%s::bigint[]) AND f.key = ANY(%s)",
            [list(stores), keys],
        )
        rows: list[tuple[int, str, int | None]] = cursor.fetchall()
    found = defaultdict(set)
    for store, key, instrument in rows:
        found[store, key].add(instrument)
    return {spot: found[spot] for spot in wanted & found.keys()}


def _wait_for_turn(wanted: Sequence[RawDataset]) -> None:
    """Let one batch for an instrument or a store in at a time: two give one set."""
    instruments = {one.origin.instrument.pk for one in wanted}
    stores = {one.origin.store.pk for one in wanted}
    for rows in (
        Instrument.objects.filter(pk__in=instruments),
        Store.objects.filter(pk__in=stores),
    ):
        list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _name(one: RawDataset) -> tuple[int | None, str]:
    return one.origin.instrument.pk, one.origin.source_id


def _named_alike(wanted: Sequence[RawDataset]) -> dict[tuple[int | None, str], Dataset]:
    instruments, names = zip(*map(_name, wanted), strict=True)
    # The index leaves out those without a source id.
    rows = Dataset.objects.filter(instrument__in=set(instruments), source_id__in=set(names))
    return {(row.instrument_id, row.source_id): row for row in rows.exclude(source_id="")}


def _disagreements(pairs: Sequence[_Pair]) -> Iterator[Fault]:
    """Compare what is there with what was declared of it; else with its bytes."""
    known = {dataset.pk for _, dataset in pairs if dataset}
    said = dict(
        Generated.objects.filter(dataset__in=known).values_list(
            "dataset", "activity__environment__declaration"
        )
    )
    for place, (one, dataset) in enumerate(pairs):
        if dataset is None:
            continue
        if dataset.instrument_id != one.origin.instrument.pk:
            # Neither its pid nor its page: it may be hidden from whoever asks.
            yield Fault(f"#/{place}/instrument", "its files are registered with another one")
        elif said.get(dataset.pk) not in {None, one.origin.declaration}:
            yield Fault(f"#/{place}", f"was declared otherwise as dataset {dataset.pid}")
        elif dataset.digest != one.digest:
            yield Fault(f"#/{place}/files", f"dataset {dataset.pid} has other files")
