import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalogue.errors import CatalogueError
from catalogue.models import User
from processing.errors import ProcessingError
from processing.submission import choose_inputs, get_recipe, submit


class Command(BaseCommand):
    help = "Ask for a result on behalf of a person: xrd-map scan=PID geometry=PID --set bins=500"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe", help="xrd-map, or a version of it: xrd-map@1.0.1")
        parser.add_argument("inputs", nargs="+", metavar="ROLE=PID", help="a role may come again")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="set")
        parser.add_argument("--as", required=True, metavar="ACCOUNT", dest="account")

    def handle(self, *_: Any, recipe: str, inputs: list[str], **options: Any) -> None:
        person = User.objects.filter(username=options["account"], is_active=True).first()
        if person is None:
            raise CommandError(f"There is no account {options['account']}.")
        pids: dict[str, list[str]] = {}
        for role, pid in map(_split, inputs):
            pids.setdefault(role, []).append(pid)
        try:
            chosen = get_recipe(*recipe.split("@", 1))
            parameters = {name: _read(value) for name, value in map(_split, options["set"])}
            made = submit(person, chosen, choose_inputs(person, pids), parameters)
        except (CatalogueError, ProcessingError) as error:
            raise CommandError(str(error)) from error
        outcome = "reused" if made.is_reused else "joined" if made.is_joined else "queued"
        self.stdout.write(f"{outcome} {made.processing_run.uuid}")


def _split(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"{text} must be NAME=VALUE.")
    return name, value


def _read(value: str) -> Any:
    """Read a value as JSON, and as text where it is none: bins=500, unit=q_nm^-1."""
    try:
        return json.loads(value)
    except ValueError:
        return value
