"""Which acquisitions are registered already, told by names, sizes and times of change."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue.models import DataFile, IngestRule
from catalogue.watching.tree import Acquisition, Entry


@dataclass(frozen=True)
class Known:
    """The dataset that an acquisition is, and the files beside it that belong to it."""

    dataset: int
    linked: tuple[Entry, ...]


@dataclass(frozen=True)
class _Row:
    """A registered file."""

    key: str
    size: int
    modified_ns: int | None
    position: int
    instrument: int | None


def linked_files(datasets: Iterable[tuple[int, Path]]) -> dict[int, list[Entry]]:
    """
    Look at the files to which registered files link.

    Parameters
    ----------
    datasets : iterable of (int, Path)
        Primary keys, each with the root of the store.

    Returns
    -------
    dict of int to list of Entry
        How they look now; of a file that is gone the size is -1.
    """
    roots = dict(datasets)
    if not roots:
        return {}
    rows = DataFile.objects.filter(
        dataset__in=roots, position__gt=0, dataset__file_count__gt=1
    ).values_list("dataset", "key")
    found: dict[int, list[Entry]] = defaultdict(list)
    for dataset, key in rows:
        found[dataset].append(_entry(roots[dataset], key))
    return found


def find_known(
    places: Sequence[tuple[Path, IngestRule, Acquisition]],
) -> list[Known | None]:
    """
    Find acquisitions among the registered files, without reading them.

    An acquisition is known if every file of a dataset has the size and the time of change
    with which it was hashed, and nothing stands beside them in its folder.

    Parameters
    ----------
    places : sequence of (Path, IngestRule, Acquisition)
        Roots of stores, rules, and what was seen.

    Returns
    -------
    list of Known or None
        In the same order.
    """
    if not places:
        return []
    firsts = {key for _, _, one in places for key in _first_keys(one)}
    stores = {rule.store_id for _, rule, _ in places}
    datasets = _datasets_at(stores, firsts)
    files = _files_of(set(datasets.values()))
    return [_match(root, rule, one, datasets, files) for root, rule, one in places]


def dataset_at(rule: IngestRule, one: Acquisition) -> int | None:
    """Return the primary key of the dataset that is registered at a place."""
    found = _datasets_at({rule.store_id}, set(_first_keys(one)))
    return next(iter(found.values()), None)


def _first_keys(one: Acquisition) -> list[str]:
    """Name the files one of which stands first in the dataset of an acquisition."""
    if not one.is_folder:
        return [one.relative]
    by_number = min(one.entries, key=lambda entry: (len(entry.name), entry.name))
    return [f"{one.relative}/{entry.name}" for entry in (one.entries[0], by_number)]


def _datasets_at(stores: set[int], keys: set[str]) -> dict[tuple[int, str], int]:
    rows = DataFile.objects.filter(store__in=stores, key__in=keys, position=0)
    return {(store, key): pk for store, key, pk in rows.values_list("store", "key", "dataset")}


def _files_of(datasets: set[int]) -> dict[int, list[_Row]]:
    found: dict[int, list[_Row]] = defaultdict(list)
    names = ("dataset", "key", "size", "modified_ns", "position", "dataset__instrument")
    rows = DataFile.objects.filter(dataset__in=datasets) if datasets else DataFile.objects.none()
    for dataset, *values in rows.values_list(*names):
        found[dataset].append(_Row(*values))
    return found


def _match(
    root: Path,
    rule: IngestRule,
    one: Acquisition,
    datasets: dict[tuple[int, str], int],
    files: dict[int, list[_Row]],
) -> Known | None:
    found = [pk for key in _first_keys(one) if (pk := datasets.get((rule.store_id, key)))]
    if not found:
        return None
    rows = files[found[0]]
    is_whole = not one.is_folder or len(rows) == len(one.entries)
    entries = {row.key: _entry(root, row.key) for row in rows} if is_whole else {}
    is_same = is_whole and all(
        row.instrument == rule.instrument_id
        and (entries[row.key].size, entries[row.key].modified_ns) == (row.size, row.modified_ns)
        for row in rows
    )
    beside = [] if one.is_folder else [entries[row.key] for row in rows if row.position > 0]
    return Known(found[0], tuple(beside)) if is_same else None


def _entry(root: Path, key: str) -> Entry:
    try:
        status = os.lstat(f"{root}/{key}")
    except OSError:
        return Entry(key, -1, 0)
    return Entry(key, status.st_size, status.st_mtime_ns)
