import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from catalogue.identifiers import check_doi
from catalogue.models.dataset import Dataset
from catalogue.models.people import User


class Publication(models.Model):
    """A paper, thesis or report that stands on datasets."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    doi = models.CharField(max_length=210, unique=True, validators=[check_doi])
    title = models.CharField(max_length=1000)
    authors = ArrayField(models.CharField(max_length=200), default=list)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    abstract = models.TextField(blank=True)
    datasets = models.ManyToManyField(
        Dataset, through="PublicationLink", blank=True, related_name="publications"
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-year", "title"]

    def __str__(self) -> str:
        return self.title


class PublicationLink(models.Model):
    """
    That a publication stands on a dataset, and since when somebody has said so.

    An embargo that counts from the publication counts from the first of these: the same
    paper may be linked to further data years after it was entered.
    """

    publication = models.ForeignKey(Publication, models.CASCADE)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="publication_links")
    linked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "catalogue_publication_datasets"
        unique_together = [("publication", "dataset")]

    def __str__(self) -> str:
        return f"{self.publication} on {self.dataset}"


class Collection(models.Model):
    """Datasets that somebody put together under a title; it opens none of them."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=500)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(User, models.PROTECT, related_name="collections")
    is_shared = models.BooleanField(default=False)  # else its owner alone sees the list
    datasets = models.ManyToManyField(Dataset, through="CollectionItem", related_name="collections")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return self.title


class CollectionItem(models.Model):
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="items")
    dataset = models.ForeignKey(Dataset, models.CASCADE)
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["collection", "dataset"], name="once_per_collection")
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.dataset}"
