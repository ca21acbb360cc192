from django.db import models
from django.db.models.functions import Now

from catalogue.models import Dataset, Store


class ArchiveCopy(models.Model):
    """The outbox of the archive: one derived dataset that has to be in one store."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        COPYING = "copying", "copying"
        ARCHIVED = "archived", "archived"
        FAILED = "failed", "failed"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="archive_copies")
    store = models.ForeignKey(Store, models.PROTECT)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempt = models.SmallIntegerField(default=0)
    fence = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(db_default=Now())
    files_done = models.PositiveIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "archive copies"
        constraints = [
            models.UniqueConstraint(fields=["dataset", "store"], name="one_copy_per_store")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} in {self.store}"
