"""
Write a corrected file as the European XFEL lays it out, ``CORR-R0014-AGIPD00-S00000.h5``.

One process writes, chunk by chunk as others have compressed them. Equal frames give equal
bytes: dates are those of the raw file. How it was made stands in ``/entry/process``, which
EXtra-data passes over.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from processing.science.calibration.correcting import Correction
from processing.science.calibration.packing import Packed
from processing.science.calibration.raw_module import CARRIED, RawModule
from processing.science.compressing import FILTER
from processing.science.euxfel.detectors import FRAMES
from processing.science.kernels.limits import LARGEST, NOTHING
from processing.science.process import Provenance, write_process

_LISTS = ("dataSourceId", "deviceId", "root", "dataSources")


def corrected_name(raw: Path) -> str:
    """
    Name the corrected file of a raw one.

    Parameters
    ----------
    raw : Path
        ``RAW-R0014-AGIPD00-S00000.h5``.

    Returns
    -------
    str
        ``CORR-R0014-AGIPD00-S00000.h5``.
    """
    return "CORR-" + raw.name.removeprefix("RAW-")


def corrected_source(raw: str) -> str:
    """
    Name the corrected source of a raw one.

    Parameters
    ----------
    raw : str
        "SPB_DET_AGIPD1M-1/DET/0CH0:xtdf".

    Returns
    -------
    str
        "SPB_DET_AGIPD1M-1/CORR/0CH0:output".
    """
    return re.sub(r"/DET/([^:]+):.*", r"/CORR/\1:output", raw)


class CorrectedFile:
    """
    A corrected file being written; see ``create_corrected``.

    Parameters
    ----------
    file : h5py.File
        Open for writing, empty.
    raw : RawModule
        What is corrected.
    correction : Correction
        How.
    """

    def __init__(self, file: h5py.File, raw: RawModule, correction: Correction) -> None:
        self._raw = raw
        self._wide = raw.source.cells_per_row
        with h5py.File(raw.source.path, "r", locking=False) as original:
            _write_metadata(file, original, raw)
            self._group = _write_index(file, original, raw)
        chunk = raw.source.chunk
        cells = () if raw.source.detector == "AGIPD" else (self._wide,)
        shape = (raw.rows, *cells, *raw.source.shape)
        step = correction.quantise
        self._signal = self._create(
            FRAMES[raw.source.detector], shape, chunk, "f4" if step is None else "i2"
        )
        self._signal.attrs.update({"units": correction.scaling.unit, "long_name": "signal"})
        if step is not None:
            stated = {
                "scale_factor": step,
                "_FillValue": np.int16(NOTHING),
                "valid_max": np.int16(LARGEST),
            }
            self._signal.attrs.update(stated)
        self._gain = self._create("gain", shape, chunk, "u1")
        self._gain.attrs["long_name"] = "gain stage: 0 high, 1 medium, 2 low, 255 none"
        self._mask = self._create("mask", shape, chunk, "u4")
        self._mask.attrs["long_name"] = "bits of the European XFEL BadPixels table"
        self._write_entry(file)

    def write(self, part: Packed) -> None:
        """
        Place the chunks of some frames.

        Parameters
        ----------
        part : Packed
            As it was compressed.
        """
        fields = (self._signal, part.signal), (self._gain, part.gain), (self._mask, part.mask)
        for data, chunks in fields:
            for frame, chunk in zip(part.frames.tolist(), chunks, strict=True):
                where = (frame,) if data.ndim == 3 else divmod(frame, self._wide)
                data.id.write_direct_chunk((*where, 0, 0), chunk)

    def write_process(self, made: Provenance) -> None:
        """
        Write how the file was made.

        Parameters
        ----------
        made : Provenance
            Recipe, inputs and parameters.
        """
        write_process(self._entry, made)

    def _create(
        self, name: str, shape: tuple[int, ...], chunk: tuple[int, ...], kind: str
    ) -> h5py.Dataset:
        return self._group.create_dataset(name, shape, kind, chunks=chunk, **FILTER)

    def _write_entry(self, file: h5py.File) -> None:
        """Show NeXus programs the signal."""
        file.attrs["default"] = "entry"
        self._entry = file.create_group("entry")
        self._entry.attrs.update({"NX_class": "NXentry", "default": "data"})
        self._entry["title"] = f"Corrected frames of {self._raw.source.module}"
        shown = self._entry.create_group("data")
        shown.attrs.update({"NX_class": "NXdata", "signal": "data"})
        shown["data"] = h5py.SoftLink(self._signal.name)


@contextmanager
def create_corrected(path: Path, raw: RawModule, correction: Correction) -> Iterator[CorrectedFile]:
    """
    Create a corrected file and close it when the block ends, however it ends.

    Parameters
    ----------
    path : Path
        Where to write, named by ``corrected_name``.
    raw : RawModule
        What is corrected.
    correction : Correction
        How.

    Yields
    ------
    CorrectedFile
        Ready for its first chunks.
    """
    with h5py.File(path, "w") as file:
        yield CorrectedFile(file, raw, correction)


def _write_metadata(file: h5py.File, original: h5py.File, raw: RawModule) -> None:
    """Copy what the raw file says of itself, with the corrected source instead of the raw one."""
    metadata = file.create_group("METADATA")
    for name, member in original["METADATA"].items():
        if isinstance(member, h5py.Dataset) and name not in _LISTS:
            original.copy(member, metadata, name)
    is_old = not isinstance(original["METADATA"].get("dataSources"), h5py.Group)
    place: Any = metadata if is_old else metadata.create_group("dataSources")
    names = [corrected_source(raw.source.name), raw.source.name]
    devices = [f"{name}/{raw.source.group}" for name in names]
    text = h5py.string_dtype()
    place.create_dataset(
        "dataSourceId", data=[f"INSTRUMENT/{name}" for name in devices], dtype=text
    )
    place.create_dataset("deviceId", data=devices, dtype=text)
    place.create_dataset("root", data=["INSTRUMENT"] * len(devices), dtype=text)


def _write_index(file: h5py.File, original: h5py.File, raw: RawModule) -> h5py.Group:
    """Copy trains and the numbers of frames; the raw name stays as a link for older programs."""
    index = file.create_group("INDEX")
    for name, member in original["INDEX"].items():
        if isinstance(member, h5py.Dataset):
            original.copy(member, index, name)
    source, group = corrected_source(raw.source.name), raw.source.group
    index[f"{source}/{group}/first"] = raw.first
    index[f"{source}/{group}/count"] = raw.count
    made = file.create_group(f"INSTRUMENT/{source}/{group}")
    before = original[f"INSTRUMENT/{raw.source.name}/{group}"]
    for name in CARRIED[raw.source.detector]:
        if name in before:
            values = before[name][: raw.rows]
            made[name] = values.reshape(-1) if raw.source.detector == "AGIPD" else values
    for tree in ("INDEX", "INSTRUMENT"):
        file[f"{tree}/{raw.source.name}"] = h5py.SoftLink(f"/{tree}/{source}")
    return made
