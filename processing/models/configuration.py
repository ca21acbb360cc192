from django.db import models

from catalogue.models import User


class Configuration(models.Model):
    """
    One revision of what the facility has declared; a trigger refuses any change.

    The latest one counts. Every processing run names the one under which it was asked for.
    """

    class Source(models.TextChoices):
        FILE = "file", "a file"
        PAGE = "page", "a page"

    number = models.PositiveIntegerField(unique=True)
    text = models.TextField()  # the facility.toml as it was applied
    digest = models.CharField(max_length=64)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.FILE)
    applied_at = models.DateTimeField(auto_now_add=True)
    applied_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )  # null: from the command line
    changes = models.JSONField(default=list)  # lines, as plan has printed them
    recipes = models.JSONField(default=dict)  # rule -> version and environment, frozen
    steward = models.JSONField(default=dict)  # [steward]: interval, max_change, budgets
    limits = models.JSONField(default=dict)  # [limits]: quotas of people and proposals
    notifications = models.JSONField(default=dict)  # [notifications]: who hears of what

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"revision {self.number}"
