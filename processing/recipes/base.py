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
annotation names the output. It stays a plain function: ``xrd_map("scan.h5", "a.poni")``
runs in a notebook and writes into the current folder.
"""

import hashlib
import inspect
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, create_model

from processing.errors import RecipeDefinitionError
from processing.recipes.manifest import Environment, InputSlot, Manifest, OutputSlot
from processing.ticket import Event, Limits, LogLine, Progress, Quantity

Content = TypeVar("Content")


class RecipeError(Exception):
    """
    A refusal by a recipe that its user can mend: the run ends without a retry.

    Parameters
    ----------
    code : str
        Stable name of the refusal, "xrd-shape".
    message : str
        What, where, what was expected, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class Input(Generic[Content]):
    """
    The files of the dataset given to a role, under their registered names.

    Parameters
    ----------
    files : iterable of Path
        The first is the one to open; the others lie beside it as it expects them.
    digest : str
        sha256 that names the content, empty outside a processing run.
    """

    def __init__(self, files: Iterable[Path], digest: str = "") -> None:
        self.files = tuple(files)
        self.digest = digest

    @property
    def file(self) -> Path:
        """The file to open."""
        return self.files[0]


class Output(Generic[Content]):
    """In annotations: the path of a file that a recipe writes, and what it contains."""


@dataclass
class Workspace:
    """
    What a recipe may use besides its arguments.

    ``now`` and ``seed`` are recorded with the run: a recipe that takes its clock and
    its random numbers from here can be replayed to identical bytes.
    """

    folder: Path
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    seed: int = 0
    run_key: str = ""
    key_document: str = ""
    emit: Callable[[Event], None] = lambda _event: None
    recipe: str = ""
    version: str = ""
    inputs: dict[str, str] = field(default_factory=dict)  # role -> digest
    declared: list[str] = field(default_factory=list)
    quantities: list[Quantity] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def output(self, name: str) -> Any:
        """Return the path under which to write the output file."""
        self.declared.append(name)
        return self.folder / name

    def preview(self) -> Path:
        """Return the path for the PNG that pages show for this result."""
        self.declared.append("preview.png")
        return self.folder / "preview.png"

    def progress(self, done: int, total: int, stage: str = "") -> None:
        self.emit(Progress(done=done, total=total, stage=stage))

    def log(self, text: str) -> None:
        self.emit(LogLine(text=text))

    @property
    def date(self) -> str:
        """The run's clock as text, to the second; empty outside a processing run."""
        return self.now.isoformat(timespec="seconds") if self.run_key else ""

    def warn(self, text: str) -> None:
        """Tell the reader of the result something that does not stop it."""
        self.warnings.append(text)
        self.emit(LogLine(level="warning", text=text))

    def quantity(self, name: str, value: float | str, unit: str | None = None) -> None:
        """State a headline number of the result."""
        self.quantities.append(Quantity(name=name, value=value, unit=unit))


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


def workspace() -> Workspace:
    """Return the workspace of this call: take it once, threads do not inherit it."""
    return _current.get() or Workspace(Path.cwd())


@contextmanager
def working_in(work: Workspace) -> Iterator[Workspace]:
    token = _current.set(work)
    try:
        yield work
    finally:
        _current.reset(token)


class Recipe:
    """A function and the manifest compiled from its signature."""

    def __init__(self, function: Callable[..., Any], manifest: Manifest) -> None:
        self.function = function
        self.manifest = manifest
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function

    def __call__(self, *data: Any, **parameters: Any) -> Any:
        """Call the function; plain paths are taken as inputs."""
        roles = list(self.manifest.inputs)
        given = dict(zip(roles, data, strict=False))
        given |= {role: parameters.pop(role) for role in roles if role in parameters}
        inputs = {role: _as_input(value) for role, value in given.items()}
        return self.function(**inputs, **parameters)


