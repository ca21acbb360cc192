"""What the sources of European XFEL's detector modules are called."""

import pytest

from processing.science.euxfel.detectors import ModuleName, name_module

SPB = "SPB_DET_AGIPD1M-1"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{SPB}/DET/0CH0:xtdf", ModuleName("AGIPD", SPB, "AGIPD00", is_raw=True)),
        (f"{SPB}/DET/15CH0:xtdf", ModuleName("AGIPD", SPB, "AGIPD15", is_raw=True)),
        (f"{SPB}/CORR/3CH0:output", ModuleName("AGIPD", SPB, "AGIPD03", is_raw=False)),
        (
            "HED_DET_AGIPD500K2G/DET/7CH0:xtdf",
            ModuleName("AGIPD", "HED_DET_AGIPD500K2G", "AGIPD07", is_raw=True),
        ),
        (
            "SPB_IRDA_JF4M/DET/JNGFR08:daqOutput",
            ModuleName("JUNGFRAU", "SPB_IRDA_JF4M", "JNGFR08", is_raw=True),
        ),
        (
            "SPB_IRDA_JNGFR/DET/MODULE_1:daqOutput",
            ModuleName("JUNGFRAU", "SPB_IRDA_JNGFR", "JNGFR01", is_raw=True),
        ),
        (
            "FXE_XAD_JF1M/DET/RECEIVER-2:daqOutput",
            ModuleName("JUNGFRAU", "FXE_XAD_JF1M", "JNGFR02", is_raw=True),
        ),
        (
            "SPB_IRDA_JF4M/CORR/JNGFR01:daqOutput",
            ModuleName("JUNGFRAU", "SPB_IRDA_JF4M", "JNGFR01", is_raw=False),
        ),
    ],
)
def test_a_module_is_known_by_its_source(source: str, expected: ModuleName) -> None:
    assert name_module(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "FXE_DET_LPD1M-1/DET/0CH0:xtdf",
        "SCS_DET_DSSC1M-1/DET/0CH0:xtdf",
        "MID_EXP_EPIX-1/DET/RECEIVER-1:daqOutput",
        "SPB_IRDA_JF4M/DET/JNGFR01:display",
        f"{SPB}/DET/0CH0:preview",
        "SPB_IRDA_JF4M/DET/CONTROL",
        f"{SPB}/CORR/STITCHED:output",
        f"{SPB}/DET/{'1' * 5000}CH0:xtdf",  # more digits than Python takes for a number
    ],
)
def test_other_sources_are_no_modules_of_these(source: str) -> None:
    assert name_module(source) is None
