"""Executables as recipes: an argv with placeholders, and no shell."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from catalogue.storage.local import hash_file
from processing.errors import RecipeDefinitionError
from processing.recipes.environments import describe_environment
from processing.recipes.failures import ProgramError
from processing.recipes.manifest import Environment, Manifest
from processing.recipes.roles import Input, Inputs
from processing.recipes.workspace import Workspace

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_DOCUMENT = "parameters_json"
_LAST_LINES = 20
_VERSION_S = 20.0

Values = Mapping[str, tuple[str, ...] | None]


def check(manifest: Manifest, _folder: Path) -> None:
    """
    Refuse a command that could not be put together.

    Raises
    ------
    RecipeDefinitionError
        Naming the placeholder at fault and those that are known.
    """
    outputs = {f"output.{role}" for role in manifest.outputs}
    properties = manifest.parameters["properties"]
    known = {*manifest.inputs, *properties, *outputs, _DOCUMENT}
    absent = {role for role, slot in manifest.inputs.items() if slot.optional}
    absent |= {name for name, schema in properties.items() if {"type": "null"} in _branches(schema)}
    many = {role for role, slot in manifest.inputs.items() if slot.many}
    used: set[str] = set()
    for word, is_nested in _words(manifest):
        names = _names_in(word)
        used |= names
        if unknown := sorted(names - known):
            reason = f"{{{unknown[0]}}} is unknown; known are {', '.join(sorted(known))}"
            raise RecipeDefinitionError(manifest.name, reason)
        if (open_ones := sorted(names & absent)) and not is_nested:
            reason = f"{{{open_ones[0]}}} may be left out: put its words into a list of their own"
            raise RecipeDefinitionError(manifest.name, reason)
        if (several := sorted(names & many)) and word != f"{{{several[0]}}}":
            reason = f"{{{several[0]}}} stands for several files and must be a word of its own"
            raise RecipeDefinitionError(manifest.name, reason)
    if (unsaid := sorted(outputs - used)) and _DOCUMENT not in used:
        reason = f"the command is not told where to write: {{{unsaid[0]}}} is missing"
        raise RecipeDefinitionError(manifest.name, reason)


def read_parameters(_draft: Manifest, _folder: Path) -> dict[str, dict[str, Any]]:
    """Return none: what a manifest does not describe, a command does not take."""
    return {}


def identify(declared: Manifest, packages: tuple[str, ...], folder: Path) -> Environment:
    """
    State which executable this is: its name, its sha256, and what it says of its version.

    Raises
    ------
    RecipeDefinitionError
        If it is not on this machine, or cannot tell its version.
    """
    executable = _resolve(declared.name, str(declared.command[0]), folder)
    program = {"executable": executable.name, "sha256": hash_file(executable.resolve())}
    if declared.version_command:
        program["version"] = _ask_version(declared, folder)
    return describe_environment(packages, program)


def _resolve(recipe: str, word: str, folder: Path) -> Path:
    """Find an executable: beside the manifest, in this Python's environment, on the path."""
    if "/" in word:
        path: str | None = str(folder / word)
        found = path if os.access(folder / word, os.X_OK) else None
    else:
        found = shutil.which(word, path=str(Path(sys.executable).parent)) or shutil.which(word)
    if found is None:
        reason = f"the executable {word} is not on this machine, or may not be executed"
        raise RecipeDefinitionError(recipe, f"{reason}. Install it, or correct the command")
    return Path(found)


