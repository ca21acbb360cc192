"""Dark constants of made runs, whose offsets, levels and noise are known."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from demo.makers.detectors import (
    AGIPD,
    FIRST_TRAIN,
    START,
    Clock,
    write_agipd_run,
    write_jungfrau_run,
)
from processing.recipes.base import Input, RecipeError, Workspace, working_in
from processing.recipes.dark_characterise import dark_characterise
from processing.recipes.dark_characterise_example import write_example
from processing.science.calibration.bad_pixels import BadPixel, find_outliers
from processing.science.calibration.constants_file import DarkConstants, read_constants
from tests.makers.malformed import rename_source
from tests.makers.tickets import a_ticket, run

GAINS = ("high", "medium", "low")
OFFSETS, LEVELS, NOISE = (6000, 5400, 5100), (5200, 6100, 6900), (12.0, 6.0, 5.0)
TRAINS, CELLS = 40, 4
LOUD = (100, 50)  # one pixel of 20 times the noise
# The mean of the standard deviation of 40 normal numbers, with ddof 0, over their sigma.
BIAS = 0.981
SMALL = {"min_trains": 5, "max_bad": 1.0}
NOW = START + timedelta(hours=1)

Runs = dict[str, list[Path]]


def a_clock(place: int, **told: Any) -> Clock:
    begin = START + timedelta(minutes=place)
    return Clock(run=place + 1, first_train=FIRST_TRAIN + 10_000 * place, start=begin, **told)


def normal(mean: float, sigma: float, shape: tuple[int, ...], seed: int) -> NDArray[np.uint16]:
    values = np.random.default_rng(seed).standard_normal(shape, np.float32)
    values *= sigma
    values += mean
    return np.rint(values, out=values).astype(np.uint16)


def a_gain(place: int, trains: int, cells: int, seed: int = 0) -> tuple[Any, Any]:
    """Signal and level of one module in one gain."""
    shape = (trains, cells, 512, 128)
    analog = normal(OFFSETS[place], NOISE[place], shape, 10 * seed + place)
    level = normal(LEVELS[place], 3.0, shape, 100 + place)
    return analog, level


def write_runs(folder: Path, trains: int = 6, cells: int = 1, **changes: Any) -> Runs:
    """Three small runs; changes by gain: trains, cells, modules, clock, and what is stated."""
    runs = {}
    for place, gain in enumerate(GAINS):
        told = {"trains": trains, "cells": cells, "modules": (0,), "clock": a_clock(place)}
        told |= changes.get(gain, {})
        pixels = a_gain(told.pop("of", place), told.pop("trains"), told.pop("cells"))
        modules = dict.fromkeys(told.pop("modules"), pixels)
        runs[gain] = sorted(write_agipd_run(folder / gain, modules, **told).iterdir())
    return runs


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "outputs").mkdir()
    work = Workspace(tmp_path / "outputs", now=NOW, run_key="5" * 64)
    with working_in(work):
        yield work


def characterise(runs: Runs, **parameters: Any) -> DarkConstants:
    given = [Input(runs[gain], gain) for gain in GAINS]
    return read_constants(dark_characterise(*given, **parameters))


def refusal_of(runs: Runs, **parameters: Any) -> RecipeError:
    with pytest.raises(RecipeError) as refusal:
        characterise(runs, **(SMALL | parameters))
    return refusal.value


def numbers_of(work: Workspace) -> dict[str, Any]:
    return {it.name: it.value for it in work.quantities}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> tuple[DarkConstants, Workspace]:
    """Constants of the published sizes: 40 trains of 4 cells, one pixel of 20 times the noise."""
    folder = tmp_path_factory.mktemp("oracle")
    runs = {}
    for place, gain in enumerate(GAINS):
        analog, level = a_gain(place, TRAINS, CELLS)
        loud = normal(OFFSETS[place], 20 * NOISE[place], (TRAINS, CELLS), 50 + place)
        analog[:, :, LOUD[0], LOUD[1]] = loud
        clock = a_clock(place, sequences=place + 1)  # files that break at different trains
        write_agipd_run(folder / gain, {0: (analog, level)}, clock=clock)
        runs[gain] = sorted((folder / gain).iterdir())
    with working_in(Workspace(folder, now=NOW, run_key="5" * 64)) as work:
        return characterise(runs), work


Oracle = tuple[DarkConstants, Workspace]


def test_offset_noise_and_thresholds_are_what_was_put_in(oracle: Oracle) -> None:
    found, _ = oracle
    assert found.offset.shape == found.noise.shape == (3, CELLS, 512, 128)
    for stage in range(3):
        assert np.median(found.offset[stage]) == OFFSETS[stage]
        assert found.noise[stage].mean() == pytest.approx(BIAS * NOISE[stage], rel=0.01)
    assert found.thresholds is not None
    assert np.median(found.thresholds, axis=(1, 2, 3)) == pytest.approx([5650, 6500], abs=1)
    assert found.conditions["bias_v"] == 300
    assert found.conditions["rate_mhz"] == 1.1


def test_the_loud_pixel_is_bad_everywhere_and_hardly_any_other(oracle: Oracle) -> None:
    found, _ = oracle
    noisy = found.bad_pixels & BadPixel.NOISE_OUT_OF_THRESHOLD
    assert noisy[:, :, LOUD[0], LOUD[1]].all()
    assert np.mean(found.bad_pixels > 0) < 2e-4


def test_what_the_runs_say_is_told_in_numbers(oracle: Oracle) -> None:
    told = numbers_of(oracle[1])
    assert (told["trains_high"], told["cells"], told["modules"]) == (TRAINS, CELLS, 1)
    assert (told["offset_high"], told["offset_low"]) == (6000, 5100)
    assert told["noise_high"] == pytest.approx(BIAS * 12, rel=0.02)
    assert 0 < told["bad_high_noise_out_of_threshold"] <= told["bad_high"] < 2e-4


def test_the_offset_is_the_median_and_the_noise_the_deviation_of_each_pixel(
    tmp_path: Path, work: Workspace
) -> None:
    found = characterise(write_runs(tmp_path, trains=7, cells=2), **SMALL)
    analog, level = a_gain(0, 7, 2)
    np.testing.assert_array_equal(found.offset[0], np.median(analog, axis=0))
    np.testing.assert_allclose(found.noise[0], analog.astype("f8").std(axis=0), rtol=1e-6)
    assert found.level is not None
    np.testing.assert_allclose(found.level[0], level.mean(axis=0, dtype="f8"), rtol=1e-6)


def test_any_number_of_workers_writes_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell per task, so that four workers have something to share."""
    monkeypatch.setattr("processing.science.calibration.darks.SAMPLE_BYTES", 1)
    runs = write_runs(tmp_path, trains=5, cells=3)
    digests = []
    for cores in (1, 2, 4):
        work = Workspace(tmp_path / str(cores), NOW, cores=cores, run_key="5" * 64)
        work.folder.mkdir()
        with working_in(work):
            characterise(runs, **SMALL)
        assert len(work.declared) == 4
        bodies = [(work.folder / name).read_bytes() for name in work.declared]
        digests.append([hashlib.sha256(body).hexdigest() for body in bodies])
    assert digests[0] == digests[1] == digests[2]


