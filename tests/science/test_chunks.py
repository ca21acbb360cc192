"""Where compressed frames lie, and what becomes of those whose file is not what it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from processing.science.diffraction.chunks import ChunkedFrames, find_chunks
from processing.science.diffraction.fused import reduce_chunks
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.diffraction.sums import Sums, SumState
from processing.science.frames import ImageSeries
from processing.science.nexus import NexusStack
from tests.makers.eights import identity

pytestmark = pytest.mark.usefixtures("compiled_kernels")

SHAPE = (11, 13)  # not a multiple of eight
PIXELS = 143
N_FRAMES = 19  # two groups of eight, and three
LZ4 = dict(hdf5plugin.Bitshuffle(nelems=64, cname="lz4"))
FRAMES = np.random.default_rng(8).poisson(2, (N_FRAMES, *SHAPE)).astype("<u4") + 1


def write(path: Path, frames: Any = FRAMES, **filters: Any) -> Path:
    options = {"chunks": (1, *SHAPE), **LZ4, **filters}
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("entry/data/frames", data=frames, **options)
    return path


@contextmanager
def a_stack(*files: Path) -> Iterator[NexusStack]:
    stack = NexusStack(files)
    try:
        yield stack
    finally:
        stack.close()


def chunks_of(*files: Path) -> ChunkedFrames | None:
    with a_stack(*files) as stack:
        return find_chunks(stack)


def sums_of(found: ChunkedFrames | None, numbers: Any = range(N_FRAMES)) -> Sums:
    assert found is not None
    ignored = np.zeros(-(-PIXELS // 8), np.uint8)
    return reduce_chunks(
        found, numbers, TiledMatrix(*identity(PIXELS), np.ones(PIXELS), ignored, np.arange(PIXELS))
    )


def assert_whole(found: ChunkedFrames | None, frames: Any = FRAMES, missing: Any = ()) -> None:
    """Each frame is its own bins, so sums are counts."""
    sums = sums_of(found, range(len(frames)))
    kept = ~np.isin(np.arange(len(frames)), missing)
    assert not sums.state[kept].any()
    assert (sums.state[~kept] == SumState.MISSING).all()
    np.testing.assert_array_equal(sums.signal[kept], frames.reshape(-1, PIXELS)[kept])


def test_each_frame_of_a_plain_file_is_found(tmp_path: Path) -> None:
    found = chunks_of(write(tmp_path / "a.h5"))
    assert found is not None
    assert (found.n_pixels, found.itemsize, found.block, found.is_signed) == (PIXELS, 4, 64, False)
    assert_whole(found)


@pytest.mark.parametrize("dtype", ["|u1", "<u2", "<u4", "|i1", "<i2", "<i4"])
@pytest.mark.parametrize("block", [0, 8, 1024])
def test_types_and_blocks_are_taken_from_the_file(tmp_path: Path, dtype: str, block: int) -> None:
    frames = FRAMES.astype(dtype)
    filters = hdf5plugin.Bitshuffle(nelems=block, cname="lz4")
    found = chunks_of(write(tmp_path / "a.h5", frames, **filters))
    assert found is not None
    assert found.block == (block or 8192 // frames.itemsize)
    assert_whole(found, frames)


def test_frames_are_summed_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    numbers = [18, 0, 7, 7, 3, 12, 5, 17, 1, 2]
    sums = sums_of(chunks_of(write(tmp_path / "a.h5")), numbers)
    np.testing.assert_array_equal(sums.signal, FRAMES.reshape(-1, PIXELS)[numbers])
    assert sums_of(chunks_of(tmp_path / "a.h5"), []).signal.shape == (0, PIXELS)


def a_virtual(folder: Path) -> list[Path]:
    """Write two files and a third in which their frames follow one another."""
    parts = [
        write(folder / "one.h5", FRAMES[:12]),
        write(folder / "two.h5", FRAMES[12:], **hdf5plugin.Bitshuffle(nelems=64, cname="lz4")),
    ]
    whole = h5py.VirtualLayout((N_FRAMES, *SHAPE), "<u4")
    first, second = (
        h5py.VirtualSource(part.name, "entry/data/frames", (n, *SHAPE))
        for part, n in zip(parts, (12, 7), strict=True)
    )
    whole[:12] = first
    whole[12:] = second
    return [write_virtual(folder / "master.h5", whole), *parts]


def test_a_virtual_field_over_two_files_is_followed(tmp_path: Path) -> None:
    found = chunks_of(*a_virtual(tmp_path))
    assert found is not None
    assert [path.name for path in found.files] == ["one.h5", "two.h5"]
    assert_whole(found)


def write_virtual(path: Path, layout: h5py.VirtualLayout) -> Path:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("entry/data/frames", layout)
    return path


def test_a_virtual_field_may_take_some_frames_of_a_file(tmp_path: Path) -> None:
    files = a_virtual(tmp_path)
    layout = h5py.VirtualLayout((9, *SHAPE), "<u4")
    layout[:5] = h5py.VirtualSource("one.h5", "entry/data/frames", (12, *SHAPE))[6:11]
    layout[5:] = h5py.VirtualSource("two.h5", "entry/data/frames", (7, *SHAPE))[3:]
    found = chunks_of(write_virtual(tmp_path / "some.h5", layout), *files[1:])
    assert_whole(found, np.concatenate([FRAMES[6:11], FRAMES[15:]]))


@pytest.mark.parametrize("dtype", ["<u2", "<i4"])
def test_a_virtual_field_of_another_type_than_its_source_is_left_to_hdf5(
    tmp_path: Path, dtype: str
) -> None:
    """What marks a dead pixel would be another number."""
    files = a_virtual(tmp_path)
    layout = h5py.VirtualLayout((12, *SHAPE), dtype)
    layout[:] = h5py.VirtualSource("one.h5", "entry/data/frames", (12, *SHAPE))
    assert chunks_of(write_virtual(tmp_path / "other.h5", layout), *files[1:]) is None


def test_a_virtual_field_of_a_field_that_is_not_there_is_left_to_hdf5(tmp_path: Path) -> None:
    files = a_virtual(tmp_path)
    layout = h5py.VirtualLayout((12, *SHAPE), "<u4")
    layout[:] = h5py.VirtualSource("one.h5", "entry/data/nothing", (12, *SHAPE))
    assert chunks_of(write_virtual(tmp_path / "other.h5", layout), *files[1:]) is None


def test_a_virtual_field_of_parts_of_frames_or_with_gaps_is_left_to_hdf5(tmp_path: Path) -> None:
    files = a_virtual(tmp_path)
    whole = h5py.VirtualLayout((6, *SHAPE), "<u4")
    source = h5py.VirtualSource("one.h5", "entry/data/frames", (12, *SHAPE))
    whole[:] = source[::2]
    gap = h5py.VirtualLayout((20, *SHAPE), "<u4")
    gap[:12] = source
    half = h5py.VirtualLayout((12, *SHAPE), "<u4")
    half[:, :5] = source[:, 6:]
    for number, layout in enumerate((whole, gap, half)):
        master = write_virtual(tmp_path / f"{number}.h5", layout)
        assert chunks_of(master, *files[1:]) is None


def test_an_external_link_is_followed_to_its_file(tmp_path: Path) -> None:
    part = write(tmp_path / "part.h5")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for number in (1, 2):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(
                part.name, "/entry/data/frames"
            )
        file["entry/data/data_000003"] = h5py.ExternalLink("more.h5", "/entry/data/frames")
    more = write(tmp_path / "more.h5", FRAMES + 5)
    found = chunks_of(tmp_path / "master.h5", part, more)
    assert found is not None
    assert [path.name for path in found.files] == ["part.h5", "more.h5"]
    assert_whole(found, np.concatenate([FRAMES, FRAMES, FRAMES + 5]))


def test_chunks_that_were_never_written_are_missing_and_not_the_head_of_the_file(
    tmp_path: Path,
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset(
            "entry/data/frames", FRAMES.shape, "<u4", chunks=(1, *SHAPE), **LZ4
        )
        for number in (0, 5, 6, 18):
            data[number] = FRAMES[number]
    missing = sorted(set(range(N_FRAMES)) - {0, 5, 6, 18})
    assert_whole(chunks_of(tmp_path / "a.h5"), missing=missing)


def test_a_chunk_that_was_stored_without_its_filter_is_left_to_hdf5(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        data = file["entry/data/frames"]
        data.id.write_direct_chunk((4, 0, 0), FRAMES[4].tobytes(), 1)
    state = sums_of(chunks_of(path)).state
    assert np.flatnonzero(state).tolist() == [4]
    assert state[4] == SumState.UNREADABLE


LEFT_TO_HDF5: dict[str, tuple[Any, dict[str, Any]]] = {
    "several frames per chunk": (FRAMES, {"chunks": (2, *SHAPE)}),
    "parts of frames": (FRAMES, {"chunks": (1, 5, 13)}),
    "zstd": (FRAMES, dict(hdf5plugin.Bitshuffle(cname="zstd"))),
    "bitshuffle alone": (FRAMES, dict(hdf5plugin.Bitshuffle(cname="none"))),
    "plain LZ4": (FRAMES, dict(hdf5plugin.LZ4())),
    "a checksum, too": (FRAMES, {"fletcher32": True}),
    "big-endian": (FRAMES.astype(">u4"), {}),
    "real numbers": (FRAMES.astype("<f4"), {}),
    "eight bytes": (FRAMES.astype("<u8"), {}),
    "blocks that do not divide a tile": (FRAMES, dict(hdf5plugin.Bitshuffle(nelems=24))),
    "blocks larger than a tile": (FRAMES, dict(hdf5plugin.Bitshuffle(nelems=16384))),
}


@pytest.mark.parametrize(("frames", "filters"), LEFT_TO_HDF5.values(), ids=LEFT_TO_HDF5.keys())
def test_what_the_kernels_do_not_know_is_left_to_hdf5(
    tmp_path: Path, frames: Any, filters: dict[str, Any]
) -> None:
    assert chunks_of(write(tmp_path / "a.h5", frames, **filters)) is None


def test_images_of_their_own_are_no_chunks(tmp_path: Path) -> None:
    from fabio.tifimage import TifImage  # noqa: PLC0415 - for this test alone

    TifImage(data=FRAMES[0]).write(str(tmp_path / "a.tif"))
    assert find_chunks(ImageSeries([tmp_path / "a.tif"])) is None


def test_a_file_with_a_block_of_its_user_is_left_to_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=512) as file:
        file.create_dataset("entry/data/frames", data=FRAMES, chunks=(1, *SHAPE), **LZ4)
    assert chunks_of(tmp_path / "a.h5") is None


def cut_within(path: Path, found: ChunkedFrames, number: int) -> None:
    with path.open("r+b") as file:
        file.truncate(int(found.offsets[number] + found.sizes[number] // 2))


def cut_to_nothing(path: Path, found: ChunkedFrames, number: int) -> None:
    with path.open("r+b") as file:
        file.truncate(0)


@pytest.mark.parametrize("cut", [cut_within, cut_to_nothing])
def test_a_file_that_shrinks_after_it_was_opened_costs_frames_and_not_the_process(
    tmp_path: Path, cut: Callable[[Path, ChunkedFrames, int], None]
) -> None:
    path = write(tmp_path / "a.h5")
    found = chunks_of(path)
    assert found is not None
    cut(path, found, 9)
    lost = found.offsets + found.sizes > path.stat().st_size
    assert lost[9]
    sums = sums_of(found)
    np.testing.assert_array_equal(sums.state == SumState.UNREADABLE, lost)
    np.testing.assert_array_equal(sums.signal[~lost], FRAMES.reshape(-1, PIXELS)[~lost])


def test_a_file_that_shrinks_while_it_is_read_costs_frames_and_not_the_process(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.h5")
    found = chunks_of(path)
    assert found is not None
    into = np.zeros(int(found.sizes.max()), np.uint8)
    with found.opened() as reader:
        assert reader.read(9, into) == found.sizes[9]
        cut_within(path, found, 9)
        assert reader.read(9, into) == found.sizes[9] // 2
        cut_to_nothing(path, found, 9)
        assert reader.read(9, into) == 0


def test_a_file_that_was_written_anew_gives_no_other_numbers(tmp_path: Path) -> None:
    """Where chunks lay, others lie now: all or nothing of a frame is theirs."""
    path = write(tmp_path / "a.h5")
    found = chunks_of(path)
    assert found is not None
    body = bytearray(path.read_bytes())
    place = int(found.offsets[3])
    body[place : place + int(found.sizes[3])] = body[place + 7 : place + 7 + int(found.sizes[3])]
    path.write_bytes(body)
    sums = sums_of(found)
    assert np.flatnonzero(sums.state).tolist() == [3]
    assert sums.state[3] == SumState.UNREADABLE


def test_a_file_that_is_gone_is_told_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    found = chunks_of(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        sums_of(found)


def test_frames_of_two_types_are_not_read_at_once(tmp_path: Path) -> None:
    """65535 is dead among 16 bits; among 32 bits, where it would land, it is a count."""
    path = tmp_path / "eiger.h5"
    with h5py.File(path, "w") as file:
        file["entry/data/data_000001"] = np.full((4, *SHAPE), 65535, np.uint16)
        file["entry/data/data_000002"] = FRAMES[:4]
    with a_stack(path) as stack:
        assert stack.read_block(0, 8) is None
        for first, dtype in ((0, np.uint16), (4, np.uint32)):
            block = stack.read_block(first, first + 4)
            assert block is not None
            assert block.dtype == dtype


def test_a_virtual_field_that_grows_with_its_source_is_left_to_hdf5(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", maxshape=(None, *SHAPE))
    layout = h5py.VirtualLayout((N_FRAMES, *SHAPE), "<u4", maxshape=(None, *SHAPE))
    source = h5py.VirtualSource(
        "one.h5", "entry/data/frames", (N_FRAMES, *SHAPE), maxshape=(None, *SHAPE)
    )
    endless = slice(0, h5py.h5s.UNLIMITED)
    layout[endless] = source[endless]
    with a_stack(write_virtual(tmp_path / "m.h5", layout), tmp_path / "one.h5") as stack:
        assert find_chunks(stack) is None
        np.testing.assert_array_equal(stack.read_block(0, N_FRAMES), FRAMES)


def test_frames_that_were_never_written_but_filled_with_counts_are_left_to_hdf5(
    tmp_path: Path,
) -> None:
    """It answers the fill value for them, in every other tier, too."""
    path = tmp_path / "filled.h5"
    with h5py.File(path, "w", libver="latest") as file:
        shape = (N_FRAMES, *SHAPE)
        field = file.create_dataset("x", shape, "<u4", chunks=(1, *SHAPE), fillvalue=7, **LZ4)
        field[:3] = FRAMES[:3]
    state = sums_of(chunks_of(path)).state
    assert not state[:3].any()
    assert (state[3:] == SumState.UNREADABLE).all()
