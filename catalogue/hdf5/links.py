"""Follow links name by name: HDF5 itself would open any file that a link names."""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from catalogue.hdf5.findings import refused, shown, shown_path
from catalogue.hdf5.manifest import AbsentError, Manifest, OutsideError
from catalogue.hdf5.opening import open_file

MOST_KEPT = 10_000  # places of a dataset that stay open, since they will be asked for again
SOFT_HOPS = 16  # more links in a row are a loop or meant to tire us
FILE_HOPS = 8

Key = tuple[str, int]
"""A file and the address of an object in it."""


class DanglingError(Exception):
    """A link or path behind which there is nothing; the text says what is missing."""


class AbsentFileError(DanglingError):
    """A link to a file that would belong to the dataset, and is not there."""


class Field(h5py.Dataset):  # type: ignore[misc]  # h5py has no types
    """A field of a file that nobody writes: what its values are is asked of HDF5 once."""

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = super().dtype
        return found


@dataclass(frozen=True)
class Place:
    """An object (group, field or named type) and the registered name of its file."""

    file: str
    object: h5py.HLObject
    members: "dict[str, Place]" = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def key(self) -> Key:
        """What is the same for two paths to one object."""
        return self.file, h5py.h5o.get_info(self.object.id).addr

    @cached_property
    def names(self) -> dict[str, None]:
        """The names of a group's members, in the order of the file; none for a field."""
        is_group = isinstance(self.object, h5py.Group)
        return dict.fromkeys(self.object) if is_group else {}


class OpenFiles:
    """
    The files of one dataset, each opened once and read-only.

    Parameters
    ----------
    manifest : Manifest
        Which files there are.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._open: dict[str, h5py.File] = {}
        self._roots: dict[str, Place] = {}
        self._kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._open.values():
            file.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The registered names of the files opened so far."""
        return tuple(self._open)

    def root(self, name: str) -> Place:
        """
        Return the root group of a file, opening it if need be.

        Raises
        ------
        RefusedFileError
            If the file cannot be opened.
        """
        if name not in self._roots:
            self._open[name] = open_file(self.manifest.places[name], name)
            self._roots[name] = Place(name, self._open[name]["/"])
        return self._roots[name]

    def member(self, group: Place, name: str) -> Place:
        """
        Return what a hard link in a group names, opened once.

        Raises
        ------
        RefusedFileError
            If the object is damaged.
        """
        if name in group.members:
            return group.members[name]
        found = Place(group.file, open_member(group, name))
        if self._kept < MOST_KEPT:
            self._kept += 1
            group.members[name] = found
        return found

    def follow(self, start: Place, path: str) -> Place:
        """
        Return the object at a path, going through links of the same dataset only.

        Parameters
        ----------
        start : Place
            The group from which a relative path counts.
        path : str
            Names separated by ``/``; absolute from the root of the file.

        Raises
        ------
        DanglingError
            If there is nothing at that path.
        RefusedFileError
            If the path leaves the dataset or goes round in circles.
        """
        if path in start.members:
            return start.members[path]
        return _Walk(self, start).go(path)


class _Walk:
    """One way through links; it remembers how many it has taken."""

    def __init__(self, files: OpenFiles, start: Place) -> None:
        self._files = files
        self._here = start
        self._soft = 0
        self._file = 0
        self._names: deque[str] = deque()

    def go(self, path: str) -> Place:
        self._splice(path)
        while self._names:
            self._step(self._names.popleft())
        return self._here

    def _splice(self, path: str) -> None:
        if path.startswith("/"):
            self._here = self._files.root(self._here.file)
        self._names.extendleft(name for name in reversed(path.split("/")) if name not in {"", "."})

    def _step(self, name: str) -> None:
        here = self._here
        kind = h5py.h5l.TYPE_HARD if name in here.members else _kind_of_link(here, name)
        if kind == h5py.h5l.TYPE_HARD:
            self._here = self._files.member(here, name)
        elif kind == h5py.h5l.TYPE_SOFT:
            self._soft_link(here.object.get(name, getlink=True).path)
        elif kind == h5py.h5l.TYPE_EXTERNAL:
            link = here.object.get(name, getlink=True)
            self._external_link(link.filename, link.path)
        else:
            missing = f"there is no {shown(name)} in {shown_path(str(here.object.name))}"
            raise DanglingError(missing)

    def _soft_link(self, path: str) -> None:
        self._soft += 1
        if self._soft > SOFT_HOPS:
            reason = f"The file has a link to {shown_path(path)} that leads in a circle. Remove it."
            raise refused("file-link-loop", reason, self._here.file)
        self._splice(path)

    def _external_link(self, link: str, path: str) -> None:
        self._file += 1
        if self._file > FILE_HOPS:
            reason = (
                f"The file is one of more than {FILE_HOPS} files that link to each other in a row."
            )
            raise refused("file-link-loop", reason, self._here.file)
        try:
            target = self._files.manifest.locate(link, beside=self._here.file)
        except OutsideError:
            reason = (
                f"The file links to {shown(link)}, which is not a file of this dataset. "
                "Copy the target into the dataset's folder and link to it by a relative name."
            )
            raise refused("file-external-link", reason, self._here.file) from None
        except AbsentError as absent:
            missing = f"the linked file {shown(str(absent))} is not there"
            raise AbsentFileError(missing) from None
        self._here = self._files.root(target)
        self._splice(path)


def _kind_of_link(place: Place, name: str) -> int | None:
    """Return the type of a link by HDF5's number, None where nothing can be behind it."""
    if name not in place.names:
        return None
    links = place.object.id.links
    kind = int(links.get_info(name.encode("utf-8", "surrogateescape")).type)
    return kind if kind == h5py.h5l.TYPE_HARD or name in place.object else None


def open_member(group: Place, name: str) -> h5py.HLObject:
    """
    Open what a hard link names.

    Raises
    ------
    RefusedFileError
        If the object is damaged.
    """
    try:
        # As group.object[name] does, which makes an object of the whole file each time.
        found = h5py.h5o.open(group.object.id, name.encode("utf-8", "surrogateescape"))
        if isinstance(found, h5py.h5d.DatasetID):
            return Field(found, readonly=True)
        return h5py.Group(found) if isinstance(found, h5py.h5g.GroupID) else h5py.Datatype(found)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError):
        where = f"{str(group.object.name).rstrip('/')}/{name}"
        reason = f"The file is damaged at {shown_path(where)}. Copy it again."
        raise refused("file-unreadable", reason, group.file) from None
