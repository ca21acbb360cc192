"""Constants made ready, chunks compressed, tasks shared: what stands between kernels and files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from processing.science import compressing
from processing.science.calibration.conditions import compare
from processing.science.calibration.constants_file import DarkConstants
from processing.science.calibration.planes import Scaling, as_integers, make_planes, read_gains
from processing.science.calibration.raw_module import Source, find_runs, read_frames
from processing.science.errors import (
    ForeignFileError,
    GainsError,
    MissingFieldError,
    ShapeError,
    UnreadableFileError,
)

SHAPE = (3, 1, 2, 4)


def dark(detector: Any = "AGIPD", **changed: Any) -> DarkConstants:
    """Constants of eight pixels: offsets 100, 200, 300 ADU, thresholds 10 and 20 ADU."""
    offset = np.broadcast_to(np.reshape([100.0, 200.0, 300.0], (3, 1, 1, 1)), SHAPE)
    thresholds = np.broadcast_to(np.reshape([10.0, 20.0], (2, 1, 1, 1)), (2, *SHAPE[1:]))
    bad = np.zeros(SHAPE, np.uint32)
    arrays = {"offset": offset, "noise": offset, "bad_pixels": bad, "thresholds": thresholds}
    arrays |= changed
    if detector == "JUNGFRAU":
        arrays["thresholds"] = None  # type: ignore[assignment]  # it has none
    kept = {
        name: None if it is None else it.astype(it.dtype.str[1:]) for name, it in arrays.items()
    }
    return DarkConstants(detector, "AGIPD00", **kept)  # type: ignore[arg-type]  # any of them


@given(
    threshold=st.floats(-1e6, 1e6, width=32) | st.sampled_from([65_534.5, 65_535.0, 65_536.0]),
    level=st.integers(0, 65_535),
)
def test_an_integer_threshold_decides_as_the_number_does(threshold: float, level: int) -> None:
    (lowest,) = as_integers(np.array([threshold], np.float32))
    assert (level >= lowest) == (level > np.float32(threshold))


def test_a_threshold_that_is_no_number_is_never_reached() -> None:
    assert as_integers(np.array([np.nan, np.inf, -np.inf], np.float32)).tolist() == [
        65_536,
        65_536,
        0,
    ]


def test_bad_constants_become_nan_with_their_bits() -> None:
    constants = dark()
    offset, bad, thresholds = (
        constants.offset.copy(),
        constants.bad_pixels.copy(),
        constants.thresholds,
    )
    assert thresholds is not None
    thresholds = thresholds.copy()
    offset[1, 0, 0, 1] = np.nan
    bad[0, 0, 0, 2] = 1 << 1
    thresholds[1, 0, 0, 3] = thresholds[0, 0, 0, 3]
    planes = make_planes(
        dark(offset=offset, bad_pixels=bad, thresholds=thresholds), None, Scaling()
    )
    bits = planes.bits[0]
    assert bits[:, 1].tolist() == [0, 1 << 11, 0]
    assert bits[:, 2].tolist() == [1 << 1, 0, 0]
    assert bits[:, 3].tolist() == [1 << 13] * 3, "no stage is known where thresholds fall"
    assert np.array_equal(np.isnan(planes.scale[0]), bits != 0)
    assert np.isfinite(planes.offset).all()


def test_gain_codes_of_a_jungfrau_number_its_planes() -> None:
    scaling = Scaling("keV", nominal=(40.0, -1.5, -0.1))
    planes = make_planes(dark("JUNGFRAU"), None, scaling)
    assert planes.offset[0, :, 0].tolist() == [100, 200, 0, 300]
    assert planes.scale[0, [0, 1, 3], 0] == pytest.approx([1 / 40, -1 / 1.5, -10])
    assert np.isnan(planes.scale[0, 2]).all()
    assert (planes.bits[0, 2] == 1 << 21).all()


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (Scaling("photon", (40.0, -1.5, -0.1), 9.3), [1 / 372, -1 / 13.95, -1 / 0.93]),
        (Scaling("ADU", (40.0, -1.5, -0.1), relative=True), [1, -40 / 1.5, -400]),
        (Scaling(), [1, 1, 1]),
    ],
)
def test_scales_follow_the_unit(scaling: Scaling, expected: list[float]) -> None:
    assert make_planes(dark(), None, scaling).scale[0, :, 0] == pytest.approx(expected)


def test_gains_of_zero_or_nan_are_bad_pixels() -> None:
    gains = np.full(SHAPE, 40.0, np.float32)
    gains[0, 0, 0, :2] = 0, np.nan
    planes = make_planes(dark(), gains, Scaling("keV"))
    assert planes.bits[0, 0].tolist() == [1 << 11] * 2 + [0] * 6


def test_gains_of_other_pixels_are_refused() -> None:
    stages, cells, y, x = dark().offset.shape
    for shape in ((stages, cells, y, x - 1), (stages, cells + 1, y, x), (2, 1, y, x)):
        with pytest.raises(ShapeError, match="gain has shape"):
            make_planes(dark(), np.ones(shape, np.float32), Scaling("keV"))


def test_of_gains_of_many_cells_only_those_that_are_wanted_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gains.h5"
    with h5py.File(path, "w") as file:
        many = 10**7  # 60 TB, of which nothing is written
        gain = file.create_dataset(
            "entry/gain", (3, many, 512, 1024), np.float32, chunks=(1, 1, 512, 1024)
        )
        gain.attrs["units"] = "ADU/keV"
        gain[:, 7] = 40
    assert (read_gains(path, "JNGFR01", slice(7, 8)) == 40).all()


def test_a_unit_without_gains_is_refused() -> None:
    with pytest.raises(GainsError, match="Signals in keV need the gain of each stage"):
        make_planes(dark(), None, Scaling("keV"))


def test_files_of_gains_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "gain-JNGFR01.h5"
    path.write_text("no")
    with pytest.raises(UnreadableFileError):
        read_gains(path, "JNGFR01")
    with h5py.File(path, "w") as file:
        file["entry/gain"] = np.ones((3, 2, 4))
    with pytest.raises(MissingFieldError, match="gains in ADU/keV"):
        read_gains(path, "JNGFR01")
    with h5py.File(path, "r+") as file:
        file["entry/gain"].attrs["units"] = "ADU/keV"
    with pytest.raises(ShapeError, match="gain of JNGFR01"):
        read_gains(path, "JNGFR01")
    other = path.rename(tmp_path / "gain-of-another.h5")
    with h5py.File(path, "w") as file:
        file["entry"] = h5py.ExternalLink(str(other), "/entry")
    with pytest.raises(ForeignFileError):
        read_gains(path, "JNGFR01")


@given(
    values=st.sampled_from(["u1", "i2", "u4", "f4", "f8"]).flatmap(
        lambda kind: arrays(kind, st.tuples(st.just(1), st.integers(1, 5000)))
    )
)
@settings(max_examples=40, deadline=None)
def test_chunks_are_those_of_hdf5_byte_for_byte(values: Any) -> None:
    assert compressing.compress(values) == compressing.compress_by_hdf5(values)
    with h5py.File("there and back", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("x", values.shape, values.dtype, chunks=values.shape,
                                   **compressing.FILTER)  # fmt: skip
        data.id.write_direct_chunk((0, 0), compressing.compress(values))
        assert data[()].tobytes() == values.tobytes()


@pytest.mark.parametrize("way", [compressing.compress, compressing.compress_by_hdf5])
def test_threads_compress_side_by_side(way: Any) -> None:
    compressing.plugin_works.cache_clear()
    chunks = [np.full((1, 4000), number, np.int16) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(way, chunks)) == [way(chunk) for chunk in chunks]


def test_the_plugins_own_code_is_in_use() -> None:
    assert compressing.plugin_works()


@pytest.mark.parametrize(
    ("frames", "wide", "runs"),
    [
        ([0, 1, 2, 5, 6], 1, [(0, 3), (5, 7)]),
        ([2, 3, 4, 5], 4, [(2, 4), (4, 6)]),
        ([], 4, []),
    ],
)
def test_neighbours_are_read_at_once(frames: list[int], wide: int, runs: list[Any]) -> None:
    assert list(find_runs(np.array(frames, np.int64), wide)) == runs


@pytest.mark.parametrize("cells", [1, 2])
def test_every_frame_read_is_its_own(tmp_path: Path, cells: int) -> None:
    """With one memory cell a run of neighbours lies in several rows, else within one."""
    path, numbers = tmp_path / "raw.h5", np.arange(6, dtype=np.uint16)
    frames = np.broadcast_to(numbers.reshape(-1, cells, 1, 1), (6 // cells, cells, 512, 1024))
    with h5py.File(path, "w") as file:
        file["INSTRUMENT/s/data/adc"] = frames
        source = Source(path, "JUNGFRAU", "JNGFR01", "s", cells_per_row=cells)
        read, _ = read_frames(file, source, np.array([1, 2, 3, 5]))
    assert read.min(axis=1).tolist() == read.max(axis=1).tolist() == [1, 2, 3, 5]


def test_conditions_agree_within_what_is_measured() -> None:
    run = {"bias_v": 301.0, "rate_mhz": 1.1, "gain_setting": "gain0", "cells": 4.0}
    assert compare(run, {"bias_v": 299.5, "rate_mhz": 1.1, "cells": 352.0}) == {}
    differing = compare(run, {"bias_v": 200.0, "rate_mhz": 4.5, "gain_setting": "gain1"})
    assert sorted(differing) == ["bias_v", "gain_setting", "rate_mhz"]
    assert differing["bias_v"] == (301.0, 200.0)


def test_a_stored_frame_is_a_chunk() -> None:
    assert Source(Path("x"), "AGIPD", "AGIPD00", "s").chunk == (1, 512, 128)
    assert Source(Path("x"), "JUNGFRAU", "JNGFR01", "s").chunk == (1, 1, 512, 1024)
