"""
What lies in a store where rules look: names, sizes and times of change.

One walk for all rules of a store. Nothing is opened, no link is followed, and a folder that
no rule speaks of is not entered.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from catalogue.digests import canonical_json, sha256_of_text
from catalogue.hdf5.findings import Code, shown
from catalogue.ingest import watch_expression

LONGEST_PATH = 1000  # characters: beyond, its files could have no row


class Entry(NamedTuple):
    """A file as a folder tells of it; ``size`` in bytes."""

    name: str
    size: int
    modified_ns: int


class Fault(NamedTuple):
    """Why something must not be registered: a code, and a sentence with the next step."""

    code: Code
    reason: str


class Pattern:
    """
    Where one rule looks.

    Parameters
    ----------
    watch : str
        "{proposal}/id13/{sample}/{scan}.h5"; as many levels of folders as it has slashes.
    """

    def __init__(self, watch: str) -> None:
        parts = watch.split("/")
        self._levels = [
            watch_expression("/".join(parts[:count])) for count in range(1, len(parts) + 1)
        ]

    @property
    def depth(self) -> int:
        return len(self._levels)

    def leads_through(self, relative: str) -> bool:
        """Say whether what the rule looks for may lie below a folder."""
        level = relative.count("/")
        return level + 1 < self.depth and bool(self._levels[level].fullmatch(relative))

    def read(self, relative: str) -> dict[str, str] | None:
        """Return what a path says of itself, None if the rule does not speak of it."""
        if relative.count("/") + 1 != self.depth:
            return None
        found = self._levels[-1].fullmatch(relative)
        return found.groupdict() if found else None


@dataclass(frozen=True)
class Acquisition:
    """
    A file or folder of which a rule speaks.

    Attributes
    ----------
    rule : int
        Which of the patterns speaks of it, the first that does.
    relative : str
        Its place in the store, as the file system spells it.
    named : dict of str
        What the pattern reads out of the place.
    entries : tuple of Entry
        The file, or the files that stand directly in the folder, by name.
    fault : Fault or None
        What is wrong with it by its name and kind alone.
    """

    rule: int
    relative: str
    named: dict[str, str]
    entries: tuple[Entry, ...]
    is_folder: bool = False
    fault: Fault | None = None

    @property
    def key(self) -> str:
        """How rows and pages name the place: as it is, if it can be shown and stored."""
        if self.relative.isprintable() and len(self.relative) <= LONGEST_PATH:
            return self.relative
        digest = hashlib.sha256(os.fsencode(self.relative)).hexdigest()
        return f"{_spell(self.relative)} #{digest[:12]}"

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    def fingerprint(self, linked: Sequence[Entry] = ()) -> str:
        """Digest names, sizes and times of its files, and of others that belong to them."""
        return sha256_of_text(canonical_json([self.fault, self.entries, sorted(linked)]))


@dataclass(frozen=True)
class Unread:
    """A folder that cannot be read just now; nothing is known of what lies below."""

    relative: str
    reason: str


def walk(
    root: Path, patterns: Sequence[Pattern], *, closed: Collection[Path] = ()
) -> Iterator[Acquisition | Unread]:
    """
    Find everything in a store of which rules speak.

    Parameters
    ----------
    root : Path
        Folder of the store.
    patterns : sequence of Pattern
        Of the rules, in the order in which they are asked.
    closed : collection of Path
        Folders of other stores; what lies in them is theirs.

    Yields
    ------
    Acquisition or Unread
        In the order of the file system.
    """
    return _Walk(root, patterns, {str(path) for path in closed}).go()


def is_there(root: Path) -> bool:
    """Say whether a store can be read: where a disk is not mounted, its folder is empty."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def look(root: Path, seen: Acquisition) -> Acquisition | None:
    """Look at one acquisition again; None if it is gone, or something else by now."""
    try:
        status = os.lstat(f"{root}/{seen.relative}")
        is_folder = stat.S_ISDIR(status.st_mode)
        if is_folder != seen.is_folder or stat.S_ISLNK(status.st_mode):
            return None
        entries = (
            _inside(f"{root}/{seen.relative}")
            if is_folder
            else (Entry(seen.entries[0].name, status.st_size, status.st_mtime_ns),)
        )
    except (OSError, IndexError):
        return None
    return Acquisition(seen.rule, seen.relative, seen.named, entries, is_folder, seen.fault)


