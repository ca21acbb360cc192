"""Two files are compared by what they say, not by how they lie on the disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from processing.recipes.comparison import Comparison, compare, content_digest

Fill = Callable[[h5py.File], None]
# Counts of 100 photons: float32 resolves 8e-6 of them.
COUNTS = np.array([[100.0, 81.0, np.nan], [64.0, 0.0, 25.0]], dtype="f4")


def write(path: Path, change: Fill = lambda _file: None, **storage: Any) -> Path:
    """Write a small result; ``change`` makes another of it."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        counts = entry.create_dataset("counts", data=COUNTS, **storage)
        counts.attrs["units"] = "photon"
        entry["number"] = np.arange(3)
        entry["title"] = "Silver behenate"
        entry["same"] = h5py.SoftLink("/entry/counts")
        process = entry.create_group("process")
        process.attrs["NX_class"] = "NXprocess"
        process["date"] = "2026-11-21T12:00:00Z"
        process["program"] = "xrd-map"
        change(file)
    return path


def graded(tmp_path: Path, change: Fill, **options: Any) -> Comparison:
    original, replay = write(tmp_path / "one.h5"), write(tmp_path / "two.h5", change)
    verdict = compare(original, replay, tolerance=options.pop("tolerance", {}), **options)
    is_same = content_digest(original, **options) == content_digest(replay, **options)
    assert is_same == verdict.verdict.startswith("identical"), "the digest says the same"
    return verdict


def replace(path: str, value: Any) -> Fill:
    def change(file: h5py.File) -> None:
        attributes = dict(file[path].attrs)
        del file[path]
        file[path] = value
        file[path].attrs.update(attributes)

    return change


def test_a_copy_has_identical_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.h5"), write(tmp_path / "two.h5")
    assert compare(one, two, tolerance={}) == Comparison("identical-bytes")


@pytest.mark.parametrize(
    "change",
    [
        replace("/entry/process/date", "2027-01-01T00:00:00Z"),
        lambda file: file.attrs.update({"file_time": "now", "creator": "h5py"}),
    ],
)
def test_clock_and_writer_of_a_file_mean_nothing(tmp_path: Path, change: Fill) -> None:
    assert graded(tmp_path, change).verdict == "identical-content"


def test_the_way_values_lie_on_the_disk_means_nothing(tmp_path: Path) -> None:
    plain = write(tmp_path / "one.h5")
    packed = write(tmp_path / "two.h5", chunks=(1, 2), compression="gzip")
    assert compare(plain, packed, tolerance={}).verdict == "identical-content"
    assert content_digest(plain) == content_digest(packed)


def test_a_declared_volatile_path_means_nothing_and_its_neighbour_does(tmp_path: Path) -> None:
    change = replace("/entry/title", "Corundum")
    assert graded(tmp_path, change, volatile=["/entry/ti*"]).verdict == "identical-content"
    found = graded(tmp_path, change, volatile=["/entry/tile"])
    assert [difference.path for difference in found.differences] == ["/entry/title"]


@pytest.mark.parametrize(
    ("change", "path", "detail"),
    [
        (replace("/entry/counts", COUNTS.astype("f8")), "/entry/counts", "float32 (2, 3) became"),
        (replace("/entry/counts", COUNTS[:1]), "/entry/counts", "(2, 3) became float32 (1, 3)"),
        (lambda file: file["entry/counts"].attrs.update({"units": "mA"}), "/entry/counts@units",
         "values differ"),
        (lambda file: file["entry"].create_group("more"), "/entry/more", "only in the replay"),
        (lambda file: file["entry"].__delitem__("number"), "/entry/number", "only in the original"),
        (replace("/entry/title", "Silver Behenate"), "/entry/title", "values differ"),
        (lambda file: (file.__delitem__("entry/same"),
                       file.__setitem__("entry/same", h5py.SoftLink("/entry/number"))),
         "/entry/same", "-> /entry/counts became -> /entry/number"),
    ],
)  # fmt: skip
def test_a_difference_is_named_by_its_path(
    tmp_path: Path, change: Fill, path: str, detail: str
) -> None:
    found = graded(tmp_path, change, tolerance={"*": (1.0, 1e9)})
    assert found.verdict == "different", "no tolerance excuses what is no number"
    assert [difference.path for difference in found.differences] == [path]
    assert detail in found.differences[0].detail


