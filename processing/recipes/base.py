"""
How a plain function becomes a recipe.

::

    @recipe("xrd-map", version="1.0.0", environment=["pyFAI", "numpy"])
    def xrd_map(
        scan: Input[Literal["nexus-scan"]],
        geometry: Input[Literal["poni"]],
        *,
        bins: Annotated[int, Field(ge=10, description="Bins along q")] = 1000,
    ) -> Output[Literal["xrd-map"]]:
        '''Integrate every frame of a raster scan into one map.'''
        result = workspace().output("map.nxs")
        ...
        return result

Positional arguments are data, keyword-only arguments are recipe parameters, the return
annotation names the output, or several as a NamedTuple. It stays a plain function:
``xrd_map("scan.h5", "a.poni")`` runs in a notebook and writes into the current folder.
"""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from processing.errors import RecipeDefinitionError
from processing.recipes.compiling import read_signature
from processing.recipes.environments import describe_environment
from processing.recipes.failures import ProgramError, RecipeError
from processing.recipes.manifest import Manifest, Preset, Source
from processing.recipes.roles import Input, Inputs, OrderedInputs, Output
from processing.recipes.workspace import Workspace, working_in, workspace
from processing.ticket import Limits

__all__ = [
    "HOOKS",
    "Input",
    "Inputs",
    "OrderedInputs",
    "Output",
    "Preset",
    "ProgramError",
    "Recipe",
    "RecipeError",
    "Source",
    "Workspace",
    "recipe",
    "working_in",
    "workspace",
]

HOOKS = ("combine", "compare", "estimate", "example", "warm_up")

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Recipe:
    """A function and the manifest compiled from its signature."""

    def __init__(self, function: Callable[..., Any], manifest: Manifest) -> None:
        self.function = function
        self.manifest = manifest
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function

    def __call__(self, *data: Any, **parameters: Any) -> Any:
        """Call the function; plain paths are taken as inputs."""
        slots = self.manifest.inputs
        given = dict(zip(slots, data, strict=False))
        given |= {role: parameters.pop(role) for role in slots if role in parameters}
        inputs = {
            role: _as_inputs(value) if slots[role].many else _as_input(value)
            for role, value in given.items()
        }
        return self.function(**inputs, **parameters)

    def estimate(self, hook: Hook) -> Hook:
        """Foretell the price: ``(sizes, parameters) -> (core_seconds, bytes_out)``."""
        return self._hang("estimate", hook)

    def combine(self, hook: Hook) -> Hook:
        """Put parts together in the order of their items: ``(parts) -> result``."""
        return self._hang("combine", hook)

    def compare(self, hook: Hook) -> Hook:
        """Judge a replay by the recipe's own measure: ``(original, replay) -> Comparison``."""
        return self._hang("compare", hook)

    def example(self, hook: Hook) -> Hook:
        """Write small inputs into a folder and name them: ``(folder) -> Example``."""
        return self._hang("example", hook)

    def warm_up(self, hook: Hook) -> Hook:
        """Compile what the first run would wait for: ``() -> None``; workers call it."""
        return self._hang("warm_up", hook)

    def _hang(self, name: str, hook: Hook) -> Hook:
        self.hooks[name] = hook
        self.manifest = self.manifest.model_copy(update={"hooks": tuple(sorted(self.hooks))})
        return hook


def _as_input(value: Any) -> Any:
    if value is None or isinstance(value, Input):
        return value
    if isinstance(value, str | os.PathLike):
        return Input([Path(value)])
    return Input([Path(part) for part in value])


def _as_inputs(values: Any) -> Inputs[Any]:
    return Inputs(_as_input(value) for value in values)


def recipe(
    name: str,
    *,
    version: str,
    environment: Iterable[str],
    cores: int = 1,
    memory: int = 2 * 2**30,
    walltime_s: float = 1800.0,
    scratch: int = 0,
    fan_out: int = 0,
    chunk: int = 1,
    deterministic: bool = True,
    tolerance: Mapping[str, tuple[float, float]] | None = None,
    volatile: Iterable[str] = (),
    presets: Mapping[str, Preset] | None = None,
    authors: Iterable[str] = (),
    licence: str = "",
    source: Source | None = None,
) -> Callable[[Callable[..., Any]], Recipe]:
    """
    Make a recipe of a typed function.

    Parameters
    ----------
    name : str
        Lower case with hyphens; file, page and test are named after it.
    version : str
        MAJOR.MINOR.PATCH. Raise MINOR when results change, PATCH when they do not.
    environment : iterable of str
        Distributions whose version can change the result.
    cores, memory, walltime_s, scratch, fan_out
        What a run may use: cores, bytes, seconds, bytes of disk, cores elsewhere.
    chunk : int
        How many items ``work.map`` hands out at once.
    deterministic, tolerance, volatile
        What a replay must give: equal results at all, within which relative and
        absolute deviation by path, and which paths mean nothing.
    presets : mapping, optional
        Parameters that belong together, by name.
    authors, licence, source
        Whose work it is, an SPDX licence, and where the code is.

    Raises
    ------
    RecipeDefinitionError
        If an argument has no usable annotation, or a preset is not allowed.
    """

    def compile_recipe(function: Callable[..., Any]) -> Recipe:
        signature = read_signature(name, function)
        title, _, description = inspect.cleandoc(function.__doc__ or name).partition("\n")
        try:
            manifest = Manifest(
                name=name,
                version=version,
                title=title.rstrip("."),
                description=description.strip(),
                entry=f"{function.__module__}:{function.__name__}",
                inputs=signature.inputs,
                parameters=signature.parameters,
                outputs=signature.outputs,
                resources=Limits(
                    cores=cores,
                    memory_bytes=memory,
                    walltime_s=walltime_s,
                    scratch_bytes=scratch,
                    fan_out=fan_out,
                ),
                environment=describe_environment(environment),
                deterministic=deterministic,
                tolerance=dict(tolerance or {}),
                volatile=tuple(volatile),
                chunk=chunk,
                presets=dict(presets or {}),
                authors=tuple(authors),
                licence=licence,
                source=source,
            )
        except ValidationError as error:
            raise RecipeDefinitionError(name, _first_fault(error)) from error
        manifest.check_presets()
        return Recipe(function, manifest)

    return compile_recipe


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
