"""What stands in the annotations of a recipe: data that it takes, and files that it writes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

Content = TypeVar("Content")


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


class Inputs(tuple[Input[Content], ...], Generic[Content]):
    """The datasets given to a role that takes many, sorted by digest: any order is equal."""

    __slots__ = ()


class OrderedInputs(Inputs[Content], Generic[Content]):
    """The datasets given to a role that takes many, in the order in which they were given."""

    __slots__ = ()


class Output(Generic[Content]):
    """In annotations: the path of a file that a recipe writes, and what it contains."""
