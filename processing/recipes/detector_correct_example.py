"""A JUNGFRAU module of two frames and its constants: to try detector-correct with."""

from pathlib import Path

import h5py
import numpy as np

from processing.recipes.manifest import Example
from processing.science.calibration.constants_file import DarkConstants, write_constants
from processing.science.compressing import FILTER
from processing.science.process import Provenance

_SOURCE = "SPB_IRDA_JF4M/DET/JNGFR01:daqOutput"
_SHAPE = (512, 1024)
_TRAINS = 2
_PEDESTALS = (3000.0, 14_000.0, 14_500.0)  # ADU; medium and low gain count downwards
_LIGHT = {0: 400, 1: -200, 3: -100}  # ADU above the pedestal, by gain code


def write_example(folder: Path) -> Example:
    """
    Write a raw run and constants into a folder.

    Every pixel has one signal above the pedestal of its stage; a band of rows has switched
    to medium gain, another to low gain.
    """
    codes = np.zeros(_SHAPE, np.uint8)
    codes[100:140], codes[110:120] = 1, 3
    pedestals = np.array([_PEDESTALS[0], _PEDESTALS[1], 0, _PEDESTALS[2]])
    light = np.array([_LIGHT.get(code, 0) for code in range(4)])
    adc = (pedestals + light)[codes].astype(np.uint16)
    raw = folder / "RAW-R0001-JNGFR01-S00000.h5"
    with h5py.File(raw, "w") as file:
        _write_head(file)
        group = file.create_group(f"INSTRUMENT/{_SOURCE}/data")
        for name, values in (("adc", adc), ("gain", codes)):
            stack = np.broadcast_to(values, (_TRAINS, 1, *_SHAPE))
            group.create_dataset(name, data=stack, chunks=(1, 1, *_SHAPE), **FILTER)
        group["memoryCell"] = np.zeros((_TRAINS, 1), np.uint8)
        group["trainId"] = file["INDEX/trainId"][()]
    planes = np.broadcast_to(np.reshape(_PEDESTALS, (3, 1, 1, 1)), (3, 1, *_SHAPE)).astype("f4")
    bad = np.zeros(planes.shape, np.uint32)
    bad[0, 0, 5, 5] = 1
    constants = DarkConstants("JUNGFRAU", "JNGFR01", planes, np.ones_like(planes), bad)
    write_constants(folder / "dark-JNGFR01.h5", constants, Provenance("example", "1"))
    return Example(
        inputs={"run": (raw.name,), "constants": ("dark-JNGFR01.h5",)}, parameters={"quantise": 1.0}
    )


def _write_head(file: h5py.File) -> None:
    """Write what makes a file one of the European XFEL."""
    text = h5py.string_dtype()
    sources = file.create_group("METADATA/dataSources")
    device = f"{_SOURCE}/data"
    for name, value in (("dataSourceId", f"INSTRUMENT/{device}"), ("deviceId", device)):
        sources.create_dataset(name, data=[value], dtype=text)
    sources.create_dataset("root", data=["INSTRUMENT"], dtype=text)
    dates = ("creationDate", "updateDate")
    for name, value in (
        ("dataFormatVersion", "1.2"),
        *((date, "20200601T080000Z") for date in dates),
    ):
        file["METADATA"].create_dataset(name, data=[value], dtype=text)
    for name, number in (("proposalNumber", 900_086), ("runNumber", 1), ("sequenceNumber", 0)):
        file[f"METADATA/{name}"] = np.array([number], np.uint32)
    trains = np.arange(_TRAINS, dtype=np.uint64)
    file["INDEX/trainId"] = trains + 142_844_490
    file["INDEX/timestamp"] = trains * 100_000_000 + 1_590_998_400_000_000_000
    file["INDEX/flag"] = np.ones(_TRAINS, np.int32)
    file["INDEX/origin"] = -np.ones(_TRAINS, np.int32)
    file[f"INDEX/{device}/first"] = trains
    file[f"INDEX/{device}/count"] = np.ones(_TRAINS, np.uint64)
