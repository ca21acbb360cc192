"""What a data steward looks after: data that nobody will find, for want of metadata."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from catalogue.access import Person, visible_datasets
from catalogue.models import Dataset, Guard
from catalogue.permissions import require_steward

_OF_IT = OuterRef("pk")
_PROPOSALS = Guard.objects.filter(dataset=_OF_IT, proposal__isnull=False)
_SAMPLES = Dataset.samples.through.objects.filter(dataset=_OF_IT)
_TECHNIQUES = Dataset.techniques.through.objects.filter(dataset=_OF_IT)

# What a dataset may lack: words for the page, and how it shows.
LACKS: dict[str, tuple[str, Q]] = {
    "proposal": ("No proposal", ~Q(Exists(_PROPOSALS))),
    "sample": ("No sample", ~Q(Exists(_SAMPLES))),
    "technique": ("No technique", ~Q(Exists(_TECHNIQUES))),
    "end": ("No end of the measurement", Q(end_time__isnull=True)),
    "warnings": ("Warnings at registration", ~Q(warnings=[])),
}
MOST = 10_000  # that are counted exactly


def incomplete_datasets(person: Person, lack: str) -> QuerySet[Dataset]:
    """
    Select the datasets that lack something, those registered last first.

    Raises
    ------
    NotPermittedError
        If the person is no data steward.
    KeyError
        If nothing is called so.
    """
    steward = require_steward(person, "see what lacks metadata")
    found = visible_datasets(steward).filter(LACKS[lack][1], tombstone__isnull=True)
    return found.select_related("instrument").order_by("-registered_at", "pid")


def count_incomplete(person: Person) -> dict[str, int]:
    """Count what lacks each thing, up to one more than ``MOST``."""
    return {
        lack: incomplete_datasets(person, lack).order_by()[: MOST + 1].count() for lack in LACKS
    }
