"""
Files that a stranger might hand in to read what is not theirs, or to stop the service.

Each function writes one such file into a folder and returns its path.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.makers.nexus import write_nexus_scan

SECRET = b"root:x:0:0: not for you"

Maker = Callable[[Path], Path]


def _scan(folder: Path) -> Path:
    return write_nexus_scan(folder / "scan.nxs")


def write_secret(folder: Path) -> Path:
    """Write another user's HDF5 file outside the dataset's folder."""
    other = folder.parent / "other_user"
    other.mkdir(exist_ok=True)
    secret = other / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.arange(4)
    return secret


def absolute_external_link(folder: Path) -> Path:
    path, secret = _scan(folder), write_secret(folder)
    with h5py.File(path, "r+") as file:
        file["entry/stolen"] = h5py.ExternalLink(str(secret), "/secret")
    return path


def upward_external_link(folder: Path) -> Path:
    path = _scan(folder)
    write_secret(folder)
    with h5py.File(path, "r+") as file:
        file["entry/stolen"] = h5py.ExternalLink("../other_user/secret.h5", "/secret")
    return path


def external_link_behind_a_soft_link(folder: Path) -> Path:
    path = upward_external_link(folder)
    with h5py.File(path, "r+") as file:
        file.move("entry/stolen", "entry/instrument/hidden")
        file["entry/innocent"] = h5py.SoftLink("/entry/instrument/hidden")
    return path


def external_link_in_a_file_of_the_dataset(folder: Path) -> Path:
    path = _scan(folder)
    write_secret(folder)
    with h5py.File(folder / "beside.h5", "w") as file:
        file["stolen"] = h5py.ExternalLink("../other_user/secret.h5", "/secret")
    with h5py.File(path, "r+") as file:
        file["entry/beside"] = h5py.ExternalLink("beside.h5", "/stolen")
    return path


def external_raw_storage(folder: Path) -> Path:
    path = _scan(folder)
    raw = folder.parent / "passwd"
    raw.write_bytes(SECRET)
    with h5py.File(path, "r+") as file:
        file["entry"].create_dataset(
            "stolen", (len(SECRET),), "u1", external=[(str(raw), 0, len(SECRET))]
        )
    return path


def raw_storage_behind_a_virtual_field(folder: Path) -> Path:
    path = external_raw_storage(folder)
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout((len(SECRET),), "u1")
        layout[:] = h5py.VirtualSource(".", "entry/stolen", (len(SECRET),))
        file["entry"].create_virtual_dataset("innocent", layout)
    return path


def _virtual(path: Path, source: str, name: str = "/frames") -> Path:
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource(source, name, (4,))
        file["entry"].create_virtual_dataset("virtual", layout)
    return path


def virtual_source_outside(folder: Path) -> Path:
    write_secret(folder)
    return _virtual(_scan(folder), "../other_user/secret.h5", "/secret")


def virtual_source_absent(folder: Path) -> Path:
    return _virtual(_scan(folder), "frames.h5")


def virtual_source_without_that_field(folder: Path) -> Path:
    with h5py.File(folder / "frames.h5", "w") as file:
        file["other"] = np.arange(4)
    return _virtual(_scan(folder), "frames.h5")


def numbered_virtual_source_outside(folder: Path) -> Path:
    """Count through the blocks secret_0.h5, secret_1.h5… of another user."""
    other = write_secret(folder).parent
    (other / "secret.h5").rename(other / "secret_0.h5")
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        _write_numbered(file["entry"], b"../other_user/secret_%b.h5", b"/secret")
    return path


def numbered_virtual_source(folder: Path, blocks: int) -> Path:
    """Put a virtual field together from block_0.h5, block_1.h5… of the same folder."""
    for number in range(blocks):
        with h5py.File(folder / f"block_{number}.h5", "w") as file:
            file["values"] = np.arange(4) + 4 * number
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        _write_numbered(file["entry"], b"block_%b.h5", b"/values")
    return path


def _write_numbered(group: h5py.Group, file: bytes, name: bytes) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple((4,), (h5py.h5s.UNLIMITED,))
    space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), stride=(4,), block=(4,))
    source = h5py.h5s.create_simple((4,))
    plan.set_virtual(space, file, name, source)
    h5py.h5d.create(group.id, b"virtual", h5py.h5t.NATIVE_INT64, space, plan)


def virtual_fields_of_each_other(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        for name, other in (("a", "b"), ("b", "a")):
            layout = h5py.VirtualLayout((4,), "i8")
            layout[:] = h5py.VirtualSource(".", f"entry/{other}", (4,))
            file["entry"].create_virtual_dataset(name, layout)
    return path


def soft_link_to_itself(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        file["entry/one"] = h5py.SoftLink("/entry/other")
        file["entry/other"] = h5py.SoftLink("/entry/one")
    return path


def soft_link_to_its_own_group(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/again"] = h5py.SoftLink("/entry")
    return path


def group_inside_itself(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/again"] = file["entry"]
    return path


def files_that_link_to_each_other(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(folder / "beside.h5", "w") as file:
        file["back"] = h5py.ExternalLink("scan.nxs", "/entry/beside")
    with h5py.File(path, "r+") as file:
        file["entry/beside"] = h5py.ExternalLink("beside.h5", "/back")
    return path


def too_deep(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        file.create_group("entry/" + "/".join("g" * 70))
    return path


def huge_attribute(folder: Path) -> Path:
    path = write_nexus_scan(folder / "scan.nxs", libver="latest")  # old files end at 64 KiB
    with h5py.File(path, "r+", libver="latest") as file:
        file["entry"].create_group("notes").attrs["huge"] = np.zeros(2 << 20, "u1")
    return path


def huge_chunk(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        file["entry"].create_dataset(
            "bomb", (1 << 31,), "u1", chunks=((1 << 31),), compression="gzip"
        )
    return path


def unknown_filter(folder: Path) -> Path:
    path = _scan(folder)
    with h5py.File(path, "r+") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((4,))
        # 256 to 511 are for tests; optional, so that HDF5 writes without having it.
        plan.set_filter(305, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file["entry"].id, b"odd", h5py.h5t.NATIVE_INT64, space, plan)
    return path


def text_named_h5(folder: Path) -> Path:
    path = folder / "notes.h5"
    path.write_text("We will measure tomorrow.\n")
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.nxs"
    path.touch()
    return path


def cut_in_half(folder: Path) -> Path:
    path = _scan(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def damaged_inside(folder: Path) -> Path:
    """Overwrite all but the first kilobyte: the size is right, the content is not."""
    path = _scan(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\xff" * (len(whole) - 200))
    return path


def left_open_by_its_writer(folder: Path) -> Path:
    """Write what a writer with a modern layout leaves when it is killed."""
    path = folder / "scan.nxs"
    whole = write_nexus_scan(folder.parent / "whole.nxs", libver="latest")
    with h5py.File(whole, "r+", libver="latest") as file:
        file.flush()
        shutil.copy(whole, path)
    return path


REFUSED: dict[Maker, str] = {
    absolute_external_link: "file-external-link",
    upward_external_link: "file-external-link",
    external_link_behind_a_soft_link: "file-external-link",
    external_link_in_a_file_of_the_dataset: "file-external-link",
    external_raw_storage: "file-external-storage",
    raw_storage_behind_a_virtual_field: "file-external-storage",
    virtual_source_outside: "file-virtual-source",
    virtual_source_absent: "file-virtual-source",
    virtual_source_without_that_field: "file-virtual-source",
    numbered_virtual_source_outside: "file-virtual-source",
    virtual_fields_of_each_other: "file-link-loop",
    soft_link_to_itself: "file-link-loop",
    soft_link_to_its_own_group: "file-link-loop",
    group_inside_itself: "file-link-loop",
    files_that_link_to_each_other: "file-link-loop",
    too_deep: "file-too-complex",
    huge_attribute: "file-too-complex",
    huge_chunk: "file-too-large",
    unknown_filter: "file-filter-missing",
    text_named_h5: "file-unreadable",
    empty_file: "file-unreadable",
    cut_in_half: "file-unreadable",
    damaged_inside: "file-unreadable",
    left_open_by_its_writer: "file-incomplete",
}
"""Each hostile or broken file, and the code with which it is refused."""
