"""Groups of a NeXus file that passed the guard, found by class and by path."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h5py

from catalogue.errors import RefusedFileError
from catalogue.hdf5 import DanglingError, OpenFiles, Place, attribute, read_text

DEEPEST = 4  # below an entry: instrument, detector, and a level or two for their parts
LONGEST_TEXT = 500  # characters


@dataclass(frozen=True)
class Group:
    """A group; members behind dangling links are as absent as those that are not there."""

    files: OpenFiles
    place: Place
    name: str
    _known: "dict[str, Group | None]" = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def kind(self) -> str:
        """The NeXus class, "NXentry"; empty if none is stated."""
        return self.attribute("NX_class")

    @cached_property
    def names(self) -> list[str]:
        """The names of its members, in the order of the alphabet."""
        return sorted(self.place.names)

    def attribute(self, name: str) -> str:
        return attribute(self.place.object, name)

    def attributes(self, name: str) -> list[str]:
        """Return an attribute that lists names: an array, or text with colons or commas."""
        value: Any = self.place.object.attrs.get(name)
        if value is None or isinstance(value, str | bytes):
            text = self.attribute(name)
            return text.strip("[]").replace(",", ":").split(":") if text else []
        return [it.decode(errors="replace") if isinstance(it, bytes) else str(it) for it in value]

    def group(self, path: str) -> "Group | None":
        """Return the group at a path; the same one each time, since it knows its members."""
        if path not in self._known:
            found = self._find(path)
            is_group = found is not None and isinstance(found.object, h5py.Group)
            self._known[path] = (
                Group(self.files, found, path.rpartition("/")[2]) if found and is_group else None
            )
        return self._known[path]

    def field(self, path: str) -> h5py.Dataset | None:
        found = self._find(path)
        return found.object if found and isinstance(found.object, h5py.Dataset) else None

    def text(self, *paths: str) -> str:
        """Return the first text that is not blank among some fields, else an empty one."""
        for path in paths:
            field = self.field(path)
            if field is not None and field.dtype.kind in "OSU" and (found := text_of(field)):
                return found
        return ""

    def groups(self) -> list["Group"]:
        """Return the groups that stand directly in this one."""
        return [group for name in self.names if (group := self.group(name))]

    def below(self, *kinds: str) -> Iterator["Group"]:
        """Yield the groups of some NeXus classes below this one, at most four levels deep."""
        return (group for group in self._below if group.kind in kinds)

    @cached_property
    def _below(self) -> list["Group"]:
        found, level = [], list(self.groups())
        for _ in range(DEEPEST):
            found += level
            level = [member for group in level for member in group.groups()]
        return found

    def _find(self, path: str) -> Place | None:
        is_name = "/" not in path and path not in {"", "."}
        if is_name and path not in self.place.names:
            return None
        try:
            return self.files.follow(self.place, path)
        except DanglingError:
            return None


def text_of(field: h5py.Dataset) -> str:
    """Return the first text of a field, at most 500 characters; empty if it is damaged."""
    try:
        return read_text(field)[:LONGEST_TEXT]
    except RefusedFileError:
        return ""