def test_the_constants_hold_from_the_first_run_on(tmp_path: Path, work: Workspace) -> None:
    later = {"low": {"clock": a_clock(-1)}}  # the low one was taken first
    characterise(write_runs(tmp_path, **later), **SMALL)
    (constant,) = work.constants
    assert (constant.kind, constant.detector) == ("dark", AGIPD)
    assert constant.valid_from == START - timedelta(minutes=1)
    (path,) = work.folder.glob("dark-AGIPD*.h5")
    assert read_constants(path, slice(0, 0)).valid_from == constant.valid_from
    assert constant.conditions["bias_v"] == 300
    assert "gain_mode" not in constant.conditions


def test_a_clock_that_runs_a_year_ahead_is_refused(tmp_path: Path, work: Workspace) -> None:
    """No rule would pick such constants before the year is over, and nobody would know why."""
    ahead = {
        gain: {"clock": replace(a_clock(place), start=NOW + timedelta(days=365))}
        for place, gain in enumerate(GAINS)
    }
    refusal = refusal_of(write_runs(tmp_path, **ahead))
    assert refusal.code == "dark-clock"
    assert "(RAW-R0001) states that it was taken on 2021-06-01 at 09:00 UTC" in str(refusal)
    assert "today is 2020-06-01" in str(refusal)
    assert work.declared == []


