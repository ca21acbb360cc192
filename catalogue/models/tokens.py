import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from knox.models import AbstractAuthToken

from catalogue.models.people import User


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no types
    """
    A machine's key to REST, cut to scopes; only its digest is stored.

    ``expiry`` is its end, ``created`` its beginning, ``token_key`` its first letters.
    """

    class Scope(models.TextChoices):
        READ = "read", "read what I may read"
        INGEST = "ingest", "register and edit datasets"
        PROCESS = "process", "launch and cancel processing runs"
        ARCHIVE = "archive", "ask for archive copies"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.name


class ClientCall(models.Model):
    """
    A call that created something, by the key that its client gave it.

    The same key again gets the same answer; with another body it is refused.
    """

    person = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # of the body
    answer = models.JSONField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "key"], name="one_answer_per_key")]

    def __str__(self) -> str:
        return self.key
