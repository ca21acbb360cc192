"""
Which bytes the rows of the database name, in stores that we write to.

Files come before the rows that name them and nothing is ever overwritten, so whatever a
row names is there. What no row names is left over and may go, a day later, if nobody is
just making a backup.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from catalogue.places import CONTENT
from catalogue.storage.content import content_key

_SQL = """
SELECT s.slug, f.key, f.sha256, f.size
  FROM catalogue_datafile AS f JOIN catalogue_store AS s ON s.id = f.store_id
 WHERE %(with_raw)s OR NOT s.read_only
UNION
SELECT s.slug, d.pid || '/' || f.path, f.sha256, f.size
  FROM processing_archivecopy AS a JOIN catalogue_store AS s ON s.id = a.store_id
  JOIN catalogue_dataset AS d ON d.id = a.dataset_id
  JOIN catalogue_datafile AS f ON f.dataset_id = d.id
 WHERE a.state = 'archived' AND NOT s.read_only
UNION
SELECT %(content)s, NULL, thumbnail, NULL FROM catalogue_dataset WHERE thumbnail <> ''
UNION
SELECT %(content)s, NULL, sha256, size FROM catalogue_attachment
"""


@dataclass(frozen=True)
class Holding:
    """A file that a row names; ``size`` in bytes is None where the row does not tell it."""

    store: str
    key: str
    sha256: str
    size: int | None


def list_holdings(*, with_raw: bool = False) -> Iterator[Holding]:
    """
    Yield every file that a row names, in flat memory; inside a transaction only.

    A file that two kinds of rows name, such as a picture, may come twice.

    Parameters
    ----------
    with_raw : bool
        Whether to name those in read-only stores as well.
    """
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SQL, {"content": CONTENT, "with_raw": with_raw})
        for store, key, sha256, size in cursor:
            yield Holding(store, key or content_key(sha256), sha256, size)
