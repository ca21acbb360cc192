"""What lists and searches know of a dataset, in rows narrow enough for a million."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from catalogue.models.dataset import Dataset
from catalogue.models.facility import Facility, Instrument


class Combination(models.Model):
    """
    One combination of facet values; thousands of datasets share it.

    Counting by combination and adding up a few hundred of them gives every facet at
    once, whatever is chosen.
    """

    facility = models.ForeignKey(Facility, models.CASCADE)
    instrument = models.ForeignKey(Instrument, models.CASCADE, null=True)
    kind = models.CharField(max_length=10)
    content = models.CharField(max_length=40)
    year = models.SmallIntegerField(null=True)
    techniques = ArrayField(models.BigIntegerField(), default=list)  # in ascending order

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "instrument", "kind", "content", "year", "techniques"],
                name="one_row_per_combination",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.content} {self.year}"


class Listing(models.Model):
    """
    A dataset as lists see it; a retracted dataset has none.

    ``listed_at`` and ``opens_at`` repeat those of the dataset, so that no list has to
    join. ``is_listed`` and ``is_open`` only make finding quick: they say what was public
    and open when the row was written or the steward last looked, and what has become so
    since is found by its date.
    """

    dataset = models.OneToOneField(
        Dataset, models.CASCADE, primary_key=True, related_name="listing"
    )
    pid = models.UUIDField()  # breaks ties in the order, and may be told to anybody
    newest = models.DateTimeField()  # its start; the year 1 where nobody knows
    listed_at = models.DateTimeField(null=True)
    opens_at = models.DateTimeField(null=True)
    is_listed = models.BooleanField(default=False)
    is_open = models.BooleanField(default=False)
    combination = models.ForeignKey(Combination, models.PROTECT, db_index=False)
    words = SearchVectorField()

    class Meta:
        indexes = [
            models.Index(fields=["-newest", "pid"], name="listing_newest"),
            models.Index(
                fields=["-newest", "pid"],
                name="listing_public",
                condition=models.Q(is_listed=True),
            ),
            # Partial, lest it be taken for finding the few that should have been listed.
            models.Index(
                fields=["is_open", "-newest", "pid"],
                name="listing_access",
                condition=models.Q(is_listed=True),
            ),
            models.Index(
                fields=["combination", "is_listed", "is_open", "-newest", "pid"],
                name="listing_combined",
            ),
            models.Index(
                fields=["listed_at"],
                name="listing_to_list",
                condition=models.Q(is_listed=False),
            ),
            models.Index(
                fields=["opens_at"],
                name="listing_to_open",
                condition=models.Q(is_open=False),
            ),
            # All that lists and counts need of those whom a parameter or a sample names.
            models.Index(
                fields=["dataset"],
                include=["combination", "listed_at", "opens_at", "newest", "pid"],
                name="listing_named",
            ),
            GinIndex(fields=["words"], name="listing_words"),
        ]

    def __str__(self) -> str:
        return str(self.pid)


class ListingCount(models.Model):
    """
    A ledger of how many listings a combination gained or lost, by their two dates.

    A trigger on Listing writes it, a sum over it is the count, and the steward adds up
    what lies behind. It needs no lock and cannot be forgotten.
    """

    combination = models.ForeignKey(Combination, models.CASCADE, db_index=False)
    listed_at = models.DateTimeField(null=True)
    opens_at = models.DateTimeField(null=True)
    datasets = models.IntegerField()

    class Meta:
        indexes = [
            models.Index(
                fields=["listed_at", "opens_at", "combination", "datasets"],
                name="listing_count_dates",
            )
        ]

    def __str__(self) -> str:
        return f"{self.datasets:+d}"
