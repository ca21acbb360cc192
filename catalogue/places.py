"""From a declared store to the code that reads and writes it."""

from pathlib import Path, PurePosixPath
from typing import BinaryIO

from django.db.models import QuerySet

from catalogue.errors import RegistrationError, StoreError
from catalogue.models import DataFile
from catalogue.models import Store as StoreRow
from catalogue.storage import Store, open_store
from catalogue.storage.content import content_key, keep_bytes

CONTENT = "products"
"""Name of the store in which results and pictures lie under their sha256."""


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
        If it is not there just now, or has not the size with which it was registered.
    """
    store = store_behind(file.store)
    if store.size(file.key) != file.size:
        reason = (
            f"{file.path} is gone or has changed since it was registered. "
            "Ask the operator to restore it."
        )
        raise StoreError(file.store.slug, reason)
    return store.open(file.key)


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
    try:
        keep_bytes(content_folder(), picture, sha256)
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