class _Walk:
    def __init__(self, root: Path, patterns: Sequence[Pattern], closed: set[str]) -> None:
        self._root = str(root)
        self._patterns = patterns
        self._closed = closed

    def go(self) -> Iterator[Acquisition | Unread]:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(f"{self._root}/{folder}") as entries:
                    for entry in entries:
                        yield from self._judge(entry, folder, waiting)
            except FileNotFoundError:
                continue  # removed since its parent was read
            except OSError as error:
                yield Unread(folder, error.strerror or "cannot be read")

    def _judge(
        self, entry: "os.DirEntry[str]", folder: str, waiting: list[str]
    ) -> Iterator[Acquisition | Unread]:
        """Yield an acquisition if the entry is one; note a folder to go on with."""
        # Copiers write under a name with a dot and rename at the end.
        if entry.name.startswith(".") or entry.path in self._closed:
            return
        relative = f"{folder}/{entry.name}" if folder else entry.name
        rule, named = self._read(relative)
        leads = any(pattern.leads_through(relative) for pattern in self._patterns)
        if named is None and not leads:
            return
        is_link = entry.is_symlink()
        if is_link and self._stays_inside(entry):
            return  # what it leads to is found where it lies
        if named is not None or is_link:
            found = _describe(entry, relative, rule, named or {})
            if found is not None:
                yield found
        if leads and entry.is_dir(follow_symlinks=False):
            waiting.append(relative)

    def _read(self, relative: str) -> tuple[int, dict[str, str] | None]:
        for index, pattern in enumerate(self._patterns):
            if (named := pattern.read(relative)) is not None:
                return index, named
        return 0, None

    def _stays_inside(self, entry: "os.DirEntry[str]") -> bool:
        target = Path(entry.path).resolve()
        return target.exists() and target.is_relative_to(self._root)


def _describe(
    entry: "os.DirEntry[str]", relative: str, rule: int, named: dict[str, str]
) -> Acquisition | Unread | None:
    """Describe an entry; None if it went away meanwhile, or is a folder still empty."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unread(relative, error.strerror or "cannot be read")
    is_folder = stat.S_ISDIR(status.st_mode)
    fault = _fault_of_kind(status.st_mode) or _fault_of_name(entry, relative)
    # Names that are not UTF-8 have no place in a row.
    entries: tuple[Entry, ...] = (Entry(_spell(entry.name), status.st_size, status.st_mtime_ns),)
    if is_folder and not fault:
        try:
            entries = _inside(entry.path)
        except FileNotFoundError:
            return None
        except PermissionError:
            fault = Fault("file-unreadable", "It may not be read by this service. Ask its owner.")
        except OSError as error:
            return Unread(relative, error.strerror or "cannot be read")
    return Acquisition(rule, relative, named, entries, is_folder, fault) if entries else None


def _inside(folder: str) -> tuple[Entry, ...]:
    """List the files that stand in a folder; those in folders below are not its own."""
    found = []
    with os.scandir(folder) as members:
        for member in members:
            if not member.is_dir(follow_symlinks=False):
                status = member.stat(follow_symlinks=False)
                found.append(Entry(_utf8(member.name), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _fault_of_kind(mode: int) -> Fault | None:
    if stat.S_ISLNK(mode):
        reason = (
            "It is a symbolic link that leads out of the store, or nowhere. Put the file or "
            "folder itself there."
        )
        return Fault("file-unsafe", reason)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return Fault("file-unsafe", "It is no regular file (a pipe, socket or device). Remove it.")
    return None


def _fault_of_name(entry: "os.DirEntry[str]", relative: str) -> Fault | None:
    reason = ""
    composed = unicodedata.normalize("NFC", entry.name)
    if not _is_utf8(relative):
        reason = "A name on its path is not UTF-8. Rename it."
    elif not relative.isprintable():
        reason = (
            "A name on its path holds characters that cannot be seen, such as a line break or a "
            "mark that turns the direction of writing. Rename it."
        )
    elif len(relative) > LONGEST_PATH:
        reason = "Its path from the root of the store is too long. Shorten the names of folders."
    elif composed != entry.name and Path(entry.path).with_name(composed).exists():
        reason = (
            f"Beside it lies {composed}, whose name looks the same and is spelled with other "
            "characters (accents apart or composed). Rename or remove one of the two."
        )
    return Fault("file-unsafe", reason) if reason else None


def _spell(name: str) -> str:
    """Return a name in letters that can be seen."""
    return shown(_utf8(name))


def _utf8(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