def _ask_version(declared: Manifest, folder: Path) -> str:
    words = declared.version_command
    executable = _resolve(declared.name, words[0], folder)
    try:
        answer = subprocess.run(  # noqa: S603 - the operator's manifest, no shell
            [executable, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"{' '.join(words)} does not tell a version"
        raise RecipeDefinitionError(declared.name, reason) from error
    return answer.stdout.decode("utf-8", "replace").strip()[:500]


def run(manifest: Manifest, folder: Path, work: Workspace, arguments: dict[str, Any]) -> None:
    """
    Execute a command in the current folder, which is empty.

    Parameters
    ----------
    manifest : Manifest
        Its first word names the executable.
    folder : Path
        Where the manifest lies.
    work : Workspace
        Outputs go into its folder.
    arguments : dict
        Inputs and parameters by name.

    Raises
    ------
    ProgramError
        If it ends with another exit code than 0, with its last words.
    """
    values = _values(manifest, work, arguments)
    document = work.folder.parent / "parameters.json"
    values[_DOCUMENT] = (near(document),)
    document.write_text(_document(manifest, arguments, values), encoding="utf-8")
    executable = _resolve(manifest.name, str(manifest.command[0]), folder)
    argv = [str(executable), *_fill(manifest.command[1:], values)]
    work.log(" ".join([executable.name, *argv[1:]])[:2000])
    with subprocess.Popen(  # noqa: S603 - an argv of the operator's manifest, no shell
        argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as child:
        last = deque(_pass_on(child), maxlen=_LAST_LINES)
    if child.returncode != 0:
        raise ProgramError(
            "command-failed", _explain(executable.name, child.returncode, last), "\n".join(last)
        )


def near(path: Path) -> str:
    """Write a path so that it is the same in every attempt: seen from the current folder."""
    # The folder is resolved, the name is not: inputs are links with a registered name.
    return os.path.relpath(path.parent.resolve() / path.name)


def paths_of(value: Any) -> tuple[str, ...] | None:
    """Return the file to open of each dataset, None where there is none."""
    if isinstance(value, Input):
        return (near(value.file),)
    if isinstance(value, Inputs):
        return tuple(near(one.file) for one in value) or None
    return None


def _values(
    manifest: Manifest, work: Workspace, arguments: dict[str, Any]
) -> dict[str, tuple[str, ...] | None]:
    values = {role: paths_of(arguments.get(role)) for role in manifest.inputs}
    values |= {
        f"output.{role}": (near(work.folder / slot.filename),)
        for role, slot in manifest.outputs.items()
    }
    for name in manifest.parameters["properties"]:
        values[name] = None if arguments[name] is None else (_spell(arguments[name]),)
    return values


def _document(manifest: Manifest, arguments: dict[str, Any], values: Values) -> str:
    properties = manifest.parameters["properties"]
    told = {
        "inputs": {role: values[role] for role in manifest.inputs},
        "outputs": {role: (values[f"output.{role}"] or ("",))[0] for role in manifest.outputs},
        "parameters": {name: arguments[name] for name in properties},
    }
    return json.dumps(told, sort_keys=True, indent=1, ensure_ascii=False)


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return ",".join(_spell(part) for part in value)
    return json.dumps(value)


def _fill(command: tuple[str | tuple[str, ...], ...], values: Values) -> Iterator[str]:
    for part in command:
        words = (part,) if isinstance(part, str) else part
        if all(values[name] is not None for word in words for name in _names_in(word)):
            for word in words:
                yield from _fill_word(word, values)


def _fill_word(word: str, values: Values) -> Iterator[str]:
    alone = _PLACEHOLDER.fullmatch(word)
    if alone and alone.group(1):
        yield from values[alone.group(1)] or ()
        return

    def replace(found: re.Match[str]) -> str:
        name = found.group(1)
        return found.group()[0] if name is None else (values[name] or ("",))[0]

    yield _PLACEHOLDER.sub(replace, word)


def _words(manifest: Manifest) -> Iterator[tuple[str, bool]]:
    for part in manifest.command:
        if isinstance(part, str):
            yield part, False
        else:
            yield from ((word, True) for word in part)


def _names_in(word: str) -> set[str]:
    return {found.group(1) for found in _PLACEHOLDER.finditer(word) if found.group(1) is not None}


def _branches(schema: dict[str, Any]) -> list[Any]:
    branches: list[Any] = schema.get("anyOf", [])
    return branches


def _pass_on(child: subprocess.Popen[bytes]) -> Iterator[str]:
    """Let the log have what a command says on standard error, and keep its end."""
    for line in child.stderr or ():
        text = line.decode("utf-8", "replace").rstrip()
        sys.stderr.write(f"{text}\n")
        yield text


def _explain(name: str, code: int, last: deque[str]) -> str:
    how = f"ended with exit code {code}"
    if code < 0:
        how = f"was killed ({signal.Signals(-code).name}), perhaps for want of memory"
    words = " / ".join([line for line in last if line.strip()][-3:])
    said = f" Its last words: {words[:400].rstrip('.')}." if words else " It gave no reason."
    return f"The command {name} {how}.{said} Mend the parameters, or tell the recipe's author."
