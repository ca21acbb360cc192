"""What people add to a dataset after it was taken in."""

import uuid

from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Tombstone(models.Model):
    """A dataset was taken back; its page says why, its bytes are gone for readers."""

    class Kind(models.TextChoices):
        RETRACTED = "retracted", "retracted"  # it is wrong
        WITHDRAWN = "withdrawn", "withdrawn"  # it must not be shown, for legal reasons

    dataset = models.OneToOneField(
        Dataset, models.CASCADE, primary_key=True, related_name="tombstone"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.TextField()
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class Tag(models.Model):
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="tags")
    name = models.CharField(max_length=60)
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="one_tag_per_name")]
        indexes = [models.Index(fields=["name", "dataset"], name="tag_name")]

    def __str__(self) -> str:
        return self.name


class Note(models.Model):
    """Free text in a dataset's logbook; it stays as written."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="notes")
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=10_000)
    written_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written_at"]

    def __str__(self) -> str:
        return self.text[:60]


class QualityFlag(models.Model):
    """A judgement on the data; the latest one counts, the others are its history."""

    class Verdict(models.TextChoices):
        GOOD = "good", "good"
        SUSPECT = "suspect", "suspect"
        BAD = "bad", "bad"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="quality_flags")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.CharField(max_length=1000)
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    given_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-given_at"]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"


class Attachment(models.Model):
    """A picture, plot or document beside a dataset; its bytes lie in the content store."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    caption = models.CharField(max_length=500, blank=True)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at"]

    def __str__(self) -> str:
        return self.name
