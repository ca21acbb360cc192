"""detector-correct on raw runs with injected stages: what comes out is what was put in."""

import json
import shutil
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import extra_data
import h5py
import hdf5plugin  # noqa: F401  registers the filter of the corrected files
import numpy as np
import pytest
from extra_data.components import AGIPD1M, JUNGFRAU
from extra_data.file_access import FileAccess
from extra_data.validation import FileValidator

from demo.makers.detectors import START, Clock, write_agipd_run, write_jungfrau_run
from processing.recipes.base import RecipeError, working_in
from processing.recipes.detector_correct import detector_correct
from processing.recipes.detector_correct_example import write_example
from processing.recipes.workspace import Workspace
from processing.science.calibration.constants_file import DarkConstants, write_constants
from processing.science.calibration.corrected_file import create_corrected
from processing.science.calibration.correcting import Correction
from processing.science.calibration.raw_module import read_raw_module
from processing.science.process import Provenance
from tests.makers.malformed import rename_source
from tests.makers.tickets import a_ticket, bodies, run

OFFSETS = (4500.0, 5200.0, 5100.0)
LEVELS = (5500.0, 6500.0)
CELLS = 3
STATED: dict[str, float | str] = {"rate_mhz": 1.1, "bias_v": 300.0}
PEDESTALS = (3000.0, 14_000.0, 14_500.0)
GAINS = (40.0, -1.5, -0.1)


def constants_of(
    detector: Any,
    module: str,
    folder: Path,
    /,
    *,
    cells: int = CELLS,
    valid_from: datetime | None = None,
    **conditions: Any,
) -> Path:
    """Write constants of level planes, with a hundred pixels of cell 0 bad in high gain."""
    shape = (512, 128) if detector == "AGIPD" else (512, 1024)
    offsets = OFFSETS if detector == "AGIPD" else PEDESTALS

    def level(values: tuple[float, ...]) -> Any:
        planes = np.reshape(np.array(values, np.float32), (len(values), 1, 1, 1))
        return np.broadcast_to(planes, (len(values), cells, *shape))

    bad = np.zeros((3, cells, *shape), np.uint32)
    bad[0, 0, 500, :100] = 1 << 1
    is_agipd = detector == "AGIPD"
    constants = DarkConstants(
        detector,
        module,
        level(offsets),
        level((5.0, 5.0, 5.0)),
        bad,
        level((5000.0, 6000.0, 7000.0)) if is_agipd else None,
        level(LEVELS) if is_agipd else None,
        conditions or dict(STATED),
        valid_from,
    )
    path = folder / f"dark-{module}.h5"
    write_constants(path, constants, Provenance("test", "1"))
    return path


def agipd_pixels(trains: int = 2, seed: int = 0) -> tuple[Any, Any]:
    """Noise around 4500 ADU; 64 rows of 512 in medium gain, 16 in low gain."""
    random = np.random.default_rng(seed)
    analog = random.normal(4500, 5, (trains, CELLS, 512, 128)).astype(np.uint16)
    gain_level = np.full_like(analog, 5000)
    gain_level[:, :, 64:128], analog[:, :, 64:128] = 6000, 5700
    gain_level[:, :, 128:144] = 7000
    return analog, gain_level


@pytest.fixture(scope="module")
def agipd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("agipd")
    pixels = {0: agipd_pixels(), 3: agipd_pixels(seed=1)}
    raw = write_agipd_run(folder / "raw", pixels, clock=Clock(sequences=2))
    constants = [constants_of("AGIPD", f"AGIPD{module:02d}", folder) for module in pixels]
    return {"pixels": pixels, "run": sorted(raw.iterdir()), "constants": constants}


