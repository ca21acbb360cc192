"""Every layout of a scan gives pyFAI's own numbers, in every frame and every bin."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from processing.recipes.base import RecipeError, Workspace, working_in
from processing.recipes.xrd_map import xrd_map
from processing.science.diffraction.matrix import checksum_of
from tests.makers.layouts import (
    BINS,
    DEAD,
    FILTERS,
    N_FRAMES,
    SIDES,
    Layout,
    by_pyfai,
    make_frames,
    marker_of,
    static_mask,
    write_geometry,
    write_scan,
)

pytestmark = pytest.mark.usefixtures("compiled_kernels")

SHAPE = (8, 9)
FREE = (40, 10)  # a pixel outside the static mask

# Each step away from what an Eiger writes, alone and where two of them meet.
TABLE = [
    Layout(),
    *(Layout(dtype=dtype) for dtype in ("u1", "<u2", "<i4", "<f4", ">u2", ">u4")),
    *(Layout(compression, "<u2") for compression in ("zstd", "gzip", "contiguous", "chunked")),
    *(Layout("gzip", dtype) for dtype in ("u1", "<u4", "<i4", ">i4", "<f4", ">f4")),
    *(Layout(chunking=chunking) for chunking in ("four", "split")),
    *(Layout("gzip", "<i4", chunking) for chunking in ("four", "split")),
    *(Layout(links=links) for links in ("external", "virtual")),
    Layout(dtype="<u2", links="virtual"),
    Layout("gzip", "<u4", "four", "external"),
    Layout("contiguous", "<i4", links="virtual"),
    Layout(masked=False),
    Layout(dtype="<i4", masked=False),
    Layout("gzip", "<f4", masked=False),
]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "outputs"
    folder.mkdir()
    work = Workspace(folder, cores=2)
    with working_in(work):
        yield work


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """Geometry and mask, by role."""
    path = tmp_path / "mask.edf"
    fabio.edfimage.EdfImage(data=static_mask()).write(str(path))
    return {"geometry": write_geometry(tmp_path), "mask": path}


@cache
def truth(*, masked: bool = True, **settings: Any) -> tuple[NDArray[np.float64], ...]:
    frames = make_frames("<u4", masked=masked)
    return by_pyfai(frames, static_mask() if masked else None, **settings)


def run(scan: Any, inputs: dict[str, Path], **parameters: Any) -> dict[str, Any]:
    """Run the recipe; frames in the order in which they were taken."""
    choices = {"bins": BINS, "splitting": "bbox", "shape": SHAPE} | parameters
    with h5py.File(xrd_map(scan, **inputs, **choices)) as file:
        found = {name: file["entry/map"][name][()] for name in file["entry/map"]}
        found["decided"] = json.loads(file["entry/process/configuration/data"].asstr()[()])
    for name in ("intensity", "errors"):
        if name in found:
            found[name] = found[name].reshape(-1, BINS)[:N_FRAMES]
    return found


def is_equal(found: NDArray[Any], expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def tier_of(layout: Layout) -> str:
    is_fused = (
        layout.compression == "lz4"
        and layout.chunking == "frame"
        and layout.dtype in {"u1", "<u2", "<u4", "<i4"}
    )
    return "fused" if is_fused else "block"


@pytest.mark.parametrize("layout", TABLE, ids=str)
def test_every_layout_gives_the_numbers_of_pyfai(
    layout: Layout, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames(layout.dtype, masked=layout.masked)
    scan = write_scan(tmp_path, frames, layout)
    if not layout.masked:
        del inputs["mask"]

    found = run(scan, inputs)

    intensity, sigma = truth(masked=layout.masked)
    is_equal(found["intensity"], intensity)
    is_equal(found["errors"], sigma)
    assert found["decided"]["tier"] == tier_of(layout)
    (deviation,) = [q.value for q in work.quantities if q.name == "largest_deviation"]
    assert 0 <= float(deviation) < 1e-5


@pytest.mark.parametrize("tier", ["fused", "block", "general"])
@pytest.mark.parametrize(
    ("settings", "of_pyfai"),
    [
        ({"splitting": "no"}, {"split": "no"}),
        ({"splitting": "full"}, {"split": "full"}),
        ({"polarization": None}, {"polarization_factor": None}),
        ({"solid_angle": False}, {"correctSolidAngle": False}),
        ({"radial_range": (10.0, 30.0)}, {"radial_range": (10.0, 30.0)}),
        ({"azimuth_range": (-40.0, 80.0)}, {"azimuth_range": (-40.0, 80.0)}),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else value,
)
def test_every_tier_takes_geometry_from_pyfai(
    tier: str,
    settings: dict[str, Any],
    of_pyfai: dict[str, Any],
    inputs: dict[str, Path],
    work: Workspace,
    tmp_path: Path,
) -> None:
    layout = Layout("gzip" if tier == "block" else "lz4")
    scan = write_scan(tmp_path, make_frames("<u4"), layout)

    found = run(scan, inputs, by_pyfai=tier == "general", **settings)

    intensity, sigma = truth(**of_pyfai)
    is_equal(found["intensity"], intensity)
    is_equal(found["errors"], sigma)
    assert found["decided"]["tier"] == tier


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "<i4", "<f4"])
def test_a_pixel_that_is_invalid_in_some_frames_takes_no_part_in_them(
    compression: Any, dtype: str, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames(dtype)
    frames[5, *FREE] = marker_of(dtype)
    frames[[6, 71], 12:30, 50:] = marker_of(dtype)
    if dtype == "<i4":
        frames[7, *FREE] = np.iinfo(np.int32).max
    expected = by_pyfai(frames, static_mask())
    if dtype == "<i4":
        spoilt = frames[7].astype(float)
        spoilt[FREE] = np.nan
        for kept, again in zip(expected, by_pyfai(spoilt[None], static_mask()), strict=True):
            kept[7] = again[0]

    found = run(write_scan(tmp_path, frames, Layout(compression, dtype)), inputs)

    is_equal(found["intensity"], expected[0])
    is_equal(found["errors"], expected[1])
    assert found["valid"].all()


@pytest.mark.parametrize("compression", ["lz4", "gzip", "contiguous"])
def test_the_monitor_divides_and_a_row_may_run_backwards(
    compression: Any, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    files = write_scan(tmp_path, make_frames("<u4"), Layout(compression))
    monitor = np.linspace(900.0, 1100.0, N_FRAMES)
    monitor[33], monitor[34] = 0.0, np.nan
    with h5py.File(files[0], "r+") as file:
        file["entry/monitor"] = monitor

    # The scan stopped after 72 of 77 positions, amid a row.
    choices = {"bins": BINS, "splitting": "bbox", "shape": (7, 11)}
    with h5py.File(xrd_map(files, **inputs, **choices, zigzag=True, monitor="monitor")) as file:
        found = {name: file["entry/map"][name][()] for name in ("intensity", "errors", "valid")}

    relative = np.where(monitor > 0, monitor, np.nan) / np.median(monitor[monitor > 0])
    for name, curves in zip(("intensity", "errors"), truth(), strict=True):
        expected = np.full((7, 11, BINS), np.nan)
        expected.reshape(-1, BINS)[:N_FRAMES] = curves / relative[:, None]
        expected[1::2] = expected[1::2, ::-1].copy()
        is_equal(found[name], expected)
    assert found["valid"].sum() == N_FRAMES - 2


@pytest.mark.parametrize(
    ("compression", "tier"), [("lz4", "fused"), ("gzip", "block"), ("gzip", "general")]
)
def test_frames_that_were_never_written_and_frames_without_light_are_empty(
    compression: Any, tier: str, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames("<u4")
    frames[20, :, :] = 0
    frames[20][DEAD] = marker_of("<u4")  # dead pixels stay dead in the dark
    missing = {3, 40, 71}
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        data = file.create_dataset(
            "entry/frames", frames.shape, "<u4", chunks=(1, *SIDES), **FILTERS[compression]
        )
        for number in sorted(set(range(N_FRAMES)) - missing):
            data[number] = frames[number]

    found = run(tmp_path / "scan.h5", inputs, by_pyfai=tier == "general")

    assert set(np.flatnonzero(found["valid"] == 0)) == missing | {20}
    assert np.isnan(found["intensity"][[3, 20, 40, 71]]).all()
    others = found["valid"].ravel() == 1
    is_equal(found["intensity"][others], truth()[0][others])
    assert found["decided"]["tier"] == tier
    assert any("4 of 72 frames have no valid pattern" in told for told in work.warnings)


@pytest.mark.parametrize("tier", ["fused", "block", "general"])
def test_a_frame_with_light_under_the_mask_alone_is_dark_and_valid(
    tier: str, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames("<u4")
    frames[20] = 0
    frames[20][DEAD] = 7
    scan = write_scan(tmp_path, frames, Layout("gzip" if tier == "block" else "lz4"))

    found = run(scan, inputs, by_pyfai=tier == "general")

    assert found["valid"].all()
    assert np.nanmax(found["intensity"][20]) == 0
    assert found["decided"]["tier"] == tier


def test_a_wrong_matrix_in_the_cache_is_noticed(
    inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    """A map is held against pyFAI itself, which keeps nothing between runs."""
    work.cache = tmp_path / "cache"
    scan = write_scan(tmp_path, make_frames("<u4"), Layout())
    run(scan, inputs)
    (kept,) = work.cache.rglob("weights.npy")
    weights = np.load(kept)
    weights[len(weights) // 2] += 0.01
    np.save(kept, weights)
    (kept.parent / "crc32").write_text(checksum_of(kept.parent))

    with pytest.raises(RecipeError, match=r"deviates by .* by_pyfai true") as refusal:
        run(scan, inputs)

    assert refusal.value.code == "xrd-deviation"
    assert run(scan, inputs, by_pyfai=True)["decided"]["tier"] == "general"


COMPILED = """
import sys
from pathlib import Path
from processing.recipes.xrd_map import warm_up, xrd_map
from processing.science.kernels.blocks import sum_eight
from processing.science.kernels.fused import reduce_eight

