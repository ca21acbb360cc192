from django.db import models
from django.db.models import Q

from catalogue.models import Dataset, Store, User
from processing.models.recipe import Recipe


class ProductRule(models.Model):
    """A sentence of facility.toml, or of a page: this recipe for those datasets."""

    class Owner(models.TextChoices):
        """Who may change it; for the other it is read-only."""

        FILE = "file", "facility.toml"
        PAGE = "page", "the page of rules"

    class Keep(models.TextChoices):
        FRESH = "fresh", "made again whenever anything differs"
        LATEST_COMPATIBLE = "latest-compatible", "made again for new inputs, not for new recipes"
        ONCE = "once", "made once"
        MANUAL = "manual", "made when a person asks"

    slug = models.SlugField(unique=True)
    owner = models.CharField(max_length=10, choices=Owner.choices, default=Owner.FILE)
    recipe = models.ForeignKey(Recipe, models.PROTECT, related_name="rules")
    pinned_version = models.CharField(max_length=40, blank=True)  # as written: "1.2"
    selection = models.JSONField(default=dict)  # which datasets: kind, instrument, technique
    subject = models.CharField(max_length=60)  # the role that gets the matching dataset
    inputs = models.JSONField(default=dict)  # role -> how to pick the other datasets
    parameters = models.JSONField(default=dict)
    keep = models.CharField(max_length=20, choices=Keep.choices)
    archive = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    per_hour = models.PositiveIntegerField(null=True, blank=True)  # runs launched by itself
    # Older subjects only when a person asks; null: however old.
    backfill_days = models.PositiveIntegerField(null=True, blank=True)
    core_hours_per_day = models.FloatField(null=True, blank=True)

    def __str__(self) -> str:
        return self.slug


class Product(models.Model):
    """
    What a product rule wants for one dataset, and the run that fulfils it.

    All but the pin and the order is a cache: any pass of the steward writes it anew
    from the rule, the catalogue and the processing runs.
    """

    class Condition(models.TextChoices):
        FRESH = "fresh", "fresh"
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        STALE = "stale", "stale"
        ABSENT = "absent", "absent"
        BLOCKED = "blocked", "blocked"
        FAILED = "failed", "failed"
        PINNED = "pinned", "pinned"
        RETRACTED = "retracted", "retracted"
        ORPHANED = "orphaned", "orphaned"

    rule = models.ForeignKey(ProductRule, models.CASCADE, related_name="products")
    subject = models.ForeignKey(Dataset, models.CASCADE, related_name="products")
    # What it is made of today: a run that succeeded.
    processing_run = models.ForeignKey(
        "processing.ProcessingRun",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="products",
    )
    # What was asked for since: a run that is under way, or ended without a result.
    wanted_run = models.ForeignKey(
        "processing.ProcessingRun",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="wanted_for",
    )
    condition = models.CharField(max_length=10, choices=Condition.choices, default=Condition.ABSENT)
    reasons = models.JSONField(default=list, blank=True)  # of STALE: input, constant, …
    detail = models.CharField(max_length=500, blank=True)  # why, as a sentence
    desired_key = models.CharField(max_length=64, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    # A person's words, which no pass overrules.
    pinned_at = models.DateTimeField(null=True, blank=True)
    pinned_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    pin_reason = models.CharField(max_length=500, blank=True)
    ordered_at = models.DateTimeField(null=True, blank=True)
    ordered_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "subject"], name="one_product_per_subject")
        ]
        indexes = [
            models.Index(fields=["rule", "condition", "id"], name="product_by_condition"),
            models.Index(
                fields=["rule", "ordered_at"],
                condition=Q(ordered_at__isnull=False),
                name="product_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.subject}"
