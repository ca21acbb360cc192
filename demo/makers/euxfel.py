"""
Make a European XFEL run of two gas monitors, with numbers that mean something.

The layout is written by EXtra-data's own test makers; the pulse energies are ours: every
other pulse is meant for this beamline, the second monitor sees 96.5 % of the first.
"""

from pathlib import Path

import h5py
import numpy as np
from extra_data.tests.mockdata import write_file
from extra_data.tests.mockdata.xgm import XGM

TUNNEL = "SA1_XTD2_XGM/XGM/DOOCS"
HUTCH = "SPB_XTD9_XGM/XGM/DOOCS"
TRANSMISSION = 0.965
FIRST_TRAIN = 142_844_490
START_NS = 1_590_998_400_000_000_000  # 1 June 2020, 08:00 UTC
PERIOD_NS = 100_000_000  # ten trains per second
PULSES = 20  # slots in use; the other 980 hold exactly 1.0


def write_euxfel_run(
    folder: Path,
    *,
    run: int = 149,
    proposal: int = 700_000,
    trains: int = 200,
    format_version: str = "1.2",
    seed: int = 149,
) -> Path:
    """
    Write a raw run as one folder, ``r0149/RAW-R0149-DA01-S00000.h5``.

    Returns
    -------
    Path
        The folder of the run.
    """
    directory = folder / f"r{run:04d}"
    directory.mkdir(parents=True)
    path = directory / f"RAW-R{run:04d}-DA01-S00000.h5"
    write_file(
        path,
        [XGM(TUNNEL), XGM(HUTCH)],
        ntrains=trains,
        firsttrain=FIRST_TRAIN,
        chunksize=trains,
        format_version=format_version,
    )
    random = np.random.default_rng(seed)
    # SASE: the energy of a train varies by some 5 % around 1.2 mJ.
    energy_uj = random.normal(1200.0, 60.0, trains)
    with h5py.File(path, "r+") as file:
        _write_run_numbers(file, run, proposal, trains)
        noise = random.normal(0.0, 2.0, trains)
        _write_monitor(file, TUNNEL, energy_uj, random)
        _write_monitor(file, HUTCH, TRANSMISSION * energy_uj + noise, random)
    return directory


def _write_run_numbers(file: h5py.File, run: int, proposal: int, trains: int) -> None:
    stamps = START_NS + PERIOD_NS * np.arange(trains, dtype=np.uint64)
    if "INDEX/timestamp" in file:
        file["INDEX/timestamp"][:trains] = stamps
    for name, value in (
        ("proposalNumber", proposal),
        ("runNumber", run),
        ("sequenceNumber", 0),
        ("creationDate", b"20200601T080000Z"),
        ("updateDate", b"20200601T080021Z"),
    ):
        if f"METADATA/{name}" in file:
            file[f"METADATA/{name}"][...] = value


def _write_monitor(
    file: h5py.File, device: str, energy_uj: np.ndarray, random: np.random.Generator
) -> None:
    trains = len(energy_uj)
    control = file[f"CONTROL/{device}"]
    flux = control["pulseEnergy/photonFlux/value"]
    flux.attrs.update({"metricPrefixSymbol": b"u", "unitSymbol": b"J"})
    flux[:trains] = energy_uj
    control["pulseEnergy/wavelengthUsed/value"][:trains] = 0.133  # nm: 9.3 keV
    control["pulseEnergy/nummberOfBunches/value"][:trains] = PULSES
    control["beamPosition/ixPos/value"][:trains] = random.normal(0.1, 0.02, trains)
    control["beamPosition/iyPos/value"][:trains] = random.normal(-0.2, 0.02, trains)
    pulses = np.ones((trains, 1000), np.float32)
    on = energy_uj[:, None] * random.normal(1.0, 0.08, (trains, PULSES // 2))
    pulses[:, 0:PULSES:2] = on
    pulses[:, 1:PULSES:2] = 0.02 * on
    file[f"INSTRUMENT/{device}:output/data/intensityTD"][:trains] = pulses
