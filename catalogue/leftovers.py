"""
Files of the content store that no row names: what killed attempts have left.

Bytes come before the rows that name them and nothing is ever overwritten, so a file
without a row is either new or garbage. Results, thumbnails and attachments all lie
there; only what none of them names may go, and not while a backup reads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from catalogue.models import Store
from catalogue.places import CONTENT, content_folder

LOCK = 0x70616C696D
"""Advisory lock: who reads old bytes shares it, who removes some has it alone."""

_DAY_S = 24 * 3600.0

# Every table that names bytes of the content store; a test adds up all such columns.
_UNNAMED = """
SELECT sha256 FROM present AS p
 WHERE NOT EXISTS (SELECT FROM catalogue_datafile AS f WHERE f.sha256 = p.sha256)
   AND NOT EXISTS (SELECT FROM catalogue_attachment AS a WHERE a.sha256 = p.sha256)
   AND NOT EXISTS (SELECT FROM catalogue_dataset AS d WHERE d.thumbnail = p.sha256)
 ORDER BY 1
"""


@contextmanager
def keep_bytes_still(*, alone: bool) -> Iterator[bool]:
    """
    Let nobody remove old bytes meanwhile, or be the one who does.

    Parameters
    ----------
    alone : bool
        False for who reads, together with others; True for who removes.

    Yields
    ------
    bool
        Whether it was granted; nobody waits.
    """
    shared = "" if alone else "_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock{shared}(%s)", [LOCK])
        is_granted: bool = cursor.fetchone()[0]
    try:
        yield is_granted
    finally:
        if is_granted:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock{shared}(%s)", [LOCK])


def clear_store(older_than_s: float | None = None) -> int | None:
    """
    Remove what no row names.

    Parameters
    ----------
    older_than_s : float, optional
        Seconds that a file must have been in its place; by default two leases and a day,
        when nobody can be about to name it any more.

    Returns
    -------
    int or None
        Files removed; None if nothing was looked at because a backup is being made.
    """
    if older_than_s is None:
        older_than_s = 2 * settings.PALIMPSEST_LEASE_S + _DAY_S
    removed = 0
    with keep_bytes_still(alone=True) as is_granted:
        if not is_granted:
            return None
        for path in find_leftovers(older_than_s):
            if age_s(path) > older_than_s:  # looked at once more: it may have been taken up again
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def find_leftovers(older_than_s: float) -> list[Path]:
    """Return the files of the content store that no row names and that are old enough."""
    if not Store.objects.filter(slug=CONTENT).exists():
        return []
    present = content_folder().glob("store/??/*")
    old = (path for path in present if age_s(path) > older_than_s)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE present (sha256 text)")
        with cursor.cursor.copy("COPY present FROM STDIN") as copy:
            for path in old:
                copy.write_row([path.name])
        cursor.execute(_UNNAMED)
        left = [content_folder() / f"store/{name[:2]}/{name}" for (name,) in cursor.fetchall()]
        cursor.execute("DROP TABLE present")
    return left


def age_s(path: Path) -> float:
    """Return how long a file is in its place, 0 if it has just gone."""
    # Its time of change is that of its run; ctime is when it was moved here.
    try:
        known = path.stat()
    except FileNotFoundError:
        return 0.0
    return time.time() - max(known.st_ctime, known.st_mtime)
