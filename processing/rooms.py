"""How much room the stores have, asked so that a dead disk cannot stop whoever asks."""

import os
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from catalogue.models import Store

_PATIENCE_S = 2.0
_lock = threading.Lock()
_threads: dict[int, threading.Thread] = {}  # a file system that hangs keeps its one thread
_rooms: dict[int, "Room"] = {}


@dataclass(frozen=True)
class Room:
    """
    A store's disk.

    Attributes
    ----------
    state : str
        "there", "not there", or "does not answer".
    is_writable : bool
        Whether this process may write, whatever facility.toml says.
    total, free : int
        Bytes; what a quota or root reserves is not free.
    """

    state: str
    is_writable: bool = False
    total: int = 0
    free: int = 0

    @property
    def used(self) -> int:
        return self.total - self.free


def look_at(stores: Iterable[Store]) -> dict[int, Room]:
    """
    Look at the disks of stores, all at once and for two seconds at most.

    Returns
    -------
    dict of int to Room
        By primary key.
    """
    asked = {store.pk: _ask(store) for store in stores}
    until = time.monotonic() + _PATIENCE_S
    for thread in asked.values():
        thread.join(max(0.0, until - time.monotonic()))
    return {
        pk: Room("does not answer") if thread.is_alive() else _rooms[pk]
        for pk, thread in asked.items()
    }


def _ask(store: Store) -> threading.Thread:
    """Begin to ask for a store's disk; where somebody asks already, wait with them."""
    with _lock:
        thread = _threads.get(store.pk)
        if thread is None or not thread.is_alive():
            thread = threading.Thread(target=_look, args=(store.pk, store.root), daemon=True)
            _threads[store.pk] = thread
            thread.start()
        return thread


def _look(pk: int, root: str) -> None:
    try:
        usage = shutil.disk_usage(root)
        is_writable = os.access(root, os.W_OK | os.X_OK)
    except OSError:
        _rooms[pk] = Room("not there")
    else:
        _rooms[pk] = Room("there", is_writable, usage.total, usage.free)
