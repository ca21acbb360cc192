"""Raw runs whose tree is not what it should be: both recipes refuse them, and say what to do."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from config.problems import CODES
from demo.makers.detectors import AGIPD, AGIPD_BIAS, FIRST_TRAIN, Clock, write_agipd_run
from processing.recipes.base import Input, RecipeError, Workspace, working_in
from processing.recipes.dark_characterise import dark_characterise
from processing.recipes.detector_correct import detector_correct
from processing.recipes.detector_correct_example import write_example
from processing.science.calibration.conditions import check_cells, check_conditions
from processing.science.calibration.constants_file import DarkConstants, write_constants
from processing.science.calibration.corrected_file import corrected_name, create_corrected
from processing.science.calibration.correcting import Correction, plan
from processing.science.calibration.dark_runs import GAINS, read_dark_run
from processing.science.calibration.packing import correct_task
from processing.science.calibration.raw_module import read_raw_modules
from processing.science.errors import DataError, RunIndexError
from processing.science.euxfel.run import open_run
from processing.science.process import Provenance
from tests.makers.malformed import (
    SECRET,
    add_source,
    damage,
    put,
    put_external,
    put_link,
    put_virtual,
    rename_source,
)

SOURCE = f"{AGIPD}/DET/0CH0:xtdf"
IMAGE, INDEX = f"INSTRUMENT/{SOURCE}/image", f"INDEX/{SOURCE}/image"
TRAINS, CELLS = 5, 2
MODULE = "RAW-R0002-AGIPD00-S00000.h5"
OFFSETS = (4500.0, 5200.0, 5100.0)
SEEDS = 16  # the first 400 were tried once
Spoil = Callable[[h5py.File], Any]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dark runs of a module, its constants, and a file of someone else."""
    folder = tmp_path_factory.mktemp("sound")
    noise = np.random.default_rng(0).integers(0, 9, (TRAINS, CELLS, 512, 128), np.uint16)
    for place, gain in enumerate(GAINS):
        clock = Clock(run=place + 1, first_train=FIRST_TRAIN + 100 * place)
        pixels = noise + np.uint16(5000), noise + np.uint16(5000 + 1000 * place)
        write_agipd_run(folder / gain, {0: pixels}, clock=clock)
    planes = np.zeros((3, CELLS, 512, 128), np.float32)
    planes += np.reshape(OFFSETS, (3, 1, 1, 1)) + 10 * np.arange(CELLS).reshape(1, CELLS, 1, 1)
    levels = np.zeros_like(planes) + np.reshape([5500.0, 6500.0, 0.0], (3, 1, 1, 1))
    constants = DarkConstants(
        "AGIPD", "AGIPD00", planes, planes, np.zeros(planes.shape, np.uint32), levels,
        levels[:2].astype("f4"), {"bias_v": 300.0},
    )  # fmt: skip
    write_constants(folder / "dark-AGIPD00.h5", constants, Provenance("test", "1"))
    with h5py.File(folder / SECRET, "w") as file:
        file["secret"] = np.full((TRAINS * CELLS, 2, 512, 128), 7777, np.uint16)
    return folder


def spoiled(sound: Path, folder: Path, spoil: Spoil, name: str = MODULE) -> list[Path]:
    """Copy the run in medium gain and spoil one of its files."""
    shutil.copytree(sound / "medium", folder)
    with h5py.File(folder / name, "r+") as file:
        spoil(file)
    return sorted(folder.iterdir())


def refusal(folder: Path, recipe: Callable[[], Any]) -> RecipeError:
    (folder / "out").mkdir()
    with working_in(Workspace(folder / "out")) as work, pytest.raises(RecipeError) as refused:
        recipe()
    assert str(folder) not in str(refused.value), "no path of the server"
    assert work.declared == []
    return refused.value


def index_of(first: Any, count: Any) -> Spoil:
    def spoil(file: h5py.File) -> None:
        put(file[INDEX], "first", first)
        put(file[INDEX], "count", count)

    return spoil


def empty(file: h5py.File) -> None:
    names: list[str] = []
    file["INDEX"].visit(names.append)
    for name in names:
        if isinstance(file["INDEX"][name], h5py.Dataset):
            put(file["INDEX"], name, file["INDEX"][name][:0])


def ragged(file: h5py.File) -> None:
    del file[IMAGE]["cellId"]
    cells = file[IMAGE].create_dataset("cellId", (TRAINS * CELLS,), h5py.vlen_dtype(np.uint16))
    cells[0] = [1, 2, 3]


