"""
Run one recipe: ``python -m processing.runner`` with a ticket on standard input.

Knows no database and no Django. Standard input stays open as long as the supervisor
lives: its end means that nobody waits for the result, so the whole process group stops.
Events and the outcome leave as JSON lines on what was standard output; whatever the
recipe prints itself goes to standard error, and from there into the log.
"""

import errno
import importlib
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from catalogue.errors import RefusedFileError
from catalogue.hdf5 import check_dataset
from catalogue.storage.local import hash_file
from processing.chunks.place import Place
from processing.recipes import declared
from processing.recipes.base import (
    Input,
    Inputs,
    ProgramError,
    Recipe,
    RecipeError,
    Workspace,
    working_in,
)
from processing.recipes.comparison import content_digest
from processing.recipes.declared import DeclaredRecipe
from processing.recipes.fan_out import Executor, open_local
from processing.recipes.manifest import Manifest
from processing.ticket import (
    Event,
    Failure,
    LogLine,
    Outcome,
    OutputFile,
    Ticket,
    TicketFile,
    TicketInput,
)


class _StopError(Exception):
    """Ends the run with a failure that is already put into words."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def main() -> None:
    ticket = Ticket.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_die_with_supervisor, daemon=True).start()
    report = _take_standard_output()
    report(execute(ticket, report).model_dump_json())


def _die_with_supervisor() -> None:
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def _take_standard_output() -> Callable[[str], None]:
    """Keep standard output for reports: a print in a recipe must not break them."""
    channel: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(line: str) -> None:
        with lock:
            channel.write(line + "\n")
            channel.flush()

    return report


def execute(ticket: Ticket, report: Callable[[str], None]) -> Outcome:
    """
    Run the recipe of a ticket in its staging folder.

    Parameters
    ----------
    ticket : Ticket
        Its ``staging`` folder exists and is empty.
    report : callable
        Takes each event as one line of JSON.

    Returns
    -------
    Outcome
        Outputs by their path below ``staging/outputs``, or a failure in words.
    """

    def emit(event: Event) -> None:
        report(event.model_dump_json())

    try:
        return _execute(ticket, emit)
    except Exception as error:  # noqa: BLE001 - the border: a recipe's failure is data
        return Outcome(failure=_failure_of(error))


def _execute(ticket: Ticket, emit: Callable[[Event], None]) -> Outcome:
    for name in ("inputs", "outputs", "empty"):
        (ticket.staging / name).mkdir()
    # HDF5 looks for relative links in the current folder too: there must be nothing.
    os.chdir(ticket.staging / "empty")
    recipe = _load(ticket)
    slots = recipe.manifest.inputs
    inputs = {
        role: Inputs(_lay_out(ticket, role, place, given) for place, given in enumerate(datasets))
        for role, datasets in ticket.inputs.items()
        if datasets
    }
    work = Workspace(
        folder=ticket.staging / "outputs",
        now=datetime.fromisoformat(ticket.clock),
        seed=ticket.seed,
        run_key=ticket.run_key,
        key_document=ticket.key_document,
        emit=emit,
        recipe=ticket.recipe,
        version=ticket.version,
        inputs={role: given[0].digest for role, given in inputs.items()},
        cores=ticket.limits.cores,
        cache=ticket.cache,
        chunk=recipe.manifest.chunk,
        open_executor=_choose_executor(ticket, recipe.manifest, emit),
    )
    emit(LogLine(text=f"{ticket.recipe} {ticket.version} starts"))
    random.seed(ticket.seed)  # for libraries that ask nobody
    arguments = {role: given if slots[role].many else given[0] for role, given in inputs.items()}
    with working_in(work):
        result = recipe(**arguments, **_as_arguments(ticket))
    return _collect(recipe.manifest, work, _by_role(recipe.manifest, result))


def _load(ticket: Ticket) -> Recipe | DeclaredRecipe:
    """Import the recipe, and see that its packages are those of the run key."""
    recipe: Recipe | DeclaredRecipe
    if ticket.manifest_file:
        recipe = declared.load(Path(ticket.manifest_file))
    else:
        module, _, name = ticket.entry.partition(":")
        recipe = getattr(importlib.import_module(module), name)
    if ticket.manifest_digest not in {"", recipe.manifest.digest}:
        message = (
            "The manifest of this recipe has changed since it was registered. Its author raises "
            "the version, or the operator puts the old file back."
        )
        raise _StopError(Failure(reason="environment", code="environment-changed", message=message))
    if recipe.manifest.environment.digest != ticket.environment:
        found = ", ".join(f"{n} {v}" for n, v in recipe.manifest.environment.packages.items())
        raise _StopError(
            Failure(
                reason="environment",
                code="environment-changed",
                message=f"This worker has other packages than the run was launched for ({found}). "
                "The operator applies facility.toml again, or starts a worker with the old ones.",
            )
        )
    return recipe


def _choose_executor(
    ticket: Ticket, manifest: Manifest, emit: Callable[[Event], None]
) -> Callable[[int, Callable[[Any], Any]], Executor]:
    """Offer the cluster of the engine to ``work.map``, if the run may use one."""
    cluster = ticket.cluster
    if cluster is None:
        return open_local
    place = Place(
        run=f"{ticket.uuid}.{ticket.fence}",
        entry=ticket.entry,
        manifest=manifest.digest,
        environment=ticket.environment,
        clock=ticket.clock,
        seed=ticket.seed,
        cores=ticket.limits.cores,
        memory_bytes=ticket.limits.memory_bytes,
        interpreter=ticket.interpreter,
        cache=str(ticket.cache),
    )

    def tell(text: str) -> None:
        emit(LogLine(text=text))

    def open_it(cores: int, function: Callable[[Any], Any]) -> Executor:
        try:
            # Half a second, for the few that want it; and a recipe's own environment may
            # lack it.
            from processing.chunks.cluster import open_executor  # noqa: PLC0415 - as said above
        except ImportError:
            tell("Dask is not installed for this recipe: only own cores compute.")
            return open_local(cores, function)
        return open_executor(cluster, place, tell, cores, function)

    return open_it


def _lay_out(ticket: Ticket, role: str, position: int, given: TicketInput) -> Input[str]:
    """Link an input's files under their registered names, and have them judged."""
    folder = ticket.staging / "inputs" / role / str(position)
    links = []
    for file in given.files:
        if not _is_as_registered(file):
            message = (
                f"{file.path} of {given.title} is gone or has changed since it was registered. "
                "Restore it, or register the new file as its own dataset."
            )
            raise _StopError(Failure(reason="input", code="input-changed", message=message))
        link = folder.joinpath(*PurePosixPath(file.path).parts)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.location)
        links.append(link)
    check_dataset({file.path: file.location for file in given.files})
    return Input(links, given.digest)


