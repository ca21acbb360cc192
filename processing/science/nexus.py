"""Reading NeXus: where a file keeps its images, its monitor and its motors."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  importing it registers the filters that detectors write with
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    DataError,
    ForeignFileError,
    MissingFieldError,
    MissingFilterError,
    UnreadableFileError,
)

MAX_OBJECTS = 100_000
MAX_FRAME_PIXELS = 2**28
CHUNK_CACHE_BYTES = 2**26  # several frames share a chunk in some files
LENGTHS = {"m", "cm", "mm", "um", "µm", "μm", "micron", "nm"}
MESH = re.compile(r"\b[ad]?mesh\s+\S+\s+\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+\S+\s+(\d+)\b")
NUMBERED = re.compile(r"^(.*_)(\d{6})$")


@dataclass(frozen=True)
class Field:
    """A field of numbers or text in a file, and whether its group shows it by default."""

    path: str
    data: h5py.Dataset
    address: tuple[int, int]
    group_class: str
    is_signal: bool

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def entry(self) -> str:
        return self.path.split("/")[1]

    @property
    def n_frames(self) -> int:
        """Number of images, if the last two axes are those of an image."""
        return math.prod(self.data.shape[:-2])

    @property
    def units(self) -> str:
        return as_text(self.data.attrs.get("units", ""))


@dataclass(frozen=True)
class Readings:
    """What a motor or a monitor read at each frame: ``values`` of shape (n_frames,)."""

    name: str
    units: str
    values: NDArray[np.float64]


class NexusStack:
    """
    The images of one HDF5 file, read one at a time.

    Parameters
    ----------
    files : tuple of Path
        The first is opened; links lead to the others and nowhere else.
    field : str, optional
        Path of the images in the file; by default they are searched for.
    expected : tuple of int, optional
        Pixels of the detector, (slow, fast), to tell images from other fields.

    Raises
    ------
    UnreadableFileError
        If it is not HDF5, or a filter is missing.
    MissingFieldError
        If there are no images.
    ForeignFileError
        If the images lie outside the dataset.
    """

    def __init__(
        self,
        files: tuple[Path, ...],
        field: str | None = None,
        expected: tuple[int, int] | None = None,
    ) -> None:
        self.file_name = files[0].name
        try:
            self.file = h5py.File(files[0], "r", locking=False, rdcc_nbytes=CHUNK_CACHE_BYTES)
        except OSError as error:
            raise UnreadableFileError(self.file_name, "it is not HDF5, or cut short.") from error
        try:
            self._neighbours = {os.path.relpath(path, files[0].parent) for path in files[1:]}
            self._foreign: list[str] = []
            self.fields = list(self._walk())
            self.images = self._find_images(field, expected)
            for image in self.images:
                self._check_storage(image)
        except BaseException:
            self.file.close()
            raise
        first = self.images[0]
        self.shape: tuple[int, int] = first.data.shape[-2:]
        self.dtype = first.data.dtype
        self.starts = np.cumsum([0, *(image.n_frames for image in self.images)])
        self.n_frames = int(self.starts[-1])
        chunks = first.data.chunks
        self.frames_per_chunk = 1 if chunks is None or len(chunks) < 3 else int(chunks[-3])

    def close(self) -> None:
        self.file.close()

    def read(self, number: int) -> NDArray[Any]:
        """
        Read one image.

        Parameters
        ----------
        number : int
            From 0, in the order in which images were taken.

        Returns
        -------
        ndarray of shape (slow, fast)
            As it is stored, in photons or the detector's units.

        Raises
        ------
        OSError
            If its bytes are damaged.
        """
        which = int(np.searchsorted(self.starts, number, side="right")) - 1
        data = self.images[which].data
        index = np.unravel_index(number - self.starts[which], data.shape[:-2])
        return np.asarray(data[tuple(int(i) for i in index)])

    def read_block(self, first: int, stop: int) -> NDArray[Any] | None:
        """
        Read neighbouring images at once.

        Parameters
        ----------
        first, stop : int
            Number of the first image, and of the one after the last.

        Returns
        -------
        ndarray of shape (stop - first, slow, fast) or None
            As they are stored; None if any of them is damaged, or they differ in type: what
            marks a dead pixel depends on it.
        """
        blocks, number = [], first
        try:
            while number < stop:
                blocks.append(self._read_run(number, stop))
                number += len(blocks[-1])
        except OSError:
            return None
        if len({block.dtype.str for block in blocks}) != 1:
            return None
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _read_run(self, number: int, stop: int) -> NDArray[Any]:
        """Read images up to ``stop``, or to the end of the slab in which they lie."""
        which = int(np.searchsorted(self.starts, number, side="right")) - 1
        data = self.images[which].data
        if data.ndim == 2:
            return np.asarray(data[()])[None]
        slab, place = divmod(number - int(self.starts[which]), data.shape[-3])
        lead = (int(i) for i in np.unravel_index(slab, data.shape[:-3]))
        return np.asarray(data[(*lead, slice(place, place + stop - number))])

    def read_monitor(self, name: str) -> Readings:
        """
        Read the monitor counts, one per frame.

        Parameters
        ----------
        name : str
            Path of the field, its last part, or the name of its NXmonitor group.

        Returns
        -------
        Readings
            In the monitor's own unit.

        Raises
        ------
        MissingFieldError
            If no field of that name has one number per frame.
        """
        candidates = [f for f in self._beside_images() if self._is_per_frame(f)]
        address = self._address_of(name)
        for field in candidates:
            if field.address == address or name in {field.name, field.path.split("/")[-2]}:
                values = np.asarray(field.data[()], np.float64).ravel()
                return Readings(name, field.units, values)
        existing = sorted(field.path for field in candidates)
        wanted = f"monitor {name} with {self.n_frames} numbers"
        raise MissingFieldError(self.file_name, wanted, existing)

    def find_positions(self) -> tuple[Readings, Readings] | None:
        """
        Find the two motors that the scan moved.

        Returns
        -------
        tuple of Readings or None
            In the order of their names; None unless exactly two fields of the entry hold
            a changing length for every frame.
        """
        moving: dict[tuple[int, int], Readings] = {}
        fields = sorted(self._beside_images(), key=lambda f: "/measurement/" not in f.path)
        for field in fields:
            if not self._is_per_frame(field) or field.units not in LENGTHS:
                continue
            values = np.asarray(field.data[()], np.float64).ravel()
            name = field.name if field.name not in {"value", "data"} else field.path.split("/")[-2]
            if np.ptp(values) > 0 and field.group_class != "NXdetector":
                moving.setdefault(field.address, Readings(name, field.units, values))
        if len(moving) != 2:
            return None
        first, second = sorted(moving.values(), key=lambda motor: motor.name)
        return first, second

    def stated_shape(self) -> tuple[int, int] | None:
        """Return the (slow, fast) shape that the file states for its scan, if it does."""
        leading = self.images[0].data.shape[:-2]
        if len(leading) == 2:
            return int(leading[0]), int(leading[1])
        for field in self._beside_images():
            if field.name == "scan_shape" and field.data.size == 2:
                slow, fast = np.asarray(field.data[()]).ravel()
                return int(slow), int(fast)
            if field.name in {"scan_command", "title"} and field.data.size == 1:
                # SPEC and BLISS: mesh FAST start stop intervals SLOW start stop intervals
                found = MESH.search(as_text(field.data[()]))
                if found:
                    return int(found[2]) + 1, int(found[1]) + 1
        return None

    def _beside_images(self) -> list[Field]:
        return [field for field in self.fields if field.entry == self.images[0].entry]

    def _is_per_frame(self, field: Field) -> bool:
        return field.data.dtype.kind in "iuf" and field.data.size == self.n_frames

    def _address_of(self, path: str) -> tuple[int, int] | None:
        """Find what a path leads to; only fields already found within the dataset count."""
        found = self.file.get(path)
        return None if found is None else _address(found)

    def _walk(self) -> Iterator[Field]:
        seen: set[tuple[int, int]] = set()
        groups = [self.file["/"]]
        while groups and len(seen) < MAX_OBJECTS:
            group = groups.pop(0)
            signal = as_text(group.attrs.get("signal", ""))
            group_class = as_text(group.attrs.get("NX_class", ""))
            for name, member in self._members(group):
                address = _address(member)
                if isinstance(member, h5py.Group) and address not in seen:
                    groups.append(member)
                elif isinstance(member, h5py.Dataset):
                    path = f"{group.name.rstrip('/')}/{name}"
                    is_signal = name == signal or "signal" in member.attrs
                    yield Field(path, member, address, group_class, is_signal)
                seen.add(address)

    def _members(self, group: h5py.Group) -> Iterator[tuple[str, Any]]:
        """Open what a group holds, hard links first, and no file outside the dataset."""
        links = [(name, group.get(name, getlink=True)) for name in group]
        links.sort(key=lambda pair: not isinstance(pair[1], h5py.HardLink))
        for name, link in links:
            if isinstance(link, h5py.ExternalLink) and not self._is_neighbour(link.filename):
                self._foreign.append(f"{group.name.rstrip('/')}/{name}")
                continue
            try:
                member = group.get(name)
            except (KeyError, OSError):  # a link to nothing
                continue
            if member is not None:
                yield name, member

    def _is_neighbour(self, name: str) -> bool:
        return name.removeprefix("./") in {*self._neighbours, ".", self.file_name}

    def _find_images(self, path: str | None, expected: tuple[int, int] | None) -> list[Field]:
        numeric = [f for f in self.fields if f.data.dtype.kind in "iuf" and len(f.data.shape) >= 2]
        if path is not None:
            address = self._address_of(path)
            numeric = [f for f in numeric if f.address == address]
        candidates = [f for f in numeric if len(f.data.shape) <= 4 and f.n_frames > 0]
        if not candidates and self._foreign:
            raise ForeignFileError(
                "external-link",
                self._foreign[0],
                "it links to a file that is not part of the dataset. Register both together.",
            )
        if not candidates:
            wanted = f"images at {path}" if path else "stack of images"
            raise MissingFieldError(self.file_name, wanted, sorted(f.path for f in numeric))
        best = min(candidates, key=lambda f: _image_rank(f, expected))
        numbered = NUMBERED.match(best.path)
        if numbered is None or path is not None:
            return [best]
        # An Eiger master spreads its images over data_000001, data_000002, ...
        parts = [f for f in candidates if (m := NUMBERED.match(f.path)) and m[1] == numbered[1]]
        return sorted(
            (f for f in parts if f.data.shape[-2:] == best.data.shape[-2:]), key=lambda f: f.path
        )

    def _check_storage(self, image: Field) -> None:
        data = image.data
        if data.external:
            reason = "its bytes lie in a raw file outside HDF5. Store them in the file itself."
            raise ForeignFileError("external-storage", image.path, reason)
        if math.prod(data.shape[-2:]) > MAX_FRAME_PIXELS:
            raise DataError(f"{image.path} has {MAX_FRAME_PIXELS} pixels per image or more.")
        if data.is_virtual:
            for source in data.virtual_sources():
                if not self._is_neighbour(source.file_name) or not self._source_exists(source):
                    # HDF5 would answer fill values for it without a word.
                    reason = f"its source {Path(source.file_name).name} is not in the dataset."
                    raise ForeignFileError("virtual-source", image.path, reason)
            self._check_sources(data)
        plist = data.id.get_create_plist()
        for code in (plist.get_filter(i)[0] for i in range(plist.get_nfilters())):
            if not h5py.h5z.filter_avail(code):
                reason = f"{image.path} is compressed with HDF5 filter {code}, not installed here."
                raise MissingFilterError(self.file_name, reason)

    def _check_sources(self, data: h5py.Dataset) -> None:
        """Open each source once: HDF5 answers fill values for one that is cut short, too."""
        for name in {source.file_name for source in data.virtual_sources()} - {"."}:
            try:
                h5py.File(self._folder / name, "r", locking=False).close()
            except OSError as error:
                reason = "it is not HDF5, or cut short, and images lie in it."
                raise UnreadableFileError(Path(name).name, reason) from error

    def _source_exists(self, source: Any) -> bool:
        name = source.file_name.removeprefix("./")
        return bool(name == "." or (self._folder / name).is_file())

    @property
    def _folder(self) -> Path:
        return Path(self.file.filename).parent


def _address(member: Any) -> tuple[int, int]:
    """Identify an object of a file whatever the path that led to it."""
    info = h5py.h5o.get_info(member.id)
    return info.fileno, info.addr


def _image_rank(field: Field, expected: tuple[int, int] | None) -> tuple[Any, ...]:
    """Order fields by how much they look like the images of the scan, best first."""
    return (
        field.data.shape[-2:] != expected,
        not (field.is_signal or field.group_class == "NXdetector"),
        -field.n_frames,
        -math.prod(field.data.shape[-2:]),
        field.path,
    )


def as_text(value: Any) -> str:
    """Decode text as HDF5 files hold it: bytes, str or an array of one of them."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