def test_a_clock_of_another_time_zone_is_none_of_the_future(
    tmp_path: Path, work: Workspace
) -> None:
    work.now = START - timedelta(hours=14)
    assert characterise(write_runs(tmp_path), **SMALL).valid_from == START


def test_outside_a_processing_run_there_is_no_today(tmp_path: Path, work: Workspace) -> None:
    work.now, work.run_key = START - timedelta(days=9), ""
    assert characterise(write_runs(tmp_path), **SMALL).valid_from == START


def test_runs_that_do_not_state_their_time_are_refused_before_they_are_read(
    tmp_path: Path, work: Workspace
) -> None:
    runs = write_runs(tmp_path)
    for path in (it for files in runs.values() for it in files):
        with h5py.File(path, "r+") as file:
            del file["INDEX/timestamp"], file["METADATA/creationDate"]
    refusal = refusal_of(runs)
    assert refusal.code == "euxfel-index"
    assert work.declared == []


def test_a_cell_that_was_not_asked_for_is_without_data(tmp_path: Path, work: Workspace) -> None:
    found = characterise(write_runs(tmp_path, cells=3), cells=(1, 1), **SMALL)
    assert np.isnan(found.offset[:, [0, 2]]).all()
    assert (found.bad_pixels[:, [0, 2]] == BadPixel.NO_DARK_DATA).all()
    assert np.isfinite(found.offset[:, 1]).all()


def test_cells_may_begin_anywhere_in_a_train(tmp_path: Path, work: Workspace) -> None:
    """A JUNGFRAU begins with the cell it is told to: what lies between was not asked for."""
    ids = {"cell_ids": np.array([15, 0, 1], np.uint16)}
    runs = write_runs(tmp_path, cells=3, **dict.fromkeys(GAINS, ids))
    found = characterise(runs, cells=(1, 15), **SMALL)
    has = np.isfinite(found.offset).all(axis=(0, 2, 3))
    assert np.flatnonzero(has).tolist() == [1, 15]


def test_a_voltage_that_is_no_number_is_not_stated(tmp_path: Path, work: Workspace) -> None:
    runs = write_runs(tmp_path, **{gain: {"bias_v": np.nan} for gain in GAINS})
    found = characterise(runs, **SMALL)
    assert "bias_v" not in found.conditions
    assert found.conditions["detector"] == AGIPD
    assert "detector" not in work.constants[0].conditions, "it has a field of its own"


def test_a_module_that_is_left_out_may_be_spoiled(tmp_path: Path, work: Workspace) -> None:
    """A broken module must not stand in the way of the others."""
    runs = write_runs(tmp_path, **{gain: {"modules": (0, 3)} for gain in GAINS})
    path = next(it for it in runs["low"] if "AGIPD03" in it.name)
    with h5py.File(path, "r+") as file:
        file[f"INSTRUMENT/{AGIPD}/DET/3CH0:xtdf/image/cellId"][:] = 9
    assert refusal_of(runs).code == "dark-conditions"
    assert characterise(runs, modules=("AGIPD00",), **SMALL).module == "AGIPD00"


