"""From a declared store to the code that reads and writes it."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from django.db.models import QuerySet

from catalogue.errors import ChecksumError, RegistrationError, StoreError
from catalogue.models import DataFile
from catalogue.models import Store as StoreRow
from catalogue.storage import Store, open_store
from catalogue.storage.content import content_key, keep_bytes

CONTENT = "products"
"""Name of the store in which results and pictures lie under their sha256."""

_WRITERS = 8


def store_behind(row: StoreRow) -> Store:
    """Return the code for a declared store."""
    return open_store(row.slug, row.kind, row.root, read_only=row.read_only)


def content_store() -> StoreRow:
    """
    Return the store of results and pictures.

    Raises
    ------
    StoreError
        If no facility.toml has been applied yet.
    """
    row = StoreRow.objects.filter(slug=CONTENT).first()
    if row is None:
        raise StoreError(CONTENT, "is not declared yet. Run manage.py apply facility.toml.")
    return row


def raw_stores() -> QuerySet[StoreRow]:
    """
    Select the stores from which raw data are registered: those we never write to.

    What lies in the others are results, and copies of results, of people who may not
    be those who register.
    """
    return StoreRow.objects.filter(read_only=True).order_by("slug")


def content_folder() -> Path:
    return Path(content_store().root)


def local_path(file: DataFile) -> Path:
    """
    Return where a process on this machine opens a registered file.

    Raises
    ------
    StoreError
        If its store has no files on this machine, or the file is gone.
    """
    store = store_behind(file.store)
    path = store.local_path(file.key)
    if path is None or not path.is_file():
        raise StoreError(file.store.slug, f"{file.path} is not there. Restore it from a copy.")
    return path


def open_file(file: DataFile) -> BinaryIO:
    """
    Open a registered file for reading, whatever its store.

    Raises
    ------
    StoreError
        If it is not there just now.
    ChecksumError
        If it has changed since it was registered.
    """
    store = store_behind(file.store)
    if store.size(file.key) is None:
        raise StoreError(file.store.slug, f"{file.path} is gone. Ask the operator to restore it.")
    reader = store.open(file.key)
    try:
        require_unchanged(file, reader)
    except ChecksumError:
        reader.close()
        raise
    return reader


def require_unchanged(file: DataFile, reader: BinaryIO, found: str = "") -> None:
    """
    Refuse an open file that is no longer what was registered.

    Parameters
    ----------
    file : DataFile
        What is registered: size, and where files may change the time of their change.
    reader : BinaryIO
        The file; it stays where it is.
    found : str, optional
        The sha256 of its bytes, if somebody has read them all.

    Raises
    ------
    ChecksumError
        If anything differs.
    """
    place = reader.tell()
    size = reader.seek(0, os.SEEK_END)
    reader.seek(place)
    is_stamped = (
        file.modified_ns is None or os.fstat(reader.fileno()).st_mtime_ns == file.modified_ns
    )
    if size != file.size or not is_stamped or found not in {"", file.sha256}:
        raise ChecksumError(file.store.slug, file.path, expected=file.sha256, found=found)


def picture_path(sha256: str) -> Path:
    """Return where a thumbnail lies."""
    return content_folder() / content_key(sha256)


def keep_picture(picture: bytes, sha256: str) -> None:
    """
    Write a thumbnail to where ``picture_path`` finds it.

    Raises
    ------
    StoreError
        If the store of results is full or cannot be written.
    """
    keep_pictures({sha256: picture})


def keep_pictures(pictures: Mapping[str, bytes]) -> None:
    """
    Write thumbnails, several at once: each waits for the disk.

    Parameters
    ----------
    pictures : mapping of str to bytes
        By their sha256.

    Raises
    ------
    StoreError
        If the store of results is full or cannot be written.
    """
    if not pictures:
        return
    folder = content_folder()
    try:
        with ThreadPoolExecutor(min(len(pictures), _WRITERS)) as writers:
            list(writers.map(lambda it: keep_bytes(folder, it[1], it[0]), pictures.items()))
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise StoreError(CONTENT, f"{reason}. Ask the operator to make room or mend it.") from error


def locate(path: str, store: str) -> Path:
    """
    Return the place that somebody names, in words only: nothing is looked at.

    Raises
    ------
    RegistrationError
        If it cannot lie in a declared store.
    """
    given = PurePosixPath(path)
    if ".." in given.parts:
        raise RegistrationError("path", "The path contains '..'. Name the place directly.")
    if store:
        row = StoreRow.objects.filter(slug=store).first()
        if row is None:
            raise RegistrationError("store", f"There is no store {store}. Check its name.")
        if given.is_absolute():
            raise RegistrationError("path", "With a store, the path is relative to its root.")
        return Path(row.root) / given
    if not given.is_absolute():
        raise RegistrationError("store", "The path is relative. Name the store it starts from.")
    if not any(given.is_relative_to(row.root) for row in StoreRow.objects.all()):
        raise RegistrationError("path", "The path lies in no declared store. Name store and path.")
    return Path(given)
