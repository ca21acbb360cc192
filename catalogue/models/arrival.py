from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.facility import IngestRule


class Arrival(models.Model):
    """
    One acquisition that a watch rule has seen: what became of it, and why.

    ``fingerprint`` tells whether its files still change; ``quiet_since`` is by our own
    clock, since clocks of detectors are wrong.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "still arriving"
        REGISTERED = "registered", "registered"
        QUARANTINED = "quarantined", "refused"
        DISMISSED = "dismissed", "set aside by a data steward"
        VANISHED = "vanished", "gone before it was complete"

    rule = models.ForeignKey(IngestRule, models.CASCADE, related_name="arrivals")
    key = models.CharField(max_length=1200)  # of its file or folder, inside the rule's store
    fingerprint = models.CharField(max_length=64)
    quiet_since = models.DateTimeField()
    seen_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    code = models.CharField(max_length=60, blank=True)  # file-incomplete, registration, ...
    reason = models.CharField(max_length=2000, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    dataset = models.ForeignKey(
        Dataset, models.SET_NULL, null=True, blank=True, related_name="arrivals"
    )

    class Meta:
        ordering = ["-seen_at"]
        constraints = [models.UniqueConstraint(fields=["rule", "key"], name="one_arrival_per_key")]
        indexes = [models.Index(fields=["state", "-seen_at"], name="arrival_state")]

    def __str__(self) -> str:
        return self.key
