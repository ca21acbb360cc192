"""Find out whose data a path holds, have it read, and register it: one path, or many."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from django.db import transaction

from catalogue.access import Person, registrable_instruments
from catalogue.description import Progress
from catalogue.errors import BusyError, CatalogueError, NotPermittedError, RefusedFileError
from catalogue.origins import Origins, Place, watch_expression
from catalogue.places import keep_pictures
from catalogue.readers.child import Wish, read_in_child
from catalogue.readers.pool import read_many
from catalogue.registration import RawDataset, Registered, register_found, register_raw

__all__ = ["Outcome", "register_path", "register_paths", "watch_expression"]

Outcome = tuple[Path, Registered | CatalogueError]
"""A path, and the dataset that it became, or why it did not."""

_MOST_READERS = 2
_turns = threading.BoundedSemaphore(_MOST_READERS)

_BATCH = 250  # datasets that are written at once
_LONGEST_WAIT_S = 5.0  # of a dataset that has been read, for others to be written with


def register_path(
    path: Path,
    *,
    person: Person | None,
    instrument: str = "",
    proposal: str = "",
    progress: Progress | None = None,
    whole: bool = False,
) -> Registered:
    """
    Register the file or folder at a path of a declared store.

    Parameters
    ----------
    path : Path
        Absolute; a NeXus/HDF5 file, a EuXFEL run folder, a PONI file or images.
    person : User, AnonymousUser or None
        Who registers; None is the operator at the command line, who may everything.
    instrument, proposal : str
        Slug and number. Where empty, the ingest rule that matches the path decides,
        then what the file itself says.
    progress : callable, optional
        Called with bytes done and bytes in all.
    whole : bool
        Refuse a file while one that it links to is not there; a person may know better.

    Raises
    ------
    RegistrationError, NotPermittedError, RefusedFileError, ContentChangedError, StoreError
        Nothing is registered then.
    """
    _refuse_outsiders(person)
    origins = Origins(person, instrument, proposal)
    place = origins.place(path)
    wish = _wish(place, whole=whole)
    with _turn_of(person):
        description = read_in_child(
            place.path, progress=progress, required=wish.required, whole=whole
        )
    wanted = origins.settle(place, description)
    with transaction.atomic():
        registered = register_raw(wanted.description, wanted.origin)
        if registered.is_new:
            _keep_pictures([wanted])
    return registered


def register_paths(
    paths: Iterable[Path],
    *,
    person: Person | None,
    instrument: str = "",
    proposal: str = "",
    progress: Progress | None = None,
    whole: bool = False,
) -> Iterator[Outcome]:
    """
    Register many files and folders: read at once by several children, written in batches.

    What is refused is refused alone; the others are registered.

    Parameters
    ----------
    paths : iterable of Path
        Absolute, as for ``register_path``.
    person, instrument, proposal, whole
        As for ``register_path``; they hold for all paths.
    progress : callable, optional
        Called with paths done and paths in all.

    Yields
    ------
    tuple of Path and Registered or CatalogueError
        Each as soon as it is decided, in no order.

    Raises
    ------
    NotPermittedError
        If this person may register nothing at all.
    """
    _refuse_outsiders(person)
    origins = Origins(person, instrument, proposal)
    places, refused = _find_places(origins, paths)
    total = len(places) + len(refused)
    with _turn_of(person):
        read = _read(origins, places, whole=whole)
        for done, outcome in enumerate(chain(refused, _register(read)), start=1):
            if progress:
                progress(done, total)
            yield outcome


_Found = tuple[Path, RawDataset | CatalogueError]


def _find_places(
    origins: Origins, paths: Iterable[Path]
) -> tuple[list[tuple[Path, Place]], list[Outcome]]:
    places: list[tuple[Path, Place]] = []
    refused: list[Outcome] = []
    for path in paths:
        try:
            places.append((path, origins.place(path)))
        except CatalogueError as error:
            refused.append((path, error))
    return places, refused


def _read(
    origins: Origins, places: Sequence[tuple[Path, Place]], *, whole: bool
) -> Iterator[_Found]:
    """Describe what lies at places, and decide whose it is."""
    named = {str(place.path): (path, place) for path, place in places}
    for wish, found in read_many(_wish(place, whole=whole) for _, place in places):
        path, place = named[wish.path]
        if isinstance(found, RefusedFileError):
            yield path, found
            continue
        try:
            wanted = origins.settle(place, found)
        except CatalogueError as error:
            yield path, error
        else:
            yield path, wanted


def _register(read: Iterable[_Found]) -> Iterator[Outcome]:
    """Write what was read in batches; what was refused passes by."""
    batch: list[tuple[Path, RawDataset]] = []
    begun = time.monotonic()
    for path, found in read:
        if isinstance(found, CatalogueError):
            yield path, found
            continue
        batch.append((path, found))
        if len(batch) >= _BATCH or time.monotonic() > begun + _LONGEST_WAIT_S:
            yield from _write(batch)
            batch, begun = [], time.monotonic()
    yield from _write(batch)


def _write(batch: Sequence[tuple[Path, RawDataset]]) -> list[Outcome]:
    wanted = [one for _, one in batch]
    try:
        with transaction.atomic():
            registered = register_found(wanted)
            _keep_pictures(
                one
                for one, outcome in zip(wanted, registered, strict=True)
                if isinstance(outcome, Registered) and outcome.is_new
            )
    except CatalogueError as error:  # the store of pictures is full
        return [(path, error) for path, _ in batch]
    return [(path, outcome) for (path, _), outcome in zip(batch, registered, strict=True)]


def _keep_pictures(registered: Iterable[RawDataset]) -> None:
    pictures = ((one.origin.thumbnail, one.description.thumbnail) for one in registered)
    keep_pictures({sha256: picture for sha256, picture in pictures if picture})


def _wish(place: Place, *, whole: bool) -> Wish:
    required = tuple(place.rule.required_fields) if place.rule else ()
    return Wish(str(place.path), required, whole)


@contextmanager
def _turn_of(person: Person | None) -> Iterator[None]:
    """Let few web requests read at once: a reader takes a core, the pages need the rest."""
    if person is None:
        yield
        return
    if not _turns.acquire(blocking=False):
        raise BusyError("read more files at once")
    try:
        yield
    finally:
        _turns.release()


def _refuse_outsiders(person: Person | None) -> None:
    """Tell nothing of what lies in the stores to people who may register nothing."""
    if person is None:
        return
    if not person.is_authenticated:
        raise NotPermittedError("register data", "a data steward for an account, or sign in")
    if not registrable_instruments(person).exists():
        raise NotPermittedError("register data", "the staff of its instrument, or a data steward")
