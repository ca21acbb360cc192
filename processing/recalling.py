"""Stop runs that work on what was retracted; any pass does, whenever it was retracted."""

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from catalogue.models import Tombstone
from processing.models import ProcessingRun, RunInput
from processing.ticket import Failure

State = ProcessingRun.State

_RETRACTED = Failure(
    reason="input",
    code="input-retracted",
    message="One of its inputs was retracted. Choose another one, then launch again.",
)


def cancel_retracted() -> int:
    """
    Cancel queued runs that use retracted data, and ask running ones to stop.

    Returns
    -------
    int
        How many; a second pass over the same catalogue finds none.
    """
    queued = _concerned().filter(state=State.QUEUED)
    ended = queued.update(
        state=State.CANCELLED,
        finished_at=Now(),
        cancel_requested=True,
        problem=_RETRACTED.model_dump(mode="json"),
    )
    running = _concerned().filter(state=State.RUNNING, cancel_requested=False)
    return ended + running.update(cancel_requested=True)


def _concerned() -> QuerySet[ProcessingRun]:
    """Select runs that would publish from what was taken back; a replay publishes nothing."""
    bad = RunInput.objects.filter(
        Exists(Tombstone.objects.filter(dataset=OuterRef("dataset"))),
        processing_run=OuterRef("pk"),
    )
    return ProcessingRun.objects.filter(Exists(bad), purpose=ProcessingRun.Purpose.PRODUCE)
