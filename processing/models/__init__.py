"""What is done to datasets, as rows: recipes, rules, products, runs and their evidence."""

from processing.models.archive import ArchiveCopy
from processing.models.configuration import Configuration
from processing.models.evidence import Replay, Statement
from processing.models.product import Product, ProductRule
from processing.models.proposal_map import ProposalMap
from processing.models.recipe import Recipe
from processing.models.run import Interest, LogEntry, ProcessingRun, RunInput

__all__ = [
    "ArchiveCopy",
    "Configuration",
    "Interest",
    "LogEntry",
    "ProcessingRun",
    "Product",
    "ProductRule",
    "ProposalMap",
    "Recipe",
    "Replay",
    "RunInput",
    "Statement",
]
