"""
What the catalogue refuses.

::

    CatalogueError
    ├── UnknownDatasetError     missing, or not visible to this person
    ├── UnknownFileError        the same for one file of a dataset
    ├── EmbargoError            visible, but its bytes are closed until a day
    ├── RetractedError          taken back; its page says why
    ├── NotPermittedError       visible, but this act is not theirs
    ├── TransitionError         the state of the data forbids this act
    ├── RefusedFileError        a file that must not be registered or read
    ├── ContentChangedError     registered files are there again with other bytes
    ├── RegistrationError       a description that cannot become a dataset
    ├── DeclarationError        facility.toml is wrong at one line
    ├── BusyError               too many at once; the same later
    └── StoreError              bytes cannot be read or written just now
        └── ChecksumError       bytes differ from what the catalogue knows

They know no HTTP: ``config.problems`` gives each its status.
"""

from dataclasses import dataclass, field
from datetime import date


class CatalogueError(Exception):
    """Root of all that the catalogue refuses; the text tells the next step."""


class UnknownDatasetError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"There is no dataset {pid} that you may see. Check the identifier, or sign in."
        )


class UnknownFileError(CatalogueError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(
            f"There is no file {uuid} that you may see. Check the identifier, or sign in."
        )


class EmbargoError(CatalogueError):
    """
    Bytes that are not open yet.

    Parameters
    ----------
    pid : str
        Of the dataset, whose page may be seen.
    until : date or None
        The day on which they open; None where nothing says when.
    """

    def __init__(self, pid: str, until: date | None) -> None:
        self.pid = pid
        self.until = until
        when = f"open on {until}" if until else "are closed, and no day is set"
        super().__init__(f"These data {when}. Ask for access on the page of the dataset.")


class RetractedError(CatalogueError):
    """
    Bytes of a dataset that was taken back.

    Parameters
    ----------
    pid : str
        Of the dataset; its page remains.
    kind : str
        "retracted" because it is wrong, "withdrawn" because it must not be shown.
    reason : str
        In the words of whoever took it back.
    """

    def __init__(self, pid: str, kind: str, reason: str) -> None:
        self.pid = pid
        self.kind = kind
        self.reason = reason
        super().__init__(f"This dataset was {kind}: {reason} Its page stays as a record.")


class TransitionError(CatalogueError):
    """
    An act that the state of the data forbids; nothing was written.

    Parameters
    ----------
    act : str
        The act as a verb phrase, "extend the embargo".
    reason : str
        Why not, and what can be done.
    """

    def __init__(self, act: str, reason: str) -> None:
        self.act = act
        self.reason = reason
        super().__init__(f"It is not possible to {act}: {reason}")


class NotPermittedError(CatalogueError):
    """
    An act that this person may not do on something they can see.

    Parameters
    ----------
    act : str
        The act as a verb phrase, "register datasets".
    who_may : str
        Who may do it instead, "the staff of its instrument".
    """

    def __init__(self, act: str, who_may: str) -> None:
        self.act = act
        self.who_may = who_may
        super().__init__(f"You may not {act}. Ask {who_may}.")


class RefusedFileError(CatalogueError):
    """
    A file that must not be registered, or read by a recipe.

    Parameters
    ----------
    code : str
        Which rule it breaks, "file-external-link".
    reason : str
        What was found, what was expected, and what to do.
    file : str
        Its name relative to the dataset, never an absolute path.
    """

    def __init__(self, code: str, reason: str, *, file: str = "") -> None:
        self.code = code
        self.reason = reason
        self.file = file
        super().__init__(f"{file}: {reason}" if file else reason)


class ContentChangedError(CatalogueError):
    def __init__(self, pid: str, file: str) -> None:
        self.pid = pid
        self.file = file
        super().__init__(
            f"{file} is registered in dataset {pid} with other content. "
            "Register the new files under another name, or restore the old ones."
        )


class RegistrationError(CatalogueError):
    """
    A description that cannot become a dataset.

    Parameters
    ----------
    field : str
        Which part of the request is at fault, "proposal".
    reason : str
        What was found and what to do.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class DeclarationFault:
    """One fault of a facility.toml: where it stands and what is wrong."""

    key: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key}: {self.reason}"


@dataclass
class DeclarationError(CatalogueError):
    """A facility.toml with faults; nothing of it was stored."""

    faults: list[DeclarationFault] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class BusyError(CatalogueError):
    def __init__(self, act: str) -> None:
        self.act = act
        super().__init__(f"The server is busy: it cannot {act} just now. Try again in a minute.")


class StoreError(CatalogueError):
    """
    A store that cannot be read or written just now.

    Parameters
    ----------
    store : str
        Its name in facility.toml.
    reason : str
        What happened and what to do, without a server's path.
    """

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__(f"Store {store}: {reason}")


class ChecksumError(StoreError):
    def __init__(self, store: str, file: str, *, expected: str, found: str) -> None:
        self.file = file
        self.expected = expected
        self.found = found
        super().__init__(
            store, f"{file} has sha256 {found[:12]}…, expected {expected[:12]}…. Restore it."
        )
