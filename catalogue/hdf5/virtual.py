"""From which fields of which files a virtual field is put together."""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py

from catalogue.hdf5.findings import refused, shown, shown_path
from catalogue.hdf5.links import DanglingError, OpenFiles, Place
from catalogue.hdf5.manifest import AbsentError, OutsideError

MOST_SOURCES = 10_000


@dataclass(frozen=True)
class _Source:
    file: str
    path: str

    @property
    def numbered(self) -> bool:
        """Whether HDF5 counts blocks: ``frames_%b.h5`` is frames_0.h5, frames_1.h5 and so on."""
        return "%b" in self.file.replace("%%", "") or "%b" in self.path.replace("%%", "")

    def block(self, number: int) -> "_Source":
        return _Source(_expand(self.file, number), _expand(self.path, number))


def find_sources(files: OpenFiles, field: Place) -> Iterator[Place]:
    """
    Yield each source of a virtual field.

    HDF5 shows fill values, without a word, where a source is absent.

    Parameters
    ----------
    files : OpenFiles
        The files of the dataset.
    field : Place
        A virtual field.

    Yields
    ------
    Place
        The fields from which it reads.

    Raises
    ------
    RefusedFileError
        If a source is absent, outside the dataset, or there are too many.
    """
    seen: set[_Source] = set()
    for source in _declared(field):
        for block in _blocks(files, field, source):
            if block in seen:
                continue
            seen.add(block)
            if len(seen) > MOST_SOURCES:
                raise _refused(field, f"has more than {MOST_SOURCES} sources")
            try:
                yield _open(files, field, block)
            except DanglingError as absent:
                raise _refused(field, f"lacks a source: {absent}. Copy all its files") from None


def _declared(field: Place) -> Iterator[_Source]:
    plan = field.object.id.get_create_plist()
    for number in range(plan.get_virtual_count()):
        yield _Source(plan.get_virtual_filename(number), plan.get_virtual_dsetname(number))


def _blocks(files: OpenFiles, field: Place, source: _Source) -> Iterator[_Source]:
    """Yield the blocks that HDF5 would find: from 0 up to the first that is absent."""
    if not source.numbered:
        yield source.block(0)  # "%%" is a percent sign
        return
    yield source.block(0)
    for number in range(1, MOST_SOURCES + 2):
        try:
            _open(files, field, source.block(number))
        except DanglingError:
            return
        yield source.block(number)


def _open(files: OpenFiles, field: Place, source: _Source) -> Place:
    """Open one source; raise DanglingError if it is absent."""
    name = field.file
    if source.file != ".":
        try:
            name = files.manifest.locate(source.file, beside=field.file)
        except OutsideError:
            reason = f"reads from {shown(source.file)}, which is not a file of this dataset"
            raise _refused(field, reason) from None
        except AbsentError as absent:
            raise DanglingError(f"the file {shown(str(absent))} is not there") from None
    root = files.root(name)
    found = files.follow(root, source.path)
    if not isinstance(found.object, h5py.Dataset):
        raise DanglingError(f"{shown_path(source.path)} in {shown(name)} holds no values")
    return found


def _expand(text: str, number: int) -> str:
    return "%".join(part.replace("%b", str(number)) for part in text.split("%%"))


def _refused(field: Place, what: str) -> Exception:
    where = shown_path(str(field.object.name))
    return refused("file-virtual-source", f"{where} {what}.", field.file)