warm_up()
before = set(sum_eight.signatures), set(reduce_eight.signatures)
for scan in sys.argv[2:]:
    xrd_map(scan, sys.argv[1], bins=50, shape=(8, 9))
new = set(sum_eight.signatures) - before[0] | set(reduce_eight.signatures) - before[1]
print(len(before[0]), len(before[1]), sorted(map(str, new)))
"""


def test_after_the_warm_up_no_map_waits_for_a_compiler(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    layouts = [Layout(), Layout(dtype="u1"), Layout("gzip", "<u2"), Layout("contiguous", ">f4")]
    scans = []
    for layout in layouts:
        folder = tmp_path / str(layout).replace(" ", "-")
        folder.mkdir()
        frames = make_frames(layout.dtype, masked=False)
        scans += write_scan(folder, frames, layout)
    told = subprocess.run(
        [sys.executable, "-c", COMPILED, inputs["geometry"], *scans],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"],  # noqa: TID251 - set for all tests
        },
    )
    assert told.stdout.split(maxsplit=2) == [b"8", b"1", b"[]\n"]


def rewrite_chunk(path: Path, number: int, body: bytes, filter_mask: int = 0) -> None:
    with h5py.File(path, "r+") as file:
        file["entry/data/frames"].id.write_direct_chunk((number, 0, 0), body, filter_mask)


def chunk_of(path: Path, number: int) -> bytes:
    with h5py.File(path) as file:
        body: bytes = file["entry/data/frames"].id.read_direct_chunk((number, 0, 0))[1]
    return body


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
def test_a_damaged_chunk_costs_its_own_frame_alone(
    compression: Any, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    (scan,) = write_scan(tmp_path, make_frames("<u4"), Layout(compression))
    body = chunk_of(scan, 7)
    rewrite_chunk(scan, 7, body[: len(body) // 2])

    found = run(scan, inputs)

    assert np.flatnonzero(found["valid"] == 0).tolist() == [7]
    others = np.arange(N_FRAMES) != 7
    is_equal(found["intensity"][others], truth()[0][others])
    assert any("1 frames cannot be read (7)" in told for told in work.warnings)


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
def test_a_chunk_that_was_stored_without_its_filters_is_read_as_it_is(
    compression: Any, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    frames = make_frames("<u4")
    (scan,) = write_scan(tmp_path, frames, Layout(compression))
    rewrite_chunk(scan, 9, frames[9].tobytes(), filter_mask=0b11)

    is_equal(run(scan, inputs)["intensity"], truth()[0])


@pytest.mark.parametrize("compression", ["lz4", "gzip"])
def test_more_than_a_tenth_of_damaged_chunks_is_refused(
    compression: Any, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    (scan,) = write_scan(tmp_path, make_frames("<u4"), Layout(compression))
    for number in range(30, 38):  # 8 of 72
        rewrite_chunk(scan, number, b"no chunk at all")

    with pytest.raises(RecipeError, match="the first is frame 30") as refusal:
        run(scan, inputs)

    assert refusal.value.code == "xrd-unreadable"


@pytest.mark.parametrize("links", ["external", "virtual"])
def test_a_data_file_that_was_cut_short_is_refused(
    links: Any, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    files = write_scan(tmp_path, make_frames("<u4"), Layout(links=links))
    with files[-1].open("r+b") as file:
        file.truncate(files[-1].stat().st_size // 2)

    with pytest.raises(RecipeError) as refusal:
        run(files, inputs)

    assert refusal.value.code in {"file-unreadable", "xrd-no-field"}
    assert str(tmp_path) not in refusal.value.message


def test_images_of_several_types_keep_their_own_markers(
    inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    """65535 is dead in an image of 16 bits; in one of 32 bits it is a count."""
    frames = make_frames("<u4")
    files = []
    for number, frame in enumerate(frames):
        files.append(tmp_path / f"image_{number}.tif")
        kept = frame.astype("<u2") if number % 2 else frame
        fabio.tifimage.TifImage(data=kept).write(str(files[-1]))
        if number % 2:
            assert kept[20, 30] == 65535

    del inputs["mask"]  # nothing else says that these pixels are dead
    found = run(files, inputs)

    is_equal(found["intensity"], by_pyfai(frames)[0])
    assert found["decided"]["tier"] == "block"


@pytest.mark.parametrize("tier", ["fused", "general"])
def test_a_mask_that_hides_every_pixel_leaves_an_empty_map(
    tier: str, inputs: dict[str, Path], work: Workspace, tmp_path: Path
) -> None:
    hidden = np.ones_like(static_mask())
    fabio.edfimage.EdfImage(data=hidden).write(str(inputs["mask"]))
    found = run(
        write_scan(tmp_path, make_frames("<u4"), Layout("lz4")), inputs, by_pyfai=tier == "general"
    )
    assert not found["valid"].any()
    assert np.isnan(found["intensity"]).all()
    assert found["decided"]["tier"] == tier


def test_what_compiles_the_kernels_is_in_the_run_key() -> None:
    """Machine code is made by llvmlite, of which numba takes several releases."""
    assert {"numba", "llvmlite"} <= set(xrd_map.manifest.environment.packages)
