"""How much a condition finds, roughly and at once: what is the best way depends on it."""

import json
from collections.abc import Sequence
from typing import Any

from catalogue.search.statement import Statement

FREQUENT = 20_000  # listings, of which an index lists as many as one cares to look at


def is_frequent(words: str) -> bool:
    """
    Guess whether words are frequent, by what PostgreSQL knows of those most used.

    Parameters
    ----------
    words : str
        As tsquery.
    """
    explained = Statement().add(
        "EXPLAIN (FORMAT JSON) SELECT FROM catalogue_listing AS l WHERE l.words @@ %s::tsquery",
        [words],
    )
    ((plans,),) = explained.rows()
    (found,) = json.loads(plans) if isinstance(plans, str) else plans
    return bool(found["Plan"]["Plan Rows"] > FREQUENT)


def finds_at_most(rows: str, values: Sequence[Any], most: int) -> bool:
    """Say whether a query finds no more than so many rows; it is not asked for others."""
    some = f"SELECT FROM ({rows}) AS f LIMIT {most + 1}"
    ((number,),) = Statement().add(f"SELECT count(*) FROM ({some}) AS f", values).rows()
    return bool(number <= most)
