"""Which part of a file a client asks for (RFC 9110, section 14)."""

import re

from catalogue.errors import RangeError

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_FAR = 1 << 63  # behind the end of any file


def read_range(asked: str, file: str, size: int) -> range | None:
    """
    Return the bytes that a Range header selects.

    Parameters
    ----------
    asked : str
        The header; empty if there is none.
    file : str
        Name of the file, for the problem.
    size : int
        Of the file, in bytes.

    Returns
    -------
    range or None
        Never empty. None where the whole file is to be sent: without a header, and with
        one that is malformed, has another unit or names several ranges.

    Raises
    ------
    RangeError
        If the range is well formed and holds no byte of the file.
    """
    found = _ONE_RANGE.fullmatch(asked)
    if found is None or found[1] == found[2] == "":
        return None
    first, last = (_number(text) for text in found.groups())
    if first is None:
        span = range(max(size - (last or 0), 0), size)
    elif last is not None and last < first:
        return None
    else:
        span = range(first, size if last is None else min(last + 1, size))
    if not span:
        raise RangeError(file, size)
    return span


def _number(text: str) -> int | None:
    if not text:
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) < 19 else _FAR