def _as_input(value: Any) -> Any:
    if value is None or isinstance(value, Input):
        return value
    if isinstance(value, str | os.PathLike):
        return Input([Path(value)])
    return Input([Path(part) for part in value])


def recipe(
    name: str,
    *,
    version: str,
    environment: Iterable[str],
    cores: int = 1,
    memory: int = 2 * 2**30,
    walltime_s: float = 1800.0,
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
    cores, memory, walltime_s
        What a run may use: cores, bytes and seconds.

    Raises
    ------
    RecipeDefinitionError
        If an argument has no usable annotation.
    """

    def compile_recipe(function: Callable[..., Any]) -> Recipe:
        hints = get_type_hints(function, include_extras=True)
        arguments = inspect.signature(function).parameters.values()
        docstring = inspect.cleandoc(function.__doc__ or name)
        title, _, description = docstring.partition("\n")
        manifest = Manifest(
            name=name,
            version=version,
            title=title.rstrip("."),
            description=description.strip(),
            entry=f"{function.__module__}:{function.__name__}",
            inputs={
                a.name: _input_slot(name, a, hints.get(a.name))
                for a in arguments
                if a.kind is not a.KEYWORD_ONLY
            },
            parameters=_parameter_schema(
                name, [a for a in arguments if a.kind is a.KEYWORD_ONLY], hints
            ),
            outputs={
                "result": OutputSlot(
                    content=_content(name, "return", hints.get("return"), Output)[0]
                )
            },
            resources=Limits(cores=cores, memory_bytes=memory, walltime_s=walltime_s),
            environment=describe_environment(environment),
        )
        return Recipe(function, manifest)

    return compile_recipe


def describe_environment(names: Iterable[str]) -> Environment:
    """
    State the declared packages as installed here, by version and RECORD.

    Raises
    ------
    RecipeDefinitionError
        If one of them is not installed.
    """
    packages: dict[str, str] = {}
    lines = [f"python=={'.'.join(platform.python_version_tuple()[:2])}"]
    for name in sorted(names, key=str.lower):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise RecipeDefinitionError(name, f"package {name} is not installed") from error
        packages[name] = distribution.version
        record = distribution.read_text("RECORD") or ""
        # Byte code, scripts and the installer's notes differ from folder to folder.
        files = sorted(
            line
            for line in record.splitlines()
            if ".pyc" not in line and ".dist-info/" not in line and not line.startswith("..")
        )
        digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
        lines.append(f"{name}=={distribution.version} {digest}")
    return Environment(
        packages=packages,
        python=platform.python_version(),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    )


def _input_slot(recipe_name: str, argument: inspect.Parameter, hint: Any) -> InputSlot:
    optional = get_origin(hint) in {Union, UnionType} and type(None) in get_args(hint)
    if optional:
        hint = next(part for part in get_args(hint) if part is not type(None))
    return InputSlot(
        contents=_content(recipe_name, argument.name, hint, Input),
        optional=optional and argument.default is None,
    )


def _content(recipe_name: str, argument: str, hint: Any, outer: type) -> tuple[str, ...]:
    if get_origin(hint) is outer and get_origin(get_args(hint)[0]) is Literal:
        return tuple(get_args(get_args(hint)[0]))
    raise RecipeDefinitionError(
        recipe_name, f"{argument} must be annotated as {outer.__name__}[Literal['…']]"
    )


def _parameter_schema(
    recipe_name: str, arguments: list[inspect.Parameter], hints: dict[str, Any]
) -> dict[str, Any]:
    for argument in arguments:
        if argument.name not in hints:
            raise RecipeDefinitionError(recipe_name, f"parameter {argument.name} has no annotation")
    fields: dict[str, Any] = {
        a.name: (hints[a.name], ... if a.default is a.empty else a.default) for a in arguments
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
    model = create_model("Parameters", __config__=config, **fields)
    schema = model.model_json_schema()
    schema.pop("title", None)
    return schema
