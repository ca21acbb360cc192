from django.db import models

from catalogue.models import Dataset, Store
from processing.models.recipe import Recipe


class ProductRule(models.Model):
    """A sentence of facility.toml: this recipe for those datasets."""

    slug = models.SlugField(unique=True)
    recipe = models.ForeignKey(Recipe, models.PROTECT, related_name="rules")
    selection = models.JSONField(default=dict)  # which datasets: kind, instrument, technique
    subject = models.CharField(max_length=60)  # the role that gets the matching dataset
    inputs = models.JSONField(default=dict)  # role -> how to pick the other datasets
    parameters = models.JSONField(default=dict)
    keep = models.CharField(max_length=20)
    archive = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)

    def __str__(self) -> str:
        return self.slug


class Product(models.Model):
    """What a product rule wants for one dataset, and the run that fulfils it."""

    rule = models.ForeignKey(ProductRule, models.CASCADE, related_name="products")
    subject = models.ForeignKey(Dataset, models.CASCADE, related_name="products")
    processing_run = models.ForeignKey(
        "processing.ProcessingRun", models.PROTECT, null=True, blank=True, related_name="products"
    )
    # Why there is none: a sentence, empty while all is well.
    blocked = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "subject"], name="one_product_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.subject}"
