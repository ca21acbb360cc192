"""New data register themselves once they are complete, and nothing is passed over in silence."""

import os
import shutil
import threading
import unicodedata
from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from catalogue.models import Arrival, Dataset, IngestRule, Proposal
from catalogue.watching import look_around, read_due, watch_once
from catalogue.watching.tree import Acquisition, Pattern, walk
from demo.makers.euxfel import write_euxfel_run
from tests.builders import World
from tests.makers.nexus import write_nexus_scan

State = Arrival.State


@pytest.fixture
def rule(world: World) -> IngestRule:
    """ID13's scans, complete after a minute of quiet."""
    return a_rule(world)


def a_rule(world: World, watch: str = "{proposal}/id13/{sample}/{scan}.h5", **changes: object):  # type: ignore[no-untyped-def]  # a row
    fields = {
        "slug": "scans",
        "instrument": world.instrument,
        "store": world.raw,
        "policy": world.policy,
        "quiet_for_s": 60,
    }
    return IngestRule.objects.create(watch=watch, **(fields | changes))


def a_scan(world: World, name: str = "hg-172/id13/ceria/scan_0001.h5", **changes: object) -> Path:
    path = Path(world.raw.root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"instrument": "id13", "proposal": "hg-172"} | changes
    return write_nexus_scan(path, **said)  # type: ignore[arg-type]  # as the maker takes them


def a_run(world: World) -> None:
    """The folder r0149 of a run of European XFEL."""
    folder = Path(world.raw.root, "hg-172/raw")
    folder.mkdir(parents=True)
    write_euxfel_run(folder)


def let_pass(seconds: float) -> None:
    """Let time go by: what was seen now was seen so long ago."""
    for row in Arrival.objects.all():
        age = timedelta(seconds=seconds)
        Arrival.objects.filter(pk=row.pk).update(
            quiet_since=row.quiet_since - age, seen_at=row.seen_at - age
        )


def settle() -> None:
    """Look, let a minute of quiet go by, and look again."""
    watch_once()
    let_pass(61)
    watch_once()


def the_arrival(key: str = "hg-172/id13/ceria/scan_0001.h5") -> Arrival:
    return Arrival.objects.get(key=key)


def ended(row: Arrival) -> tuple[str, str]:
    row.refresh_from_db()
    return row.state, row.code


# From the first look to a dataset.


def test_a_scan_registers_itself_after_its_time_of_quiet(world: World, rule: IngestRule) -> None:
    a_scan(world)
    watch_once()
    assert ended(the_arrival()) == (State.WAITING, "")
    let_pass(59)
    watch_once()
    assert Dataset.objects.count() == 0, "59 seconds are not a minute"
    let_pass(2)
    watch_once()
    row = the_arrival()
    assert row.state == State.REGISTERED
    assert row.dataset == Dataset.objects.get()
    assert row.dataset.guards.get().proposal == world.proposal