def test_a_module_that_one_run_lacks_gets_no_constants(tmp_path: Path, work: Workspace) -> None:
    runs = write_runs(tmp_path, high={"modules": (0, 3)}, medium={"modules": (0, 3)})
    assert characterise(runs, **SMALL).module == "AGIPD00"
    assert work.warnings == ["AGIPD03 is missing in low (RAW-R0003): it gets no constants."]
    assert "dark-AGIPD03.h5" not in work.declared


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"high": {"of": 1}, "medium": {"of": 0}}, "dark-gain-order", "Exchange the runs"),
        ({"low": {"trains": 4}}, "dark-too-few", "low (RAW-R0003) has 4 complete trains"),
        ({"low": {"bias_v": 200.0}}, "dark-conditions", "bias_v: high (RAW-R0001) 300"),
        ({"low": {"rate_mhz": 4.5}}, "dark-conditions", "rate_mhz"),
        ({"low": {"integration_time": 20}}, "dark-conditions", "integration_time"),
        ({"low": {"cells": 2}}, "dark-conditions", "cells: high (RAW-R0001) 1"),
        ({"low": {"cell_ids": np.array([7], np.uint16)}}, "dark-conditions", "1 (7 to 7)"),
        ({"low": {"clock": a_clock(0)}}, "dark-same-run", "are the same run"),
        ({"low": {"modules": (5,)}}, "euxfel-source", "share no module"),
    ],
)  # fmt: skip
def test_runs_that_do_not_belong_together_are_refused(
    tmp_path: Path, work: Workspace, changes: dict[str, Any], code: str, words: str
) -> None:
    refusal = refusal_of(write_runs(tmp_path, **changes))
    assert refusal.code == code
    assert words in str(refusal)
    assert work.declared == []


def test_a_module_in_another_gain_than_the_rest_is_named(tmp_path: Path, work: Workspace) -> None:
    """One of sixteen would hide in the median, and its pixels end as bad ones."""
    runs = write_runs(tmp_path, **{gain: {"modules": (0, 1, 2)} for gain in GAINS})
    for gain, place in (("high", 1), ("medium", 0)):
        path = next(it for it in runs[gain] if "AGIPD01" in it.name)
        with h5py.File(path, "r+") as file:
            image = file[f"INSTRUMENT/{AGIPD}/DET/1CH0:xtdf/image/data"]
            image[:, 1] = LEVELS[place]
    refusal = refusal_of(runs)
    assert refusal.code == "dark-gain-order"
    assert "AGIPD01 has gain levels that do not rise: 6100 ADU, 5200 ADU, 6900" in str(refusal)
    assert "AGIPD00" not in str(refusal)
    assert "AGIPD02" not in str(refusal)
    assert "Name the other modules" in str(refusal)


def test_a_jungfrau_module_in_another_gain_is_named(tmp_path: Path, work: Workspace) -> None:
    words = [np.full((5, 1, 512, 1024), code << 14 | 900, np.uint16) for code in (0, 1, 3)]
    runs = {}
    for place, gain in enumerate(GAINS):
        stuck = words[1] if gain == "low" else words[place]
        modules = {1: words[place], 2: stuck}
        folder = write_jungfrau_run(tmp_path / gain, modules, clock=a_clock(place))
        runs[gain] = sorted(folder.iterdir())
    refusal = refusal_of(runs)
    assert refusal.code == "dark-gain-order"
    assert "JNGFR02 has mostly the gain codes 0, 1, 1 instead of 0, 1, 3" in str(refusal)
    assert "JNGFR01" not in str(refusal)


def test_jungfrau_modules_are_found_by_the_names_of_before_2021(
    tmp_path: Path, work: Workspace
) -> None:
    noise = np.arange(5, dtype=np.uint16).reshape(5, 1, 1, 1)
    words = [np.full((5, 1, 512, 1024), code << 14 | 900, np.uint16) + noise for code in (0, 1, 3)]
    runs = write_jungfrau_runs(tmp_path, words)
    for path in (it for files in runs.values() for it in files if "JNGFR01" in it.name):
        rename_source(path, "SPB_IRDA_JF4M/DET/JNGFR01", "SPB_IRDA_JNGFR/DET/MODULE_2")
    found = characterise(runs, **SMALL)
    assert found.module == "JNGFR02"
    assert (found.offset == 902).all()


