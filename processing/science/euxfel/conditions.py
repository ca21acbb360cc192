"""What a run states of its detector: repetition rate, bias voltage, integration time, gain."""

import math

from processing.science.euxfel.detectors import Detector
from processing.science.euxfel.modules import ModuleFrames
from processing.science.euxfel.run import Run

# Condition to the key that states it, and the factor to the unit in the name.
_SLOW: dict[Detector, dict[str, tuple[str, float]]] = {
    "AGIPD": {
        "rate_mhz": ("bunchStructure.repetitionRate", 1.0),
        "bias_v": ("channels.U0.measurementSenseVoltage", 1.0),
        "integration_time": ("integrationTime", 1.0),  # in ticks of the detector's clock
        "gain_setting": ("gain", 1.0),
        "gain_mode": ("gainModeIndex", 1.0),
    },
    "JUNGFRAU": {
        "bias_v": ("vHighVoltage", 1.0),
        "integration_time_us": ("exposureTime", 1e6),
    },
}
_WORDS: dict[Detector, dict[str, str]] = {
    "AGIPD": {},
    "JUNGFRAU": {"gain_setting": "settings", "gain_mode": "gainMode"},
}
# Before JUNGFRAU had a gainMode its settings told the mode as well, and nothing else where a
# gain was forced.
_OLD_SETTINGS: dict[float | str, dict[str, float | str]] = {
    "dynamicgain": {"gain_setting": "gain0", "gain_mode": "dynamic"},
    "dynamichg0": {"gain_setting": "highgain0", "gain_mode": "dynamic"},
    "fixgain1": {"gain_mode": "fixg1"},
    "fixgain2": {"gain_mode": "fixg2"},
    "forceswitchg1": {"gain_mode": "forceswitchg1"},
    "forceswitchg2": {"gain_mode": "forceswitchg2"},
}
_DIGITS = 6  # a voltage is measured, and an exposure stored in single precision


def read_conditions(run: Run, detector: str, module: ModuleFrames) -> dict[str, float | str]:
    """
    Read under which conditions the detector was run.

    Parameters
    ----------
    run : Run
        Open.
    detector : str
        Its name, "SPB_DET_AGIPD1M-1".
    module : ModuleFrames
        One of its modules.

    Returns
    -------
    dict
        ``detector``, ``cells``, and of ``rate_mhz``, ``bias_v``, ``integration_time_us`` (AGIPD:
        ``integration_time``, in ticks), ``gain_setting`` and ``gain_mode`` what the run
        states; the median through the run of what is measured. What is no finite number is
        not stated.
    """
    kind = module.kind
    # The control devices of AGIPD bear another prefix than its modules.
    sources = [
        source
        for source in run.control_sources
        if source.startswith(f"{detector}/") or (kind == "AGIPD" and kind in source)
    ]
    stated: dict[str, float | str] = {"detector": detector, "cells": float(len(module.cells))}
    for name, (key, factor) in _SLOW[kind].items():
        for source in sources:
            value = run.typical(source, key) if run.has(source, f"{key}.value") else None
            if value is not None and math.isfinite(value):
                stated.setdefault(name, float(f"{value * factor:.{_DIGITS}g}"))
    for name, key in _WORDS[kind].items():
        for source in sources:
            if word := run.text(source, key):
                stated.setdefault(name, word)
    if (told := _OLD_SETTINGS.get(stated.get("gain_setting", ""))) is not None:
        del stated["gain_setting"]
        stated |= told
    return stated
