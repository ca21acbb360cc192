"""From a declared store to the code that reads and writes it."""

from pathlib import Path

from catalogue.errors import StoreError
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
