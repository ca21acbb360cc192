"""How watch rules are written: patterns of paths, end markers, and times of quiet."""

import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SIMPLE = re.compile(r"(\d+)\s*(s|min|h)")
_ISO = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_LONGEST_S = 24 * 3600


def read_seconds(time: str) -> int:
    """
    Read a time such as "60s", "5 min", "1h" or, by ISO 8601, "PT1M".

    Returns
    -------
    int
        Seconds.

    Raises
    ------
    ValueError
        If it says anything else, or is no time between a second and a day.
    """
    if found := _SIMPLE.fullmatch(time):
        seconds = int(found[1]) * _SECONDS[found[2]]
    elif (found := _ISO.fullmatch(time)) and any(found.groups()):
        hours, minutes, rest = (int(part or 0) for part in found.groups())
        seconds = 3600 * hours + 60 * minutes + rest
    else:
        raise ValueError("must be a time such as 60s, 5 min or PT1M")
    if not 1 <= seconds <= _LONGEST_S:
        raise ValueError("must be at least a second and at most a day")
    return seconds


def names_in(pattern: str) -> list[str]:
    """Return the names of the placeholders of a pattern, in order."""
    return _PLACEHOLDER.findall(pattern)


def check_watch(watch: str) -> str:
    """
    Return a pattern of paths below the root of a store.

    Raises
    ------
    ValueError
        If it could lead out of the store, or a placeholder has no name.
    """
    for name in names_in(watch):
        if not name.isidentifier():
            raise ValueError(f"{{{name}}} is no name for a part of a path; use letters first")
    if any(part in {"", ".", ".."} for part in watch.split("/")):
        raise ValueError("must be a path below the root of its store, without '..' and '//'")
    return watch


def check_marker(marker: str) -> str:
    """
    Return the name of an end marker.

    Raises
    ------
    ValueError
        If it is not the name of a file beside the data.
    """
    if "/" in marker or marker in {".", ".."}:
        raise ValueError("must be the name of a file beside the data, such as {scan}.done")
    return marker


def fill(pattern: str, named: Mapping[str, str]) -> str:
    """Put what was read out of a path into the placeholders of another pattern."""
    return _PLACEHOLDER.sub(lambda found: named.get(found[1], found[0]), pattern)
