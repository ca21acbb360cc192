import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from catalogue.errors import RefusedFileError
from catalogue.hdf5 import Manifest, OpenFiles, check_dataset, guard, read
from tests.makers import hostile
from tests.makers.nexus import write_nexus_scan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "visit"
    folder.mkdir()
    return folder


def everything_in(folder: Path) -> dict[str, Path]:
    return {place.name: place for place in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("make", "code"), hostile.REFUSED.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_a_hostile_file_is_refused_as_input(make: hostile.Maker, code: str, folder: Path) -> None:
    make(folder)
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(folder))
    assert refused.value.code == code
    assert refused.value.file in everything_in(folder)
    assert str(folder.parent) not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "code"), hostile.REFUSED.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_a_hostile_file_is_found_out_before_registration(
    make: hostile.Maker, code: str, folder: Path
) -> None:
    path = make(folder)
    with OpenFiles(Manifest.of_folder(folder, path.name)) as files:
        findings = guard(files, path.name)
    assert next(it.code for it in findings if not it.harmless) == code


def test_a_scan_without_links_has_no_findings(folder: Path) -> None:
    write_nexus_scan(folder / "scan.nxs")
    assert check_dataset(everything_in(folder)) == []


def test_a_file_linked_from_the_same_folder_becomes_part_of_the_dataset(folder: Path) -> None:
    write_nexus_scan(folder / "scan.nxs")
    (folder / "raw").mkdir()
    with h5py.File(folder / "raw" / "frames.h5", "w") as file:
        file["more"] = h5py.ExternalLink("../extra.h5", "/values")
    with h5py.File(folder / "extra.h5", "w") as file:
        file["values"] = np.arange(3)
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/more"] = h5py.ExternalLink("raw/frames.h5", "/more")
    manifest = Manifest.of_folder(folder, "scan.nxs")
    with OpenFiles(manifest) as files:
        assert guard(files, "scan.nxs") == []
        found = files.follow(files.root("scan.nxs"), "/entry/more")
        assert found.file == "extra.h5"
        assert read(found.object).tolist() == [0, 1, 2]
    assert list(manifest.places) == ["scan.nxs", "raw/frames.h5", "extra.h5"]
    with pytest.raises(RefusedFileError, match=r"frames\.h5, which is not a file of this"):
        check_dataset({"scan.nxs": folder / "scan.nxs"})


def test_an_absolute_link_to_a_file_of_the_dataset_is_as_good_as_a_relative_one(
    folder: Path,
) -> None:
    write_nexus_scan(folder / "scan.nxs")
    with h5py.File(folder / "frames.h5", "w") as file:
        file["values"] = np.arange(3)
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/more"] = h5py.ExternalLink(str(folder / "frames.h5"), "/values")
    assert check_dataset(everything_in(folder)) == []


def test_a_link_to_an_absent_file_is_told_but_not_refused(folder: Path) -> None:
    write_nexus_scan(folder / "scan.nxs")
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/frames"] = h5py.ExternalLink("frames.h5", "/values")
        file["entry/nowhere"] = h5py.SoftLink("/entry/nothing")
    found = {it.path: it.reason for it in check_dataset(everything_in(folder))}
    assert found == {
        "/entry/frames": "the linked file frames.h5 is not there",
        "/entry/nowhere": "there is no nothing in /entry",
    }


def test_a_file_beside_the_true_place_of_a_linked_input_is_not_reached(
    folder: Path, tmp_path: Path
) -> None:
    write_nexus_scan(folder / "scan.nxs")
    with h5py.File(folder / "private.h5", "w") as file:
        file["values"] = np.arange(3)
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/stolen"] = h5py.ExternalLink("private.h5", "/values")
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "scan.nxs").symlink_to(folder / "scan.nxs")
    with h5py.File(inputs / "scan.nxs", "r", locking=False) as file:
        assert file["entry/stolen"].shape == (3,)  # this is what HDF5 would do
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(inputs))
    assert refused.value.code == "file-external-link"