def huge(file: h5py.File) -> None:
    """A field may be any size, as long as nobody writes to it."""
    del file["INDEX/trainId"]
    file["INDEX"].create_dataset("trainId", (2**55,), "u8", chunks=(1024,))


def image(name: str, value: Any) -> Spoil:
    return lambda file: put(file[IMAGE], name, value)


EACH = np.arange(0, TRAINS * CELLS, CELLS)
FULL = np.full(TRAINS, CELLS)
ROWS = TRAINS * CELLS
TREES: dict[str, tuple[Spoil, str, str]] = {
    "INSTRUMENT is a field": (lambda it: put(it, "INSTRUMENT", 1), "euxfel-index", ""),
    "INDEX is not there": (lambda it: it.pop("INDEX"), "euxfel-index", ""),
    "METADATA is not there": (lambda it: it.pop("METADATA"), "euxfel-index", ""),
    "a number of the run is no list": (
        lambda it: put(it["METADATA"], "runNumber", 2), "euxfel-index", "",
    ),
    "the index is text": (index_of([b"0"] * TRAINS, FULL), "euxfel-index", ""),
    "the index is of fractions": (index_of(EACH + 0.0, FULL + 0.5), "euxfel-index", ""),
    "the last count is negative": (index_of(EACH, [2, 2, 2, 2, -2]), "euxfel-index", ""),
    "the first row is negative": (index_of(EACH - 2, FULL), "euxfel-index", ""),
    "trains overlap": (index_of(EACH // 2, FULL), "euxfel-index", ""),
    "the index leads beyond the frames": (index_of(EACH, [2, 2, 2, 2, 9]), "euxfel-index", ""),
    "the index has other trains": (index_of(EACH[:2], FULL[:2]), "euxfel-index", ""),
    "the index is a table": (index_of(EACH[None], FULL[None]), "euxfel-index", ""),
    "trains beyond any memory": (huge, "euxfel-index", ""),
    "no train": (empty, "euxfel-source-empty", ""),
    "frames are a group": (
        lambda it: (it[IMAGE].pop("data"), it[IMAGE].create_group("data")), "euxfel-source", "",
    ),
    "a link to nowhere": (image("data", h5py.SoftLink("/nowhere")), "euxfel-source", ""),
    "cells are ragged": (ragged, "euxfel-source", ""),
    "cells are not there": (lambda it: it[IMAGE].pop("cellId"), "euxfel-source", ""),
    "cells are negative": (image("cellId", np.full((ROWS, 1), -1)), "euxfel-index", ""),
    "two cells of each frame": (
        image("cellId", np.zeros((ROWS, 2), "u2")), "corr-data", "dark-data",
    ),
    "frames of 32 bits": (
        image("data", np.zeros((ROWS, 2, 512, 128), "i4")), "corr-data", "dark-data",
    ),
    "frames on their side": (
        image("data", np.zeros((ROWS, 2, 128, 512), "u2")), "corr-data", "dark-data",
    ),
    "signal and level in turn": (
        image("data", np.zeros((ROWS, 1, 512, 128), "u2")), "corr-data", "dark-interleaved",
    ),
    "corrected frames": (
        image("data", np.zeros((ROWS, 512, 128), "f4")),
        "corr-already-corrected", "dark-corrected-input",
    ),
    "frames of another dataset": (
        lambda it: put_virtual(it[IMAGE], "data"), "file-virtual-source", "",
    ),
    "bytes of another dataset": (
        lambda it: put_external(it[IMAGE], "data"), "file-external-storage", "",
    ),
    "a link to another dataset": (lambda it: put_link(it[IMAGE], "data"), "file-external-link", ""),
    "cells of another dataset": (
        lambda it: put_virtual(it[IMAGE], "cellId"), "file-virtual-source", "",
    ),
    "a number of another dataset": (
        lambda it: put_external(it["METADATA"], "proposalNumber"), "file-external-storage", "",
    ),
    "trains of another dataset": (
        lambda it: put_external(it["INDEX"], "trainId"), "file-external-storage", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "corr", "dark"), TREES.values(), ids=TREES)
def test_a_malformed_tree_is_refused_by_its_code(
    sound: Path, tmp_path: Path, spoil: Spoil, corr: str, dark: str
) -> None:
    assert {corr, dark or corr} <= set(CODES)
    files = spoiled(sound, tmp_path / "raw", spoil)
    constants = [sound / "dark-AGIPD00.h5"]
    refused = refusal(tmp_path, lambda: detector_correct(files, constants))
    assert refused.code == corr, refused
    runs: list[Any] = [Input(sorted((sound / gain).iterdir())) for gain in GAINS]
    (tmp_path / "out").rmdir()
    runs[1] = Input(files)
    refused = refusal(tmp_path, lambda: dark_characterise(*runs, min_trains=5))
    assert refused.code == (dark or corr), refused


def test_a_file_that_was_mended_is_read_anew(sound: Path, tmp_path: Path) -> None:
    """In a notebook the last refusal is kept, and all that it saw."""
    files = spoiled(sound, tmp_path / "raw", index_of(EACH, [2, 2, 2, 2, 9]))
    with pytest.raises(RunIndexError) as kept, open_run(files):
        pass
    with h5py.File(tmp_path / "raw" / MODULE, "r+") as file:
        index_of(EACH, FULL)(file)
    with open_run(files) as run:
        assert read_raw_modules(run)[0].n_frames == ROWS
    assert "outside dataset" in str(kept.value)


@pytest.mark.parametrize("name", ["/", "METADATA/sample", IMAGE, f"{IMAGE}/length"])
def test_an_object_with_a_damaged_head_is_refused(sound: Path, tmp_path: Path, name: str) -> None:
    """Even one that nobody reads: h5py breaks down where a visit of all objects ends badly."""
    files = sorted(shutil.copytree(sound / "medium", tmp_path / "raw").iterdir())
    with h5py.File(tmp_path / "raw" / MODULE) as file:
        place = h5py.h5o.get_info(file[name].id).addr
    with (tmp_path / "raw" / MODULE).open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 8)
    refused = refusal(tmp_path, lambda: detector_correct(files, [sound / "dark-AGIPD00.h5"]))
    assert refused.code == "file-unreadable"


def test_a_condition_in_words_is_not_stated(sound: Path, tmp_path: Path) -> None:
    def spoil(file: h5py.File) -> None:
        put(file[f"CONTROL/{AGIPD_BIAS}/channels/U0/measurementSenseVoltage"], "value", words)

    words = [b"three hundred"] * TRAINS
    files = spoiled(sound, tmp_path / "raw", spoil, "RAW-R0002-DA01-S00000.h5")
    conditions = read_dark_run("medium", files).conditions
    assert "bias_v" not in conditions
    assert conditions["rate_mhz"] == 1.1


CORRECTED_ONLY: dict[str, tuple[Spoil, str]] = {
    "pulses are text": (image("pulseId", [b"0"] * ROWS), "euxfel-source"),
    "pulses are negative": (image("pulseId", np.full(ROWS, -1)), "euxfel-index"),
    "two trains of each frame": (image("trainId", np.zeros((ROWS, 2), "u8")), "corr-data"),
    "two modules in a file": (
        lambda it: add_source(it, SOURCE, f"{AGIPD}/DET/1CH0:xtdf"), "corr-data",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "code"), CORRECTED_ONLY.values(), ids=CORRECTED_ONLY)
def test_what_a_corrected_file_takes_over_must_be_there(
    sound: Path, tmp_path: Path, spoil: Spoil, code: str
) -> None:
    files = spoiled(sound, tmp_path / "raw", spoil)
    constants = [sound / "dark-AGIPD00.h5"]
    assert refusal(tmp_path, lambda: detector_correct(files, constants)).code == code


WORDS = "INSTRUMENT/SPB_IRDA_JF4M/DET/JNGFR01:daqOutput/data"
JUNGFRAU: dict[str, tuple[str, Any, str]] = {
    "no cell": ("adc", np.zeros((2, 0, 512, 1024), "u2"), "corr-data"),
    "codes of another shape": ("gain", np.zeros((2, 512, 1024), "u1"), "corr-data"),
    "codes of 16 bits": ("gain", np.zeros((2, 1, 512, 1024), "u2"), "corr-data"),
    "codes are text": ("gain", [b"0", b"0"], "euxfel-source"),
    "numbers of frames are too few": ("frameNumber", np.zeros(1, "u8"), "euxfel-index"),
    "times are a single number": ("timestamp", 1.0, "euxfel-index"),
}


@pytest.mark.parametrize(("name", "value", "code"), JUNGFRAU.values(), ids=JUNGFRAU)
def test_a_malformed_jungfrau_is_refused(tmp_path: Path, name: str, value: Any, code: str) -> None:
    write_example(tmp_path)
    raw = tmp_path / "RAW-R0001-JNGFR01-S00000.h5"
    with h5py.File(raw, "r+") as file:
        put(file[WORDS], name, value)
    constants = [tmp_path / "dark-JNGFR01.h5"]
    assert refusal(tmp_path, lambda: detector_correct([raw], constants)).code == code


def test_jungfrau_modules_have_the_names_of_before_2021(tmp_path: Path) -> None:
    write_example(tmp_path)
    raw = tmp_path / "RAW-R0001-JNGFR01-S00000.h5"
    rename_source(raw, "SPB_IRDA_JF4M/DET/JNGFR01", "SPB_IRDA_JNGFR/DET/RECEIVER-1")
    (tmp_path / "out").mkdir()
    with working_in(Workspace(tmp_path / "out")):
        detector_correct([raw], [tmp_path / "dark-JNGFR01.h5"])
    with h5py.File(tmp_path / "out" / "CORR-R0001-JNGFR01-S00000.h5") as file:
        signal = file["INSTRUMENT/SPB_IRDA_JNGFR/CORR/RECEIVER-1:output/data/adc"][()]
    assert np.nanmedian(signal) == 400


def correct(files: list[Path], constants: Path, folder: Path) -> Path:
    """Do what the recipe does, without its plots."""
    dark = {"AGIPD00": constants}
    with open_run(files) as run:
        (raw,) = read_raw_modules(run)
        check_conditions(run, [raw], dark)
        check_cells([raw], dark)
    path = folder / corrected_name(raw.source.path)
    with create_corrected(path, raw, Correction()) as written:
        for task in plan(raw, constants, None, Correction()):
            written.write(correct_task(task))
        written.write_process(Provenance("test", "1"))
    return path


def check_corrected(raw: Path, corrected: Path) -> None:
    """Compare with what plain numpy makes of the raw file."""
    with h5py.File(raw) as before, h5py.File(corrected) as after:
        group = after[f"INSTRUMENT/{AGIPD}/CORR/0CH0:output/image"]
        rows = int((before[INDEX]["first"][()] + before[INDEX]["count"][()]).max())
        signal, level = np.moveaxis(before[IMAGE]["data"][:rows], 1, 0)
        cells = before[IMAGE]["cellId"][:rows].reshape(-1)
        stage = (level > 5500).astype(int) + (level > 6500)
        expected = signal - np.array(OFFSETS)[stage] - 10 * cells.reshape(-1, 1, 1)
        assert np.array_equal(group["data"], expected)
        assert np.array_equal(group["cellId"], cells)
        assert np.array_equal(after["INDEX/trainId"], before["INDEX/trainId"])
        assert np.array_equal(group.file[INDEX]["count"], before[INDEX]["count"])


def check_found(files: list[Path]) -> None:
    """Compare the frames that dark-characterise reads with those of the file."""
    (frames,) = read_dark_run("medium", files).modules.values()
    assert frames.n_trains + frames.left_out <= TRAINS
    (part,) = frames.parts
    read = [block.copy() for _, block in frames.blocks(slice(0, len(frames.cells)))]
    with h5py.File(part.path) as file:
        for block, row in zip(np.concatenate(read), part.rows.tolist(), strict=True):
            assert np.array_equal(file[IMAGE]["data"][row : row + len(frames.cells)], block)


def test_random_damage_is_refused_or_does_no_harm(sound: Path, tmp_path: Path) -> None:
    """Never anything but a refusal, and never a wrong number; the seed tells what was done."""
    survived = refused = 0
    for seed in range(SEEDS):
        name = MODULE if seed % 4 else "RAW-R0002-DA01-S00000.h5"
        folder = tmp_path / str(seed)
        files = spoiled(sound, folder / "raw", partial(damage, seed=seed), name)
        for check in (
            partial(correct, files, sound / "dark-AGIPD00.h5", folder),
            partial(check_found, files),
        ):
            try:
                made = check()
            except DataError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}") from error
            else:
                survived += 1
                if made is not None:
                    check_corrected(folder / "raw" / MODULE, made)
        shutil.rmtree(folder)
    assert refused > SEEDS / 2, "damage that nobody notices tests nothing"
    assert survived > SEEDS / 4, "and so does damage to what all refuse"
