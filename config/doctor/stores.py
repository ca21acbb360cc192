"""Folders, room and bytes: what the stores hold against what the rows name."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import transaction

from catalogue.errors import StoreError
from catalogue.leftovers import clear_store, find_leftovers
from catalogue.models import Store as StoreRow
from catalogue.places import CONTENT, store_behind
from catalogue.storage import Store
from config.doctor.deployment import judge_clock
from config.doctor.finding import Finding, fail, ok, some, warn
from config.holdings import Holding, list_holdings

_SCARCE, _LITTLE = 10 << 30, 1 << 30  # bytes: a day's products, one product
_LEFT_FOR_S = 24 * 3600.0  # files come before their rows: a run may take that long


def look_at_stores() -> Iterator[Finding]:
    stores = list(StoreRow.objects.filter(kind="posix").order_by("slug"))
    if CONTENT not in {store.slug for store in stores}:
        yield warn("No store for results is declared.", "manage.py apply facility.toml")
    for store in stores:
        look = _look_into if store.read_only else _write_into
        try:
            yield from look(store.slug, Path(store.root))
        except OSError as error:
            act = "read" if store.read_only else "written"
            yield fail(
                f"Store {store.slug} cannot be {act}: {error.strerror}.",
                "Mount it, or give its folder to the account of the services.",
            )


def _look_into(slug: str, root: Path) -> Iterator[Finding]:
    with os.scandir(root) as entries:
        next(entries, None)
    yield ok(f"Store {slug} can be read.")


def _write_into(slug: str, root: Path) -> Iterator[Finding]:
    with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as probe:
        before = time.time()
        probe.write(b"written by manage.py doctor")
        probe.flush()
        os.fsync(probe.fileno())
        written = Path(probe.name).stat().st_mtime
    yield ok(f"Store {slug} can be written.")
    yield judge_clock(f"store {slug}", written - before)
    parts = [root / name for name in ("staging", "store") if (root / name).is_dir()]
    if len({part.stat().st_dev for part in parts}) > 1:
        yield fail(
            f"staging and store of {slug} lie on two file systems.",
            "Put both on one: a result appears by being renamed.",
        )


def look_at_room() -> Iterator[Finding]:
    for store in StoreRow.objects.filter(kind="posix", read_only=False).order_by("slug"):
        try:
            free = shutil.disk_usage(store.root).free
        except OSError:
            continue  # told above
        what = f"Store {store.slug} has room for {free / 2**30:.1f} GiB."
        how = "Make room, or move the store to a larger disk."
        if free >= _SCARCE:
            yield ok(what)
        else:
            yield fail(what, how) if free < _LITTLE else warn(what, how)


def look_for_missing() -> Iterator[Finding]:
    """Look whether every file that a row names is there, with its size."""
    rows = StoreRow.objects.filter(kind="posix")
    stores = {row.slug: store_behind(row) for row in rows if Path(row.root).is_dir()}
    looked_at = missing = 0
    named: list[str] = []
    with transaction.atomic():
        for holding in list_holdings(with_raw=True):
            if holding.store in stores:
                looked_at += 1
                if not _is_there(stores[holding.store], holding):
                    missing += 1
                    named = [*named[:2], f"{holding.store} {holding.key}"]
    if missing:
        what = f"{missing} of {looked_at} files that rows name are gone or cut off"
        how = "Put them back from a backup or an archive copy, under the same names."
        yield fail(f"{what}, such as {', '.join(named)}.", how)
    else:
        yield ok(f"All {looked_at} files that rows name are there.")


def _is_there(store: Store, holding: Holding) -> bool:
    try:
        size = store.size(holding.key)
    except StoreError:
        return False
    return size is not None and holding.size in {None, size}


def look_for_leftovers(older_than_s: float = _LEFT_FOR_S) -> Iterator[Finding]:
    left = find_leftovers(older_than_s)
    if left:
        size = sum(path.stat().st_size for path in left)
        yield warn(
            f"{len(left)} files of store {CONTENT} are named by no row ({size / 2**20:.1f} MiB): "
            f"{some([path.name for path in left])}.",
            "manage.py doctor --mend removes them.",
        )
    else:
        yield ok(f"Every file of store {CONTENT} is named by a row, or new.")


def remove_leftovers(older_than_s: float = _LEFT_FOR_S) -> str:
    """Remove what no row names, unless a backup is just being made."""
    removed = clear_store(older_than_s)
    if removed is None:
        return "Nothing was removed: a backup is being made. Try again after it."
    return f"{removed} files that no row names were removed."
