"""Parameterised notebooks as recipes, executed by papermill."""

import ast
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from papermill.exceptions import PapermillException, PapermillExecutionError
from traitlets import Instance, default

from catalogue.storage.local import hash_file
from processing.errors import RecipeDefinitionError
from processing.recipes.commands import near, paths_of
from processing.recipes.environments import describe_environment
from processing.recipes.failures import ProgramError
from processing.recipes.manifest import Environment, Manifest
from processing.recipes.workspace import Workspace

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_START_S = 60
# Else a kernel tells people how to connect to it, and where its files lie.
_QUIET = "--log-level=CRITICAL"


class _Provisioner(LocalProvisioner):
    """Starts the kernel in the process group of the run: whoever kills one kills both."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        self.process = subprocess.Popen(  # noqa: S603 - this interpreter and its kernel
            [*cmd, _QUIET], stdin=subprocess.DEVNULL, env=kwargs.get("env"), cwd=kwargs.get("cwd")
        )
        self.pid, self.pgid, self.cwd = self.process.pid, None, kwargs.get("cwd")
        return self.connection_info


class _Provisioners(KernelProvisionerFactory):
    def create_provisioner_instance(self, kernel_id: str, kernel_spec: Any, parent: Any) -> Any:
        return _Provisioner(kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent)


class _KernelManager(AsyncKernelManager):
    """Knows one kernel, that of the interpreter which runs this: none is installed."""

    kernel_spec_manager = Instance(KernelSpecManager)

    @default("kernel_spec_manager")
    def _only_the_native_one(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def check(manifest: Manifest, folder: Path) -> None:
    """
    Refuse a notebook whose parameters are not those of its manifest.

    Raises
    ------
    RecipeDefinitionError
        Naming what is lacking on either side.
    """
    told = _inspect(manifest.name, folder / manifest.notebook)
    properties = manifest.parameters["properties"]
    wanted = {*properties, *manifest.inputs}
    if lacking := sorted(set(properties) - set(told)):
        reason = f"{manifest.notebook} has no {', '.join(lacking)} in its cell tagged parameters"
        raise RecipeDefinitionError(manifest.name, reason)
    if surplus := sorted(set(told) - wanted - set(manifest.outputs)):
        reason = f"the manifest says nothing of {', '.join(surplus)} in {manifest.notebook}"
        raise RecipeDefinitionError(manifest.name, reason)


def read_parameters(draft: Manifest, folder: Path) -> dict[str, dict[str, Any]]:
    """Describe the parameters of a notebook by the values in its tagged cell."""
    roles = {*draft.inputs, *draft.outputs}
    return {
        name: _describe(draft.name, name, told)
        for name, told in _inspect(draft.name, folder / draft.notebook).items()
        if name not in roles
    }


def identify(declared: Manifest, packages: tuple[str, ...], folder: Path) -> Environment:
    """State the notebook by its sha256, and the packages that it declares."""
    path = folder / declared.notebook
    if not path.is_file():
        reason = f"there is no notebook {declared.notebook} beside the manifest"
        raise RecipeDefinitionError(declared.name, reason)
    program = {"notebook": path.name, "sha256": hash_file(path)}
    return describe_environment({*packages, "ipykernel"}, program)


def run(manifest: Manifest, folder: Path, work: Workspace, arguments: dict[str, Any]) -> None:
    """
    Execute a notebook in the current folder, and keep it with its results.

    Inputs and outputs come as paths under the names of their roles: a text, a list of
    them where a role takes many, None where nothing is given.

    Raises
    ------
    ProgramError
        If a cell fails, naming the cell and its error.
    """
    name = Path(manifest.notebook).name
    source = _read(manifest.name, folder / manifest.notebook)
    parameters = {key: arguments[key] for key in manifest.parameters["properties"]}
    for role, slot in manifest.inputs.items():
        paths = paths_of(arguments.get(role)) or ()
        parameters[role] = list(paths) if slot.many else next(iter(paths), None)
    executed = next(s.filename for s in manifest.outputs.values() if s.content == "notebook")
    for role, written in manifest.outputs.items():
        if written.filename != executed:
            parameters[role] = near(work.folder / written.filename)
    _Provisioners.instance()  # the factory that kernel managers ask from here on
    total = len(source.cells) + 1  # and the one with the parameters

    def tell(**done: Any) -> None:
        work.progress(min(done["cell_index"] + 1, total), total, "executing cells")

    try:
        made = papermill.execute_notebook(
            source,
            None,
            {key: _plain(value) for key, value in parameters.items()},
            kernel_name=NATIVE_KERNEL_NAME,
            kernel_manager_class=_KernelManager,
            progress_bar=False,
            record_timing=False,
            start_timeout=_START_S,
            on_cell_executed=tell,
        )
    except PapermillExecutionError as error:
        raise ProgramError("notebook-failed", _explain(name, source, error), str(error)) from error
    except PapermillException as error:
        message = f"The notebook {name} cannot be executed: {error}. Tell the recipe's author."
        raise ProgramError("notebook-failed", message) from error
    nbformat.write(_timeless(made), work.folder / executed)


def _inspect(recipe: str, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = papermill.inspect_notebook(_read(recipe, path))
    return found


def _read(recipe: str, path: Path) -> Any:
    """Read a notebook for the one kernel there is, whatever its author's was called."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise RecipeDefinitionError(recipe, f"{path.name} cannot be read as a notebook") from error
    notebook.metadata["kernelspec"] = {
        "name": NATIVE_KERNEL_NAME,
        "display_name": "Python",
        "language": "python",
    }
    return notebook


def _describe(recipe: str, name: str, told: dict[str, Any]) -> dict[str, Any]:
    untold = f"the value of {name} does not tell its type: describe it in the manifest"
    try:
        value = ast.literal_eval(told["default"])
    except (SyntaxError, ValueError) as error:
        raise RecipeDefinitionError(recipe, untold) from error
    if type(value) not in _TYPES:
        raise RecipeDefinitionError(recipe, untold)
    return {"type": _TYPES[type(value)], "default": value, "description": told["help"].strip()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _timeless(notebook: Any) -> Any:
    """Take out what differs between equal executions: times, paths, random identifiers."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{number}"
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).pop("execution", None)
    return notebook


def _explain(name: str, source: Any, error: PapermillExecutionError) -> str:
    # Papermill counts the cell that it has put in; people count those that they wrote.
    injected = any("parameters" in cell.metadata.get("tags", ()) for cell in source.cells)
    first = error.source.strip().splitlines()[:1]
    number = max(1, error.cell_index + (0 if injected else 1))
    begins = f", which begins with {first[0][:80]!r}," if first else ""
    return (
        f"Cell {number} of {name}{begins} stopped with {error.ename}: {str(error.evalue)[:300]}. "
        "Look at the log, and tell the recipe's author if the input is good."
    )
