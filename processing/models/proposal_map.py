from django.db import models

from catalogue.models import Dataset, Proposal
from processing.models.product import Product
from processing.models.run import ProcessingRun


class ProposalMap(models.Model):
    """
    A map of a proposal: one that a rule wants, or one that is there and no rule keeps.

    Rows of a view, which only selects them: who sees which is said where they are read. Its
    dataset says whose it is, and who sees that there is one: the subject of the product, or
    the map itself where there is no product.
    """

    # Of the product, or less than 0; unique among the maps of one proposal.
    id = models.BigIntegerField(primary_key=True)
    proposal = models.ForeignKey(Proposal, models.DO_NOTHING, related_name="+")
    dataset = models.ForeignKey(Dataset, models.DO_NOTHING, related_name="+")
    # Of the dataset; here too, lest the database sorts all datasets to find the first maps.
    start_time = models.DateTimeField(null=True)
    product = models.ForeignKey(Product, models.DO_NOTHING, null=True, related_name="+")
    processing_run = models.ForeignKey(
        ProcessingRun, models.DO_NOTHING, null=True, related_name="+"
    )

    class Meta:
        managed = False

    def __str__(self) -> str:
        return str(self.product or self.dataset)
