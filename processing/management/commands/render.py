from typing import Any

from django.core.management.base import BaseCommand

from processing.declaration import render


class Command(BaseCommand):
    help = "Print the configuration of the database as a facility.toml."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(render())
