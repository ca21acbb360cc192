from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.models import User
from processing.errors import UnknownProductError
from processing.products.explaining import explain, find_product


class Command(BaseCommand):
    help = "Say why a product exists, from what, and why it is stale: RULE/DATASET or a result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", help="xrd-map/<dataset>, or the identifier of a result")

    def handle(self, *_: Any, product: str, **__: Any) -> None:
        # Whoever sits at this machine may see all that there is.
        operator = User(is_data_steward=True)
        try:
            explanation = explain(operator, find_product(operator, product))
        except UnknownProductError as error:
            raise CommandError(str(error)) from error
        for line in explanation.lines():
            self.stdout.write(line)
