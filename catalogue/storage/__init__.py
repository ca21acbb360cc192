"""Where bytes are: one protocol, and an implementation for each kind of place."""

from pathlib import Path

from catalogue.errors import StoreError
from catalogue.storage.base import Store
from catalogue.storage.local import LocalStore

__all__ = ["Store", "open_store"]


def open_store(slug: str, kind: str, root: str, *, read_only: bool = False) -> Store:
    """
    Return the code for a declared store.

    Raises
    ------
    StoreError
        If no code knows its kind.
    """
    if kind == "posix":
        return LocalStore(slug, Path(root), read_only=read_only)
    raise StoreError(slug, f"kind {kind!r} is not known here; use posix")
