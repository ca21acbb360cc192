"""Which files belong to one dataset: the only files that a link may reach."""

import os
import posixpath
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from catalogue.hdf5.findings import refused, shown


class OutsideError(Exception):
    """A name that leads to a file which is not part of the dataset."""


class AbsentError(Exception):
    """A name within the dataset under which there is no file."""


class Manifest:
    """
    The files of one dataset by registered name, relative and with ``/``.

    Parameters
    ----------
    places : mapping of str to Path
        Where the file of each name lies.
    root : Path, optional
        A dataset in the making: files inside this folder join it when a link needs them.
    """

    def __init__(self, places: Mapping[str, Path], *, root: Path | None = None) -> None:
        self.places = dict(places)
        self._root = root

    @classmethod
    def of_folder(cls, root: Path, *names: str) -> Self:
        """Begin a dataset with some files of a folder."""
        return cls({name: root / name for name in names}, root=root)

    def locate(self, link: str, *, beside: str) -> str:
        """
        Find the file that a name means when it stands in another file.

        Parameters
        ----------
        link : str
            As written in the file; relative to its folder, or absolute.
        beside : str
            The registered name of the file in which it stands.

        Returns
        -------
        str
            A registered name.

        Raises
        ------
        OutsideError
            If HDF5 would look for it outside the dataset.
        AbsentError
            If it would lie inside, but is not there.
        RefusedFileError
            If it is there, but is a symbolic link, a pipe or a device.
        """
        if posixpath.isabs(link):
            return self._locate_absolute(os.path.normpath(link))
        name = posixpath.normpath(posixpath.join(posixpath.dirname(beside), link))
        if name == ".." or name.startswith("../"):
            raise OutsideError(link)
        if name in self.places or self._join(name):
            return name
        # A place may be a symbolic link: HDF5 then also looks beside the file behind it.
        if _exists(self.places[beside].resolve().parent / link):
            raise OutsideError(link)
        raise AbsentError(name)

    def _locate_absolute(self, path: str) -> str:
        for name, place in self.places.items():
            if path in {str(place), str(place.resolve())}:
                return name
        for root in (self._root, self._root.resolve()) if self._root else ():
            if Path(path).is_relative_to(root):
                name = Path(path).relative_to(root).as_posix()
                if self._join(name):
                    return name
                raise AbsentError(name)
        raise OutsideError(path)

    def _join(self, name: str) -> bool:
        """Take a file of the folder into the dataset; False if there is none."""
        if self._root is None:
            return False
        refuse_unsafe(self._root, name)
        if not _exists(self._root / name):
            return False
        self.places[name] = self._root / name
        return True


def refuse_unsafe(root: Path, name: str) -> None:
    """
    Refuse a name below a folder that is not a regular file on the way there.

    Raises
    ------
    RefusedFileError
        If it is, or leads through, a symbolic link; if it is a pipe or device; if the
        name is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise refused(
            "file-unsafe", "The file has a name that is not UTF-8. Rename it.", shown(name)
        ) from None
    place = root
    for part in name.split("/"):
        place /= part
        try:
            mode = place.lstat().st_mode
        except (OSError, ValueError):
            return  # absent, or no name that a file can have
        if stat.S_ISLNK(mode):
            reason = "The file is a symbolic link. Put the file itself there."
            raise refused("file-unsafe", reason, name)
    if not stat.S_ISREG(mode):
        reason = "The file is no regular file (a folder, pipe or device). Register files only."
        raise refused("file-unsafe", reason, name)


def _exists(place: Path) -> bool:
    try:
        place.stat()
    except (OSError, ValueError):  # absent, or a name too long for any file
        return False
    return True
