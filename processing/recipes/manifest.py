"""The manifest: one JSON document per recipe version, read by all who never import it."""

import math
from typing import Annotated, Any, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import Field, JsonValue, model_validator

from catalogue.digests import canonical_json, sha256_of_text
from processing.errors import ParameterFault, RecipeDefinitionError, RecipeParameterError
from processing.ticket import Document, Limits

JsonObject = dict[str, JsonValue]


class InputSlot(Document):
    """
    A role that takes datasets whose content is one of ``contents``.

    ``many``: any number of them. ``ordered``: their order means something, else they
    come sorted by digest.
    """

    later = frozenset({"ordered"})

    contents: tuple[str, ...]
    optional: bool = False
    many: bool = False
    ordered: bool = False
    description: str = ""


class OutputSlot(Document):
    """
    A role whose files become one dataset.

    ``filename`` is fixed for commands and notebooks, which are told where to write.
    """

    later = frozenset({"filename", "optional", "description"})

    content: str
    filename: str = ""
    optional: bool = False
    description: str = ""


class Environment(Document):
    """
    What the result depends on besides inputs and parameters, and its digest.

    ``packages`` are those that a recipe declares, with versions; ``program`` is the
    executable or notebook with its sha256.
    """

    later = frozenset({"program"})

    packages: dict[str, str]
    python: str
    digest: str
    program: dict[str, str] = {}


class Place(Document):
    """Where on this machine a recipe lives; never shown, and no part of any digest."""

    interpreter: str = ""  # empty: that of the process which asks
    manifest_file: str = ""  # the TOML of a command or notebook


class Preset(Document):
    """Parameters that belong together, under a name."""

    description: str = ""
    parameters: dict[str, JsonValue]


class Source(Document):
    url: str
    commit: str = ""


class Example(Document):
    """
    Inputs small enough to try a recipe with.

    Role to files, relative to the manifest's folder or to the one the hook was given.
    """

    inputs: dict[str, tuple[str, ...]]
    parameters: dict[str, JsonValue] = {}


Tolerance = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class Manifest(Document):
    """
    What a recipe is, takes, can be told and brings.

    ``parameters`` is a JSON Schema 2020-12 object without additional properties. A
    property may carry ``unit`` (shown beside its label) and ``advanced`` (folded away).

    One of three says what is run: ``entry`` (``module:function``), ``command`` (words of
    an argv; a list among them is left out while its parameter is null) or ``notebook``.
    ``tolerance`` allows replays a relative and an absolute deviation by HDF5 path, "*"
    for all; ``volatile`` are paths that mean nothing. ``chunk`` is the number of items
    that ``work.map`` hands out at once. ``hooks`` names what the recipe answers besides.
    """

    later = frozenset(
        {"command", "version_command", "notebook", "deterministic", "tolerance", "volatile"}
        | {"chunk", "hooks", "presets", "example", "authors", "licence", "source", "place"}
    )

    manifest: int = 1
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    description: str
    entry: str = ""
    command: tuple[str | tuple[str, ...], ...] = ()
    version_command: tuple[str, ...] = ()
    notebook: str = ""
    inputs: dict[str, InputSlot]
    parameters: dict[str, Any]
    outputs: dict[str, OutputSlot]
    resources: Limits
    environment: Environment
    deterministic: bool = True
    tolerance: dict[str, Tolerance] = {}
    volatile: tuple[str, ...] = ()
    chunk: int = Field(default=1, ge=1)
    hooks: tuple[str, ...] = ()
    presets: dict[str, Preset] = {}
    example: Example | None = None
    authors: tuple[str, ...] = ()
    licence: str = ""
    source: Source | None = None
    place: Place = Place()

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(map(bool, (self.entry, self.command, self.notebook))) != 1:
            raise ValueError("one of entry, command and notebook must say what is run")
        return self

    @property
    def digest(self) -> str:
        """Digest of all but environment and place, which change without its doing."""
        document = self.model_dump(mode="json", exclude={"environment", "place"})
        return sha256_of_text(canonical_json(document))

    def check_presets(self) -> None:
        """
        See that each preset is allowed by the schema.

        Raises
        ------
        RecipeDefinitionError
            Naming the first preset that is not, and why.
        """
        for name, preset in self.presets.items():
            try:
                self.validate_parameters(preset.parameters)
            except RecipeParameterError as error:
                raise RecipeDefinitionError(self.name, f"preset {name}: {error}") from error

    def validate_parameters(self, given: JsonObject) -> JsonObject:
        """
        Check parameters against the schema and fill in the defaults.

        Equal choices come back equal: ``{}`` and ``{"bins": 1000}`` give the same
        object, 1000.0 for an integer becomes 1000, 1 for a number 1.0, and -0.0 is 0.0.

        Raises
        ------
        RecipeParameterError
            With every fault at once, each with a JSON pointer.
        """
        properties: dict[str, Any] = self.parameters.get("properties", {})
        known_schemas: dict[str, Any] = self.parameters.get("$defs", {})
        known = {name: value for name, value in given.items() if name in properties}
        validator = Draft202012Validator(self.parameters)
        faults = [_describe(error) for error in validator.iter_errors(known)]
        faults += [
            ParameterFault(f"#/parameters/{name}", "this recipe has no such parameter")
            for name in given
            if name not in properties
        ]
        faults += [
            ParameterFault(f"#/parameters/{name}", fault)
            for name, value in known.items()
            if (fault := _find_unstorable(value))
        ]
        if faults:
            raise RecipeParameterError(faults)
        return {
            name: _normalise(given.get(name, schema.get("default")), schema, known_schemas)
            for name, schema in sorted(properties.items())
        }