@pytest.fixture(scope="module")
def jungfrau(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("jungfrau")
    random = np.random.default_rng(2)
    words = random.normal(3000, 4, (1, 2, 512, 1024)).astype(np.uint16)
    words[:, :, 50:60] = 0x4000 | 13_000
    words[:, :, 60:64] = 0xC000 | 14_000
    words[0, 1, 0, 0] = 0xC000
    raw = write_jungfrau_run(folder / "raw", {1: words})
    path = constants_of("JUNGFRAU", "JNGFR01", folder, cells=2, bias_v=180.0)
    return {"words": words, "run": sorted(raw.iterdir()), "constants": [path]}


def correct(made: dict[str, Any], folder: Path, **asked: Any) -> Workspace:
    folder.mkdir()
    work = Workspace(folder, cores=asked.pop("cores", 1))
    with working_in(work):
        detector_correct(made["run"], made["constants"], **asked)
    return work


def oracle(analog: Any, gain_level: Any) -> tuple[Any, Any]:
    stage = (gain_level > LEVELS[0]).astype(int) + (gain_level > LEVELS[1])
    expected = analog.astype(np.float32) - np.array(OFFSETS, np.float32)[stage]
    expected[:, 0, 500, :100] = np.nan
    return expected, stage


def test_extra_data_opens_a_corrected_agipd_run_with_the_right_numbers(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    work = correct(agipd, tmp_path / "out")
    opened = extra_data.RunDirectory(str(tmp_path / "out"))
    detector = AGIPD1M(opened, raw=False)
    signal = detector.get_array("image.data", unstack_pulses=True)
    for place, module in enumerate((0, 3)):
        expected, stage = oracle(*agipd["pixels"][module])
        shaped = signal.values[place]
        assert np.array_equal(shaped, expected, equal_nan=True)
        gain = detector.get_array("image.gain").values[place]
        assert np.array_equal(gain.reshape(stage.shape), stage)
    mask = detector.get_array("image.mask").values
    assert int((mask != 0).sum()) == 2 * 2 * 100
    assert set(np.unique(mask)) == {0, 1 << 1}
    assert list(signal.coords["train"].values) == [142_844_490, 142_844_491]
    assert work.warnings == ["The run has no file of AGIPD01, AGIPD02, " + ", ".join(
        f"AGIPD{n:02d}" for n in range(4, 16)
    ) + "."]  # fmt: skip
    for path in (tmp_path / "out").glob("CORR-*"):
        assert FileValidator(FileAccess(path)).run_checks() == []


def test_the_shares_of_gain_stages_are_those_that_were_injected(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    work = correct(agipd, tmp_path / "out", modules=["AGIPD03"])
    told = {it.name: (it.value, it.unit) for it in work.quantities}
    assert told["gain_medium"] == (12.5, "percent")
    assert told["gain_low"] == (3.125, "percent")
    assert told["gain_high"] == (100 - 12.5 - 3.125, "percent")
    assert told["frames"] == (6, None)
    assert told["masked"][0] == pytest.approx(100 * 200 / (6 * 65_536))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["modules"]["AGIPD03"]["masked_percent_by_bit"].keys() == {"1"}
    assert summary["modules"]["AGIPD03"]["mean_by_pulse"].keys() == {"0", "1", "2"}
    assert not (tmp_path / "out" / "CORR-R0001-AGIPD00-S00000.h5").exists()


def test_the_report_says_how_old_the_constants_are(agipd: dict[str, Any], tmp_path: Path) -> None:
    older, newer = START - timedelta(days=40), START - timedelta(hours=6)
    constants = [
        constants_of("AGIPD", "AGIPD00", tmp_path, valid_from=newer),
        constants_of("AGIPD", "AGIPD03", tmp_path, valid_from=older),
    ]
    work = correct(agipd | {"constants": constants}, tmp_path / "out")
    told = {it.name: (it.value, it.unit) for it in work.quantities}
    assert told["constants_age"] == (40, "day")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["modules"]["AGIPD00"]["constants_age_days"] == 0.25
    assert summary["modules"]["AGIPD03"]["constants_valid_from"] == "2020-04-22T08:00:00+00:00"
    assert not any("later darks" in it for it in work.warnings)


def test_constants_of_later_darks_are_warned_of(agipd: dict[str, Any], tmp_path: Path) -> None:
    later = constants_of("AGIPD", "AGIPD00", tmp_path, valid_from=START + timedelta(days=2))
    work = correct(agipd | {"constants": [later]}, tmp_path / "out")
    assert (
        "The constants of AGIPD00 are valid from 2020-06-03 08:00 UTC, 2 days after the run: they "
        "were made of later darks." in work.warnings
    )


def test_the_age_of_old_constants_is_told_in_whole_days(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    """Not as 1.5e+03 days."""
    later = constants_of("AGIPD", "AGIPD00", tmp_path, valid_from=START + timedelta(days=1500))
    work = correct(agipd | {"constants": [later]}, tmp_path / "out")
    assert any("1500 days after the run" in it for it in work.warnings)


def test_a_sequence_file_that_is_missing_is_told(agipd: dict[str, Any], tmp_path: Path) -> None:
    files = [it for it in agipd["run"] if it.name != "RAW-R0001-AGIPD00-S00000.h5"]
    work = correct(agipd | {"run": files}, tmp_path / "out", modules=["AGIPD00"])
    assert any(it.startswith("AGIPD00 lacks 1 of its files") for it in work.warnings)


def test_modules_of_another_detector_stand_in_for_none_of_an_agipd(
    agipd: dict[str, Any], jungfrau: dict[str, Any], tmp_path: Path
) -> None:
    """JNGFR01 of the same run is not AGIPD01."""
    made = agipd | {"run": [*agipd["run"], *jungfrau["run"]]}
    work = correct(made, tmp_path / "out")
    assert any(it.startswith("The run has no file of AGIPD01, AGIPD02") for it in work.warnings)
    assert "There are no constants of JNGFR01: it is left out." in work.warnings


def test_constants_that_state_no_time_have_no_age(agipd: dict[str, Any], tmp_path: Path) -> None:
    work = correct(agipd, tmp_path / "out", modules=["AGIPD00"])
    assert "constants_age" not in {it.name for it in work.quantities}
    assert "constants_age" not in (tmp_path / "out" / "summary.json").read_text()


def test_medium_gain_500_adu_above_its_offset_comes_out_as_500(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    correct(agipd, tmp_path / "out", modules=["AGIPD00"])
    with h5py.File(tmp_path / "out" / "CORR-R0001-AGIPD00-S00000.h5") as file:
        data = file["INSTRUMENT/SPB_DET_AGIPD1M-1/CORR/0CH0:output/image/data"]
        assert np.abs(data[:, 64:128] - 500.0).max() <= 1
        assert data.attrs["units"] == "ADU"
        assert file["entry/data/data"].shape == data.shape
        assert file["entry/process/parameters/unit"][()] == b"ADU"
        raw_name = file.get("INSTRUMENT/SPB_DET_AGIPD1M-1/DET/0CH0:xtdf", getlink=True)
        assert isinstance(raw_name, h5py.SoftLink), "older programs look there"


def test_any_number_of_workers_gives_the_same_bytes(agipd: dict[str, Any], tmp_path: Path) -> None:
    for cores in (1, 2, 4):
        correct(agipd, tmp_path / str(cores), cores=cores, common_mode=True)
    for path in sorted((tmp_path / "1").iterdir()):
        for cores in (2, 4):
            assert path.read_bytes() == (tmp_path / str(cores) / path.name).read_bytes(), path.name


def test_extra_data_opens_a_corrected_jungfrau_run_in_kev(
    jungfrau: dict[str, Any], tmp_path: Path
) -> None:
    correct(jungfrau, tmp_path / "out", unit="keV", nominal_gain=GAINS)
    detector = JUNGFRAU(extra_data.RunDirectory(str(tmp_path / "out")), raw=False)
    words = jungfrau["words"]
    stage = np.array([0, 1, 0, 2])[words >> 14]
    scale = np.array([1 / gain for gain in GAINS], np.float32)
    value = (words & 0x3FFF).astype(np.float32)
    expected = (value - np.array(PEDESTALS, np.float32)[stage]) * scale[stage]
    expected[0, 0, 500, :100] = expected[0, 1, 0, 0] = np.nan
    signal = detector.get_array("data.adc").values[0]
    assert np.array_equal(signal, expected, equal_nan=True)
    assert np.array_equal(detector.get_array("data.gain").values[0], stage)
    assert detector.get_array("data.mask").values[0, 0, 1, 0, 0] == 1 << 12


def test_quantised_signals_are_within_half_a_step_and_a_third_of_the_bytes(
    jungfrau: dict[str, Any], tmp_path: Path
) -> None:
    asked = {"unit": "keV", "nominal_gain": GAINS}
    correct(jungfrau, tmp_path / "whole", **asked)
    work = correct(jungfrau, tmp_path / "steps", **asked, quantise=0.1)
    name, field = "CORR-R0001-JNGFR01-S00000.h5", "SPB_IRDA_JF4M/CORR/JNGFR01:output/data/adc"
    with (
        h5py.File(tmp_path / "whole" / name) as whole,
        h5py.File(tmp_path / "steps" / name) as file,
    ):
        exact, steps = whole[f"INSTRUMENT/{field}"][()], file[f"INSTRUMENT/{field}"]
        assert (steps.dtype, steps.attrs["units"]) == (np.dtype("i2"), "keV")
        stored = np.where(steps[()] == steps.attrs["_FillValue"], np.nan, steps[()])
        clipped = np.abs(stored) == steps.attrs["valid_max"]
        error = np.abs(stored * steps.attrs["scale_factor"] - exact)[~clipped]
        assert np.nanmax(error) <= 0.05 * (1 + 1e-12)
        assert np.array_equal(np.isnan(stored), np.isnan(exact))
        assert file["entry/process/parameters/quantise"][()] == 0.1
        assert file["entry/process/parameters/quantise"].attrs["units"] == "keV"
        assert 3 * steps.id.get_storage_size() < whole[f"INSTRUMENT/{field}"].id.get_storage_size()
    low_gain = 2 * 4 * 1024  # 5,000 keV are more than 32,000 steps of 0.1 keV
    assert clipped.sum() == low_gain
    assert f"{low_gain} pixels of JNGFR01 were clipped. Take a larger step." in work.warnings


def test_photons_are_whole(jungfrau: dict[str, Any], tmp_path: Path) -> None:
    correct(jungfrau, tmp_path / "out", unit="photon", photon_energy=9.3, nominal_gain=GAINS)
    with h5py.File(tmp_path / "out" / "CORR-R0001-JNGFR01-S00000.h5") as file:
        photons = file["INSTRUMENT/SPB_IRDA_JF4M/CORR/JNGFR01:output/data/adc"][0, 0, 50:60]
    assert np.unique(photons).tolist() == [round(1000 / 1.5 / 9.3)]


def test_gains_per_pixel_go_before_nominal_ones(jungfrau: dict[str, Any], tmp_path: Path) -> None:
    gains = tmp_path / "gain-JNGFR01.h5"
    with h5py.File(gains, "w") as file:
        values = np.broadcast_to(np.reshape([20.0, -1.0, -0.1], (3, 1, 1, 1)), (3, 1, 512, 1024))
        file["entry/gain"] = values.astype(np.float32)
        file["entry/gain"].attrs["units"] = "ADU/keV"
    asked = {"unit": "keV", "gains": [gains], "nominal_gain": GAINS}
    correct(jungfrau, tmp_path / "out", **asked)
    with h5py.File(tmp_path / "out" / "CORR-R0001-JNGFR01-S00000.h5") as file:
        energy = file["INSTRUMENT/SPB_IRDA_JF4M/CORR/JNGFR01:output/data/adc"][0, 0, 50:60]
    assert np.unique(energy).tolist() == [1000.0]


def test_the_common_mode_restores_a_shifted_asic(tmp_path: Path) -> None:
    analog, gain_level = agipd_pixels(trains=1)
    analog[:, :, :64, :64] += 20
    analog[:, :, 448:, 64:] -= 15
    raw = write_agipd_run(tmp_path / "raw", {0: (analog, gain_level)})
    constants = [constants_of("AGIPD", "AGIPD00", tmp_path)]
    correct(
        {"run": sorted(raw.iterdir()), "constants": constants}, tmp_path / "out", common_mode=True
    )
    with h5py.File(tmp_path / "out" / "CORR-R0001-AGIPD00-S00000.h5") as file:
        image = file["INSTRUMENT/SPB_DET_AGIPD1M-1/CORR/0CH0:output/image/data"][0]
    for rows, columns in ((np.s_[:64], np.s_[:64]), (np.s_[448:], np.s_[64:])):
        assert abs(np.nanmean(image[rows, columns])) < 0.01
    assert np.abs(image[64:128] - 500.0).max() <= 1, "medium gain keeps its signal"


def refusal(made: dict[str, Any], folder: Path, **asked: Any) -> RecipeError:
    with pytest.raises(RecipeError) as refused:
        correct(made, folder, **asked)
    assert str(folder.parent) not in str(refused.value), "no path of the server"
    return refused.value


def test_constants_of_other_conditions_are_refused(agipd: dict[str, Any], tmp_path: Path) -> None:
    other = constants_of("AGIPD", "AGIPD00", tmp_path, rate_mhz=4.5, bias_v=300.0)
    refused = refusal(agipd | {"constants": [other]}, tmp_path / "out")
    assert refused.code == "corr-conditions"
    assert "rate_mhz: run 1.1, constants 4.5" in str(refused)
    assert list((tmp_path / "out").iterdir()) == []


def test_constants_of_another_detector_are_refused(agipd: dict[str, Any], tmp_path: Path) -> None:
    other = constants_of("AGIPD", "AGIPD00", tmp_path, detector="MID_DET_AGIPD1M-1")
    refused = refusal(agipd | {"constants": [other]}, tmp_path / "out")
    assert refused.code == "corr-conditions"
    assert "run SPB_DET_AGIPD1M-1, constants MID_DET_AGIPD1M-1" in str(refused)


def test_constants_of_one_of_two_detectors_in_a_run_are_refused(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    """Each has a module 0; the constants are those of one of them."""
    other = raw_copy(agipd, "AGIPD00-S00000", tmp_path)
    other = other.rename(tmp_path / "RAW-R0001-AGIPD40-S00000.h5")
    rename_source(other, "SPB_DET_AGIPD1M-1", "MID_DET_AGIPD1M-1")
    for path in agipd["run"]:
        shutil.copy(path, tmp_path)
    constants = constants_of("AGIPD", "AGIPD00", tmp_path, detector="MID_DET_AGIPD1M-1")
    made = {"run": sorted(tmp_path.glob("RAW-*")), "constants": [constants]}
    refused = refusal(made, tmp_path / "out")
    assert refused.code == "corr-conditions"
    assert "run SPB_DET_AGIPD1M-1, constants MID_DET_AGIPD1M-1" in str(refused)


@pytest.mark.parametrize(("detector", "module"), [("AGIPD", "AGIPD03"), ("JUNGFRAU", "JNGFR01")])
def test_constants_of_another_module_are_refused(
    agipd: dict[str, Any], tmp_path: Path, detector: str, module: str
) -> None:
    """Planes of another shape would have the kernels read beyond their end."""
    other = constants_of(detector, module, tmp_path).rename(tmp_path / "dark-AGIPD00.h5")
    refused = refusal(agipd | {"constants": [other]}, tmp_path / "out")
    assert refused.code == "corr-other-module"
    assert f"dark-AGIPD00.h5 holds the constants of {detector} {module}" in str(refused)


def test_more_cells_than_constants_are_refused(agipd: dict[str, Any], tmp_path: Path) -> None:
    few = constants_of("AGIPD", "AGIPD00", tmp_path, cells=2)
    refused = refusal(agipd | {"constants": [few]}, tmp_path / "out")
    assert refused.code == "corr-cells"
    assert "AGIPD00 uses memory cells up to 2, its constants have 2" in str(refused)


def test_a_corrected_run_is_not_corrected_again(agipd: dict[str, Any], tmp_path: Path) -> None:
    correct(agipd, tmp_path / "once", modules=["AGIPD00"])
    again = {"run": sorted((tmp_path / "once").glob("CORR*.h5")), "constants": agipd["constants"]}
    assert refusal(again, tmp_path / "twice").code == "corr-already-corrected"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"unit": "keV"}, "corr-no-gain"),
        ({"unit": "photon", "nominal_gain": GAINS}, "corr-no-gain"),
        ({"relative_gain": True}, "corr-no-gain"),
        ({"modules": ["AGIPD09"]}, "corr-no-module"),
    ],
)
def test_what_cannot_be_corrected_is_refused(
    agipd: dict[str, Any], tmp_path: Path, asked: dict[str, Any], code: str
) -> None:
    assert refusal(agipd, tmp_path / "out", **asked).code == code


def test_a_run_without_modules_is_refused(agipd: dict[str, Any], tmp_path: Path) -> None:
    control = [path for path in agipd["run"] if "DA01" in path.name]
    assert refusal(agipd | {"run": control}, tmp_path / "out").code == "euxfel-not-a-run"


def raw_copy(made: dict[str, Any], name: str, folder: Path) -> Path:
    """Copy one file of a run, to be spoiled."""
    path = next(it for it in made["run"] if name in it.name)
    return Path(shutil.copy(path, folder))


def test_a_run_without_a_frame_is_refused(jungfrau: dict[str, Any], tmp_path: Path) -> None:
    path = raw_copy(jungfrau, "JNGFR01", tmp_path)
    with h5py.File(path, "r+") as file:
        index = file["INDEX/SPB_IRDA_JF4M/DET/JNGFR01:daqOutput/data"]
        index["first"][:], index["count"][:] = 0, 0
    refused = refusal(jungfrau | {"run": [path]}, tmp_path / "out")
    assert refused.code == "euxfel-source-empty"
    assert "no frame of JNGFR01" in str(refused)


def test_a_file_that_lacks_cells_of_its_frames_is_refused(
    jungfrau: dict[str, Any], tmp_path: Path
) -> None:
    path = raw_copy(jungfrau, "JNGFR01", tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["INSTRUMENT/SPB_IRDA_JF4M/DET/JNGFR01:daqOutput/data"]
        del group["memoryCell"]
        group["memoryCell"] = np.zeros((1, 3), np.uint8)
    refused = refusal(jungfrau | {"run": [path]}, tmp_path / "out")
    assert refused.code == "corr-data"
    assert "memoryCell" in str(refused)


def test_an_index_of_before_2017_is_read(agipd: dict[str, Any], tmp_path: Path) -> None:
    """Then the last row of a train stood there, and a status that is 0 without frames."""
    path = raw_copy(agipd, "AGIPD00", tmp_path)
    new = read_raw_module(path)
    with h5py.File(path, "r+") as file:
        index = file["INDEX/SPB_DET_AGIPD1M-1/DET/0CH0:xtdf/image"]
        first, count = index["first"][()], index["count"][()]
        del index["count"]
        index["last"], index["status"] = first + count - 1, np.ones(len(first), np.int32)
    old = read_raw_module(path)
    assert (old.first.tolist(), old.count.tolist()) == (new.first.tolist(), new.count.tolist())
    with h5py.File(path, "r+") as file:
        file["INDEX/SPB_DET_AGIPD1M-1/DET/0CH0:xtdf/image/status"][:] = 0
    assert read_raw_module(path).n_frames == 0


def test_a_module_without_constants_is_left_out_with_a_warning(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    work = correct(agipd | {"constants": agipd["constants"][:1]}, tmp_path / "out")
    assert "There are no constants of AGIPD03: it is left out." in work.warnings
    assert refusal(agipd | {"constants": []}, tmp_path / "none").code == "corr-no-module"


def test_a_module_stuck_in_one_stage_is_warned_of(tmp_path: Path) -> None:
    analog, gain_level = agipd_pixels(trains=1)
    gain_level[:] = 7000
    raw = write_agipd_run(tmp_path / "raw", {0: (analog, gain_level)})
    constants = [constants_of("AGIPD", "AGIPD00", tmp_path)]
    work = correct({"run": sorted(raw.iterdir()), "constants": constants}, tmp_path / "out")
    assert "All pixels of AGIPD00 are in low gain in all frames." in work.warnings


def test_a_cell_without_constants_is_masked(agipd: dict[str, Any], tmp_path: Path) -> None:
    path = constants_of("AGIPD", "AGIPD00", tmp_path)
    with h5py.File(path, "r+") as file:
        file["entry/offset"][:, 1] = np.nan
    correct(agipd | {"constants": [path]}, tmp_path / "out")
    with h5py.File(tmp_path / "out" / "CORR-R0001-AGIPD00-S00000.h5") as file:
        mask = file["INSTRUMENT/SPB_DET_AGIPD1M-1/CORR/0CH0:output/image/mask"][()]
    assert (mask[1] == 1 << 11).all()
    assert (mask[2] == 0).all()


def test_a_file_is_closed_properly_when_writing_fails(
    agipd: dict[str, Any], tmp_path: Path
) -> None:
    raw = read_raw_module(next(path for path in agipd["run"] if "AGIPD00" in path.name))
    path = tmp_path / "CORR-R0001-AGIPD00-S00000.h5"
    with pytest.raises(RuntimeError, match="disk"), create_corrected(path, raw, Correction()):
        raise RuntimeError("disk")
    with h5py.File(path, "r") as file:
        assert file["INDEX/trainId"].shape == (1,)


def test_its_example_runs_twice_to_identical_bytes(tmp_path: Path) -> None:
    example = write_example(tmp_path)
    inputs = {role: [tmp_path / name for name in names] for role, names in example.inputs.items()}
    made = []
    for fence in (1, 2):
        ticket = a_ticket(
            detector_correct.manifest, tmp_path, inputs, fence=fence, **example.parameters
        )
        outcome, _ = run(ticket)
        made.append(bodies(ticket, outcome))
        assert {file.role for file in outcome.outputs} >= {"corrected", "summary"}
    assert made[0] == made[1]


def test_kernels_are_warmed_without_a_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector_correct.hooks["warm_up"]()
