"""What a review has found, written down: only rows that say something else, all at once."""

import json
from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from processing.models import Product, ProductRule
from processing.products.reviewing import Finding
from processing.products.selecting import matching_datasets

# Two stewards at once write the same; the order of keys keeps them from locking each other.
# An order is for one time: what has become fresh without a run has fulfilled it, too.
_WRITE = """
INSERT INTO processing_product AS p (rule_id, subject_id, condition, reasons, detail, desired_key,
       processing_run_id, wanted_run_id, changed_at, pin_reason)
SELECT %s, t.*, clock_timestamp(), ''
  FROM unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::text[], %s::text[], %s::bigint[],
              %s::bigint[]) AS t
 WHERE EXISTS (SELECT FROM processing_productrule WHERE id = %s FOR KEY SHARE)
ON CONFLICT (rule_id, subject_id) DO UPDATE
   SET condition = excluded.condition, reasons = excluded.reasons, detail = excluded.detail,
       desired_key = excluded.desired_key, processing_run_id = excluded.processing_run_id,
       wanted_run_id = excluded.wanted_run_id, changed_at = excluded.changed_at,
       ordered_at = CASE WHEN excluded.condition NOT IN ('fresh', 'queued', 'running')
                         THEN p.ordered_at END
"""


def write(rule: ProductRule, findings: Sequence[Finding]) -> None:
    """Write the conditions of products, in one statement; of a rule that is gone, none."""
    if not findings:
        return
    columns = zip(
        *(
            (
                finding.row.pk,
                finding.verdict.condition,
                json.dumps(finding.verdict.reasons),
                finding.verdict.detail[:500],
                finding.desired,
                finding.processing_run,
                finding.wanted_run,
            )
            for finding in sorted(findings, key=lambda finding: finding.row.pk)
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [rule.pk, *map(list, columns), rule.pk])


def lost_products(rule: ProductRule) -> QuerySet[Product]:
    """Select the products whose subjects the rule no longer matches."""
    still = matching_datasets(rule).filter(pk=OuterRef("subject"))
    return Product.objects.filter(~Exists(still), rule=rule)


def note_orphans(rule: ProductRule) -> int:
    """
    Mark the products whose subjects the rule no longer matches; return how many are new.

    They are reported and never deleted by themselves; what was never made is forgotten.
    """
    lost = lost_products(rule)
    lost.filter(processing_run=None, wanted_run=None).delete()
    detail = "The rule no longer matches its subject. The result stays until a person removes it."
    return lost.exclude(condition=Product.Condition.ORPHANED).update(
        condition=Product.Condition.ORPHANED, reasons=[], detail=detail
    )


def note_wanted(rule: ProductRule, wanted: Iterable[tuple[int, int, str]]) -> None:
    """Write down what was asked for: subject, run and condition of each."""
    for subject, run, condition in wanted:
        Product.objects.filter(rule=rule, subject=subject).update(
            wanted_run=run, condition=condition, detail="", ordered_at=None
        )
