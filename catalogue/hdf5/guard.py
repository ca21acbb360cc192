"""
Judge the HDF5 files of one dataset before any library reads them.

Libraries follow every link: a file may so show the bytes of any other file of the server,
never end, or need more memory than there is.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py

from catalogue.errors import RefusedFileError
from catalogue.hdf5.circles import find_circle
from catalogue.hdf5.fields import check_attributes, check_field
from catalogue.hdf5.findings import Code, Finding, refused, shown_path
from catalogue.hdf5.links import AbsentFileError, DanglingError, Key, OpenFiles, Place
from catalogue.hdf5.manifest import Manifest
from catalogue.hdf5.opening import HDF5_SUFFIXES
from catalogue.hdf5.virtual import find_sources

MOST_OBJECTS = 1_000_000
DEEPEST = 64
LARGEST_TEXT = 1 << 20  # bytes of a PONI, CrystFEL geometry or XML file
TEXT_SUFFIXES = frozenset({".poni", ".geom", ".xml"})
MOST_FINDINGS = 100


def check_dataset(files: Mapping[str, Path]) -> list[Finding]:
    """
    Refuse a dataset that must not be given to a library.

    Parameters
    ----------
    files : mapping of str to Path
        All its files, by registered name.

    Returns
    -------
    list of Finding
        Harmless ones, such as a link behind which there is nothing.

    Raises
    ------
    RefusedFileError
        For the first finding that is not harmless.
    """
    for name, place in files.items():
        if place.suffix.lower() in TEXT_SUFFIXES and place.stat().st_size > LARGEST_TEXT:
            reason = "The file is larger than 1 MiB: no geometry is. Check what was copied."
            raise refused("file-too-large", reason, name)
    with OpenFiles(Manifest(files)) as opened:
        findings = guard(opened, *(name for name in files if _is_hdf5(name, files[name])))
    for finding in findings:
        if not finding.harmless:
            raise finding.error()
    return findings


def guard(files: OpenFiles, *names: str) -> list[Finding]:
    """
    Walk through HDF5 files, and all that they reach in the dataset.

    Parameters
    ----------
    files : OpenFiles
        The files of the dataset; a folder's manifest grows with what is reached.
    names : sequence of str
        Where to begin.

    Returns
    -------
    list of Finding
        What breaks a rule, at most 100, in the order found.
    """
    return _Guard(files).judge(names)[:MOST_FINDINGS]


def _is_hdf5(name: str, place: Path) -> bool:
    return Path(name).suffix.lower() in HDF5_SUFFIXES or h5py.is_hdf5(place)


class _Guard:
    """One walk: what was seen, and which object leads to which."""

    def __init__(self, files: OpenFiles) -> None:
        self._files = files
        self._findings: list[Finding] = []
        self._objects = 0
        self._seen: set[Key] = set()
        self._leads: dict[Key, list[Key]] = {}
        self._paths: dict[Key, str] = {}

    def judge(self, names: Iterable[str]) -> list[Finding]:
        waiting, walked = deque(names), set[str]()
        while waiting:
            name = waiting.popleft()
            if name not in walked:
                walked.add(name)
                with self._noting():
                    self._walk(self._files.root(name))
                waiting.extend(self._files.names)
        if circle := find_circle(self._leads):
            self._findings.append(_circle(circle, self._paths[circle]))
        return self._findings

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note a refusal and go on, so that the list of findings is whole."""
        try:
            yield
        except RefusedFileError as error:
            self._findings.append(Finding(error.code, error.reason, error.file))

    def _walk(self, root: Place) -> None:
        self._seen.add(root.key)
        stack = [(root, 0)]
        while stack and len(self._findings) < MOST_FINDINGS:
            group, depth = stack.pop()
            if depth > DEEPEST:
                reason = f"The file nests groups deeper than {DEEPEST}. Flatten it."
                raise refused("file-too-complex", reason, root.file)
            self._count(1 + len(group.object), root.file)
            stack += [(member, depth + 1) for member in self._members(group)]

    def _count(self, more: int, file: str) -> None:
        self._objects += more
        if self._objects > MOST_OBJECTS:
            reason = f"The file holds more than {MOST_OBJECTS} objects. Split the dataset."
            raise refused("file-too-complex", reason, file)

    def _members(self, group: Place) -> Iterator[Place]:
        """Check what stands in a group; yield the groups to go on with."""
        for name in _member_names(group):
            with self._noting():
                member = self._resolve(group, name)
                if member is None:
                    continue
                if isinstance(member.object, h5py.Group):
                    self._lead(group, member)
                if member.file == group.file and member.key not in self._seen:
                    self._seen.add(member.key)
                    self._check(member)
                    if isinstance(member.object, h5py.Group):
                        yield member

    def _resolve(self, group: Place, name: str) -> Place | None:
        try:
            return self._files.follow(group, name)
        except DanglingError as absent:
            path = shown_path(f"{group.object.name}/{name}")
            is_file = isinstance(absent, AbsentFileError)
            code: Code = "link-file-absent" if is_file else "link-dangling"
            finding = Finding(code, str(absent), group.file, path, harmless=True)
            self._findings.append(finding)
            return None

    def _check(self, member: Place) -> None:
        self._count(h5py.h5a.get_num_attrs(member.object.id), member.file)
        check_attributes(member)
        if isinstance(member.object, h5py.Dataset):
            check_field(member)
            if member.object.is_virtual:
                for source in find_sources(self._files, member):
                    self._lead(member, source)

    def _lead(self, one: Place, other: Place) -> None:
        self._leads.setdefault(one.key, []).append(other.key)
        self._paths[one.key] = str(one.object.name)


def _member_names(group: Place) -> Iterable[str]:
    try:
        return group.names
    except (OSError, RuntimeError):
        reason = f"The file is damaged in {shown_path(str(group.object.name))}. Copy it again."
        raise refused("file-unreadable", reason, group.file) from None


def _circle(key: Key, path: str) -> Finding:
    reason = (
        f"The file has a circle of links: {shown_path(path)} contains itself, so that reading it "
        "would never end. Remove the link."
    )
    return Finding("file-link-loop", reason, key[0], shown_path(path))
