"""Derived datasets into a store of their own: an outbox with lease and proof."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from catalogue.errors import ChecksumError, StoreError
from catalogue.models import DataFile, Dataset, Generated
from catalogue.places import local_path, store_behind
from processing.models import ArchiveCopy, ProductRule

_log = logging.getLogger(__name__)

_LEASE_S = 60
_FIRST_WAIT_S = 5
_LONGEST_WAIT_S = 3600

_CLAIM = """
UPDATE processing_archivecopy
   SET state = 'copying', fence = fence + 1, attempt = attempt + 1,
       lease_until = clock_timestamp() + %s * interval '1 second'
 WHERE id = (SELECT id FROM processing_archivecopy
              WHERE (state = 'waiting' AND not_before <= clock_timestamp())
                 OR (state = 'copying' AND lease_until < clock_timestamp())
              ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, fence
"""
_BEAT = """
UPDATE processing_archivecopy
   SET lease_until = clock_timestamp() + %s * interval '1 second', files_done = %s, bytes_done = %s
 WHERE id = %s AND fence = %s AND state = 'copying' RETURNING id
"""


@dataclass(frozen=True)
class _Held:
    copy_id: int
    fence: int


def request_copies(rule: ProductRule) -> int:
    """Note in the outbox that what a rule's products are made of belongs into its archive."""
    if rule.archive is None:
        return 0
    made = Generated.objects.filter(
        activity__processing_run__products__rule=rule, dataset__tombstone=None
    )
    there = ArchiveCopy.objects.filter(store=rule.archive, dataset=OuterRef("dataset"))
    missing = made.filter(~Exists(there)).values_list("dataset", flat=True).distinct()
    rows = [ArchiveCopy(dataset_id=pk, store=rule.archive) for pk in missing]
    return len(ArchiveCopy.objects.bulk_create(rows, ignore_conflicts=True, batch_size=5_000))


def archive_key(dataset: Dataset, file: DataFile) -> str:
    """Return where a file lies in an archive: by identifier, so that nothing moves later."""
    return f"{dataset.pid}/{file.path}"


def copy_due() -> int:
    """Copy what waits in the outbox, one dataset after another; return how many arrived."""
    arrived = 0
    while held := _claim():
        copy = ArchiveCopy.objects.select_related("dataset", "store").get(pk=held.copy_id)
        try:
            arrived += _copy(held, copy)
        except StoreError as error:
            _log.warning("Archiving %s: %s", copy.dataset.pid, error)
            _put_back(held, copy, error)
    return arrived


def _claim() -> _Held | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_LEASE_S])
        row = cursor.fetchone()
    return _Held(*row) if row else None


def _copy(held: _Held, copy: ArchiveCopy) -> bool:
    """Copy a dataset's files; each is proved before the next one starts."""
    store = store_behind(copy.store)
    beats = _Beats(held)
    try:
        for file in copy.dataset.files.select_related("store"):
            key = archive_key(copy.dataset, file)
            store.put(local_path(file), key, sha256=file.sha256, on_block=beats.keep)
            beats.files_done += 1
            beats.bytes_done += file.size
            beats.beat()
    except _LostError:
        return False  # somebody else goes on with it
    mine = ArchiveCopy.objects.filter(pk=held.copy_id, fence=held.fence)
    return bool(
        mine.update(
            state=ArchiveCopy.State.ARCHIVED, lease_until=None, problem="", archived_at=Now()
        )
    )


class _LostError(Exception):
    """Another steward has taken the copy over."""


@dataclass
class _Beats:
    """Keeps the lease of a copy while its bytes move."""

    held: _Held
    files_done: int = 0
    bytes_done: int = 0
    next_beat: float = 0.0

    def keep(self) -> None:
        """Beat if it is time to."""
        if time.monotonic() >= self.next_beat:
            self.beat()

    def beat(self) -> None:
        with connection.cursor() as cursor:
            values = [self.files_done, self.bytes_done, self.held.copy_id, self.held.fence]
            cursor.execute(_BEAT, [_LEASE_S, *values])
            if cursor.fetchone() is None:
                raise _LostError
        self.next_beat = time.monotonic() + _LEASE_S / 4


def _put_back(held: _Held, copy: ArchiveCopy, error: StoreError) -> None:
    """Try again later, ever later; bytes that have changed are a person's matter."""
    is_final = isinstance(error, ChecksumError)
    wait = min(_FIRST_WAIT_S * 2 ** min(copy.attempt, 12), _LONGEST_WAIT_S)
    ArchiveCopy.objects.filter(pk=held.copy_id, fence=held.fence).update(
        state=ArchiveCopy.State.FAILED if is_final else ArchiveCopy.State.WAITING,
        lease_until=None,
        problem=str(error)[:500],
        not_before=Now() + timedelta(seconds=wait),
    )
