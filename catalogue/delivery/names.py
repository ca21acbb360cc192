"""Names under which files leave: on the reader's disk they are somebody else's paths."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_UNSAFE = re.compile(r'[\\/"%]')


def plain(name: str) -> str:
    """Return a name without control characters, nor marks that turn the reading direction."""
    # Cc: line breaks and their like. Cf: also the marks by which exe.h5 can pass for 5h.exe.
    return "".join("_" if unicodedata.category(sign) in {"Cc", "Cf"} else sign for sign in name)


def attachment(name: str) -> str:
    """
    Return a Content-Disposition that saves a body under a name (RFC 6266).

    Old clients read the first name, in ASCII; others the second, in full.
    """
    name = plain(name)
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
    return (
        f'attachment; filename="{_UNSAFE.sub("_", ascii_name)}"; '
        f"filename*=utf-8''{quote(name, safe='')}"
    )


def member_path(path: str) -> str:
    """
    Return the path of a file inside an archive: it leads down, on every system.

    Parameters
    ----------
    path : str
        Of a registered file, relative to its dataset.
    """
    parts = plain(path).replace("\\", "_").split("/")
    safe = ("_" * len(part) if part in {".", ".."} else part for part in parts if part)
    return "/".join(safe) or "_"


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Add a number to each name that came before: made plain, two may have become one."""
    seen: set[str] = set()
    for name in names:
        unique, number = name, 1
        while unique in seen:
            number += 1
            unique = f"{name}~{number}"
        seen.add(unique)
        yield unique
