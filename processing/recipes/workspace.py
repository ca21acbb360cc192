"""What a recipe may use besides its arguments."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, overload

from processing.recipes.fan_out import Executor, map_in_order, open_local
from processing.ticket import Event, LogLine, MadeConstant, Progress, Quantity

Item = TypeVar("Item")
Part = TypeVar("Part")
Whole = TypeVar("Whole")


def _one(_part: Any) -> int:
    return 1


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
    constants: list[MadeConstant] = field(default_factory=list)
    cores: int = 1
    cache: Path | None = None  # what any run can make again; None: nothing is kept
    chunk: int = 1  # items that ``map`` hands out at once
    open_executor: Callable[[int, Callable[[Any], Any]], Executor] = open_local

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

    def constant(
        self,
        *,
        kind: str,
        valid_from: datetime,
        detector: str = "",
        conditions: Mapping[str, float | str] | None = None,
        role: str = "",
    ) -> None:
        """
        State that a result calibrates other data: product rules pick it by this.

        Parameters
        ----------
        kind : str
            What rules ask for, "dark".
        valid_from : datetime
            With a time zone; it holds until there is a newer one.
        detector : str, optional
            Name of the detector, as the raw data state it.
        conditions : mapping, optional
            Name to number or text, {"bias_v": 300.0}; rules compare them.
        role : str, optional
            Of the output, by default the first; what is said last of it counts.
        """
        made = MadeConstant(
            role=role,
            kind=kind,
            detector=detector,
            valid_from=valid_from,
            conditions=dict(conditions or {}),
        )
        self.constants = [it for it in self.constants if it.role != role] + [made]

    @overload
    def map(
        self,
        function: Callable[[Item], Part],
        items: Iterable[Item],
        combine: None = None,
        *,
        total: int | None = None,
        stage: str = "",
        weigh: Callable[[Part], int] = ...,
    ) -> list[Part]: ...

    @overload
    def map(
        self,
        function: Callable[[Item], Part],
        items: Iterable[Item],
        combine: Callable[[Iterator[Part]], Whole],
        *,
        total: int | None = None,
        stage: str = "",
        weigh: Callable[[Part], int] = ...,
    ) -> Whole: ...

    def map(
        self,
        function: Callable[[Item], Part],
        items: Iterable[Item],
        combine: Callable[[Iterator[Part]], Whole] | None = None,
        *,
        total: int | None = None,
        stage: str = "",
        weigh: Callable[[Any], int] = _one,
    ) -> Any:
        """
        Compute many items at once, on the cores of the run.

        Parameters
        ----------
        function : callable
            Of one item, without side effects: it may run in another process, on another
            machine, and again. A function of a module uses all cores; a closure stays
            in threads of this process.
        items : iterable
            Taken from as results are handed on: a generator is never exhausted early.
        combine : callable, optional
            Takes the parts one by one, in the order of the items.
        total : int, optional
            Number of items, for the progress; known by itself of a sequence.
        stage : str, optional
            What the progress says is being done.
        weigh : callable, optional
            How much of ``total`` a part stands for; each for one by default.

        Returns
        -------
        list, or what combine returns
            In the order of the items, whatever the order in which they were done.

        Raises
        ------
        RecipeError
            With code ``poison-item``, naming an item that fails three times.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        executor = self.open_executor(self.cores, function)
        try:
            parts = self._tell_each(
                map_in_order(executor, function, items, self.chunk), total, stage, weigh
            )
            return combine(parts) if combine else list(parts)
        finally:
            executor.close()

    def _tell_each(
        self,
        chunks: Iterator[list[Part]],
        total: int | None,
        stage: str,
        weigh: Callable[[Part], int],
    ) -> Iterator[Part]:
        done = 0
        for parts in chunks:
            done += sum(map(weigh, parts))
            self.progress(done, max(done, total or 0), stage)
            yield from parts


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
