"""
NXprocess: how a file was made, written into the file itself.

Every recipe that writes NeXus calls this once. Equal runs give equal bytes: the date is that
of the run's own clock, which a replay keeps, never that of the machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py


@dataclass(frozen=True)
class Provenance:
    """
    How a file was made, without anything that differs between equal runs.

    Attributes
    ----------
    program, version : str
        Name and version of the recipe.
    date : str
        Of the run's clock, ISO 8601; empty outside a processing run.
    run_key : str
        sha256 of the key document, empty outside a processing run.
    key_document : str
        Canonical JSON of what the result depends on.
    inputs : mapping
        Role to sha256 of its content.
    parameters : mapping
        Name to value and unit.
    decided : mapping
        What the recipe found out where it was not told, for the configuration.
    """

    program: str
    version: str
    date: str = ""
    run_key: str = ""
    key_document: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    decided: Mapping[str, Any] = field(default_factory=dict)


def write_process(
    entry: h5py.Group, made: Provenance, notes: Mapping[str, tuple[str, str]] | None = None
) -> None:
    """
    Write the group ``process`` of an entry.

    Parameters
    ----------
    entry : h5py.Group
        An NXentry without one.
    made : Provenance
        Recipe, inputs and parameters.
    notes : mapping, optional
        Name to media type and text: what else the recipe was given, such as a geometry.
    """
    process = _group(entry, "process", "NXprocess")
    process["program"] = made.program
    process["version"] = made.version
    process["sequence_index"] = 1
    identified = {f"input_{role}": digest for role, digest in sorted(made.inputs.items())}
    told = {"date": made.date, "identifier_run_key": made.run_key}
    told |= {f"identifier_{name}": digest for name, digest in identified.items()}
    for name, text in told.items():
        if text:
            process[name] = text
    parameters = _group(process, "parameters", "NXparameters")
    for name, (value, unit) in sorted(made.parameters.items()):
        written = parameters.create_dataset(name, data=_as_stored(value))
        if unit:
            written.attrs["units"] = unit
    configuration = {name: value for name, (value, _) in made.parameters.items()}
    text = json.dumps(configuration | {**made.decided}, sort_keys=True, indent=1, allow_nan=False)
    _note(process, "configuration", "application/json", text)
    for name, (media_type, note) in (notes or {}).items():
        _note(process, name, media_type, note)
    if made.key_document:
        _note(process, "key_document", "application/json", made.key_document)


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _note(parent: h5py.Group, name: str, media_type: str, text: str) -> None:
    note = _group(parent, name, "NXnote")
    note["type"] = media_type
    note["data"] = text


def _as_stored(value: Any) -> Any:
    """HDF5 has no null nor objects: an absent choice is the word, what is nested its JSON."""
    is_list = isinstance(value, list | tuple)
    if value is None or (is_list and not value):
        return "none"
    is_nested = isinstance(value, dict) or (is_list and isinstance(value[0], dict))
    return json.dumps(value, sort_keys=True) if is_nested else value
