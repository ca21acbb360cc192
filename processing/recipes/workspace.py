"""What a recipe may use besides its arguments, and how it gives up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from processing.ticket import Event, LogLine, Progress, Quantity


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


class ProgramError(Exception):
    """
    A command or notebook that failed by itself.

    Parameters
    ----------
    code : str
        Stable name of the failure, "command-failed".
    message : str
        Which part failed with which words, and what to do.
    trace : str
        What it said last.
    """

    def __init__(self, code: str, message: str, trace: str = "") -> None:
        self.code = code
        self.message = message
        self.trace = trace
        super().__init__(message)


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
    roles: dict[str, str] = field(default_factory=dict)  # file -> role, where it was said
    quantities: list[Quantity] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def output(self, name: str, role: str = "") -> Any:
        """
        Return the path under which to write an output file.

        A role of several files is returned by its main one; the others name the role.
        """
        self.declared.append(name)
        if role:
            self.roles[name] = role
        return self.folder / name

    def preview(self) -> Path:
        """Return the path for the PNG that pages show for this result."""
        self.declared.append("preview.png")
        return self.folder / "preview.png"

    def progress(self, done: int, total: int, stage: str = "") -> None:
        self.emit(Progress(done=done, total=total, stage=stage))

    def log(self, text: str) -> None:
        self.emit(LogLine(text=text))

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
