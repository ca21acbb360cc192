"""What of a row's neighbours a reader may see: everything else leaves as null."""

from collections.abc import Iterable

from catalogue.access import Person, visible_datasets
from processing.models import ProcessingRun


def results_of(run: ProcessingRun | None) -> set[int]:
    if run is None or run.activity is None:
        return set()
    return {result.dataset_id for result in run.activity.generated.all()}


def seen_of(person: Person, pks: Iterable[int]) -> set[int]:
    return set(visible_datasets(person).filter(pk__in=pks).values_list("pk", flat=True))
