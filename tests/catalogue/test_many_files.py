"""Many files at once: one child reads one after another, and what harms it costs one file."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.description import Description
from catalogue.errors import (
    CatalogueError,
    ContentChangedError,
    NotPermittedError,
    RefusedFileError,
    RegistrationError,
)
from catalogue.ingest import register_path, register_paths
from catalogue.models import DataFile, Dataset
from catalogue.places import picture_path
from catalogue.readers.child import Reader, Wish
from catalogue.readers.pool import read_many
from catalogue.registration import Registered
from tests.builders import World
from tests.catalogue.children import readers_at_work
from tests.makers import hostile
from tests.makers.nexus import write_nexus_scan


def scans(folder: Path, number: int, **changes: Any) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    said = {"instrument": "id13", "proposal": "hg-172"} | changes
    return [
        write_nexus_scan(folder / f"scan_{n:04d}.h5", title=f"Scan {n}", seed=n, **said)
        for n in range(number)
    ]


def wishes(paths: list[Path]) -> list[Wish]:
    return [Wish(str(path)) for path in paths]


def titles(found: list[tuple[Wish, Any]]) -> list[str]:
    return [it.title if isinstance(it, Description) else it.code for _, it in found]


def kill_while_reading(size: int) -> Callable[[int, int], None]:
    """End the child by the signal of a crash once it is at a file of this size."""

    def tell(_done: int, total: int) -> None:
        if total == size:
            for reader in readers_at_work():
                reader.send_signal(11)

    return tell


# One child


def test_one_child_reads_one_file_after_another(tmp_path: Path) -> None:
    seen = set()
    with Reader() as reader:
        found = []
        for answer in reader.read(wishes(scans(tmp_path, 6))):
            found.append(answer)
            seen |= {it.pid for it in readers_at_work()}
    assert titles(found) == [f"Scan {n}" for n in range(6)]
    assert len(seen) == 1
    assert readers_at_work() == []


def test_a_crash_costs_one_file_and_the_others_are_read(tmp_path: Path) -> None:
    paths = scans(tmp_path, 5)
    with paths[2].open("r+b") as file:
        file.truncate(1 << 28)  # large enough that hashing is not over at once
    with Reader() as reader:
        found = list(reader.read(wishes(paths), kill_while_reading(1 << 28)))
    assert titles(found) == ["Scan 0", "Scan 1", "file-unreadable", "Scan 3", "Scan 4"]
    assert "SIGSEGV" in str(found[2][1])


def test_the_time_of_one_file_is_not_that_of_the_next(tmp_path: Path) -> None:
    paths = scans(tmp_path, 4)
    with paths[1].open("r+b") as file:
        file.truncate(1 << 36)  # 64 GiB of nothing: not hashed within seconds
    with Reader(timeout_s=4.0) as reader:
        found = list(reader.read(wishes(paths)))
    assert titles(found) == ["Scan 0", "file-unreadable", "Scan 2", "Scan 3"]
    assert "too long" in str(found[1][1]) or "computing" in str(found[1][1])


def test_a_hostile_file_among_others_is_refused_alone(tmp_path: Path) -> None:
    first, last = scans(tmp_path, 2)
    bad = []
    for make in (hostile.absolute_external_link, hostile.group_inside_itself):
        visit = tmp_path / make.__name__
        visit.mkdir()
        bad.append(make(visit))
    with Reader() as reader:
        found = list(reader.read(wishes([first, *bad, last])))
    assert titles(found) == ["Scan 0", "file-external-link", "file-link-loop", "Scan 1"]


def test_a_child_is_replaced_after_many_files(tmp_path: Path) -> None:
    seen = []
    with Reader(most_files=3) as reader:
        for _, found in reader.read(wishes(scans(tmp_path, 7))):
            assert isinstance(found, Description)
            seen += [it.pid for it in readers_at_work()]
    assert len(set(seen)) == 3


def test_each_file_finds_the_limits_of_the_first(tmp_path: Path) -> None:
    with Reader(memory=3 << 30, timeout_s=60) as reader:
        for _ in reader.read(wishes(scans(tmp_path, 3))):
            (process,) = readers_at_work()
            assert process.rlimit(psutil.RLIMIT_AS)[0] == 3 << 30
            soft = process.rlimit(psutil.RLIMIT_CPU)[0]
            assert 60 <= soft <= 60 + sum(process.cpu_times()[:2]) + 2
            assert process.cwd() != os.getcwd()  # noqa: PTH109 - compared with psutil's text
            assert "HDF5_EXT_PREFIX" not in process.environ()


def test_several_children_read_at_once_and_none_is_left(tmp_path: Path) -> None:
    paths = scans(tmp_path, 9)
    found = dict(read_many(wishes(paths), readers=3))
    assert sorted(it.title for it in found.values()) == [f"Scan {n}" for n in range(9)]  # type: ignore[union-attr]  # all are descriptions
    assert readers_at_work() == []


def test_who_takes_no_more_answers_leaves_no_child_behind(tmp_path: Path) -> None:
    answers = read_many(wishes(scans(tmp_path, 12)), readers=2)
    next(answers)
    assert readers_at_work()
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert readers_at_work() == []


# Registration


def test_many_files_become_what_each_would_alone(world: World) -> None:
    paths = scans(Path(world.raw.root, "many"), 5)
    told: list[tuple[int, int]] = []
    outcomes = dict(
        register_paths(paths, person=None, progress=lambda done, total: told.append((done, total)))
    )
    assert told == [(number, 5) for number in range(1, 6)]
    (alone,) = scans(Path(world.raw.root, "alone"), 1)
    single = register_path(alone, person=None).dataset
    twin = outcomes[paths[0]]
    assert isinstance(twin, Registered)
    assert twin.is_new
    for name in ("title", "content", "start_time", "end_time", "licence", "size", "digest",
                 "thumbnail", "warnings", "file_count", "instrument", "facility"):  # fmt: skip
        assert getattr(twin.dataset, name) == getattr(single, name), name
    rows = [
        list(it.parameters.order_by("key").values_list("key", "number", "unit", "si_number"))
        for it in (twin.dataset, single)
    ]
    assert rows[0] == rows[1]
    assert picture_path(twin.dataset.thumbnail).is_file()
    for path in paths:
        file = DataFile.objects.get(key=f"many/{path.name}")
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_refused_is_refused_alone(world: World) -> None:
    folder = Path(world.raw.root, "many")
    good, unknown = scans(folder, 2)
    write_nexus_scan(unknown, instrument="ID99")
    cut = folder / "cut.h5"
    cut.write_bytes(good.read_bytes()[:4000])
    odd = write_nexus_scan(folder / "odd.h5", sample="x" * 201, instrument="id13", proposal="")
    absent, outside = folder / "absent.h5", Path(world.folder, "elsewhere.h5")
    outcomes = dict(register_paths([absent, good, outside, unknown, cut, odd], person=world.ivo))
    kinds = {path.name: type(outcome) for path, outcome in outcomes.items()}
    assert kinds == {
        "scan_0000.h5": Registered,
        "scan_0001.h5": RegistrationError,
        "absent.h5": RegistrationError,
        "elsewhere.h5": RegistrationError,
        "cut.h5": RefusedFileError,
        "odd.h5": RegistrationError,
    }
    assert Dataset.objects.count() == 1
    for outcome in outcomes.values():
        assert str(world.folder) not in str(outcome)


def test_the_same_files_again_are_the_same_datasets(world: World) -> None:
    paths = scans(Path(world.raw.root, "many"), 4)
    first = dict(register_paths(paths, person=None))
    write_nexus_scan(paths[3], title="Other", instrument="id13", seed=99)
    again = dict(register_paths([*paths, paths[0]], person=None))
    for path in paths[:3]:
        outcome, known = again[path], first[path]
        assert isinstance(outcome, Registered)
        assert isinstance(known, Registered)
        assert (outcome.is_new, outcome.dataset) == (False, known.dataset)
    assert isinstance(again[paths[3]], ContentChangedError)
    assert Dataset.objects.count() == 4


def test_one_file_named_twice_is_one_dataset(world: World) -> None:
    (path,) = scans(Path(world.raw.root, "many"), 1)
    outcomes = [outcome for _, outcome in register_paths([path, path], person=None)]
    assert sorted(it.is_new for it in outcomes if isinstance(it, Registered)) == [False, True]
    assert Dataset.objects.count() == 1


def test_whose_data_they_are_not_reads_none_of_them(world: World) -> None:
    paths = scans(Path(world.raw.root, "many"), 2)
    with pytest.raises(NotPermittedError):
        list(register_paths(paths, person=world.sten))
    assert not Dataset.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_files(world: World) -> None:
    counts = []
    for number in (3, 12):
        paths = scans(Path(world.raw.root, f"many{number}"), number)
        with CaptureQueriesContext(connection) as captured:
            outcomes = list(register_paths(paths, person=None))
        assert not [it for _, it in outcomes if isinstance(it, CatalogueError)]
        counts.append(len(captured))
    assert counts[1] <= counts[0]
