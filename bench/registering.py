"""
Small HDF5 files through the path of ``manage.py register``.

Beside it one plain loop that only opens the same files and hashes them. Both go round by
round, so that the files of a round lie in memory and the disk is not what is measured.
"""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from catalogue.ingest import register_paths
from catalogue.models import DataFile, EmbargoPolicy, IngestRule, Instrument, Store
from catalogue.registration import Registered

_PER_ROUND = 2500  # 10 GiB: as much as may lie in memory
_FRAMES, _SIDE = 16, 256  # of four bytes: 4 MiB

Truth = dict[str, tuple[str, str]]  # name -> sha256 and title


def measure(files: int) -> dict[str, Any]:
    """Register files, and say how fast compared with opening and hashing them."""
    store = Store.objects.get(slug="raw")
    IngestRule.objects.create(
        slug="bench",
        instrument=Instrument.objects.get(slug="id13"),
        store=store,
        policy=EmbargoPolicy.objects.get(slug="default"),
        watch="small/{round}/{scan}.h5",
    )
    plain = ours = 0.0
    is_equal = True
    memory: list[float] = []
    for number, first in enumerate(range(0, files, _PER_ROUND)):
        here = Path(store.root, "small", f"{number:04d}")
        paths = _write(here, range(first, min(first + _PER_ROUND, files)))
        seconds, truth = _open_and_hash(paths)
        plain += seconds
        begun = time.perf_counter()
        outcomes = list(register_paths(paths, person=None))
        ours += time.perf_counter() - begun
        is_equal &= all(isinstance(found, Registered) for _, found in outcomes)
        is_equal &= _read_back(here, store) == truth
        memory.append(psutil.Process().memory_info().rss / (1 << 20))
        shutil.rmtree(here)
    return {
        "files": files,
        "file_kib": _FRAMES * _SIDE * _SIDE * 4 // 1024,
        "register_per_s": round(files / ours, 1),
        "plain_per_s": round(files / plain, 1),
        "register_ratio": round(plain / ours, 2),
        "register_peak_mib": round(max(memory)),
        "register_growth_mib": round(memory[-1] - memory[len(memory) // 4], 1),
        "register_equal": is_equal,
    }


def _write(folder: Path, numbers: range) -> list[Path]:
    """Write scans of a few frames, each with its own counts, as a beamline does."""
    folder.mkdir(parents=True)
    counts = np.random.default_rng(1).poisson(3, (_FRAMES, _SIDE, _SIDE)).astype("u4")
    return [_write_scan(folder / f"scan_{number:07d}.h5", number, counts) for number in numbers]


def _write_scan(path: Path, number: int, counts: np.ndarray[Any, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry")
        entry.attrs["default"] = "data"
        entry["title"] = f"Scan {number}"
        entry["start_time"], entry["end_time"] = "2026-03-02T10:00:00Z", "2026-03-02T10:00:20Z"
        entry["experiment_identifier"] = f"hg-{number % 20}"
        setup = _group(entry, "instrument", "NXinstrument")
        setup["name"] = "id13"
        _quantity(_group(setup, "monochromator", "NXmonochromator"), "energy", 12.4, "keV")
        camera = _group(setup, "detector", "NXdetector")
        _quantity(camera, "distance", 120.0 + number, "mm")
        _quantity(camera, "count_time", 0.1, "s")
        camera.create_dataset("data", data=counts + number, chunks=(1, _SIDE, _SIDE))
        _group(entry, "sample", "NXsample")["name"] = f"sample {number % 97}"
        plot = _group(entry, "data", "NXdata")
        plot.attrs["signal"] = "data"
        plot["data"] = camera["data"]
    return path


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _quantity(group: h5py.Group, name: str, value: float, unit: str) -> None:
    group[name] = value
    group[name].attrs["units"] = unit


def _open_and_hash(paths: list[Path]) -> tuple[float, Truth]:
    """Do what cannot be left out: open each file, read its title, hash it."""
    truth: Truth = {}
    begun = time.perf_counter()
    for path in paths:
        with h5py.File(path, "r", locking=False) as file:
            title = file["entry/title"][()].decode()
        with path.open("rb") as file:
            truth[path.name] = (hashlib.file_digest(file, "sha256").hexdigest(), title)
    return time.perf_counter() - begun, truth


def _read_back(folder: Path, store: Store) -> Truth:
    """Read checksums and titles of the files of a folder, as the catalogue has them."""
    prefix = os.path.relpath(folder, store.root)
    rows = DataFile.objects.filter(store=store, key__startswith=f"{prefix}/")
    return {
        path: (sha256, title)
        for path, sha256, title in rows.values_list("path", "sha256", "dataset__title")
    }