def _find_unstorable(value: JsonValue) -> str:
    """Say what JSON Schema lets pass and no database or canonical text can hold."""
    if isinstance(value, list):
        return next(filter(None, map(_find_unstorable, value)), "")
    if isinstance(value, dict):
        return _find_unstorable([*value, *value.values()])
    if isinstance(value, str) and any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value):
        return "must be plain text, without zero bytes"
    if isinstance(value, int | float) and not _is_finite(value):
        return "must be a finite number"
    return ""


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _normalise(value: JsonValue, schema: dict[str, Any], known: dict[str, Any]) -> JsonValue:
    """Give equal numbers one spelling, so that they give one run key."""
    if isinstance(value, dict):
        branch = _branch(schema)
        branch = known.get(branch.get("$ref", "").rpartition("/")[2], branch)
        inner = branch.get("properties", {})
        told = {name: sub["default"] for name, sub in inner.items() if "default" in sub} | value
        return {name: _normalise(part, inner.get(name, {}), known) for name, part in told.items()}
    if isinstance(value, list):
        items = schema.get("prefixItems") or [_branch(schema).get("items", {})] * len(value)
        if "anyOf" in schema:
            items = _branch(schema).get("prefixItems", items)
        return [_normalise(item, sub, known) for item, sub in zip(value, items, strict=False)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if _branch(schema).get("type") == "integer":
        return int(value)
    return float(value) + 0.0  # -0.0 + 0.0 is 0.0


def _branch(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the branch of an optional parameter that is not null."""
    branches: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return next((b for b in branches if b.get("type") != "null"), schema)


def _describe(error: ValidationError) -> ParameterFault:
    """Say in a sentence what is wrong with one parameter."""
    path = "/".join(str(part) for part in error.absolute_path)
    value = error.validator_value
    texts = {
        "minimum": f"must be at least {value}",
        "exclusiveMinimum": f"must be more than {value}",
        "maximum": f"must be at most {value}",
        "exclusiveMaximum": f"must be less than {value}",
        "type": f"must be of type {value}",
        "enum": "must be one of " + ", ".join(map(str, value if isinstance(value, list) else [])),
        "required": error.message,
        "maxLength": f"must have at most {value} characters",
        "minItems": f"must have at least {value} values",
        "maxItems": f"must have at most {value} values",
    }
    if error.validator == "anyOf" and error.context:
        branch = next((c for c in error.context if c.validator != "type"), None)
        return (
            _describe(branch) if branch else ParameterFault(f"#/parameters/{path}", error.message)
        )
    detail = texts.get(str(error.validator), error.message)
    return ParameterFault(f"#/parameters/{path}" if path else "#/parameters", detail)
