"""The presets of a recipe with their values in words, for pages and REST."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from processing.forms.parameters import list_parameters, value_of, write_value
from processing.recipes.manifest import JsonObject, Manifest


@dataclass(frozen=True)
class PresetText:
    """
    A preset as pages show it.

    ``parameters`` are complete; ``values`` are label and value of those that the preset
    itself sets.
    """

    name: str
    description: str
    parameters: JsonObject
    values: tuple[tuple[str, str], ...]


def list_presets(manifest: Manifest) -> list[PresetText]:
    """Return the presets in the order of the manifest."""
    return [
        PresetText(
            name=name,
            description=preset.description,
            parameters=manifest.validate_parameters(preset.parameters),
            values=tuple(_spell(manifest, preset.parameters)),
        )
        for name, preset in manifest.presets.items()
    ]


def _spell(manifest: Manifest, chosen: JsonObject) -> Iterator[tuple[str, str]]:
    for text in list_parameters(manifest):
        if text.name.split(".")[0] in chosen:
            value: Any = value_of(text, chosen)
            unit = text.unit if value is not None else ""
            yield text.label, f"{write_value(value)} {unit}".strip()
