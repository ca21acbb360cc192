"""
What the modules of AGIPD and JUNGFRAU are called in a run, and how their frames look.

::

    SPB_DET_AGIPD1M-1/DET/0CH0:xtdf        AGIPD00
    SPB_IRDA_JF4M/DET/JNGFR01:daqOutput    JNGFR01
    SPB_IRDA_JNGFR/DET/MODULE_1:daqOutput  JNGFR01, before 2021; also RECEIVER-1

Corrected ones stand under CORR instead of DET.
"""

import re
from dataclasses import dataclass
from typing import Literal

Detector = Literal["AGIPD", "JUNGFRAU"]

PIXELS: dict[Detector, tuple[int, int]] = {"AGIPD": (512, 128), "JUNGFRAU": (512, 1024)}
PLANES: dict[Detector, int] = {"AGIPD": 2, "JUNGFRAU": 1}  # signal, and AGIPD's gain level
GAIN_BIT = 14  # the two bits above it are the gain code of a JUNGFRAU word

# Group of a source that holds frames, the frames in it, and the memory cells of these.
GROUPS: dict[Detector, str] = {"AGIPD": "image", "JUNGFRAU": "data"}
FRAMES: dict[Detector, str] = {"AGIPD": "data", "JUNGFRAU": "adc"}
CELLS: dict[Detector, str] = {"AGIPD": "cellId", "JUNGFRAU": "memoryCell"}

_SHORT: dict[Detector, str] = {"AGIPD": "AGIPD", "JUNGFRAU": "JNGFR"}
_RAW = {"AGIPD": "xtdf", "JUNGFRAU": "daqOutput"}
_SOURCES: dict[Detector, re.Pattern[str]] = {
    "AGIPD": re.compile(r"([^/]*AGIPD[^/]*)/(DET|CORR)/(\d{1,3})CH0:(\w+)"),
    # Other detectors have a MODULE_1 as well.
    "JUNGFRAU": re.compile(
        r"([^/]+(?=/\w+/JNGFR)|[^/]*(?:JNGFR|JF|JUNGF)[^/]*)"
        r"/(DET|CORR)/(?:JNGFR|MODULE_|RECEIVER-)(\d{1,3}):(\w+)"
    ),
}


@dataclass(frozen=True)
class ModuleName:
    """
    What the name of a source says.

    Attributes
    ----------
    kind : str
        "AGIPD" or "JUNGFRAU".
    detector : str
        "SPB_DET_AGIPD1M-1".
    module : str
        "AGIPD00", "JNGFR01".
    is_raw : bool
        False if its frames are corrected.
    """

    kind: Detector
    detector: str
    module: str
    is_raw: bool


def name_module(source: str) -> ModuleName | None:
    """
    Tell from the name of a source which module's frames it holds.

    Parameters
    ----------
    source : str
        "SPB_IRDA_JF4M/DET/JNGFR01:daqOutput".

    Returns
    -------
    ModuleName or None
        None if it is no module of an AGIPD or JUNGFRAU.
    """
    for kind, pattern in _SOURCES.items():
        if found := pattern.fullmatch(source):
            detector, tree, number, channel = found.groups()
            is_raw = tree == "DET"
            if not is_raw or channel == _RAW[kind]:
                return ModuleName(kind, detector, f"{_SHORT[kind]}{int(number):02d}", is_raw)
    return None