@pytest.mark.parametrize(
    ("tolerance", "verdict"),
    [
        ({}, "different"),
        ({"*": (1e-3, 0.0)}, "equal-within-tolerance"),
        ({"*": (1e-5, 0.0)}, "different"),
        ({"*": (0.0, 0.02)}, "equal-within-tolerance"),
        ({"*": (1.0, 0.0), "/entry/counts": (0.0, 0.0)}, "different"),
        ({"*": (0.0, 0.0), "/entry/co*": (1e-3, 0.0)}, "equal-within-tolerance"),
    ],
)
def test_the_tolerance_of_the_closest_path_decides(
    tmp_path: Path, tolerance: dict[str, tuple[float, float]], verdict: str
) -> None:
    shifted = COUNTS.copy()
    shifted[0, 0] = 100.0078125  # 1/128: exact in float32, 7.8e-5 of 100
    found = graded(tmp_path, replace("/entry/counts", shifted), tolerance=tolerance)
    assert found.verdict == verdict
    (difference,) = found.differences
    assert difference.detail == "1 of 6 values differ"
    assert difference.deviation == 0.0078125


def test_a_number_that_became_nan_is_different_under_any_tolerance(tmp_path: Path) -> None:
    lost = COUNTS.copy()
    lost[1, 2] = np.nan
    found = graded(tmp_path, replace("/entry/counts", lost), tolerance={"*": (1.0, 1e9)})
    assert found.verdict == "different"


def test_minus_zero_and_another_nan_are_the_same(tmp_path: Path) -> None:
    other = COUNTS.copy()
    other[1, 1] = -0.0
    other.view("u4")[0, 2] = 0x7FC00001  # a NaN with another payload
    assert graded(tmp_path, replace("/entry/counts", other)).verdict == "identical-content"


def test_integers_beyond_the_reach_of_floats_are_told_apart(tmp_path: Path) -> None:
    def change(value: int) -> Fill:
        return replace("/entry/number", np.array([value], dtype="i8"))

    one, two = write(tmp_path / "a.h5", change(2**60)), write(tmp_path / "b.h5", change(2**60 + 1))
    found = compare(one, two, tolerance={})
    assert found.verdict == "different"
    assert found.differences[0].deviation == 1.0


def test_only_the_first_twenty_paths_are_told(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        for number in range(30):
            file[f"entry/more_{number:02d}"] = number

    found = graded(tmp_path, change)
    assert [d.path for d in found.differences] == [f"/entry/more_{n:02d}" for n in range(20)]


def test_large_fields_are_compared_in_parts(tmp_path: Path) -> None:
    def change(last: float) -> Fill:
        def fill(file: h5py.File) -> None:
            large = file["entry"].create_dataset("large", (5000, 1000), "f8", chunks=(100, 1000))
            large[4999, 999] = last  # 40 MB: three blocks, the difference in the last

        return fill

    one, two = write(tmp_path / "a.h5", change(1.0)), write(tmp_path / "b.h5", change(3.0))
    found = compare(one, two, tolerance={})
    assert [(d.path, d.deviation) for d in found.differences] == [("/entry/large", 2.0)]
    assert content_digest(one) != content_digest(two)


def test_files_of_other_formats_are_equal_by_their_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "a.txt", tmp_path / "b.txt"
    one.write_text("100 photons")
    two.write_text("101 photons")
    assert compare(one, two, tolerance={"*": (1.0, 0.0)}).verdict == "different"
    assert content_digest(one) != content_digest(two)
