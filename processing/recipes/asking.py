"""
Ask a recipe's hooks, in a child process of the recipe's environment.

``python -m processing.recipes.asking`` reads one JSON document from standard input and
writes one. Many questions go to one child, since importing a recipe takes a second.
"""

import importlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, JsonValue, ValidationError

from processing.errors import RecipeDefinitionError
from processing.recipes.base import Recipe
from processing.recipes.comparison import Comparison
from processing.recipes.manifest import Example, Manifest
from processing.recipes.registry import start

_TIMEOUT_S = 300

Parameters = dict[str, JsonValue]


class Price(BaseModel):
    """What one processing run would cost."""

    core_seconds: float
    bytes_out: int


class Question(BaseModel):
    """Sizes of the files of each role, in bytes, and complete parameters."""

    sizes: dict[str, list[int]]
    parameters: Parameters = {}


class _Call(BaseModel):
    entry: str
    hook: Literal["estimate", "compare", "example"]
    questions: list[Question] = []
    folders: list[Path] = []


class _Answer(BaseModel):
    prices: list[Price | None] = []
    comparison: Comparison | None = None
    example: Example | None = None


def estimate(manifest: Manifest, questions: Sequence[Question]) -> list[Price | None]:
    """
    Ask a recipe what processing runs would cost, all in one child process.

    Parameters
    ----------
    manifest : Manifest
        As registered.
    questions : sequence of Question
        Any number; each is answered by itself.

    Returns
    -------
    list
        In the order of the questions: core-seconds and bytes of output, or None where
        the recipe has no such hook or the hook failed.
    """
    if "estimate" not in manifest.hooks or not questions:
        return [None] * len(questions)
    call = _Call(entry=manifest.entry, hook="estimate", questions=list(questions))
    return _ask(manifest, call).prices


def compare_by_hook(manifest: Manifest, original: Path, replay: Path) -> Comparison | None:
    """Return the recipe's own verdict on two result files, None if it has no such hook."""
    if "compare" not in manifest.hooks:
        return None
    call = _Call(entry=manifest.entry, hook="compare", folders=[original, replay])
    return _ask(manifest, call).comparison


def write_example(manifest: Manifest, folder: Path) -> Example | None:
    """Have a recipe write its example into a folder; None if it has none."""
    if manifest.example is not None:
        below = Path(manifest.place.manifest_file).parent
        inputs = {
            role: tuple(str(below / name) for name in names)
            for role, names in manifest.example.inputs.items()
        }
        return Example(inputs=inputs, parameters=manifest.example.parameters)
    if "example" not in manifest.hooks:
        return None
    return _ask(manifest, _Call(entry=manifest.entry, hook="example", folders=[folder])).example


def _ask(manifest: Manifest, call: _Call) -> _Answer:
    """
    Put a call to a child process.

    Raises
    ------
    RecipeDefinitionError
        If the child or the hook fails, with its last words.
    """
    try:
        child = subprocess.run(  # noqa: S603 - an interpreter of the operator's
            start(manifest.place.interpreter, "processing.recipes.asking"),
            input=call.model_dump_json().encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        return _Answer.model_validate_json(child.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        end = " ".join(error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
        raise RecipeDefinitionError(manifest.name, f"its hook {call.hook} failed: {end}") from error
    except (OSError, subprocess.TimeoutExpired, ValidationError, IndexError) as error:
        reason = f"its hook {call.hook} gave no answer"
        raise RecipeDefinitionError(manifest.name, reason) from error


def _answer(call: _Call) -> _Answer:
    module, _, name = call.entry.partition(":")
    recipe: Recipe = getattr(importlib.import_module(module), name)
    hook = recipe.hooks[call.hook]
    if call.hook == "estimate":
        return _Answer(prices=[_price(hook, question) for question in call.questions])
    given: Any = hook(*call.folders)
    if call.hook == "compare":
        return _Answer(comparison=given)
    return _Answer(example=_relative(given, call.folders[0]))


def _price(hook: Any, question: Question) -> Price | None:
    try:
        core_seconds, bytes_out = hook(question.sizes, question.parameters)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None  # a plan goes on without it
    return Price(core_seconds=core_seconds, bytes_out=bytes_out)


def _relative(given: Any, folder: Path) -> Example:
    if isinstance(given, Example):
        return given
    files: Mapping[str, Any] = given
    return Example(
        inputs={
            role: tuple(
                str(Path(path).relative_to(folder))
                for path in (paths if isinstance(paths, list | tuple) else [paths])
            )
            for role, paths in files.items()
        }
    )


if __name__ == "__main__":
    asked = _Call.model_validate_json(sys.stdin.read())
    told = _answer(asked).model_dump_json()
    sys.stdout.write(f"\n{told}\n")