def test_a_symbolic_link_in_the_folder_does_not_join_the_dataset(folder: Path) -> None:
    secret = hostile.write_secret(folder)
    write_nexus_scan(folder / "scan.nxs")
    (folder / "beside.h5").symlink_to(secret)
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/stolen"] = h5py.ExternalLink("beside.h5", "/secret")
    with OpenFiles(Manifest.of_folder(folder, "scan.nxs")) as files:
        assert [it.code for it in guard(files, "scan.nxs")] == ["file-unsafe"]


def test_nor_does_a_file_behind_a_symbolic_link_to_a_folder(folder: Path) -> None:
    secret = hostile.write_secret(folder)
    write_nexus_scan(folder / "scan.nxs")
    (folder / "raw").symlink_to(secret.parent, target_is_directory=True)
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/stolen"] = h5py.ExternalLink("raw/secret.h5", "/secret")
    with OpenFiles(Manifest.of_folder(folder, "scan.nxs")) as files:
        assert [it.code for it in guard(files, "scan.nxs")] == ["file-unsafe"]


@pytest.mark.timeout(20)
def test_a_link_to_a_pipe_outside_is_judged_without_opening_it(folder: Path) -> None:
    os.mkfifo(folder.parent / "pipe")
    write_nexus_scan(folder / "scan.nxs")
    with h5py.File(folder / "scan.nxs", "r+") as file:
        file["entry/wait"] = h5py.ExternalLink(str(folder.parent / "pipe"), "/x")
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(folder))
    assert refused.value.code == "file-external-link"


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_without_waiting_for_its_writer(folder: Path) -> None:
    os.mkfifo(folder / "pipe.h5")
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(folder))
    assert refused.value.code == "file-unsafe"


def test_a_numbered_virtual_field_takes_all_its_blocks_into_the_dataset(folder: Path) -> None:
    path = hostile.numbered_virtual_source(folder, blocks=3)
    manifest = Manifest.of_folder(folder, path.name)
    with OpenFiles(manifest) as files:
        assert guard(files, path.name) == []
    assert list(manifest.places) == ["scan.nxs", "block_0.h5", "block_1.h5", "block_2.h5"]
    (folder / "block_0.h5").unlink()
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(folder))
    assert refused.value.code == "file-virtual-source"


def test_a_user_block_is_legal(folder: Path) -> None:
    with h5py.File(folder / "scan.nxs", "w", userblock_size=512) as file:
        file["values"] = np.arange(3)
    assert check_dataset(everything_in(folder)) == []


def test_a_field_linked_into_two_groups_is_no_circle(folder: Path) -> None:
    path = write_nexus_scan(folder / "scan.nxs")
    with h5py.File(path, "r+") as file:
        file["entry/again"] = h5py.SoftLink("/entry/instrument")
        file["entry/sample/setup"] = file["entry/instrument"]
    assert check_dataset(everything_in(folder)) == []


def test_a_geometry_file_of_more_than_a_mebibyte_is_refused(folder: Path) -> None:
    (folder / "huge.poni").write_text("# not a geometry\n" * 80_000)
    with pytest.raises(RefusedFileError) as refused:
        check_dataset(everything_in(folder))
    assert refused.value.code == "file-too-large"


def test_a_petabyte_that_was_never_written_is_not_read(folder: Path) -> None:
    with h5py.File(folder / "scan.nxs", "w") as file:
        file.create_dataset("huge", (10**6, 10**6), "f8", chunks=(1000, 1000))
    with h5py.File(folder / "scan.nxs", "r", locking=False) as file:
        with pytest.raises(RefusedFileError, match="more than 128 MiB") as refused:
            read(file["huge"])
        assert refused.value.code == "file-too-large"
        with pytest.raises(RefusedFileError, match="more than 1 GiB to unpack"):
            read(file["huge"], 0)  # 8 MB, but in 1000 chunks of 8 MB
