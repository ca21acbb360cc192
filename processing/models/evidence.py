import uuid

from django.db import models

from catalogue.models import Activity, User
from processing.models.run import ProcessingRun


class Replay(models.Model):
    """An old result was made again from its record alone, and compared."""

    class Verdict(models.TextChoices):
        IDENTICAL_BYTES = "identical-bytes", "identical bytes"
        IDENTICAL_CONTENT = "identical-content", "identical content"
        WITHIN_TOLERANCE = "equal-within-tolerance", "equal within tolerance"
        DIFFERENT = "different", "different"
        NOT_REPLAYABLE = "not-replayable", "cannot be replayed"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    original = models.ForeignKey(ProcessingRun, models.CASCADE, related_name="replays")
    # The run that did it; null where it could not even be queued.
    processing_run = models.OneToOneField(
        ProcessingRun, models.CASCADE, null=True, blank=True, related_name="replay"
    )
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )  # null: the steward's daily sample
    requested_at = models.DateTimeField(auto_now_add=True)
    verdict = models.CharField(max_length=25, choices=Verdict.choices, blank=True)  # "" : pending
    detail = models.JSONField(default=dict, blank=True)  # paths with their largest deviation
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.original}: {self.verdict or 'pending'}"


class Statement(models.Model):
    """
    What was done, signed by the facility: a DSSE envelope over an in-toto statement.

    Each names the digest of the one before, so that none can be taken out or slipped in.
    """

    activity = models.ForeignKey(
        Activity, models.PROTECT, null=True, blank=True, related_name="statements"
    )
    replay = models.ForeignKey(
        Replay, models.PROTECT, null=True, blank=True, related_name="statements"
    )
    envelope = models.TextField()
    digest = models.CharField(max_length=64, unique=True)  # sha256 of the envelope
    previous = models.CharField(max_length=64, blank=True, unique=True)
    signed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.digest
