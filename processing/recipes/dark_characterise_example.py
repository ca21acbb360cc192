"""Three dark runs of one AGIPD module, one memory cell and a few trains: to try the recipe with."""

from pathlib import Path

import h5py
import numpy as np

from processing.recipes.manifest import Example

_TRAINS = 6
_SHAPE = (_TRAINS, 512, 128)
_SOURCE = "SPB_DET_AGIPD1M-1/DET/0CH0"
_START_NS = 1_590_998_400_000_000_000  # 1 June 2020, 08:00 UTC
_PERIOD_NS = 100_000_000  # ten trains per second
# Offset, gain level and noise in ADU of each gain.
_GAINS = {"high": (6000, 5200, 12), "medium": (5400, 6100, 6), "low": (5100, 6900, 5)}


def write_example(folder: Path) -> Example:
    """
    Write a run for each gain into a folder of its own.

    The layout is written by EXtra-data's test makers; signal and level are normally
    distributed.
    """
    # Only whoever tries the recipe needs these, and a second to import them.
    from extra_data.tests.mockdata import write_file  # noqa: PLC0415 - as said above
    from extra_data.tests.mockdata.detectors import AGIPDModule  # noqa: PLC0415 - as said above

    random = np.random.default_rng(1)
    inputs = {}
    for number, (gain, (offset, level, noise)) in enumerate(_GAINS.items(), start=1):
        name = f"{gain}/RAW-R{number:04d}-AGIPD00-S00000.h5"
        (folder / gain).mkdir()
        write_file(
            folder / name,
            [AGIPDModule(_SOURCE, frames_per_train=1)],
            ntrains=_TRAINS,
            firsttrain=10_000 * number,
            chunksize=1,
            format_version="1.2",
        )
        with h5py.File(folder / name, "r+") as file:
            begin = np.uint64(_START_NS + 60 * number * 10**9)
            file["INDEX/timestamp"][:] = begin + _PERIOD_NS * np.arange(_TRAINS, dtype=np.uint64)
            image = file[f"INSTRUMENT/{_SOURCE}:xtdf/image/data"]
            image[:, 0] = random.normal(offset, noise, _SHAPE).round()
            image[:, 1] = random.normal(level, noise, _SHAPE).round()
        inputs[gain] = (name,)
    return Example(inputs=inputs, parameters={"min_trains": _TRAINS})