def _is_as_registered(file: TicketFile) -> bool:
    """Compare size and time of change, and the checksum where the time differs."""
    if not file.location.is_file():
        return False
    status = file.location.stat()
    if status.st_size != file.size:
        return False
    if file.modified_ns in {None, status.st_mtime_ns}:
        return True
    return hash_file(file.location) == file.sha256


def _as_arguments(ticket: Ticket) -> dict[str, object]:
    """Give JSON's lists as the tuples that recipes declare."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in ticket.parameters.items()
    }


def _by_role(manifest: Manifest, result: Any) -> dict[str, str]:
    """Return the main file of each output that a recipe has returned."""
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        given = result._asdict()
    else:
        given = result if isinstance(result, dict) else dict.fromkeys(manifest.outputs, result)
    return {role: Path(path).name for role, path in given.items() if path is not None}


def _collect(manifest: Manifest, work: Workspace, returned: dict[str, str]) -> Outcome:
    """State what lies in the outputs folder: what was declared, and nothing else."""
    found = {path.name for path in work.folder.iterdir()}
    needed = {role for role, slot in manifest.outputs.items() if not slot.optional}
    if lacking := sorted(needed - set(returned)):
        raise _StopError(_bad_output("output-missing", f"returned no {', '.join(lacking)}"))
    if unknown := sorted({it.role for it in work.constants} - {"", *returned}):
        what = f"states a constant of {', '.join(unknown)}, which it does not return"
        raise _StopError(_bad_output("output-missing", what))
    if missing := sorted({*work.declared, *returned.values()} - found):
        raise _StopError(_bad_output("output-missing", f"did not write {', '.join(missing)}"))
    if undeclared := sorted(found - set(work.declared)):
        what = f"wrote {', '.join(undeclared)} without declaring it"
        raise _StopError(_bad_output("output-undeclared", what))
    first = next(iter(returned), next(iter(manifest.outputs)))
    roles = {name: role for role, name in returned.items()} | work.roles
    constants = {it.role or first: it for it in work.constants}
    files = [
        _describe(work.folder / name, roles.get(name, first), manifest.volatile)
        for name in dict.fromkeys(work.declared)
        if name != "preview.png"
    ]
    preview = OutputFile(role=first, path="preview.png") if "preview.png" in found else None
    return Outcome(
        outputs=tuple(files),
        preview=preview,
        quantities=tuple(work.quantities),
        warnings=tuple(work.warnings),
        constants=tuple(it.model_copy(update={"role": role}) for role, it in constants.items()),
    )


def _describe(path: Path, role: str, volatile: tuple[str, ...]) -> OutputFile:
    is_plain = path.is_file() and not path.is_symlink()  # else the supervisor refuses it
    digest = content_digest(path, volatile) if is_plain else ""
    return OutputFile(role=role, path=path.name, content_digest=digest)


def _bad_output(code: str, what: str) -> Failure:
    message = f"The recipe {what}. Tell its author; the input is not at fault."
    return Failure(reason="output", code=code, message=message)


def _failure_of(error: Exception) -> Failure:
    """Say whose fault it is."""
    if isinstance(error, _StopError):
        return error.failure
    if isinstance(error, RecipeError | RefusedFileError):
        return Failure(reason="input", code=error.code, message=str(error))
    if isinstance(error, ProgramError):
        trace = error.trace
        return Failure(reason="recipe", code=error.code, message=error.message, traceback=trace)
    return _explain(error)


def _explain(error: Exception) -> Failure:
    """Tell a full disk and too little memory from the recipe's own failure."""
    trace = traceback.format_exc(limit=-8)
    if isinstance(error, MemoryError):
        message = "The run needed more memory than it may have. Ask for a larger limit."
        return Failure(reason="memory", code="memory", message=message, traceback=trace)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message = "The disk is full. The run waits until the operator has made room."
        return Failure(reason="disk", code="disk-full", message=message, traceback=trace)
    message = (
        f"The recipe stopped with {type(error).__name__}: {str(error)[:300]}. "
        "Look at the log, and tell the recipe's author if the input is good."
    )
    return Failure(reason="recipe", code="recipe-failed", message=message, traceback=trace)


if __name__ == "__main__":
    main()
