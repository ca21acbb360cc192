"""
Recipes that are no Python function: commands and notebooks, described in TOML.

::

    manifest = 1
    name = "count-lines"
    version = "1.0.0"
    title = "Count the lines of a text"
    command = ["wc", "-l", "{text}", "--files0-from={output.counts}"]
    inputs.text = { contents = ["text"] }
    parameters.width = { type = "integer", minimum = 1, default = 8 }
    outputs.counts = { content = "counts", filename = "counts.txt" }

``notebook = "plot.ipynb"`` instead of ``command`` runs a notebook. A parameter with
``optional = true`` may be null, which TOML cannot write.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import Field, ValidationError

from processing.errors import RecipeDefinitionError
from processing.recipes import commands
from processing.recipes.base import Workspace, workspace
from processing.recipes.manifest import (
    Environment,
    Example,
    InputSlot,
    Manifest,
    OutputSlot,
    Place,
    Preset,
    Source,
    Tolerance,
)
from processing.ticket import Document, Limits


class _Declared(Document):
    """What may stand in the TOML; the rest of the manifest is found out."""

    manifest: Literal[1]
    name: str
    version: str
    title: str = ""
    description: str = ""
    command: tuple[str | tuple[str, ...], ...] = ()
    version_command: tuple[str, ...] = ()
    notebook: str = ""
    python: str = ""  # an environment of facility.toml; see registry.discover
    packages: tuple[str, ...] = ()
    inputs: dict[str, InputSlot]
    parameters: dict[str, dict[str, Any]] | None = None
    outputs: dict[str, OutputSlot] = Field(min_length=1)
    resources: Limits = Limits()
    deterministic: bool = True
    tolerance: dict[str, Tolerance] = {}
    volatile: tuple[str, ...] = ()
    presets: dict[str, Preset] = {}
    example: Example | None = None
    authors: tuple[str, ...] = ()
    licence: str = ""
    source: Source | None = None


class Kind(Protocol):
    """What commands and notebooks have in common."""

    def check(self, manifest: Manifest, folder: Path, /) -> None:
        """Refuse what could not run, with a sentence."""

    def read_parameters(self, draft: Manifest, folder: Path, /) -> dict[str, dict[str, Any]]:
        """Return the schema of parameters that the manifest does not describe."""

    def identify(self, declared: Manifest, packages: tuple[str, ...], folder: Path) -> Environment:
        """State executable or notebook, and packages, as they are here."""

    def run(
        self, manifest: Manifest, folder: Path, work: Workspace, arguments: dict[str, Any]
    ) -> None:
        """Execute it; its outputs have been announced to the workspace."""


class DeclaredRecipe:
    """A manifest and the program that it describes; called as a function is."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest = manifest
        self.folder = folder

    def __call__(self, **arguments: Any) -> dict[str, Path]:
        work = workspace()
        paths = {
            role: work.output(slot.filename, role) for role, slot in self.manifest.outputs.items()
        }
        _kind_of(self.manifest).run(self.manifest, self.folder, work, arguments)
        for role, slot in self.manifest.outputs.items():
            if slot.optional and not paths[role].exists():
                work.declared.remove(slot.filename)
                del paths[role]
        if (work.folder / "preview.png").exists():
            work.preview()
        return paths


def load(path: Path) -> DeclaredRecipe:
    """
    Read a manifest, and find out what of it is true on this machine.

    Parameters
    ----------
    path : Path
        The TOML file; the notebook lies beside it, and executables with a slash too.

    Raises
    ------
    RecipeDefinitionError
        Saying in a sentence what is missing or wrong.
    """
    declared = _read(path)
    folder = path.resolve().parent
    manifest = _draft(declared)
    kind = _kind_of(manifest)
    properties = declared.parameters
    if properties is None:
        properties = kind.read_parameters(manifest, folder)
    manifest = manifest.model_copy(
        update={
            "parameters": _schema(declared.name, properties),
            "environment": kind.identify(manifest, declared.packages, folder),
            "place": Place(manifest_file=str(path.resolve())),
        }
    )
    _check_names(manifest)
    kind.check(manifest, folder)
    manifest.check_presets()
    return DeclaredRecipe(manifest, folder)


def environment_of(path: Path) -> str:
    """Return the name of the environment that a manifest wants, empty for the own one."""
    return _read(path).python


def _kind_of(manifest: Manifest) -> Kind:
    if manifest.command:
        return commands
    from processing.recipes import notebooks  # noqa: PLC0415 - papermill takes half a second

    return notebooks


def _read(path: Path) -> _Declared:
    try:
        return _Declared.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RecipeDefinitionError(path.stem, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise RecipeDefinitionError(path.stem, _first_fault(error)) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise RecipeDefinitionError(path.stem, f"is no TOML: {error}") from error


def _draft(declared: _Declared) -> Manifest:
    outputs = declared.outputs
    if declared.notebook and not any(slot.content == "notebook" for slot in outputs.values()):
        executed = OutputSlot(content="notebook", filename=Path(declared.notebook).name)
        outputs = {**outputs, "notebook": executed}
    told = declared.model_dump(exclude={"python", "packages", "parameters", "outputs"})
    nothing = Environment(packages={}, python="", digest="")
    try:
        return Manifest.model_validate(
            told
            | {
                "title": declared.title or declared.name,
                "parameters": {},
                "outputs": outputs,
                "environment": nothing,
            }
        )
    except ValidationError as error:
        raise RecipeDefinitionError(declared.name, _first_fault(error)) from error


def _schema(name: str, properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schemas = {}
    for key, told in properties.items():
        schema = dict(told)
        if schema.pop("optional", False):
            outer: dict[str, Any] = {
                k: schema.pop(k) for k in ("description", "unit", "advanced") if k in schema
            }
            default = schema.pop("default", None)
            schema = {"anyOf": [schema, {"type": "null"}], "default": default, **outer}
        schemas[key] = schema
    required = sorted(key for key, schema in schemas.items() if "default" not in schema)
    schema = {"type": "object", "additionalProperties": False, "properties": schemas}
    if required:
        schema["required"] = required
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        raise RecipeDefinitionError(name, f"parameters: {where}: {error.message}") from error
    return schema


def _check_names(manifest: Manifest) -> None:
    """See that outputs have plain names, and that no name means two things."""
    for role, slot in manifest.outputs.items():
        if not slot.filename or Path(slot.filename).name != slot.filename:
            reason = f"outputs.{role} needs a filename without folders, such as map.nxs"
            raise RecipeDefinitionError(manifest.name, reason)
    names = [*manifest.inputs, *manifest.parameters["properties"]]
    if manifest.notebook:
        names += manifest.outputs
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeDefinitionError(manifest.name, f"{', '.join(twice)} is said twice")


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
