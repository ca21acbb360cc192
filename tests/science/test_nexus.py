"""Where a file keeps its images, and where it must not lead."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from processing.science.errors import (
    ForeignFileError,
    MissingFieldError,
    MissingFilterError,
    UnreadableFileError,
)
from processing.science.nexus import NexusStack

IMAGES = np.arange(6 * 8 * 9, dtype=np.int32).reshape(6, 8, 9)


def a_master(path: Path, parts: list[str]) -> Path:
    """Write a master file that links to images as an Eiger's does."""
    with h5py.File(path, "w") as file:
        file.create_group("entry/data")
        for number, part in enumerate(parts, start=1):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(part, "/entry/data/data")
    return path


def a_part(path: Path, images: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = images
    return path


def test_a_master_and_its_parts_are_one_stack(tmp_path: Path) -> None:
    parts = [a_part(tmp_path / "b_1.h5", IMAGES[:4]), a_part(tmp_path / "b_2.h5", IMAGES[4:])]
    master = a_master(tmp_path / "a.h5", ["b_1.h5", "b_2.h5"])

    stack = NexusStack((master, *parts))

    assert (stack.n_frames, stack.shape) == (6, (8, 9))
    np.testing.assert_array_equal([stack.read(n) for n in range(6)], IMAGES)
    stack.close()


def test_parts_are_found_where_a_run_links_them(tmp_path: Path) -> None:
    store, staging = tmp_path / "store", tmp_path / "staging"
    store.mkdir()
    staging.mkdir()
    given = {"a.h5": a_master(store / "0", ["b.h5"]), "b.h5": a_part(store / "1", IMAGES)}
    for name, location in given.items():
        (staging / name).symlink_to(location)

    stack = NexusStack((staging / "a.h5", staging / "b.h5"))

    np.testing.assert_array_equal(stack.read(5), IMAGES[5])
    stack.close()


@pytest.mark.parametrize("target", ["other.h5", "../other.h5", "{folder}/other.h5"])
def test_a_link_out_of_the_dataset_is_not_followed(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for place in (folder, tmp_path):
        a_part(place / "other.h5", IMAGES)
    master = a_master(folder / "a.h5", [target.replace("{folder}", str(tmp_path))])

    with pytest.raises(ForeignFileError, match="not part of the dataset") as refusal:
        NexusStack((master,))

    assert refusal.value.kind == "external-link"


def test_raw_storage_outside_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(6 * 8 * 9 * 4))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(
            "entry/data/data", (6, 8, 9), "i4", external=[(str(tmp_path / "secret"), 0, 1728)]
        )

    with pytest.raises(ForeignFileError) as refusal:
        NexusStack((tmp_path / "a.h5",))

    assert refusal.value.kind == "external-storage"
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(("registered", "present"), [(True, True), (False, True), (True, False)])
def test_a_virtual_stack_needs_its_sources_in_the_dataset(
    tmp_path: Path,
    registered: bool,  # noqa: FBT001 - a case
    present: bool,  # noqa: FBT001 - a case
) -> None:
    source = a_part(tmp_path / "b.h5", IMAGES)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        layout = h5py.VirtualLayout((6, 8, 9), "i4")
        layout[:] = h5py.VirtualSource("b.h5", "entry/data/data", (6, 8, 9))
        file.create_virtual_dataset("entry/data/data", layout)
    if not present:
        source.unlink()
    files = (tmp_path / "a.h5", source) if registered else (tmp_path / "a.h5",)

    if registered and present:
        stack = NexusStack(files)
        np.testing.assert_array_equal(stack.read(3), IMAGES[3])
        stack.close()
    else:
        # HDF5 alone would answer zeros.
        with pytest.raises(ForeignFileError, match=r"b\.h5 is not in the dataset"):
            NexusStack(files)


def test_a_missing_filter_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 8, 9))
        # 305 is registered for no filter that detectors use; optional, so that it can be set.
        plist.set_filter(305, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((6, 8, 9))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_INT32, space, plist)

    with pytest.raises(MissingFilterError, match="HDF5 filter 305"):
        NexusStack((tmp_path / "a.h5",))


def test_images_of_the_detector_are_told_from_other_fields(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/xrf/spectra"] = np.zeros((100, 7, 64))
        file["entry/pilatus/data"] = IMAGES

    by_detector = NexusStack((tmp_path / "a.h5",), expected=(8, 9))
    by_name = NexusStack((tmp_path / "a.h5",), field="entry/xrf/spectra")

    assert by_detector.images[0].path == "/entry/pilatus/data"
    assert by_name.n_frames == 100
    by_detector.close()
    by_name.close()


def test_a_path_through_a_link_names_the_same_images(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/pilatus/data"] = IMAGES
        file["1.1"] = h5py.SoftLink("/entry")

    stack = NexusStack((tmp_path / "a.h5",), field="1.1/pilatus/data")

    assert stack.n_frames == 6
    stack.close()


def test_a_grid_of_images_states_its_shape(tmp_path: Path) -> None:
    a_part(tmp_path / "a.h5", IMAGES.reshape(2, 3, 8, 9))

    stack = NexusStack((tmp_path / "a.h5",))

    assert stack.stated_shape() == (2, 3)
    np.testing.assert_array_equal(stack.read(4), IMAGES[4])
    stack.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "amesh samy 0 1 2 samz 0 1 1 0.1"),
        ("scan_command", "mesh samy 0 1 2 samz 0 1 1 0.1"),
        ("scan_shape", [2, 3]),
    ],
)
def test_the_shape_is_read_where_control_systems_write_it(
    tmp_path: Path, name: str, value: object
) -> None:
    with h5py.File(a_part(tmp_path / "a.h5", IMAGES), "r+") as file:
        file[f"entry/{name}"] = value

    stack = NexusStack((tmp_path / "a.h5",))

    assert stack.stated_shape() == (2, 3)
    stack.close()


def test_a_file_without_images_says_what_it_has(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/counts"] = np.zeros(5)
        file["entry/loop"] = h5py.SoftLink("/entry")
        file["entry/nowhere"] = h5py.SoftLink("/entry/nothing")

    with pytest.raises(MissingFieldError, match="no stack of images"):
        NexusStack((tmp_path / "a.h5",))


def test_a_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    path = a_part(tmp_path / "a.h5", IMAGES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(UnreadableFileError, match=r"^a\.h5 cannot be read"):
        NexusStack((path,))
