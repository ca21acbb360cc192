import uuid

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower

from catalogue.models.facility import EmbargoPolicy, Facility, Instrument, Store, Technique
from catalogue.models.people import User
from catalogue.models.proposal import Proposal, Sample


class Dataset(models.Model):
    """
    Files with one identifier, raw or derived.

    Read them through ``catalogue.access`` only, which knows who may see which, and
    write them through ``catalogue.registration`` only.
    """

    class Kind(models.TextChoices):
        RAW = "raw", "raw"
        DERIVED = "derived", "derived"

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    content = models.CharField(max_length=40)  # nexus-scan, poni, xrd-map: what recipes ask for
    title = models.CharField(max_length=500)
    description = models.TextField(blank=True)
    # How the instrument's own software calls it; with the instrument a natural key.
    source_id = models.CharField(max_length=200, blank=True)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="datasets")
    instrument = models.ForeignKey(
        Instrument, models.PROTECT, null=True, blank=True, related_name="datasets"
    )
    samples = models.ManyToManyField(Sample, blank=True, related_name="datasets")
    techniques = models.ManyToManyField(Technique, blank=True, related_name="datasets")
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="datasets")
    policy = models.ForeignKey(EmbargoPolicy, models.PROTECT, null=True, blank=True)
    licence = models.CharField(max_length=40, blank=True)  # SPDX, once open
    start_time = models.DateTimeField(null=True, blank=True)
    end_time = models.DateTimeField(null=True, blank=True)
    run_number = models.PositiveIntegerField(null=True, blank=True)
    registered_at = models.DateTimeField(auto_now_add=True)
    revision = models.PositiveIntegerField(default=1)  # of its metadata: the ETag in REST
    # From when everybody may see the page, and read the bytes: the latest of all guards,
    # as instants; null is never. Written by ``catalogue.embargo.dates`` only.
    listed_at = models.DateTimeField(null=True, blank=True)
    opens_at = models.DateTimeField(null=True, blank=True)
    opening_noted = models.BooleanField(default=False)  # its consequences have been seen to
    size = models.BigIntegerField(default=0)
    file_count = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64)  # of all files: what a run key names
    thumbnail = models.CharField(max_length=64, blank=True)  # sha256 in the content store
    warnings = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "source_id"],
                name="one_source_id_per_instrument",
                condition=~models.Q(source_id=""),
            )
        ]
        indexes = [
            models.Index(
                models.F("start_time").desc(nulls_last=True),
                models.F("pid"),
                name="dataset_newest",
            ),
            models.Index(fields=["digest"], name="dataset_digest"),
            models.Index(fields=["registered_at"], name="dataset_registered"),
            models.Index(
                fields=["opens_at"],
                name="dataset_to_open",
                condition=models.Q(opening_noted=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Guard(models.Model):
    """
    One condition on reading a dataset; all of a dataset's guards must let a person pass.

    A raw dataset has one, a derived dataset one for each proposal it stems from. A
    guard lets everybody read from ``opens_on`` (never, if null) and see the page from
    ``listed_on``; before that the members of its proposal and the staff of its
    instrument.
    """

    class Ruling(models.TextChoices):
        """Who said from when: the policy, or a person, whom no policy overrules."""

        POLICY = "policy", "by policy"
        EXTENDED = "extended", "extended"
        RELEASED = "released", "released early"
        STEWARD = "steward", "by a data steward"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="guards")
    # No index of their own: those below begin with them.
    proposal = models.ForeignKey(Proposal, models.PROTECT, null=True, blank=True, db_index=False)
    instrument = models.ForeignKey(
        Instrument, models.PROTECT, null=True, blank=True, db_index=False
    )
    opens_on = models.DateField(null=True, blank=True)
    listed_on = models.DateField(null=True, blank=True)
    ruling = models.CharField(max_length=10, choices=Ruling.choices, default=Ruling.POLICY)
    extensions = models.PositiveSmallIntegerField(default=0)
    is_proprietary = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "proposal", "instrument"],
                name="one_guard_per_origin",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(opens_on__isnull=True)
                | models.Q(listed_on__isnull=True)
                | models.Q(listed_on__lte=models.F("opens_on")),
                name="listed_before_open",
            ),
        ]
        indexes = [
            models.Index(fields=["proposal", "listed_on", "dataset"], name="guard_of_proposal"),
            models.Index(fields=["instrument", "listed_on", "dataset"], name="guard_of_instrument"),
        ]

    def __str__(self) -> str:
        return f"{self.proposal or self.instrument} until {self.opens_on}"


class DataFile(models.Model):
    """One file of a dataset; the first in order is the one to open."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="files")
    position = models.PositiveIntegerField()
    path = models.CharField(max_length=1000)  # relative, with "/"
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=100)
    # When it was hashed it had this time of change; null in the content store, where
    # nothing changes. Another one means: hash again before believing the checksum.
    modified_ns = models.BigIntegerField(null=True, blank=True)
    store = models.ForeignKey(Store, models.PROTECT)
    key = models.CharField(max_length=1200)  # where in the store

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "path"], name="one_path_per_dataset")
        ]
        indexes = [
            models.Index(fields=["sha256"], name="file_sha256"),
            models.Index(fields=["store", "key"], name="file_place"),
        ]

    def __str__(self) -> str:
        return self.path


class ParameterKey(models.Model):
    """
    The name of a catalogued quantity and its SI base unit, said once.

    The same name with another dimension is another key: 9 keV and 9 m are never
    compared.
    """

    name = models.CharField(max_length=200)
    si_unit = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "si_unit"], name="one_key_per_dimension")
        ]

    def __str__(self) -> str:
        return self.name


class Quantity(models.Model):
    """
    A catalogued quantity: as written, and as a number in SI base units.

    Exactly one of ``number`` and ``text`` is set; ``si_number`` is null where the unit
    is unknown.
    """

    key = models.ForeignKey(ParameterKey, models.PROTECT, db_index=False, related_name="+")
    number = models.FloatField(null=True, blank=True)
    text = models.CharField(max_length=1000, blank=True)
    unit = models.CharField(max_length=60, blank=True)
    si_number = models.FloatField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.name} = {self.text if self.number is None else self.number} {self.unit}"

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def si_unit(self) -> str:
        return self.key.si_unit


class Parameter(Quantity):
    """A quantity of a dataset: narrow rows, since there are twenty to each."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, db_index=False, related_name="parameters")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "key"], name="one_value_per_key"),
            models.CheckConstraint(
                condition=models.Q(number__isnull=True) | models.Q(text=""),
                name="number_or_text",
            ),
        ]
        indexes = [
            models.Index(fields=["key", "si_number", "dataset"], name="parameter_number"),
            models.Index(
                models.F("key"),
                OpClass(Lower("text"), name="text_pattern_ops"),
                name="parameter_text",
                condition=~models.Q(text=""),
            ),
        ]


class ProposalParameter(Quantity):
    """A quantity of a whole proposal, such as the ring's mode."""

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="parameters")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proposal", "key"], name="one_proposal_value_per_key")
        ]
