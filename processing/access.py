"""Who may see which processing run: whoever may see everything that goes into it."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet

from catalogue.access import Person, visible_datasets
from processing.errors import UnknownProcessingRunError
from processing.models import ProcessingRun, RunInput


def visible_processing_runs(person: Person) -> QuerySet[ProcessingRun]:
    """Select the processing runs all of whose inputs a person may see, newest first."""
    hidden = RunInput.objects.filter(processing_run=OuterRef("pk")).exclude(
        dataset__in=visible_datasets(person)
    )
    runs = ProcessingRun.objects.filter(~Exists(hidden))
    return runs.select_related("recipe", "requested_by", "rule", "activity")


def get_processing_run(person: Person, uuid: str | UUID) -> ProcessingRun:
    """
    Return a processing run that the person may see.

    Raises
    ------
    UnknownProcessingRunError
        If there is none, or one of its inputs is hidden.
    """
    try:
        return visible_processing_runs(person).get(uuid=uuid)
    except (ProcessingRun.DoesNotExist, ValidationError) as error:
        raise UnknownProcessingRunError(str(uuid)) from error


def may_cancel(person: Person, run: ProcessingRun) -> bool:
    """Say whether a person may stop a run: who asked for it, or a data steward."""
    return person.is_authenticated and (
        run.requested_by_id == person.pk or bool(getattr(person, "is_data_steward", False))
    )
