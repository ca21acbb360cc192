import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from catalogue.identifiers import check_ror
from catalogue.models.people import User


class Facility(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    ror = models.URLField(blank=True, validators=[check_ror])
    timezone = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "facilities"

    def __str__(self) -> str:
        return self.name


class Technique(models.Model):
    """
    A term of PaNET, the ontology of photon and neutron techniques, or a local one.

    ``ancestors`` is the closure of the hierarchy and holds the term itself.
    """

    pid = models.CharField(max_length=40, unique=True)  # PaNET01216
    name = models.CharField(max_length=200)
    synonyms = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # PaNET's upper terms ("diffraction process"): no technique, but named by people.
    is_concept = models.BooleanField(default=False)
    is_obsolete = models.BooleanField(default=False)  # gone from the official list
    ancestors = models.ManyToManyField("self", symmetrical=False, related_name="descendants")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def iri(self) -> str:
        is_local = not self.pid.startswith("PaNET")
        return "" if is_local else f"http://purl.org/pan-science/PaNET/{self.pid}"


class Vocabulary(models.Model):
    """Whose list of terms was loaded last, and which edition."""

    name = models.CharField(max_length=40, unique=True)
    credit = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    loaded_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "vocabularies"

    def __str__(self) -> str:
        return self.name


class Instrument(models.Model):
    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    identifier = models.CharField(max_length=200, blank=True)  # a DOI or handle, by PIDINST
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="instruments")
    techniques = models.ManyToManyField(Technique, blank=True)
    staff = models.ManyToManyField(User, blank=True, related_name="instruments")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Store(models.Model):
    """A place for bytes, as declared; the code behind it is in ``catalogue.storage``."""

    slug = models.SlugField(unique=True)
    kind = models.CharField(max_length=20)
    root = models.CharField(max_length=1000)
    read_only = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.slug


class EmbargoPolicy(models.Model):
    """How long data stay closed, and who may change that; periods go by the calendar."""

    class Metadata(models.TextChoices):
        AT_END = "at_end", "public from the end of the measurement"
        AT_RELEASE = "at_release", "public with the data"
        NEVER = "never", "for the team only"

    class EarlyRelease(models.TextChoices):
        PI = "pi", "the principal investigator decides"
        TEAM = "team", "the team may object for two weeks"

    class Products(models.TextChoices):
        INHERIT = "inherit", "open with the last of their inputs"
        RELEASABLE = "releasable", "may open before their inputs"

    slug = models.SlugField(unique=True)
    months = models.PositiveSmallIntegerField()
    starts_with = models.CharField(max_length=30)
    licence = models.CharField(max_length=40)  # SPDX, once open
    metadata = models.CharField(
        max_length=20, choices=Metadata.choices, default=Metadata.AT_RELEASE
    )
    extension_months = models.PositiveSmallIntegerField(default=12)
    extension_times = models.PositiveSmallIntegerField(default=1)
    extension_notice_days = models.PositiveSmallIntegerField(default=14)
    early_release = models.CharField(
        max_length=10, choices=EarlyRelease.choices, default=EarlyRelease.PI
    )
    products = models.CharField(max_length=20, choices=Products.choices, default=Products.INHERIT)
    proprietary = models.BooleanField(default=False)  # paid beamtime: no date
    remind_days = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    retention_months = models.PositiveSmallIntegerField(default=120)

    class Meta:
        verbose_name_plural = "embargo policies"

    def __str__(self) -> str:
        return self.slug


class IngestRule(models.Model):
    """Where an instrument's data appear, and when they are complete."""

    slug = models.SlugField(unique=True)
    instrument = models.ForeignKey(Instrument, models.CASCADE, related_name="ingest_rules")
    store = models.ForeignKey(Store, models.PROTECT)
    watch = models.CharField(max_length=500)
    technique = models.ForeignKey(Technique, models.PROTECT, null=True, blank=True)
    policy = models.ForeignKey(EmbargoPolicy, models.PROTECT)
    required_fields = models.JSONField(default=list)
    # Whether the steward looks for new data here by itself.
    is_watched = models.BooleanField(default=True)
    quiet_for_s = models.PositiveIntegerField(default=60)
    end_marker = models.CharField(max_length=200, blank=True)  # "{scan}.done", beside the data

    def __str__(self) -> str:
        return self.slug
