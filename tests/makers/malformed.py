"""Spoil the files of a raw run: trees that no detector writes, and random damage to sound ones."""

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SECRET = "other-proposal.h5"  # beside the folder of the run


def rename_source(path: Path, old: str, new: str) -> None:
    """Give a source another name wherever a file states it."""
    with h5py.File(path, "r+") as file:
        for tree in ("INDEX", "INSTRUMENT"):
            for name in _sources_of(file[tree]):
                if name.startswith(old):
                    file.move(f"{tree}/{name}", f"{tree}/{name.replace(old, new)}")
        stated = file["METADATA/dataSources/dataSourceId"]
        names = [it.decode().replace(old, new).encode() for it in stated[()]]
        del file["METADATA/dataSources/dataSourceId"]
        file["METADATA/dataSources/dataSourceId"] = names


def add_source(file: h5py.File, old: str, new: str) -> None:
    """Have a second source that is like one that is there."""
    for tree in ("INDEX", "INSTRUMENT"):
        file.copy(f"{tree}/{old}", f"{tree}/{new}")
    stated = file["METADATA/dataSources/dataSourceId"][()].tolist()
    del file["METADATA/dataSources/dataSourceId"]
    more = [it.replace(old.encode(), new.encode()) for it in stated if old.encode() in it]
    file["METADATA/dataSources/dataSourceId"] = stated + more


def _sources_of(tree: h5py.Group) -> list[str]:
    return [
        f"{domain}/{kind}/{device}"
        for domain, kinds in tree.items()
        if isinstance(kinds, h5py.Group)
        for kind, devices in kinds.items()
        for device in devices
    ]


def put(group: h5py.Group, name: str, value: Any) -> None:
    """Put anything in the place of what a group has."""
    if name in group:
        del group[name]
    group[name] = value


def put_virtual(group: h5py.Group, name: str) -> None:
    """Read a field from the file of someone else."""
    shape, kind = group[name].shape, group[name].dtype
    layout = h5py.VirtualLayout(shape, kind)
    layout[...] = h5py.VirtualSource(_secret(group), "secret", shape=shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def put_external(group: h5py.Group, name: str) -> None:
    """Read a field from the bytes of someone else."""
    shape, kind = group[name].shape, group[name].dtype
    del group[name]
    group.create_dataset(name, shape, kind, external=[(_secret(group), 0, h5py.h5f.UNLIMITED)])


def put_link(group: h5py.Group, name: str) -> None:
    put(group, name, h5py.ExternalLink(_secret(group), "secret"))


def _secret(group: h5py.Group) -> str:
    return str(Path(group.file.filename).parent.parent / SECRET)


def damage(file: h5py.File, seed: int) -> None:
    """Do something to one object of a file: which, and what, is left to the seed."""
    chance = random.Random(seed)  # noqa: S311 - a test
    names: list[str] = []
    file.visit(names.append)
    # Half of the damage to what is read: else most of it hits what nobody looks at.
    near = [it for it in names if "xtdf" in it or it.startswith(("INDEX", "METADATA"))]
    name = chance.choice(near if near and chance.random() < 0.7 else names)
    parent, _, own = name.rpartition("/")
    group = file[parent] if parent else file
    chance.choice(_ACTS)(group, own, chance.choice(names))


def _values(group: h5py.Group, name: str) -> Any:
    found = group[name]
    return found[()] if isinstance(found, h5py.Dataset) else np.arange(2)


def delete(group: h5py.Group, name: str, other: str) -> None:
    del group[name]


def make_group(group: h5py.Group, name: str, other: str) -> None:
    del group[name]
    group.create_group(name)


def make_text(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, [b"nonsense"] * max(1, np.size(_values(group, name)) % 8))


def make_scalar(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, 1)


def make_nothing(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, h5py.Empty("u8"))


def make_real(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, np.full(np.shape(_values(group, name)), 0.5))


def make_negative(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, np.full(np.shape(_values(group, name)), -1, np.int64))


def make_zero(group: h5py.Group, name: str, other: str) -> None:
    values = _values(group, name)
    put(group, name, np.zeros(np.shape(values), np.asarray(values).dtype.str.replace("O", "u8")))


def make_huge(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, np.full(np.shape(_values(group, name)), 2**64 - 1, np.uint64))


def shorten(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, np.atleast_1d(_values(group, name))[:-1])


def lengthen(group: h5py.Group, name: str, other: str) -> None:
    values = np.atleast_1d(_values(group, name))
    put(group, name, np.concatenate([values, values]))


def turn(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, np.atleast_1d(_values(group, name))[np.newaxis])


def swap_bytes(group: h5py.Group, name: str, other: str) -> None:
    values = np.asarray(_values(group, name))
    put(group, name, values.astype(values.dtype.newbyteorder(">")))


def make_ragged(group: h5py.Group, name: str, other: str) -> None:
    del group[name]
    group.create_dataset(name, (3,), h5py.vlen_dtype(np.uint16))


def link_nowhere(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, h5py.SoftLink("/nowhere"))


def link_to_itself(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, h5py.SoftLink(f"{group.name}/{name}"))


def link_to_other(group: h5py.Group, name: str, other: str) -> None:
    put(group, name, h5py.SoftLink(f"/{other}"))


def link_outside(group: h5py.Group, name: str, other: str) -> None:
    put_link(group, name)


def rename(group: h5py.Group, name: str, other: str) -> None:
    group.move(name, name[::-1])


_ACTS = [
    delete, make_group, make_text, make_scalar, make_nothing, make_real, make_negative, make_zero,
    make_huge, shorten, lengthen, turn, swap_bytes, make_ragged, link_nowhere, link_to_itself,
    link_to_other, link_outside, rename,
]  # fmt: skip
