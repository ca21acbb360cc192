import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models

from catalogue.identifiers import check_orcid, check_ror


class Affiliation(models.Model):
    """Where a person works."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=300)
    ror = models.URLField(blank=True, validators=[check_ror])
    address = models.CharField(max_length=500, blank=True)
    city = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "city"], name="one_affiliation_per_city")
        ]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox has no types
    """A person, and the account they sign in with."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    full_name = models.CharField(max_length=200, blank=True)
    orcid = models.CharField(max_length=19, blank=True, validators=[check_orcid])
    affiliations = models.ManyToManyField(Affiliation, blank=True, related_name="people")
    # Opens every dataset of the facility and registers new ones.
    is_data_steward = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.full_name or self.username
