"""Who may see which processing run: whoever everything that goes into it is open to."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet

from catalogue.access import Person, cleared_datasets
from catalogue.models import Generated
from processing.errors import UnknownProcessingRunError
from processing.models import Interest, ProcessingRun, RunInput


def visible_processing_runs(person: Person) -> QuerySet[ProcessingRun]:
    """
    Select the processing runs all of whose inputs are open to a person, newest first.

    Logs and plots tell of the data, so it is not enough to see the pages of the inputs.
    """
    # Asked input by input: "not in" would judge all datasets that there are.
    cleared = cleared_datasets(person).filter(pk=OuterRef("dataset"))
    hidden = RunInput.objects.filter(~Exists(cleared), processing_run=OuterRef("pk"))
    runs = ProcessingRun.objects.filter(~Exists(hidden))
    return runs.select_related("recipe", "requested_by", "rule", "activity")


def get_processing_run(person: Person, uuid: str | UUID) -> ProcessingRun:
    """
    Return a processing run that the person may see.

    Raises
    ------
    UnknownProcessingRunError
        If there is none, or one of its inputs is closed.
    """
    try:
        return visible_processing_runs(person).get(uuid=uuid)
    except (ProcessingRun.DoesNotExist, ValidationError) as error:
        raise UnknownProcessingRunError(str(uuid)) from error


def are_results_open(person: Person, run: ProcessingRun) -> bool:
    """
    Say whether all results of a run are open to a person who sees the run.

    A result may have been withdrawn, or closed by a ruling of its own.
    """
    made = set(Generated.objects.filter(activity=run.activity_id).values_list("dataset", flat=True))
    return cleared_datasets(person).filter(pk__in=made).count() == len(made)


def may_cancel(person: Person, run: ProcessingRun) -> bool:
    """Say whether a person may stop a run: whoever still wants it, or a data steward."""
    if not person.is_authenticated:
        return False
    return bool(getattr(person, "is_data_steward", False)) or (
        Interest.objects.filter(processing_run=run, person_id=person.pk).exists()
    )
