"""Keep the ledger of listings short; its sums are the same before and after."""

from django.db import connection, transaction

# What is public already needs no day of its own any more.
_PAST = "TIMESTAMPTZ '1970-01-01 00:00+00'"
_IS_FOLDED = f"listed_at = {_PAST} AND (opens_at = {_PAST} OR opens_at > now() OR opens_at IS NULL)"

_FOLD = f"""
WITH gone AS (
    DELETE FROM catalogue_listingcount WHERE {{which}}
    RETURNING combination_id, listed_at, opens_at, datasets)
INSERT INTO catalogue_listingcount (combination_id, listed_at, opens_at, datasets)
SELECT combination_id, CASE WHEN listed_at <= now() THEN {_PAST} ELSE listed_at END,
    CASE WHEN opens_at <= now() THEN {_PAST} ELSE opens_at END, sum(datasets)
FROM gone GROUP BY 1, 2, 3 HAVING sum(datasets) <> 0
"""

_RECOUNT = """
DELETE FROM catalogue_listingcount;
INSERT INTO catalogue_listingcount (combination_id, listed_at, opens_at, datasets)
SELECT combination_id, listed_at, opens_at, count(*) FROM catalogue_listing GROUP BY 1, 2, 3;
"""

_DIFFERENCES = """
SELECT count(*) FROM (
    SELECT combination_id, listed_at <= now() AS is_listed, opens_at <= now() AS is_open,
        sum(datasets) AS datasets
    FROM (SELECT combination_id, listed_at, opens_at, datasets FROM catalogue_listingcount
          UNION ALL
          SELECT combination_id, listed_at, opens_at, -count(*) FROM catalogue_listing
          GROUP BY 1, 2, 3) AS both_sides
    GROUP BY 1, 2, 3) AS sums
WHERE datasets <> 0
"""

_MARK = """
UPDATE catalogue_listing
SET is_listed = coalesce(listed_at <= statement_timestamp(), FALSE),
    is_open = coalesce(opens_at <= statement_timestamp(), FALSE)
WHERE NOT is_listed AND listed_at <= statement_timestamp()
    OR NOT is_open AND opens_at <= statement_timestamp()
"""


@transaction.atomic
def fold() -> None:
    """
    Add up what lies in the past, and mark what has been listed or opened since the last time.

    It may run at any time, also twice at once, or never: only the speed depends on it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARK)
        cursor.execute(
            "SELECT bool_or(listed_at <= now() AND NOT coalesce("
            f"{_IS_FOLDED}, FALSE)), bool_or(datasets < 0) FROM catalogue_listingcount"
        )
        (is_past_due, has_negative) = cursor.fetchone()
        if has_negative:
            cursor.execute(_FOLD.format(which="TRUE"))
        elif is_past_due:
            cursor.execute(_FOLD.format(which="listed_at <= now()"))


@transaction.atomic
def recount() -> None:
    """Write the ledger anew from the listings; nobody may write them meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE catalogue_listing IN SHARE MODE")
        cursor.execute(_RECOUNT)


def count_differences() -> int:
    """Return of how many combinations the ledger says something else than the listings."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES)
        return int(cursor.fetchone()[0])
