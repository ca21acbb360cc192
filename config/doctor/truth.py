"""What was counted and copied for speed, against the rows it stands for."""

from collections.abc import Iterator

from django.db import connection

from catalogue.embargo.dates import settle
from catalogue.indexing import reindex
from catalogue.search import ledger
from config.doctor.finding import Finding, fail, ok

_HOW = "manage.py doctor --mend"
_AT_ONCE = 10_000

# The dates of all guards of a dataset, as instants in the zone of its facility.
_DATES = """
SELECT d.id FROM catalogue_dataset AS d JOIN catalogue_facility AS f ON f.id = d.facility_id
LEFT JOIN (
    SELECT dataset_id, bool_or(opens_on IS NULL) AS never_opens, max(opens_on) AS opens_on,
        bool_or(listed_on IS NULL) AS never_listed, max(listed_on) AS listed_on
      FROM catalogue_guard GROUP BY dataset_id
) AS g ON g.dataset_id = d.id
WHERE d.opens_at IS DISTINCT FROM
      CASE WHEN NOT g.never_opens THEN g.opens_on::timestamp AT TIME ZONE f.timezone END
   OR d.listed_at IS DISTINCT FROM
      CASE WHEN NOT g.never_listed THEN g.listed_on::timestamp AT TIME ZONE f.timezone END
"""

_LISTINGS = """
SELECT coalesce(d.id, l.dataset_id)
FROM catalogue_dataset AS d
JOIN catalogue_facility AS f ON f.id = d.facility_id
LEFT JOIN catalogue_tombstone AS t ON t.dataset_id = d.id
LEFT JOIN catalogue_listing AS l ON l.dataset_id = d.id
LEFT JOIN catalogue_combination AS c ON c.id = l.combination_id
WHERE (t.dataset_id IS NULL) <> (l.dataset_id IS NOT NULL)
   OR l.dataset_id IS NOT NULL AND (
      (l.pid, l.listed_at, l.opens_at) IS DISTINCT FROM (d.pid, d.listed_at, d.opens_at)
   OR l.is_listed AND NOT coalesce(d.listed_at <= now(), false)
   OR l.is_open AND NOT coalesce(d.opens_at <= now(), false)
   OR (c.facility_id, c.instrument_id, c.kind, c.content, c.year, c.techniques) IS DISTINCT FROM (
      d.facility_id, d.instrument_id, d.kind, d.content,
      extract(year FROM d.start_time AT TIME ZONE f.timezone)::smallint,
      ARRAY(SELECT x.technique_id FROM catalogue_dataset_techniques AS x
             WHERE x.dataset_id = d.id ORDER BY 1)))
"""


def compare_dates() -> Iterator[Finding]:
    wrong = _ask(_DATES)
    if wrong:
        yield fail(f"{len(wrong)} datasets open on other days than their guards say.", _HOW)
    else:
        yield ok("Every dataset opens on the day of its guards.")


def settle_dates() -> str:
    """Carry the guards' dates to the datasets, as after any decision."""
    wrong = _ask(_DATES)
    for start in range(0, len(wrong), _AT_ONCE):
        settle(wrong[start : start + _AT_ONCE])
    return f"The dates of {len(wrong)} datasets were taken from their guards."


def compare_listings() -> Iterator[Finding]:
    wrong = _ask(_LISTINGS)
    if wrong:
        yield fail(f"{len(wrong)} datasets are listed otherwise than they are.", _HOW)
    else:
        yield ok("Lists and searches know every dataset as it is.")


def relist() -> str:
    """Write the listings that differ anew."""
    wrong = _ask(_LISTINGS)
    for start in range(0, len(wrong), _AT_ONCE):
        reindex(wrong[start : start + _AT_ONCE])
    return f"{len(wrong)} datasets were listed anew."


def compare_ledger() -> Iterator[Finding]:
    apart = ledger.count_differences()
    if apart:
        yield fail(f"{apart} sums of the ledger differ from a plain count.", _HOW)
    else:
        yield ok("The ledger agrees with a plain count.")


def recount() -> str:
    """Replace the ledger by a plain count, while nobody writes."""
    ledger.recount()
    return "The ledger was replaced by a plain count."


def _ask(sql: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()]
