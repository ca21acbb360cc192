from django.db import models
from django.db.models.functions import Now

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Download(models.Model):
    """A person has taken a dataset home: they want to hear of it if it turns out wrong."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="downloads", db_index=False)
    person = models.ForeignKey(User, models.CASCADE, related_name="downloads")
    latest_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "person"], name="one_download_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.dataset}"
