import uuid

from django.db import models
from django.db.models import Q

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Retraction(models.Model):
    """A dataset was found wrong, and with it all that was made of it; another record undoes it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="retractions")
    reason = models.TextField()
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    undone_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=Q(undone_at__isnull=True),
                name="one_retraction_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.reason


class RetractionMark(models.Model):
    """A dataset stems from a retracted one: it is retracted as long as one mark stands."""

    retraction = models.ForeignKey(Retraction, models.CASCADE, related_name="marks")
    dataset = models.ForeignKey(
        Dataset, models.CASCADE, related_name="retraction_marks", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "retraction"], name="one_mark_per_retraction"
            )
        ]

    def __str__(self) -> str:
        return f"{self.dataset}: {self.retraction}"
