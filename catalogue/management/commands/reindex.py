from typing import Any

from django.core.management.base import BaseCommand

from catalogue.indexing import reindex
from catalogue.models import Listing

_AT_ONCE = 1000


class Command(BaseCommand):
    help = "Write what lists and searches know of every dataset anew, as after an upgrade."

    def handle(self, *_: Any, **__: Any) -> None:
        # Batch by batch: people search meanwhile, and what was written stays if it is stopped.
        written, last = 0, 0
        while pks := list(
            Listing.objects.filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", flat=True)[:_AT_ONCE]
        ):
            reindex(pks)
            written, last = written + len(pks), pks[-1]
        self.stdout.write(f"{written} datasets listed anew")
