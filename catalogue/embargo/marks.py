"""
What a retraction marks, and the tombstones that follow from all marks, set by set.

A dataset is retracted as long as a mark of a retraction that was not undone stands on it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from catalogue.access import Person, visible_datasets
from catalogue.lineage import DOWNWARDS
from catalogue.models import Dataset, Retraction

# Readers of a result may not see what it was made from: its stone names no dataset. The
# page does, to whom it may.
DERIVED = "It was made from data that were retracted."

_MARK = f"""{DOWNWARDS}
INSERT INTO catalogue_retractionmark (retraction_id, dataset_id)
SELECT %s, dataset_id FROM reached
"""  # noqa: S608 - our own texts

_BURY = """
INSERT INTO catalogue_tombstone (dataset_id, kind, reason, person_id, made_at)
SELECT m.dataset_id, 'retracted',
    CASE WHEN m.dataset_id = r.dataset_id THEN r.reason ELSE %(derived)s END, r.person_id, r.made_at
FROM catalogue_retractionmark AS m JOIN catalogue_retraction AS r ON r.id = m.retraction_id
WHERE r.id = %(retraction)s
ON CONFLICT (dataset_id) DO UPDATE SET reason = excluded.reason, person_id = excluded.person_id
-- Its own reason says more than that of an input; what is withdrawn stays so.
WHERE catalogue_tombstone.kind = 'retracted' AND excluded.reason <> %(derived)s
"""

_RAISE = """
DELETE FROM catalogue_tombstone AS t USING catalogue_retractionmark AS m
WHERE m.retraction_id = %s AND t.dataset_id = m.dataset_id AND t.kind = 'retracted'
AND NOT EXISTS (
    SELECT FROM catalogue_retractionmark AS o
    JOIN catalogue_retraction AS r ON r.id = o.retraction_id
    WHERE o.dataset_id = m.dataset_id AND r.undone_at IS NULL)
RETURNING t.dataset_id
"""

_REWORD = """
UPDATE catalogue_tombstone SET reason = %s WHERE dataset_id = %s AND kind = 'retracted'
"""


def mark(retraction: Retraction) -> list[int]:
    """Mark a dataset and all that stems from it, bury them; return their primary keys."""
    _run(_MARK, [retraction.dataset_id, retraction.pk])
    _run(_BURY, {"derived": DERIVED, "retraction": retraction.pk})
    return list(retraction.marks.values_list("dataset", flat=True))


def lift(retraction: Retraction) -> list[int]:
    """Let the marks of an undone retraction count no more; return who has no stone now."""
    raised = _run(_RAISE, [retraction.pk])
    # Where an input's retraction still stands, that is the reason now.
    _run(_REWORD, [DERIVED, retraction.dataset_id])
    return raised


def standing(dataset: Dataset) -> Retraction | None:
    """Return the retraction of this very dataset that was not undone."""
    return Retraction.objects.filter(dataset=dataset, undone_at__isnull=True).first()


def causes(person: Person, dataset: Dataset) -> list[Retraction]:
    """Return the retractions that a dataset inherits, of those inputs that a person sees."""
    standing = Retraction.objects.filter(marks__dataset=dataset, undone_at__isnull=True)
    inherited = standing.exclude(dataset=dataset).filter(dataset__in=visible_datasets(person))
    return list(inherited.select_related("dataset").order_by("made_at"))


def _run(sql: str, values: Sequence[Any] | dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []
