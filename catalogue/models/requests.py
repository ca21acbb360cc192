"""What people ask for about closed data, and who may read one dataset as a guest."""

import uuid

from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Request(models.Model):
    """A wish that somebody else decides."""

    class Kind(models.TextChoices):
        ACCESS = "access", "access to a closed dataset"
        EXTENSION = "extension", "a longer embargo"
        RELEASE = "release", "an early release"

    class State(models.TextChoices):
        OPEN = "open", "waiting for a decision"
        GRANTED = "granted", "granted"
        REFUSED = "refused", "refused"
        LAPSED = "lapsed", "not decided in time"
        TAKEN_BACK = "taken_back", "taken back"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="requests")
    person = models.ForeignKey(User, models.CASCADE, related_name="requests")
    reason = models.TextField(max_length=2000)
    filed_at = models.DateTimeField(auto_now_add=True)
    # An early release by team rule takes effect then, if nobody objects.
    due_on = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(max_length=2000, blank=True)

    class Meta:
        ordering = ["-filed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "dataset", "person"],
                name="one_open_request",
                condition=models.Q(state="open"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.person}"


class Guest(models.Model):
    """Somebody outside the team who may read one closed dataset until a day."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="guests")
    person = models.ForeignKey(User, models.CASCADE, related_name="guest_of")
    valid_to = models.DateField()  # the last day
    granted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    request = models.OneToOneField(Request, models.SET_NULL, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "person"], name="one_visit_per_guest")
        ]

    def __str__(self) -> str:
        return f"{self.person} until {self.valid_to}"
