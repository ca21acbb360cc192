"""The parameters of a recipe in words, read from its manifest."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from processing.recipes.manifest import Manifest

Schema = dict[str, Any]


@dataclass(frozen=True)
class ParameterText:
    """
    A recipe parameter as pages show it.

    ``name`` is the path below the parameters, with dots: ``bins``, ``beam.width``.
    ``schema`` is the branch that is not null, with references followed.
    """

    name: str
    schema: Schema
    label: str
    unit: str
    help: str
    default: Any
    is_optional: bool
    is_advanced: bool

    @property
    def group(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def limits(self) -> str:
        """The bounds in words, empty where there is none."""
        if "enum" in self.schema:
            return ", ".join(map(str, self.schema["enum"]))
        words = []
        for key, text in _BOUNDS.items():
            if key in self.schema:
                words.append(f"{text} {self.schema[key]}")
        return ", ".join(words)


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def list_parameters(manifest: Manifest) -> list[ParameterText]:
    """Return every parameter of a recipe, those of nested objects one by one."""
    return list(_walk(manifest.parameters, manifest.parameters.get("$defs", {}), {}, ""))


def _walk(schema: Schema, known: Schema, defaults: Any, prefix: str) -> Iterator[ParameterText]:
    for name, declared in schema.get("properties", {}).items():
        outer = _resolve(declared, known)
        branches = [_resolve(part, known) for part in outer.get("anyOf", [outer])]
        inner = [part for part in branches if part.get("type") != "null"]
        default = defaults.get(name) if isinstance(defaults, dict) else None
        default = outer.get("default") if default is None else default
        if len(branches) == 1 and "properties" in outer:
            yield from _walk(outer, known, default or {}, f"{prefix}{name}.")
            continue
        yield ParameterText(
            name=f"{prefix}{name}",
            # Of several types, none decides on the field: it takes JSON.
            schema=inner[0] if len(inner) == 1 else {},
            label=label_of(name, outer.get("title", "")),
            unit=outer.get("unit", ""),
            help=outer.get("description", ""),
            default=default,
            is_optional=len(inner) < len(branches),
            is_advanced=bool(outer.get("advanced")),
        )


def _resolve(schema: Schema, known: Schema) -> Schema:
    """Follow references into the schema's own definitions."""
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = known.get(name, {}) | {k: v for k, v in schema.items() if k != "$ref"}
    return schema | ({"enum": [schema["const"]]} if "const" in schema else {})


def label_of(name: str, title: str) -> str:
    """Prefer a title that somebody wrote to the one pydantic derives from the name."""
    words = name.replace("_", " ")
    return title if title.lower() != words.lower() and title else words[:1].upper() + words[1:]


def write_value(value: Any) -> str:
    """Write a parameter's value as a reader would."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(write_value(part) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def value_of(text: ParameterText, parameters: Any) -> Any:
    """Return a parameter's value among those of a run, its default where there is none."""
    value = parameters
    for part in text.name.split("."):
        if not isinstance(value, dict) or part not in value:
            return text.default
        value = value[part]
    return value
