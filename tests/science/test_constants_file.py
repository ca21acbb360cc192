"""Dark constants on disk: read back as written, and refused where they are not what they say."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import h5py
import numpy as np
import pytest

from processing.science.calibration.bad_pixels import BadPixel
from processing.science.calibration.constants_file import (
    DarkConstants,
    read_conditions_of,
    read_constants,
    write_constants,
)
from processing.science.errors import (
    DataError,
    ForeignFileError,
    MissingFieldError,
    ShapeError,
    UnreadableFileError,
)
from processing.science.process import Provenance

MADE = Provenance("dark-characterise", "1.0.0")
CONDITIONS: dict[str, float | str] = {"bias_v": 300.0, "gain_setting": "high"}


def some_constants() -> DarkConstants:
    random = np.random.default_rng(1)
    planes = random.normal(6000, 5, (3, 2, 512, 128)).astype(np.float32)
    planes[0, 1, 2, 3] = np.nan
    bad = np.isnan(planes) * np.uint32(BadPixel.NO_DARK_DATA)
    return DarkConstants(
        "AGIPD", "AGIPD07", planes, planes / 500, bad, planes + 1, planes[:2], CONDITIONS
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_constants(tmp_path / "dark-AGIPD07.h5", some_constants(), MADE)
    return tmp_path / "dark-AGIPD07.h5"


def test_constants_are_read_as_they_were_written(path: Path) -> None:
    found, truth = read_constants(path), some_constants()
    assert (found.detector, found.module, found.conditions) == ("AGIPD", "AGIPD07", CONDITIONS)
    assert read_conditions_of(path) == CONDITIONS
    for name in ("offset", "noise", "bad_pixels", "level", "thresholds"):
        one, other = getattr(found, name), getattr(truth, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_since_when_they_hold_is_read_in_utc(tmp_path: Path) -> None:
    summer = datetime(2020, 6, 1, 10, tzinfo=ZoneInfo("Europe/Paris"))
    write_constants(
        tmp_path / "dark.h5", dataclasses.replace(some_constants(), valid_from=summer), MADE
    )
    found = read_constants(tmp_path / "dark.h5", slice(0, 0)).valid_from
    assert str(found) == "2020-06-01 08:00:00+00:00"


@pytest.mark.parametrize("said", ["soon", "2020-06-01T08:00:00", "0001-01-01T00:00:00+14:00", 5.0])
def test_a_time_that_is_none_is_refused(path: Path, said: str | float) -> None:
    assert read_constants(path, slice(0, 0)).valid_from is None
    with h5py.File(path, "r+") as file:
        file["entry/valid_from"] = said
    with pytest.raises(DataError, match="expected date, time and time zone"):
        read_constants(path, slice(0, 0))


def test_a_cell_that_the_file_lacks_is_without_data(path: Path) -> None:
    found = read_constants(path, [1, 9])
    np.testing.assert_array_equal(found.offset[:, 0], some_constants().offset[:, 1])
    assert np.isnan(found.offset[:, 1]).all()
    assert (found.bad_pixels[:, 1] == BadPixel.NO_DARK_DATA).all()
    np.testing.assert_array_equal(read_constants(path, slice(1, 2)).noise[:, 0], found.noise[:, 0])


def test_equal_constants_give_equal_bytes(path: Path, tmp_path: Path) -> None:
    write_constants(tmp_path / "again.h5", some_constants(), MADE)
    assert path.read_bytes() == (tmp_path / "again.h5").read_bytes()


def forget(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file["entry"].__delitem__(name)


def replace(name: str, **told: object) -> Callable[[h5py.File], None]:
    def do(file: h5py.File) -> None:
        if name in file["entry"]:
            del file["entry"][name]
        file["entry"].create_dataset(name, **told)

    return do


def link_outside(file: h5py.File) -> None:
    del file["entry/noise"]
    file["entry/noise"] = h5py.ExternalLink("other.h5", "/noise")


def take_from_outside(name: str) -> Callable[[h5py.File], None]:
    """Have a word in the file of someone else; refusals tell words."""

    def do(file: h5py.File) -> None:
        if name in file["entry"]:
            del file["entry"][name]
        stored = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        stored.set_external(b"secret.txt", 0, 9)
        kind, space = h5py.h5t.py_create("S9"), h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5d.create(file["entry"].id, name.encode(), kind, space, stored)

    return do


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (forget("noise"), MissingFieldError),
        (forget("conditions"), MissingFieldError),
        (link_outside, ForeignFileError),
        (lambda file: file["entry"].attrs.__setitem__("detector", "LPD"), MissingFieldError),
        (replace("noise", shape=(3, 2, 512, 128), dtype="S3"), MissingFieldError),
        (replace("noise", shape=(3, 1, 512, 128), dtype="f4"), ShapeError),
        (replace("offset", shape=(3, 10**6, 512, 128), dtype="f4", chunks=True), ShapeError),
        (replace("offset", data=h5py.Empty("f4")), ShapeError),
        (replace("level", data=h5py.Empty("f4")), ShapeError),
        (replace("valid_from", data=h5py.Empty("S9")), ShapeError),
        (replace("conditions/bias_v", data=np.void(b"300")), MissingFieldError),
        (replace("conditions/bias_v", shape=(), dtype=h5py.vlen_dtype("u2")), MissingFieldError),
        (take_from_outside("conditions/bias_v"), ForeignFileError),
        (take_from_outside("valid_from"), ForeignFileError),
        (lambda file: file["entry"].attrs.__setitem__("detector", ["AGIPD"] * 2),
         MissingFieldError),
        (replace("noise", shape=(3, 2, 512, 128), dtype="f4",
                 external=[("raw.bin", 0, h5py.h5f.UNLIMITED)]), ForeignFileError),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_says_is_refused(
    path: Path, spoil: Callable[[h5py.File], None], kind: type[DataError]
) -> None:
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(kind) as refused:
        read_constants(path)
    assert str(path.parent) not in str(refused.value)


def test_a_cut_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UnreadableFileError):
        read_constants(path)


def test_a_damaged_head_is_refused(path: Path) -> None:
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file["entry/conditions/bias_v"].id).addr
    with path.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 8)
    with pytest.raises(UnreadableFileError):
        read_constants(path)