def test_jungfrau_settings_told_the_forced_gain_as_well(tmp_path: Path, work: Workspace) -> None:
    """They differ on purpose, and what the light is taken with is the first of them."""
    words = [np.full((5, 1, 512, 1024), code << 14 | 900, np.uint16) for code in (0, 1, 3)]
    for place, settings in enumerate(("dynamichg0", "forceswitchg1", "forceswitchg2")):
        told: Any = {"clock": a_clock(place), "settings": settings, "gain_mode": ""}
        write_jungfrau_run(tmp_path / GAINS[place], {1: words[place]}, **told)
    runs = {gain: sorted((tmp_path / gain).iterdir()) for gain in GAINS}
    assert characterise(runs, **SMALL).conditions["gain_setting"] == "highgain0"


def spoil_the_cells(path: Path, image: h5py.Group) -> None:
    image["cellId"][::2, 0] = 9


def drop_the_frames(path: Path, image: h5py.Group) -> None:
    image.file[f"INDEX/{AGIPD}/DET/0CH0:xtdf/image/count"][:] = 0
    image.file[f"INDEX/{AGIPD}/DET/0CH0:xtdf/image/first"][:] = 0


def put(shape: tuple[int, ...], kind: str) -> Callable[[Path, h5py.Group], None]:
    def spoil(path: Path, image: h5py.Group) -> None:
        del image["data"]
        image.create_dataset("data", (len(image["cellId"]), *shape), kind)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoil_the_cells, "dark-mixed-cells"),
        (drop_the_frames, "euxfel-source-empty"),
        (put((512, 128), "f4"), "dark-corrected-input"),
        (put((1, 512, 128), "u2"), "dark-interleaved"),
        (put((2, 128, 512), "u2"), "dark-data"),
    ],
)
def test_a_spoiled_run_is_refused(
    tmp_path: Path, work: Workspace, spoil: Callable[[Path, h5py.Group], None], code: str
) -> None:
    runs = write_runs(tmp_path)
    path = next(it for it in runs["medium"] if "AGIPD00" in it.name)
    with h5py.File(path, "r+") as file:
        spoil(path, file[f"INSTRUMENT/{AGIPD}/DET/0CH0:xtdf/image"])
    assert refusal_of(runs).code == code


def rename(old: str, new: str) -> Callable[[list[Path]], list[Path]]:
    def do(files: list[Path]) -> list[Path]:
        return [it.rename(it.with_name(it.name.replace(old, new))) for it in files]

    return do


def cut(files: list[Path]) -> list[Path]:
    files[0].write_bytes(files[0].read_bytes()[:5000])
    return files


def swap_trains(files: list[Path]) -> list[Path]:
    with h5py.File(files[0], "r+") as file:
        file["INDEX/trainId"][:2] = file["INDEX/trainId"][:2][::-1]
    return files


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (rename("RAW", "CORR"), "dark-corrected-input"),
        (rename("RAW-R0002", "run"), "euxfel-not-a-run"),
        (lambda files: [*rename("R0002", "R0009")(files[:1]), *files[1:]], "euxfel-mixed"),
        (cut, "file-unreadable"),
        (swap_trains, "euxfel-index"),
    ],
)  # fmt: skip
def test_files_that_are_no_raw_run_are_refused(
    tmp_path: Path, work: Workspace, spoil: Callable[[list[Path]], list[Path]], code: str
) -> None:
    runs = write_runs(tmp_path)
    runs["medium"] = spoil(runs["medium"])
    assert refusal_of(runs).code == code


