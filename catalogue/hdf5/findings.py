"""What is wrong in a file, and where."""

import posixpath
from dataclasses import dataclass
from typing import Literal

from catalogue.errors import RefusedFileError

Code = Literal[
    "euxfel-empty",
    "euxfel-index",
    "euxfel-mixed",
    "euxfel-no-common-trains",
    "euxfel-not-a-run",
    "file-changing",  # another program still writes it
    "file-external-link",
    "file-external-storage",
    "file-filter-missing",
    "file-incomplete",
    "file-link-loop",
    "file-no-entry",
    "file-too-complex",
    "file-too-large",
    "file-unreadable",
    "file-unsafe",  # a symbolic link, a pipe, a device
    "file-virtual-source",
    "link-dangling",  # harmless: nothing is behind the link
    "link-file-absent",  # harmless: the file behind the link is not there, or not yet
]


@dataclass(frozen=True)
class Finding:
    """
    One fault of one file.

    Attributes
    ----------
    code : str
        Which rule is broken.
    reason : str
        What was found, what was expected, what to do.
    file : str
        The registered name of the file.
    path : str
        The object in the file; empty if it is the file as a whole.
    harmless : bool
        True if people should know, but may register and read the file.
    """

    code: str
    reason: str
    file: str
    path: str = ""
    harmless: bool = False

    def error(self) -> RefusedFileError:
        return RefusedFileError(self.code, self.reason, file=self.file)


def refused(code: Code, reason: str, file: str) -> RefusedFileError:
    """Return the error for a file that must not be read at all."""
    return RefusedFileError(code, reason, file=file)


def shown(name: str) -> str:
    """
    Return a name out of a file so that it can be printed.

    Of an absolute path only the last part: it may tell of a server's disks.
    """
    if name.startswith("/"):
        name = f"/…/{posixpath.basename(name)}"
    clean = name.encode("utf-8", "backslashreplace").decode()
    if not clean.isprintable():
        clean = "".join(sign if sign.isprintable() else "�" for sign in clean)
    return clean if len(clean) <= 120 else f"{clean[:60]}…{clean[-59:]}"


def shown_path(path: str) -> str:
    """Return a path inside a file so that it can be printed."""
    return "/" + shown(path.lstrip("/"))
