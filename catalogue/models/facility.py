import uuid

from django.db import models

from catalogue.models.people import User


class Facility(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    ror = models.URLField(blank=True)
    timezone = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "facilities"

    def __str__(self) -> str:
        return self.name


class Technique(models.Model):
    """A term of PaNET, the ontology of photon and neutron techniques."""

    pid = models.CharField(max_length=40, unique=True)  # PaNET01216
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def iri(self) -> str:
        return f"http://purl.org/pan-science/PaNET/{self.pid}"


class Instrument(models.Model):
    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
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
    """How long data stay closed; the period is counted by the calendar."""

    slug = models.SlugField(unique=True)
    months = models.PositiveSmallIntegerField()
    starts_with = models.CharField(max_length=30)
    licence = models.CharField(max_length=40)

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

    def __str__(self) -> str:
        return self.slug
