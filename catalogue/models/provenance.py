import uuid

from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Activity(models.Model):
    """
    What was done, with what, by whom: PROV's activity. A trigger refuses any change.

    It may stem from taking data, from our engine, or from software elsewhere that
    registers by REST; the catalogue does not care which.
    """

    class Kind(models.TextChoices):
        ACQUISITION = "acquisition", "acquisition"
        PROCESSING = "processing", "processing"

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    title = models.CharField(max_length=500)
    recipe = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=40, blank=True)
    run_key = models.CharField(max_length=64, blank=True)
    key_document = models.TextField(blank=True)  # canonical JSON, never rebuilt from jsonb
    parameters = models.JSONField(default=dict, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    # Role -> the rule that picked its dataset, the dataset, and when that was decided.
    resolution = models.JSONField(default=dict, blank=True)
    configuration = models.CharField(max_length=64, blank=True)  # sha256 of the facility.toml
    person = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "activities"
        indexes = [models.Index(fields=["run_key"], name="activity_run_key")]

    def __str__(self) -> str:
        return self.title


class Used(models.Model):
    activity = models.ForeignKey(Activity, models.CASCADE, related_name="used")
    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="used_by")
    role = models.CharField(max_length=60)

    class Meta:
        verbose_name_plural = "used"
        indexes = [
            models.Index(fields=["dataset", "activity"], name="used_forward"),
            models.Index(fields=["activity", "dataset"], name="used_backward"),
        ]

    def __str__(self) -> str:
        return f"{self.activity} used {self.dataset}"


class Generated(models.Model):
    activity = models.ForeignKey(Activity, models.CASCADE, related_name="generated")
    # One-to-one: a dataset is generated once.
    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="generated_by")
    role = models.CharField(max_length=60)

    class Meta:
        verbose_name_plural = "generated"
        indexes = [models.Index(fields=["activity", "dataset"], name="generated_forward")]

    def __str__(self) -> str:
        return f"{self.activity} generated {self.dataset}"
