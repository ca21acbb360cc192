"""How facility.toml says where new data appear, and when they are complete."""

from pathlib import Path

import pytest

from catalogue.errors import DeclarationError
from catalogue.models import IngestRule
from catalogue.patterns import check_marker, check_watch, fill, read_seconds
from processing.declaration import apply, read_declaration

DECLARATION = """\
schema = 1
[facility]
id = "demo"
name = "Demo light source"
timezone = "Europe/Paris"

[storage]
raw = { kind = "posix", root = "raw", read_only = true }
products = { kind = "posix", root = "products" }

[instrument.id13]
name = "ID13 micro-XRD"

[ingest.id13]
instrument = "id13"
store = "raw"
watch = "{proposal}/id13/{scan}.h5"
quiet_for = "5 min"
ready_when = { has = ["/entry/end_time"], end_marker = "{scan}.done" }

[embargo.default]
period = "P3Y"
"""


def declare(folder: Path, before: str = "", after: str = "") -> None:
    assert before in DECLARATION
    file = folder / "facility.toml"
    file.write_text(DECLARATION.replace(before, after))
    apply(read_declaration(file))


def test_a_rule_watches_unless_it_says_otherwise(db: None, tmp_path: Path) -> None:
    declare(tmp_path)
    rule = IngestRule.objects.get()
    assert (rule.is_watched, rule.quiet_for_s, rule.end_marker) == (True, 300, "{scan}.done")
    assert rule.required_fields == ["/entry/end_time"]
    declare(tmp_path, 'quiet_for = "5 min"', "watched = false")
    rule.refresh_from_db()
    assert (rule.is_watched, rule.quiet_for_s) == (False, 60)


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "reason"),
    [
        ('"5 min"', '"soon"', 18, "ingest.id13.quiet_for", "such as 60s"),
        ('"5 min"', '"0s"', 18, "ingest.id13.quiet_for", "at least a second"),
        ('"5 min"', '"25h"', 18, "ingest.id13.quiet_for", "at most a day"),
        ("{scan}.done", "done/{scan}", 19, "ingest.id13.ready_when.end_marker", "beside"),
        ("{scan}.done", "{run}.done", 19, "ingest.id13.ready_when", "{run}"),
        ("{proposal}/id13", "../{proposal}", 17, "ingest.id13.watch", "'..'"),
        ("{proposal}/id13", "/{proposal}", 17, "ingest.id13.watch", "below the root"),
        ("end_marker", "endmarker", 19, "ingest.id13.ready_when.endmarker", "no key"),
    ],
)
def test_a_fault_in_a_rule_is_told_by_line_and_key(
    db: None, tmp_path: Path, before: str, after: str, line: int, key: str, reason: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(tmp_path, before, after)
    (fault,) = refused.value.faults
    assert (fault.line, fault.key) == (line, key)
    assert reason in fault.reason
    assert not IngestRule.objects.exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("1 s", 1), ("5min", 300), ("1h", 3600), ("PT1M", 60), ("PT1H30S", 3630),
     ("PT24H", 86400)],
)  # fmt: skip
def test_times_are_read_in_both_spellings(text: str, seconds: int) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "PT", "P1D", "-5s", "1.5min", "60 S", "PT1M "])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 60s"):
        read_seconds(text)


@pytest.mark.parametrize("watch", ["", "/{a}", "{a}//{b}", "./{a}", "{a}/..", "{a}/", "{1}"])
def test_a_pattern_stays_inside_its_store(watch: str) -> None:
    with pytest.raises(ValueError, match=r"below the root|letters first"):
        check_watch(watch)


def test_an_end_marker_lies_beside_the_data() -> None:
    assert check_marker("{scan}.done") == "{scan}.done"
    for marker in ("..", "a/b", "/done"):
        with pytest.raises(ValueError, match="beside the data"):
            check_marker(marker)


def test_what_a_path_says_is_put_into_the_name_of_its_marker() -> None:
    named = {"scan": "scan_{0}", "sample": "a"}
    assert fill("{sample}-{scan}.done", named) == "a-scan_{0}.done"
    assert fill("{other}.done", named) == "{other}.done"