def test_a_file_that_grows_is_waited_for(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    watch_once()
    let_pass(61)
    with path.open("ab") as file:
        file.write(b"more")
    watch_once()
    assert ended(the_arrival()) == (State.WAITING, "")
    assert Dataset.objects.count() == 0, "it has been quiet for no time at all"


def test_a_wrong_clock_of_the_detector_does_not_matter(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    os.utime(path, (4e9, 4e9))  # in the year 2096
    settle()
    assert the_arrival().state == State.REGISTERED


def test_a_rule_that_is_not_watched_registers_nothing(world: World, rule: IngestRule) -> None:
    IngestRule.objects.update(is_watched=False)
    a_scan(world)
    settle()
    assert not Arrival.objects.exists()


def test_the_first_rule_that_speaks_of_a_path_decides_also_if_it_is_not_watched(
    world: World, rule: IngestRule
) -> None:
    a_rule(world, slug="a-calibration", watch="{proposal}/id13/lab6/{scan}.h5", is_watched=False)
    a_scan(world, "hg-172/id13/lab6/scan_0001.h5")
    a_scan(world)
    watch_once()
    assert [row.key for row in Arrival.objects.all()] == ["hg-172/id13/ceria/scan_0001.h5"]


def test_the_end_marker_is_waited_for_however_quiet_the_file(
    world: World, rule: IngestRule
) -> None:
    IngestRule.objects.update(end_marker="{scan}.done")
    path = a_scan(world)
    settle()
    row = the_arrival()
    assert (row.state, row.reason) == (State.WAITING, "Waits for its end marker scan_0001.done.")
    path.with_name("scan_0001.done").touch()
    watch_once()
    assert the_arrival().state == State.REGISTERED


def test_a_european_xfel_run_is_registered_as_a_folder(world: World) -> None:
    a_rule(world, "{proposal}/raw/{run}")
    a_run(world)
    settle()
    row = the_arrival("hg-172/raw/r0149")
    assert (row.state, row.code) == (State.REGISTERED, "")
    assert Dataset.objects.get().content == "euxfel-run"


def test_an_empty_folder_is_no_acquisition_yet(world: World) -> None:
    a_rule(world, "{proposal}/raw/{run}")
    folder = Path(world.raw.root, "hg-172/raw/r0149")
    folder.mkdir(parents=True)
    settle()
    assert not Arrival.objects.exists()


def test_what_copiers_write_under_a_hidden_name_is_left_alone(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world)
    path.rename(path.with_name(".scan_0001.h5.Xy12"))
    settle()
    assert not Arrival.objects.exists()


# What is not whole, or not allowed.


def test_a_file_that_a_full_disk_cut_off_is_quarantined_and_heals(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    settle()
    row = the_arrival()
    assert ended(row) == (State.QUARANTINED, "file-unreadable")
    assert "cut off" in row.reason
    assert world.raw.root not in row.reason
    path.write_bytes(whole)
    settle()
    assert ended(row) == (State.REGISTERED, "")
    assert row.reason == ""


def test_a_file_without_its_required_field_is_quarantined(world: World, rule: IngestRule) -> None:
    IngestRule.objects.update(required_fields=["/entry/end_time"])
    a_scan(world, end=None)
    settle()
    row = the_arrival()
    assert ended(row) == (State.QUARANTINED, "file-incomplete")
    assert "/entry/end_time" in row.reason


def test_a_writers_lock_is_waited_for(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    with h5py.File(path, "r+", locking=True) as file:
        settle()
        assert ended(the_arrival()) == (State.WAITING, "file-changing")
        assert file["entry/title"]
    settle()  # closing it has changed it
    assert the_arrival().state == State.REGISTERED


def test_a_refused_file_is_looked_at_again_ever_more_rarely(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    path.write_bytes(b"no HDF5")
    settle()
    row = the_arrival()
    tries = []
    for _ in range(12):
        watch_once()
        row.refresh_from_db()
        tries.append(row.attempts)
        let_pass(61)
    assert tries[0] == 1
    assert tries[-1] < 6, "some minutes are no reason to read it each minute"


def test_a_linked_file_that_is_not_there_yet_is_waited_for(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    with h5py.File(path, "r+") as file:
        file["entry/extra"] = h5py.ExternalLink("frames.data", "/entry/data/data")
    settle()
    row = the_arrival()
    assert ended(row) == (State.QUARANTINED, "file-incomplete")
    assert "the linked file frames.data is not there" in row.reason
    write_nexus_scan(path.with_name("frames.data"))
    let_pass(61)
    watch_once()
    assert ended(row) == (State.REGISTERED, "")
    assert Dataset.objects.get().file_count == 2


@pytest.mark.parametrize("number", ["hg-999", "HG-172"])
def test_data_of_an_unknown_proposal_wait_until_it_appears(
    world: World, rule: IngestRule, number: str
) -> None:
    key = f"{number}/id13/ceria/scan_0001.h5"
    a_scan(world, key)
    settle()
    row = the_arrival(key)
    assert ended(row) == (State.QUARANTINED, "no-proposal")
    assert f"Proposal {number} is not known" in row.reason
    watch_once()
    Proposal.objects.create(facility=world.facility, number=number, title="Added later")
    watch_once()
    assert ended(row) == (State.REGISTERED, "")
    assert Dataset.objects.get().guards.get().proposal.number == number  # type: ignore[union-attr]  # it has one


def test_an_unknown_proposal_is_found_without_reading_the_data(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world, "hg-999/id13/ceria/scan_0001.h5")
    path.write_bytes(b"whatever it is")
    settle()
    assert Arrival.objects.get().code == "no-proposal"


def test_an_instrument_declared_with_another_name_is_no_silence(
    world: World, rule: IngestRule
) -> None:
    """The rule's instrument counts, whatever the file says of itself."""
    a_scan(world, instrument="ID22")
    settle()
    assert Dataset.objects.get().instrument == world.instrument


# The same again, and something else under the same name.


def test_the_same_files_again_are_the_same_dataset(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    settle()
    body = path.read_bytes()
    path.unlink()
    path.write_bytes(body)  # with a new time of change
    settle()
    assert Dataset.objects.count() == 1
    assert ended(the_arrival()) == (State.REGISTERED, "")


def test_other_content_under_the_same_name_is_never_silent(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    settle()
    digest = Dataset.objects.get().digest
    a_scan(world, seed=7)
    settle()
    row = the_arrival()
    assert ended(row) == (State.QUARANTINED, "content-changed")
    assert row.dataset == Dataset.objects.get()
    assert Dataset.objects.get().digest == digest
    attempts = row.attempts
    let_pass(1e6)
    watch_once()
    row.refresh_from_db()
    assert row.attempts == attempts, "time does not mend it: it is not read again and again"
    assert path.exists()


def test_so_is_other_content_of_a_file_that_it_links_to(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    beside = path.with_name("frames.data")
    shutil.copy(path, beside)
    with h5py.File(path, "r+") as file:
        file["entry/extra"] = h5py.ExternalLink("frames.data", "/entry/data/data")
    settle()
    assert the_arrival().state == State.REGISTERED
    assert Dataset.objects.get().file_count == 2
    watch_once()
    assert the_arrival().state == State.REGISTERED
    write_nexus_scan(beside, seed=9)
    settle()
    assert ended(the_arrival()) == (State.QUARANTINED, "content-changed")


def test_what_was_registered_by_hand_is_known_without_reading_it_again(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world)
    settle()
    Arrival.objects.all().delete()  # as after a rule was renamed
    watch_once()
    let_pass(61)
    found = look_around()
    assert found.due == []
    assert ended(the_arrival()) == (State.REGISTERED, "")
    assert the_arrival().dataset == Dataset.objects.get()
    assert path.exists()


def test_a_folder_registered_by_hand_is_known_as_well(world: World) -> None:
    a_rule(world, "{proposal}/raw/{run}")
    a_run(world)
    settle()
    Arrival.objects.all().delete()
    watch_once()
    let_pass(61)
    assert look_around().due == []
    assert Arrival.objects.get().state == State.REGISTERED


# Moved, gone, away.


def test_a_source_that_goes_before_it_is_complete_has_vanished(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world)
    a_scan(world, "hg-172/id13/ceria/scan_0002.h5")
    watch_once()
    path.unlink()
    settle()
    assert ended(the_arrival()) == (State.VANISHED, "")
    a_scan(world)
    settle()
    assert ended(the_arrival()) == (State.REGISTERED, "")


def test_a_source_that_moves_is_registered_where_it_went(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    watch_once()
    path.rename(path.with_name("scan_0007.h5"))
    settle()
    assert ended(the_arrival()) == (State.VANISHED, "")
    assert ended(the_arrival("hg-172/id13/ceria/scan_0007.h5")) == (State.REGISTERED, "")


def test_a_store_that_is_not_mounted_changes_nothing(world: World, rule: IngestRule) -> None:
    a_scan(world)
    watch_once()
    let_pass(61)
    root = Path(world.raw.root)
    root.rename(root.with_name("unplugged"))
    assert watch_once()[0].away == ["raw"]
    root.mkdir()  # the mount point, empty
    assert watch_once()[0].away == ["raw"]
    assert ended(the_arrival()) == (State.WAITING, "")
    root.rmdir()
    root.with_name("unplugged").rename(root)
    watch_once()
    assert the_arrival().state == State.REGISTERED


def test_a_store_that_goes_while_it_is_read_is_tried_again(world: World, rule: IngestRule) -> None:
    a_scan(world)
    watch_once()
    let_pass(61)
    due = look_around().due
    root = Path(world.raw.root)
    root.rename(root.with_name("unplugged"))
    read_due(due, threading.Event())
    row = the_arrival()
    assert ended(row) == (State.WAITING, "no-storage")
    assert row.attempts == 1
    root.with_name("unplugged").rename(root)
    watch_once()
    assert row.state == State.WAITING, "it rests for a minute"
    let_pass(61)
    watch_once()
    assert ended(row) == (State.REGISTERED, "")


def test_a_source_that_goes_while_it_is_read_has_vanished(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    a_scan(world, "hg-172/id13/ceria/scan_0002.h5")
    watch_once()
    let_pass(61)
    due = look_around().due
    path.unlink()
    read_due(due, threading.Event())
    assert ended(the_arrival()) == (State.VANISHED, "")


def test_a_file_that_changes_under_the_reader_is_waited_for_again(
    world: World, rule: IngestRule
) -> None:
    path = a_scan(world)
    watch_once()
    let_pass(61)
    due = look_around().due
    path.write_bytes(b"overwritten")
    read_due(due, threading.Event())
    assert ended(the_arrival()) == (State.WAITING, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_makes_nothing_vanish(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    watch_once()
    path.parent.chmod(0)
    try:
        assert watch_once()[0].unread == 1
    finally:
        path.parent.chmod(0o755)
    assert ended(the_arrival()) == (State.WAITING, "")


def test_what_a_rule_no_longer_speaks_of_is_forgotten_not_vanished(
    world: World, rule: IngestRule
) -> None:
    a_scan(world)
    watch_once()
    IngestRule.objects.update(watch="{proposal}/id13/{sample}/{scan}.nxs")
    watch_once()
    assert not Arrival.objects.exists()


# Names.


def test_a_name_that_is_not_utf8_is_shown_and_refused(world: World, rule: IngestRule) -> None:
    path = a_scan(world)
    path.rename(path.with_name("caf\udce9.h5"))
    settle()
    row = Arrival.objects.get()
    assert ended(row) == (State.QUARANTINED, "file-unsafe")
    assert "not UTF-8" in row.reason
    assert "caf\\xe9.h5" in row.key


@pytest.mark.parametrize(
    "name", ["scan\n0001.h5", "scan\u202e5h.1000.h5", "scan\u200b1.h5", "scan\x1b[31m.h5"]
)
def test_a_name_with_unseen_characters_is_refused_in_plain_letters(
    world: World, rule: IngestRule, name: str
) -> None:
    a_scan(world, f"hg-172/id13/ceria/{name}")
    settle()
    row = Arrival.objects.get()
    assert ended(row) == (State.QUARANTINED, "file-unsafe")
    assert row.key.isprintable()
    assert "Rename it" in row.reason


def test_names_in_every_script_are_welcome(world: World, rule: IngestRule) -> None:
    for name in ("Probe Ä (2).h5", "試料 عينة.h5", "a'b\"c\\d.h5"):
        a_scan(world, f"hg-172/id13/ceria/{name}")
    settle()
    assert set(Arrival.objects.values_list("state", flat=True)) == {State.REGISTERED}
    assert Dataset.objects.count() == 3


def test_two_spellings_of_one_name_are_not_both_taken(world: World, rule: IngestRule) -> None:
    composed = unicodedata.normalize("NFC", "café.h5")
    apart = unicodedata.normalize("NFD", "café.h5")
    a_scan(world, f"hg-172/id13/ceria/{composed}")
    a_scan(world, f"hg-172/id13/ceria/{apart}")
    settle()
    states = dict(Arrival.objects.values_list("key", "state"))
    assert states == {
        f"hg-172/id13/ceria/{composed}": State.REGISTERED,
        f"hg-172/id13/ceria/{apart}": State.QUARANTINED,
    }


def test_a_spelling_with_accents_apart_is_taken_if_it_is_alone(
    world: World, rule: IngestRule
) -> None:
    apart = unicodedata.normalize("NFD", "café.h5")
    a_scan(world, f"hg-172/id13/ceria/{apart}")
    settle()
    assert Arrival.objects.get().state == State.REGISTERED
    assert Dataset.objects.get().files.get().path == apart


def test_names_that_differ_in_case_are_two_acquisitions(world: World, rule: IngestRule) -> None:
    a_scan(world, "hg-172/id13/ceria/Scan.h5")
    a_scan(world, "hg-172/id13/ceria/scan.h5", seed=3)
    settle()
    assert Dataset.objects.count() == 2


def test_a_link_out_of_the_store_is_refused(world: World, rule: IngestRule, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "id13" / "ceria"
    outside.mkdir(parents=True)
    write_nexus_scan(outside / "scan_0001.h5")
    raw = Path(world.raw.root)
    a_scan(world, "hg-172/id13/lead/scan_0001.h5")
    (raw / "hg-172/id13/lead/scan_0002.h5").symlink_to(outside / "scan_0001.h5")
    (raw / "hg-172/id13/ceria").symlink_to(outside)
    (raw / "hg-172/id13/latest").symlink_to("lead")
    settle()
    states = dict(Arrival.objects.values_list("key", "state"))
    assert states == {
        "hg-172/id13/lead/scan_0001.h5": State.REGISTERED,
        "hg-172/id13/lead/scan_0002.h5": State.QUARANTINED,
        "hg-172/id13/ceria": State.QUARANTINED,
    }


def test_a_pipe_is_refused_and_nobody_waits_at_it(world: World, rule: IngestRule) -> None:
    folder = a_scan(world).parent
    os.mkfifo(folder / "pipe.h5")
    settle()
    assert ended(the_arrival("hg-172/id13/ceria/pipe.h5")) == (State.QUARANTINED, "file-unsafe")


def test_a_folder_of_another_store_inside_is_not_entered(world: World, rule: IngestRule) -> None:
    inner = Path(world.raw.root, "hg-172/id13/ceria")
    world.products.root = str(inner)
    world.products.save()
    a_scan(world)
    settle()
    assert not Arrival.objects.exists()


# Large and many.


def many_known(world: World, rule: IngestRule, count: int) -> None:
    """Registered acquisitions in ten folders, as they look after their first day."""
    for number in range(count):
        path = Path(world.raw.root, f"hg-172/id13/s{number % 10}/scan_{number:06d}.h5")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    watch_once()
    Arrival.objects.update(state=State.REGISTERED)


def test_a_known_tree_costs_a_fixed_number_of_statements_per_thousand(
    world: World, rule: IngestRule
) -> None:
    many_known(world, rule, 3000)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            found = look_around()
        assert found.due == []
        return len(captured)

    three = statements()
    for path in Path(world.raw.root).rglob("*[5-9].h5"):
        path.unlink()
    assert three - statements() <= 2
    assert three <= 8


def test_a_dataset_of_ten_thousand_files_registers(world: World) -> None:
    a_rule(world, "{proposal}/tomo/{series}")
    folder = Path(world.raw.root, "hg-172/tomo/fossil")
    folder.mkdir(parents=True)
    frame = folder / "frame_00000.tif"
    Image.fromarray(np.arange(64, dtype="u2").reshape(8, 8)).save(frame)
    body = frame.read_bytes()
    for number in range(1, 10_000):
        (folder / f"frame_{number:05d}.tif").write_bytes(body + str(number).encode())
    settle()
    assert ended(the_arrival("hg-172/tomo/fossil")) == (State.REGISTERED, "")
    dataset = Dataset.objects.get()
    assert (dataset.content, dataset.file_count) == ("image-series", 10_000)
    with CaptureQueriesContext(connection) as captured:
        assert look_around().due == []
    assert len(captured) <= 6, "a folder tells all of its files by one fingerprint"


# Two at once, and one that is killed.


def test_a_registration_whose_note_was_lost_is_not_made_twice(
    world: World, rule: IngestRule
) -> None:
    """As if the process was killed between the dataset's commit and the arrival's."""
    a_scan(world)
    settle()
    Arrival.objects.update(state=State.WAITING, dataset=None, attempts=0)
    watch_once()
    let_pass(61)
    found, _ = watch_once()
    assert found.due == [], "names, sizes and times tell that it is registered"
    assert Dataset.objects.count() == 1
    assert the_arrival().state == State.REGISTERED


def test_what_another_steward_has_registered_meanwhile_is_left_alone(
    world: World, rule: IngestRule
) -> None:
    a_scan(world)
    watch_once()
    let_pass(61)
    due = look_around().due
    assert read_due(due, threading.Event())["new"] == 1
    assert read_due(due, threading.Event()) == {}, "the row is not as it was seen"
    assert Dataset.objects.count() == 1


# The walk alone.


def test_a_pattern_leads_only_where_its_files_can_lie() -> None:
    pattern = Pattern("{proposal}/id13/{sample}/{sample}_{scan}.h5")
    assert pattern.leads_through("hg-172")
    assert pattern.leads_through("hg-172/id13")
    assert not pattern.leads_through("hg-172/id22")
    assert not pattern.leads_through("hg-172/id13/ceria/ceria_1.h5")
    assert pattern.read("hg-172/id13/ceria/ceria_1.h5") == {
        "proposal": "hg-172", "sample": "ceria", "scan": "1",
    }  # fmt: skip
    assert pattern.read("hg-172/id13/ceria/lead_1.h5") is None


def test_a_folder_that_no_rule_speaks_of_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "scratch" / "deep").mkdir(parents=True)
    (tmp_path / "scratch" / "deep" / "a.h5").touch()
    (tmp_path / "raw" / "deep").mkdir(parents=True)
    (tmp_path / "raw" / "deep" / "a.h5").touch()
    (tmp_path / "scratch").chmod(0o700)
    found = list(walk(tmp_path, [Pattern("raw/{sample}/{scan}.h5")]))
    assert [one.relative for one in found] == ["raw/deep/a.h5"]


def test_the_fingerprint_tells_names_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    first = tmp_path / "run" / "a"
    first.write_bytes(b"1")

    def mark() -> str:
        (one,) = walk(tmp_path, [Pattern("{run}")])
        assert isinstance(one, Acquisition)
        return one.fingerprint()

    marks = [mark()]
    os.utime(first, (1, 1))
    marks.append(mark())
    first.write_bytes(b"12")
    os.utime(first, (1, 1))
    marks.append(mark())
    first.rename(first.with_name("b"))
    marks.append(mark())
    assert len(set(marks)) == 4
    assert mark() == marks[-1]
