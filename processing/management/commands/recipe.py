import json
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from processing.checking import check_recipe
from processing.recipes.manifest import Manifest
from processing.recipes.registry import Discovery, discover


class Command(BaseCommand):
    help = "List the recipes of this machine, show one, or try it on its own example."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["list", "show", "check"])
        parser.add_argument("name", nargs="?", help="xrd-map, or xrd-map@1.0.0")
        parser.add_argument(
            "--manifest",
            action="append",
            default=[],
            type=Path,
            help="TOML file, or folder of them",
        )
        parser.add_argument(
            "--environment", action="append", default=[], metavar="NAME=PYTHON",
            help="interpreter of another environment",
        )  # fmt: skip

    def handle(self, *_: Any, verb: str, name: str | None, **options: Any) -> None:
        environments = dict(_split(text) for text in options["environment"])
        found = discover(environments, options["manifest"])
        if verb == "list":
            self._list(found)
            return
        manifest = _choose(found, name)
        if verb == "show":
            document = manifest.model_dump(mode="json", exclude={"place"})
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
            return
        with tempfile.TemporaryDirectory(prefix="palimpsest-check-") as folder:
            if not check_recipe(manifest, Path(folder), self.stdout.write):
                raise CommandError(f"{manifest.name} {manifest.version} does not hold.")
        self.stdout.write(f"{manifest.name} {manifest.version} holds.")

    def _list(self, found: Discovery) -> None:
        for manifest in sorted(found.manifests, key=lambda manifest: manifest.name):
            self.stdout.write(f"{manifest.name} {manifest.version}  {manifest.title}")
        for item in found.faulty:
            self.stdout.write(f"{item.name} cannot be used: {item.reason}")


def _split(text: str) -> tuple[str, Path]:
    name, separator, interpreter = text.partition("=")
    if not separator:
        raise CommandError(f"{text} is no environment: write name=/path/to/python.")
    return name, Path(interpreter)


def _choose(found: Discovery, name: str | None) -> Manifest:
    wanted, _, version = (name or "").partition("@")
    for manifest in found.manifests:
        if manifest.name == wanted and version in {"", manifest.version}:
            return manifest
    reasons = [item.reason for item in found.faulty if item.name.removesuffix(".toml") == wanted]
    if reasons:
        raise CommandError(f"{wanted} cannot be used: {reasons[0]}.")
    known = ", ".join(sorted(manifest.name for manifest in found.manifests)) or "none"
    raise CommandError(f"There is no recipe {name or 'without a name'} here; there are: {known}.")
