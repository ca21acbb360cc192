"""
Find the recipes of all installed distributions, by entry point.

They are imported in a child process, never in the web server or the steward: a recipe
brings heavy libraries and may fail to import. ``python -m processing.recipes.registry``
prints one JSON document.
"""

import subprocess
import sys
from importlib.metadata import entry_points

from pydantic import BaseModel

from processing.errors import RecipeDefinitionError
from processing.recipes.base import Recipe
from processing.recipes.manifest import Manifest

GROUP = "palimpsest.recipes"
_TIMEOUT_S = 120


class Faulty(BaseModel):
    """An entry point behind which there is no usable recipe."""

    name: str
    reason: str


class Discovery(BaseModel):
    """What is installed here: manifests by name, and what could not be loaded."""

    manifests: list[Manifest] = []
    faulty: list[Faulty] = []


def discover() -> Discovery:
    """
    Return the manifests of all installed recipes, compiled in a child process.

    Raises
    ------
    RecipeDefinitionError
        If the child process itself fails.
    """
    child = subprocess.run(
        [sys.executable, "-m", "processing.recipes.registry"],
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if child.returncode != 0:
        end = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise RecipeDefinitionError("registry", f"recipes cannot be listed: {' '.join(end)}")
    return Discovery.model_validate_json(child.stdout.splitlines()[-1])


def load_all() -> Discovery:
    """Import every recipe; one that fails does not keep the others away."""
    found = Discovery()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
        except (ImportError, AttributeError, SyntaxError, RecipeDefinitionError) as error:
            found.faulty.append(Faulty(name=point.name, reason=str(error)))
            continue
        if isinstance(loaded, Recipe):
            found.manifests.append(loaded.manifest)
        else:
            found.faulty.append(Faulty(name=point.name, reason="is no function under @recipe"))
    return found


if __name__ == "__main__":
    sys.stdout.write(load_all().model_dump_json() + "\n")
