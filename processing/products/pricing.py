"""
What it would cost to make products: from what the same recipe has cost before.

Without history the recipe itself may estimate; else cores times walltime is the bound.
"""

from dataclasses import dataclass

from django.db import connection

from processing.models import ProductRule
from processing.submission import read_manifest

_LOOKED_AT = 1_000  # latest runs: a recipe that became faster soon costs less

_HISTORY = """
SELECT count(*),
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY t.cpu_s / t.bytes_in),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.bytes_out / t.bytes_in)
  FROM (SELECT (r.usage ->> 'cpu_seconds')::float AS cpu_s,
               greatest((SELECT sum(d.size) FROM processing_runinput i
                           JOIN catalogue_dataset d ON d.id = i.dataset_id
                          WHERE i.processing_run_id = r.id AND i.role = %s), 1)::float AS bytes_in,
               coalesce((SELECT sum(d.size) FROM catalogue_generated g
                           JOIN catalogue_dataset d ON d.id = g.dataset_id
                          WHERE g.activity_id = r.activity_id), 0)::float AS bytes_out
          FROM processing_processingrun r
          JOIN processing_recipe c ON c.id = r.recipe_id
         WHERE c.name = %s AND r.state = 'succeeded' AND r.purpose = 'produce'
           AND r.usage ->> 'cpu_seconds' IS NOT NULL
         ORDER BY r.id DESC LIMIT %s) t
"""


@dataclass(frozen=True)
class Rates:
    """
    What one byte of a subject costs, and where that is known from.

    ``core_s`` and ``core_s_p90`` are core-seconds per byte of the subject, ``bytes_out``
    bytes written per byte of it; of an upper bound ``core_s_per_run`` counts instead.
    """

    source: str
    core_s: float = 0.0
    core_s_p90: float = 0.0
    bytes_out: float = 0.0
    core_s_per_run: float = 0.0

    def price(self, runs: int, bytes_in: int) -> "Price":
        return Price(
            self.source,
            (self.core_s * bytes_in + self.core_s_per_run * runs) / 3600,
            (self.core_s_p90 * bytes_in + self.core_s_per_run * runs) / 3600,
            round(self.bytes_out * bytes_in),
        )


@dataclass(frozen=True)
class Price:
    """Core-hours, usual and at the 90th percentile, and bytes that would be written."""

    source: str
    core_hours: float
    core_hours_p90: float
    bytes_out: int


def rates_of(rule: ProductRule) -> Rates:
    """Say what a rule's recipe costs."""
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [rule.subject, rule.recipe.name, _LOOKED_AT])
        count, core_s, bytes_out = cursor.fetchone()
    if count:
        median, p90 = core_s
        return Rates(f"history, median of {count}", median, p90, bytes_out)
    limits = read_manifest(rule.recipe).resources
    bound = limits.cores * limits.walltime_s
    return Rates("upper bound, cores times walltime: there is no history", core_s_per_run=bound)
