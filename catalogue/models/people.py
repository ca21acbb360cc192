import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person, and the account they sign in with."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    full_name = models.CharField(max_length=200, blank=True)
    orcid = models.CharField(max_length=19, blank=True)
    # Opens every dataset of the facility and registers new ones.
    is_data_steward = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.full_name or self.username
