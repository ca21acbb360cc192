"""What is done to datasets, as rows: recipes, rules, runs, products, copies."""

from processing.models.archive import ArchiveCopy
from processing.models.product import Product, ProductRule
from processing.models.recipe import Recipe
from processing.models.run import LogEntry, ProcessingRun, RunInput

__all__ = [
    "ArchiveCopy",
    "LogEntry",
    "ProcessingRun",
    "Product",
    "ProductRule",
    "Recipe",
    "RunInput",
]