def test_runs_of_nothing_but_dead_frames_are_refused(tmp_path: Path, work: Workspace) -> None:
    """JUNGFRAU pixels that are never long enough in the forced gain have no constant."""
    words = [np.full((6, 1, 512, 1024), code << 14 | 900, np.uint16) for code in (0, 1, 3)]
    words[2][4:] = 900  # the last trains in high gain
    runs = write_jungfrau_runs(tmp_path, words)
    refusal = refusal_of(runs, min_trains=5)
    assert refusal.code == "dark-empty"
    assert "low gain" in str(refusal)


def test_more_bad_pixels_than_are_believed_are_refused(tmp_path: Path, work: Workspace) -> None:
    refusal = refusal_of(write_runs(tmp_path), sigma_noise=(1.0, 1.0), max_bad=0.1)
    assert refusal.code == "dark-bad-pixels"
    assert "NOISE_OUT_OF_THRESHOLD" in str(refusal)


def test_darks_with_beam_are_refused_and_drifts_are_told(tmp_path: Path, work: Workspace) -> None:
    last = dark_characterise(*[Input(it) for it in write_runs(tmp_path / "a").values()], **SMALL)
    kept = [last.rename(tmp_path / last.name)]
    runs = write_runs(tmp_path / "b")
    path = next(it for it in runs["high"] if "AGIPD00" in it.name)

    def shine(rows: slice) -> None:
        with h5py.File(path, "r+") as file:
            data = file[f"INSTRUMENT/{AGIPD}/DET/0CH0:xtdf/image/data"]
            data[:, 0, rows] = data[:, 0, rows] + 500

    shine(slice(0, 100))  # a fifth of the pixels
    characterise(runs, previous=Input(kept), **SMALL)
    assert any("19.5% of the pixels in high gain has changed" in it for it in work.warnings)
    assert numbers_of(work)["offset_change_low"] == 0
    shine(slice(100, 400))
    assert refusal_of(runs, previous=Input(kept)).code == "dark-beam"


def write_jungfrau_runs(folder: Path, words: list[NDArray[np.uint16]], **told: Any) -> Runs:
    return {
        gain: sorted(
            write_jungfrau_run(
                folder / gain, {1: words[place]}, clock=a_clock(place), **told
            ).iterdir()
        )
        for place, gain in enumerate(GAINS)
    }


@pytest.mark.parametrize("packed", [False, True])
def test_jungfrau_has_its_three_forced_gains(
    tmp_path: Path, work: Workspace, *, packed: bool
) -> None:
    """Words of the chip itself, or code and value apart: a switched sample does not count."""
    truth = (3000, 13000, 14500)
    shape = (5, 1, 512, 1024)
    words = [
        normal(mean, 5.0, shape, place) | np.uint16(code << 14)
        for place, (mean, code) in enumerate(zip(truth, (0, 1, 3), strict=True))
    ]
    words[0][3, 0, 5, 7] = 0b01 << 14 | 12_000  # one frame in which a particle switched it
    runs = write_jungfrau_runs(tmp_path, words, packed=packed)
    found = characterise(runs, **(SMALL | {"min_trains": 4}))
    assert (found.module, found.level) == ("JNGFR01", None)
    assert np.median(found.offset, axis=(1, 2, 3)).tolist() == list(truth)
    others = np.delete(words[0][:, 0, 5, 7], 3)
    assert found.offset[0, 0, 5, 7] == np.median(others)
    assert found.noise[0, 0, 5, 7] == pytest.approx(others.std())


def test_a_flat_map_flags_only_what_stands_out() -> None:
    """Whole numbers of which most are equal: without a least sigma all others were bad."""
    plane = np.full((64, 128), 6000, np.float32)
    plane[::3] += 1
    plane[5, 5], plane[6, 100], plane[7, 7] = 6003, 5990, np.nan
    bad = find_outliers(plane, (64, 64), (5.0, 5.0))
    assert np.argwhere(bad).tolist() == [[5, 5], [6, 100]]
    assert np.argwhere(find_outliers(plane, (64, 64), (50.0, 5.0))).tolist() == [[5, 5]]


