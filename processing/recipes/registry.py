"""
Find the recipes of all installed distributions, and those that TOML files describe.

Recipes are imported in child processes, never in the web server or the steward: they
bring heavy libraries and may fail to import. Each environment is asked by its own
interpreter: ``python -m processing.recipes.registry FILE...`` prints one JSON document.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import BaseModel, ValidationError

from processing.errors import RecipeDefinitionError
from processing.recipes import declared
from processing.recipes.base import Recipe
from processing.recipes.environments import search_path
from processing.recipes.manifest import Manifest, Place

GROUP = "palimpsest.recipes"
_TIMEOUT_S = 120
# A prologue instead of PYTHONPATH: it reaches no process that a recipe might start.
_PROLOGUE = (
    "import runpy, sys; sys.path[:0] = filter(None, [{path!r}]); "
    "runpy.run_module({module!r}, run_name='__main__')"
)


class Faulty(BaseModel):
    """An entry point, manifest or environment behind which there is no usable recipe."""

    name: str
    reason: str


class Discovery(BaseModel):
    """What is installed here: manifests by name, and what could not be loaded."""

    manifests: list[Manifest] = []
    faulty: list[Faulty] = []


def discover(
    environments: Mapping[str, Path] | None = None, manifests: Iterable[Path] = ()
) -> Discovery:
    """
    Return the manifests of all recipes that are installed or described.

    Parameters
    ----------
    environments : mapping, optional
        Name to the interpreter of another Python environment with recipes. What this
        process's own environment offers, in the same version, goes before.
    manifests : iterable of Path
        TOML files, or folders of them, that describe commands and notebooks.

    Returns
    -------
    Discovery
        A broken environment or manifest is named among what is faulty; the others load.

    Raises
    ------
    RecipeDefinitionError
        If not even this process's own environment can be listed.
    """
    environments = environments or {}
    found = Discovery()
    wanted = _sort_by_environment(manifests, environments, found)
    try:
        _join(found, _list_recipes("", wanted.get("", [])))
    except RecipeDefinitionError as error:
        raise RecipeDefinitionError(
            "registry", f"recipes cannot be listed: {error.reason}"
        ) from error
    for name, interpreter in sorted(environments.items()):
        try:
            _join(found, _list_recipes(str(interpreter), wanted.get(name, [])))
        except RecipeDefinitionError as error:
            found.faulty.append(Faulty(name=f"environment {name}", reason=error.reason))
    return found


def _sort_by_environment(
    manifests: Iterable[Path], environments: Mapping[str, Path], found: Discovery
) -> dict[str, list[Path]]:
    wanted: dict[str, list[Path]] = {}
    for place in manifests:
        for path in sorted(place.glob("*.toml")) if place.is_dir() else [place]:
            try:
                name = declared.environment_of(path)
            except RecipeDefinitionError as error:
                found.faulty.append(Faulty(name=path.name, reason=error.reason))
                continue
            if name and name not in environments:
                known = ", ".join(sorted(environments)) or "none"
                reason = f"the environment {name} is not declared; declared are: {known}"
                found.faulty.append(Faulty(name=path.name, reason=reason))
                continue
            wanted.setdefault(name, []).append(path)
    return wanted


def _join(found: Discovery, more: Discovery) -> None:
    known = {(manifest.name, manifest.version) for manifest in found.manifests}
    for manifest in more.manifests:
        if (manifest.name, manifest.version) not in known:
            known.add((manifest.name, manifest.version))
            found.manifests.append(manifest)
        elif manifest.place.manifest_file:
            reason = f"{manifest.name} {manifest.version} exists already: raise its version"
            found.faulty.append(Faulty(name=Path(manifest.place.manifest_file).name, reason=reason))
    found.faulty += [item for item in more.faulty if item not in found.faulty]


def _list_recipes(interpreter: str, manifests: Iterable[Path]) -> Discovery:
    words = [str(path.resolve()) for path in manifests]
    try:
        child = subprocess.run(  # noqa: S603 - the operator's interpreters
            [*start(interpreter, "processing.recipes.registry"), *words],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        reason = f"its interpreter cannot be started: {error.strerror}"
        raise RecipeDefinitionError("registry", reason) from error
    except subprocess.TimeoutExpired as error:
        reason = f"it has not answered within {_TIMEOUT_S} s"
        raise RecipeDefinitionError("registry", reason) from error
    if child.returncode != 0:
        end = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        reason = " ".join(end) or f"it ended with exit code {child.returncode}"
        raise RecipeDefinitionError("registry", reason)
    return _read(child.stdout, interpreter)


def _read(answer: bytes, interpreter: str) -> Discovery:
    try:
        found = Discovery.model_validate_json((answer.splitlines() or [b""])[-1])
    except ValidationError as error:
        reason = "it answers in another form: install the same version of Palimpsest there"
        raise RecipeDefinitionError("registry", reason) from error
    found.manifests = [
        manifest.model_copy(
            update={
                "place": Place(interpreter=interpreter, manifest_file=manifest.place.manifest_file)
            }
        )
        for manifest in found.manifests
    ]
    return found


def start(interpreter: str, module: str) -> list[str]:
    """Return the words that start a module of ours in another environment."""
    if not interpreter:
        return [sys.executable, "-m", module]
    return [interpreter, "-c", _PROLOGUE.format(path=search_path(), module=module)]


def load_all(manifests: Iterable[Path] = ()) -> Discovery:
    """Load every recipe; one that fails does not keep the others away."""
    found = Discovery()
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
        except Exception as error:  # noqa: BLE001 - foreign code, whatever it raises on import
            found.faulty.append(Faulty(name=point.name, reason=str(error) or type(error).__name__))
            continue
        if isinstance(loaded, Recipe):
            found.manifests.append(loaded.manifest)
        else:
            found.faulty.append(Faulty(name=point.name, reason="is no function under @recipe"))
    for path in manifests:
        try:
            found.manifests.append(declared.load(path).manifest)
        except RecipeDefinitionError as error:
            found.faulty.append(Faulty(name=path.name, reason=error.reason))
    return found


if __name__ == "__main__":
    sys.stdout.write(load_all(map(Path, sys.argv[1:])).model_dump_json() + "\n")
