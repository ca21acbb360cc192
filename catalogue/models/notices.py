"""Searches that people keep, and what the catalogue has to tell them."""

import uuid

from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class SavedSearch(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(User, models.CASCADE, related_name="saved_searches")
    name = models.CharField(max_length=200)
    query = models.CharField(max_length=2000)  # the address after the "?"
    wants_mail = models.BooleanField(default=True)
    paused = models.CharField(max_length=500, blank=True)  # why it does not run
    made_at = models.DateTimeField(auto_now_add=True)
    seen_up_to = models.DateTimeField()  # datasets registered or opened after that are news

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "query"], name="one_saved_search_per_query")
        ]

    def __str__(self) -> str:
        return self.name


class SearchMatch(models.Model):
    """A dataset that a saved search has told of, once for each reason."""

    class Kind(models.TextChoices):
        NEW = "new", "new"
        OPENED = "opened", "just opened"

    search = models.ForeignKey(SavedSearch, models.CASCADE, related_name="matches")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    found_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["search", "dataset", "kind"], name="one_match_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.dataset}"


class Notice(models.Model):
    """
    One sentence for one person, on their page and in the day's mail.

    It names a dataset only by reference: what they may see of it is asked again when
    the notice is shown or sent.
    """

    class Kind(models.TextChoices):
        REMINDER = "reminder", "an embargo ends soon"
        OPENED = "opened", "data have opened"
        REQUEST = "request", "somebody asks"
        DECISION = "decision", "a decision"
        MATCH = "match", "a saved search"
        FAILED = "failed", "a product failed"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(User, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    text = models.CharField(max_length=1000)
    dataset = models.ForeignKey(Dataset, models.CASCADE, null=True, blank=True, related_name="+")
    # Said once: "reminder 30 <date>" is not repeated by the next pass.
    once = models.CharField(max_length=200)
    made_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mail_wanted = models.BooleanField(default=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at"]
        constraints = [models.UniqueConstraint(fields=["person", "once"], name="said_once")]
        indexes = [
            models.Index(
                fields=["person"],
                name="notice_to_mail",
                condition=models.Q(mail_wanted=True, mailed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.text