def test_the_example_runs_as_a_worker_runs_it_and_states_its_constant(tmp_path: Path) -> None:
    example = write_example(tmp_path)
    inputs = {role: [tmp_path / name for name in names] for role, names in example.inputs.items()}
    ticket = a_ticket(dark_characterise.manifest, tmp_path, inputs, **example.parameters)
    outcome, _ = run(ticket)
    assert outcome.failure is None
    assert [file.path for file in outcome.outputs] == [
        "dark-AGIPD00.h5", "dark-summary.h5", "dark-plots.png",
    ]  # fmt: skip
    assert outcome.preview is not None
    (constant,) = outcome.constants
    assert (constant.role, constant.kind, constant.detector) == ("result", "dark", AGIPD)


def test_light_lowers_the_offsets_of_jungfrau_in_medium_gain(
    tmp_path: Path, work: Workspace
) -> None:
    noise = np.arange(5, dtype=np.uint16).reshape(5, 1, 1, 1)
    words = [np.full((5, 1, 512, 1024), code << 14 | 9000, np.uint16) + noise for code in (0, 1, 3)]
    last = dark_characterise(
        *[Input(it) for it in write_jungfrau_runs(tmp_path / "a", words).values()], **SMALL
    )
    kept = Input([last.rename(tmp_path / last.name)])
    words[1] += 500
    characterise(write_jungfrau_runs(tmp_path / "b", words), previous=kept, **SMALL)
    words[1] -= 1000
    refusal = refusal_of(write_jungfrau_runs(tmp_path / "c", words), previous=kept)
    assert refusal.code == "dark-beam"
    assert "medium gain" in str(refusal)


def spoil_jungfrau(name: str, values: NDArray[Any]) -> Callable[[h5py.Group], None]:
    def spoil(data: h5py.Group) -> None:
        del data[name]
        data[name] = values

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_jungfrau("memoryCell", np.zeros((5, 3), np.uint8)),
        spoil_jungfrau("gain", np.zeros((5, 1, 2, 2), np.uint8)),
        spoil_jungfrau("adc", np.zeros((5, 512, 1024), np.uint16)),
    ],
)
def test_jungfrau_fields_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, work: Workspace, spoil: Callable[[h5py.Group], None]
) -> None:
    words = [np.full((5, 1, 512, 1024), code << 14 | 900, np.uint16) for code in (0, 1, 3)]
    runs = write_jungfrau_runs(tmp_path, words)
    path = next(it for it in runs["low"] if "JNGFR01" in it.name)
    with h5py.File(path, "r+") as file:
        spoil(file["INSTRUMENT/SPB_IRDA_JF4M/DET/JNGFR01:daqOutput/data"])
    assert refusal_of(runs).code == "dark-data"


def test_a_gain_code_that_no_detector_writes_counts_for_no_gain(
    tmp_path: Path, work: Workspace
) -> None:
    """Shifted into the word, 255 would be the code of low gain, and 4 that of high gain."""
    words = [np.full((6, 1, 512, 1024), code << 14 | 900, np.uint16) for code in (0, 1, 3)]
    runs = write_jungfrau_runs(tmp_path, words)
    for gain, code in (("high", 4), ("low", 255)):
        path = next(it for it in runs[gain] if "JNGFR01" in it.name)
        with h5py.File(path, "r+") as file:
            data = file["INSTRUMENT/SPB_IRDA_JF4M/DET/JNGFR01:daqOutput/data"]
            data["gain"][:2, :, 7], data["adc"][:2, :, 7] = code, 0
    found = characterise(runs, **SMALL)
    assert np.isnan(found.offset[[0, 2], 0, 7]).all(), "four trains are left, five are needed"
    assert (found.offset[[0, 2], 0, 8] == 900).all()
