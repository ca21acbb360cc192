"""Pictures of datasets that have none yet, or whose picture is gone from the store."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from django.db import transaction

from catalogue.description import Description
from catalogue.digests import dataset_digest
from catalogue.errors import CatalogueError
from catalogue.models import DataFile, Dataset
from catalogue.places import keep_picture, local_path, picture_path
from catalogue.readers.child import read_in_child

_FOLDERS = frozenset({"euxfel-run", "image-series"})
_NOTHING_TO_SEE = frozenset({"poni", "files"})  # a geometry is numbers; of others nothing is known

Outcome = Literal["made", "nothing to draw", "too large", "refused"]


@dataclass(frozen=True)
class Picture:
    """What became of one dataset; ``reason`` says why there is no picture."""

    dataset: Dataset
    outcome: Outcome
    reason: str = ""


def make_missing(largest: int) -> Iterator[Picture]:
    """
    Draw the pictures that are missing.

    Parameters
    ----------
    largest : int
        Bytes: larger datasets are left alone, since a picture is drawn only of files
        whose checksums are still those of the registration, so all of them are read.

    Yields
    ------
    Picture
        For each dataset without one, in the order of registration.
    """
    firsts = DataFile.objects.filter(position=0, dataset__tombstone__isnull=True)
    firsts = firsts.exclude(dataset__content__in=_NOTHING_TO_SEE)
    rows = firsts.select_related("dataset", "store").order_by("dataset")
    for file in rows.iterator(chunk_size=500):
        sha256 = file.dataset.thumbnail
        if not (sha256 and picture_path(sha256).is_file()):
            yield _make(file, largest)


def _make(file: DataFile, largest: int) -> Picture:
    dataset = file.dataset
    if dataset.size > largest:
        return Picture(dataset, "too large")
    try:
        found = read_in_child(_place(file))
        if not _is_same(found, file):
            return Picture(dataset, "refused", "Its files have changed since it was registered.")
        if found.thumbnail is None:
            return Picture(dataset, "nothing to draw")
        _keep(dataset, found.thumbnail)
    except CatalogueError as error:
        return Picture(dataset, "refused", str(error))
    return Picture(dataset, "made")


def _place(file: DataFile) -> Path:
    """Return the file to open, or the folder of a run or series."""
    place = local_path(file)
    if file.dataset.content not in _FOLDERS:
        return place
    return place.parents[file.path.count("/")]


def _is_same(found: Description, file: DataFile) -> bool:
    files = [(one.path, one.sha256) for one in found.files]
    if file.modified_ns is None:  # in the store of results it lies under another name
        return files[0][1] == file.sha256
    return dataset_digest(files) == file.dataset.digest


def _keep(dataset: Dataset, picture: bytes) -> None:
    with transaction.atomic():
        dataset.thumbnail = hashlib.sha256(picture).hexdigest()
        dataset.save(update_fields=["thumbnail"])
        keep_picture(picture, dataset.thumbnail)
