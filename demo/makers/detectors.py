"""
Make raw European XFEL runs of AGIPD and JUNGFRAU with given pixels.

The layout is written by EXtra-data's own test makers, which leave the images empty; pixels,
clock and conditions are ours, so that a test knows what has to come out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from extra_data.tests.mockdata import write_file
from extra_data.tests.mockdata.agipd import AGIPD1MPSC, AGIPDMDL
from extra_data.tests.mockdata.detectors import AGIPDModule
from extra_data.tests.mockdata.jungfrau import JUNGFRAUControl, JUNGFRAUModule
from numpy.typing import NDArray

Words = NDArray[np.uint16]

AGIPD = "SPB_DET_AGIPD1M-1"
AGIPD_CONTROL = "SPB_IRU_AGIPD1M1/MDL/FPGA_COMP"
AGIPD_BIAS = "SPB_IRU_AGIPD1M1/PSC/HV"
JUNGFRAU = "SPB_IRDA_JF4M"
JUNGFRAU_CONTROL = f"{JUNGFRAU}/DET/CONTROL"
FIRST_TRAIN = 142_844_490
START = datetime(2020, 6, 1, 8, tzinfo=UTC)
PERIOD_NS = 100_000_000  # ten trains per second


@dataclass(frozen=True)
class Clock:
    """What a run is called and when it was taken."""

    run: int = 1
    proposal: int = 900_086
    first_train: int = FIRST_TRAIN
    start: datetime = START
    sequences: int = 1  # files per module

    def name(self, aggregator: str, sequence: int = 0) -> str:
        return f"RAW-R{self.run:04d}-{aggregator}-S{sequence:05d}.h5"

    def parts(self, trains: int) -> list[tuple[int, slice]]:
        """Cut trains into sequence files; the last ones are the shorter ones."""
        edges = np.linspace(0, trains, self.sequences + 1).round().astype(int)
        return [(number, slice(a, b)) for number, (a, b) in enumerate(pairwise(edges.tolist()))]

    def stamp(self, file: h5py.File, sequence: int, first: int, trains: int) -> None:
        start_ns = int(self.start.timestamp() * 1e9)
        stamps = start_ns + PERIOD_NS * np.arange(first, first + trains, dtype=np.uint64)
        file["INDEX/timestamp"][:trains] = stamps
        file["METADATA/proposalNumber"][...] = self.proposal
        file["METADATA/sequenceNumber"][...] = sequence
        for name, at_ns in (("creationDate", stamps[0]), ("updateDate", stamps[-1])):
            date = datetime.fromtimestamp(int(at_ns) // 1_000_000_000, UTC)
            file[f"METADATA/{name}"][...] = f"{date:%Y%m%dT%H%M%SZ}".encode()


def write_agipd_run(  # noqa: PLR0913 - what the control data state
    folder: Path,
    modules: Mapping[int, tuple[Words, Words]],
    *,
    clock: Clock | None = None,
    cell_ids: NDArray[np.uint16] | None = None,
    rate_mhz: float = 1.1,
    bias_v: float = 300.0,
    integration_time: int = 15,
    gain_setting: int = 0,
    gain_mode: int = 0,
) -> Path:
    """
    Write a raw AGIPD run as one folder of files, one or more per module.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    modules : mapping
        Number of the module to its analog signal and its analog gain level, both uint16 of
        shape (trains, cells, 512, 128), in ADU.
    clock : Clock, optional
        Number, time and sequence files of the run.
    cell_ids : ndarray of uint16 of shape (cells,), optional
        Memory cells of the frames of a train; by default from 0.
    rate_mhz, bias_v, integration_time, gain_setting, gain_mode
        What the control data state: MHz, V, clock ticks, and two indexes.

    Returns
    -------
    Path
        The folder.
    """
    clock = clock or Clock()
    folder.mkdir(parents=True, exist_ok=True)
    for module, (analog, level) in modules.items():
        for sequence, part in clock.parts(len(analog)):
            path = folder / clock.name(f"AGIPD{module:02d}", sequence)
            device = AGIPDModule(f"{AGIPD}/DET/{module}CH0", frames_per_train=analog.shape[1])
            with _create(path, [device], clock, sequence, part) as file:
                image = file[f"INSTRUMENT/{AGIPD}/DET/{module}CH0:xtdf/image"]
                for plane, values in enumerate((analog[part], level[part])):
                    image["data"][:, plane] = values.reshape(-1, 512, 128)
                if cell_ids is not None:
                    image["cellId"][:, 0] = np.tile(cell_ids, part.stop - part.start)
    trains, pulses = next(iter(modules.values()))[0].shape[:2]
    devices = [AGIPDMDL(AGIPD_CONTROL), AGIPD1MPSC(AGIPD_BIAS)]
    with _create(folder / clock.name("DA01"), devices, clock, 0, slice(0, trains)) as file:
        stated = {
            f"{AGIPD_CONTROL}/bunchStructure/repetitionRate": rate_mhz,
            f"{AGIPD_CONTROL}/bunchStructure/nPulses": pulses,
            f"{AGIPD_CONTROL}/integrationTime": integration_time,
            f"{AGIPD_CONTROL}/gain": gain_setting,
            f"{AGIPD_CONTROL}/gainModeIndex": gain_mode,
            f"{AGIPD_BIAS}/channels/U0/measurementSenseVoltage": bias_v,
        }
        _state(file, stated)
    return folder


def write_jungfrau_run(  # noqa: PLR0913 - what the control data state
    folder: Path,
    modules: Mapping[int, Words],
    *,
    clock: Clock | None = None,
    packed: bool = False,
    bias_v: int = 180,
    integration_time_us: float = 10.0,
    settings: str = "gain0",
    gain_mode: str = "dynamic",
) -> Path:
    """
    Write a raw JUNGFRAU run as one folder of files, one or more per module.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    modules : mapping
        Number of the module, from 1, to its words: uint16 of shape (trains, cells, 512, 1024),
        gain code in bits 15-14 (0, 1, 3) and ADC value in bits 13-0.
    clock : Clock, optional
        Number, time and sequence files of the run.
    packed : bool
        True leaves the gain code in the words of ``adc``; by default it stands in ``gain``.
    bias_v, integration_time_us, settings, gain_mode
        What the control data state; the last two as text of the run.

    Returns
    -------
    Path
        The folder.
    """
    clock = clock or Clock()
    folder.mkdir(parents=True, exist_ok=True)
    for module, words in modules.items():
        name = f"{JUNGFRAU}/DET/JNGFR{module:02d}"
        for sequence, part in clock.parts(len(words)):
            path = folder / clock.name(f"JNGFR{module:02d}", sequence)
            device = _JungfrauModule(name, cells=words.shape[1])
            with _create(path, [device], clock, sequence, part) as file:
                data = file[f"INSTRUMENT/{name}:daqOutput/data"]
                data["adc"][:] = words[part] if packed else words[part] & 0x3FFF
                if not packed:
                    data["gain"][:] = words[part] >> 14
                data["memoryCell"][:] = np.arange(words.shape[1])
    trains, cells = next(iter(modules.values())).shape[:2]
    control = _JungfrauControl(JUNGFRAU_CONTROL)
    control.extra_run_values = [("settings", None, settings), ("gainMode", None, gain_mode)]
    with _create(folder / clock.name("JNGFRCTRL00"), [control], clock, 0, slice(0, trains)) as file:
        stated = {
            f"{JUNGFRAU_CONTROL}/exposureTime": integration_time_us * 1e-6,
            f"{JUNGFRAU_CONTROL}/vHighVoltage": bias_v,
            f"{JUNGFRAU_CONTROL}/storageCells": cells - 1,
        }
        _state(file, stated)
    return folder


class _JungfrauModule(JUNGFRAUModule):  # type: ignore[misc]  # EXtra-data has no types
    """One with as many memory cells as are wanted, instead of sixteen."""

    def __init__(self, device_id: str, *, cells: int) -> None:
        super().__init__(device_id, raw=True)
        self.cells = cells

    @property
    def instrument_keys(self) -> list[tuple[str, str, tuple[int, ...]]]:
        return [(key, kind, (self.cells, *dims[1:])) for key, kind, dims in super().instrument_keys]


class _JungfrauControl(JUNGFRAUControl):  # type: ignore[misc]  # EXtra-data has no types
    """One whose keys are groups in groups, as in files of the facility."""

    control_keys = [
        (key.replace(".", "/"), kind, dims) for key, kind, dims in JUNGFRAUControl.control_keys
    ]


def _create(path: Path, devices: list[Any], clock: Clock, sequence: int, part: slice) -> h5py.File:
    """Write the layout of one file and open it, to be filled."""
    trains = part.stop - part.start
    write_file(
        path,
        devices,
        ntrains=trains,
        firsttrain=clock.first_train + part.start,
        chunksize=1,
        format_version="1.2",
    )
    file = h5py.File(path, "r+")
    clock.stamp(file, sequence, part.start, trains)
    return file


def _state(file: h5py.File, stated: Mapping[str, float]) -> None:
    for name, value in stated.items():
        for tree in ("CONTROL", "RUN"):
            file[f"{tree}/{name}/value"][...] = value
