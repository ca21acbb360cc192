"""[embargo.<id>] of facility.toml: every key, faults by line, and what a change moves."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from catalogue.access import access_state
from catalogue.embargo import rulings
from catalogue.embargo.dates import add_months, local_date, settle
from catalogue.errors import DeclarationError
from catalogue.models import AuditEvent, Dataset, EmbargoPolicy, Facility, Guard
from processing.declaration import apply, plan, read_declaration
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_product, day_of

HEAD = """\
schema = 1
[facility]
id = "demo"
name = "Demo light source"
timezone = "Europe/Paris"

[storage]
raw = { kind = "posix", root = "raw", read_only = true }
products = { kind = "posix", root = "products" }
archive = { kind = "posix", root = "archive" }

[instrument.id13]
name = "ID13 micro-XRD"
staff = ["ivo"]

[embargo.default]
"""
FIRST = HEAD.count("\n") + 1  # the line of a policy's first key

FULL = """\
period = "P6M"
from = "proposal.end_time"
metadata = "at_end"
extension = { period = "P2Y", times = 3, notice = "P4W" }
early_release = "team"
products = "releasable"
proprietary = true
remind = ["P7D", "P60D", "P7D"]
after = { access = "open", licence = "cc0-1.0" }
retention = "P15Y"
"""


def declare(folder: Path, keys: str = "", **changes: str) -> Path:
    text = HEAD + keys
    for before, after in changes.values():
        text = text.replace(before, after)
    file = folder / "facility.toml"
    file.write_text(text)
    return file


def test_a_policy_without_keys_has_the_usual_ones(db: None, tmp_path: Path) -> None:
    head = HEAD.replace('staff = ["ivo"]\n', "")
    (tmp_path / "facility.toml").write_text(head)
    apply(read_declaration(tmp_path / "facility.toml"))
    policy = EmbargoPolicy.objects.values().get()
    assert {name: policy[name] for name in policy if name not in {"id", "slug"}} == {
        "months": 36, "starts_with": "dataset.end_time", "licence": "CC-BY-4.0",
        "metadata": "at_release", "extension_months": 12, "extension_times": 1,
        "extension_notice_days": 14, "early_release": "pi", "products": "inherit",
        "proprietary": False, "remind_days": [90, 30, 7], "retention_months": 120,
    }  # fmt: skip


def test_every_key_of_a_policy_is_stored(world: World, tmp_path: Path) -> None:
    file = declare(tmp_path, FULL)
    apply(read_declaration(file))
    policy = EmbargoPolicy.objects.values().get()
    assert {name: policy[name] for name in policy if name not in {"id", "slug"}} == {
        "months": 6, "starts_with": "proposal.end_time", "licence": "CC0-1.0",
        "metadata": "at_end", "extension_months": 24, "extension_times": 3,
        "extension_notice_days": 28, "early_release": "team", "products": "releasable",
        "proprietary": True, "remind_days": [60, 7], "retention_months": 180,
    }  # fmt: skip
    assert apply(read_declaration(file)) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "reason"),
    [
        ('"P6M"', '"P6D"', 0, "period", "P3Y or P6M"),
        ('"P6M"', '"P101Y"', 0, "period", "a century"),
        ("proposal.end_time", "proposal.start", 1, "from", "should be"),
        ("at_end", "at_once", 2, "metadata", "should be"),
        ('"P2Y"', '"2 years"', 3, "extension.period", "P3Y or P6M"),
        ("times = 3", "times = -1", 3, "extension.times", "greater"),
        ('"P4W"', '"P1M"', 3, "extension.notice", "P14D or P2W"),
        ("times = 3", "often = 3", 3, "extension.often", "no key"),
        ('"team"', '"everybody"', 4, "early_release", "should be"),
        ('"releasable"', '"free"', 5, "products", "should be"),
        ("proprietary = true", 'proprietary = "very"', 6, "proprietary", "boolean"),
        ('"P60D"', '"P2M"', 7, "remind.1", "P14D or P2W"),
        ("cc0-1.0", "CC-BY-9.0", 8, "after.licence", "SPDX list"),
        ('access = "open"', 'access = "shut"', 8, "after.access", "should be"),
        ("P15Y", "P15D", 9, "retention", "P3Y or P6M"),
        ("retention", "retain", 9, "retain", "no key"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_line_and_key_and_nothing_is_stored(
    world: World, tmp_path: Path, before: str, after: str, line: int, key: str, reason: str
) -> None:
    assert before in FULL
    old = EmbargoPolicy.objects.values().get()
    with pytest.raises(DeclarationError) as refused:
        apply(read_declaration(declare(tmp_path, FULL.replace(before, after))))
    (fault,) = refused.value.faults
    assert (fault.line, fault.key) == (FIRST + line, f"embargo.default.{key}")
    assert reason in fault.reason
    assert EmbargoPolicy.objects.values().get() == old


@pytest.fixture
def declared(world: World, tmp_path: Path) -> Path:
    """A file that says what the world has, three years."""
    file = declare(tmp_path)
    apply(read_declaration(file))
    return tmp_path


def ended_on(dataset: Dataset) -> date:
    assert dataset.end_time is not None
    return local_date(dataset.end_time, "Europe/Paris")


def test_a_changed_period_moves_closed_data_and_their_products(
    world: World, declared: Path
) -> None:
    scan = a_dataset(world)
    product = a_product(world, scan)
    file = declare(declared, 'period = "P1Y"\n')
    expected = add_months(ended_on(scan), 12)
    planned = [str(change) for change in plan(read_declaration(file)).changes]
    assert f"move    1 closed dataset under embargo default  (to open on {expected})" in planned
    assert day_of(scan) == add_months(ended_on(scan), 36), "a plan moves nothing"
    assert [str(change) for change in apply(read_declaration(file))] == planned
    assert day_of(scan) == day_of(product) == expected
    moved = AuditEvent.objects.get(act="embargo.recomputed")
    assert (moved.subject, moved.new["opens_on"]) == (str(scan.pid), expected.isoformat())
    assert "policy default" in moved.reason
    assert AuditEvent.objects.get(act="embargo.followed").subject == str(product.pid)


def test_open_data_whose_page_is_not_public_never_close_either(
    world: World, declared: Path
) -> None:
    opened = a_dataset(world, start_time=datetime.now(UTC) - timedelta(days=4 * 366))
    day = day_of(opened)
    Guard.objects.filter(dataset=opened).update(listed_on=None)
    settle([opened.pk])
    apply(read_declaration(declare(declared, 'period = "P10Y"\n')))
    assert day_of(opened) == day
    assert access_state(opened).is_open


def test_open_data_never_close_and_rulings_stand(world: World, declared: Path) -> None:
    four_years_ago = datetime.now(UTC) - timedelta(days=4 * 366)
    opened = a_dataset(world, start_time=four_years_ago)
    ruled, released = a_dataset(world), a_dataset(world)
    day = add_months(ended_on(ruled), 1)
    rulings.rule(world.dana, ruled, day, "why")
    rulings.release(world.ines, released, "why")
    before = [day_of(dataset) for dataset in (opened, ruled, released)]
    changes = apply(read_declaration(declare(declared, 'period = "P10Y"\n')))
    assert [change.action for change in changes] == ["change"]
    assert [day_of(dataset) for dataset in (opened, ruled, released)] == before


def test_data_become_proprietary_with_their_policy(world: World, declared: Path) -> None:
    scan = a_dataset(world)
    changes = apply(read_declaration(declare(declared, "proprietary = true\n")))
    assert str(changes[-1]).endswith("(without a day)")
    assert day_of(scan) is None
    assert scan.guards.get().is_proprietary


def test_a_policy_that_is_no_longer_declared_stays(world: World, declared: Path) -> None:
    file = declare(declared, "\n[embargo.paid]\nproprietary = true\n")
    apply(read_declaration(file))
    lines = [str(change) for change in apply(read_declaration(declare(declared)))]
    assert lines == ["keep    embargo paid  (no longer declared)"]


def test_midnight_moves_with_the_time_zone_of_the_facility(world: World, declared: Path) -> None:
    scan = a_dataset(world)
    paris = Dataset.objects.get(pk=scan.pk).opens_at
    apply(read_declaration(declare(declared, zone=("Europe/Paris", "Pacific/Kiritimati"))))
    assert Facility.objects.get().timezone == "Pacific/Kiritimati"
    there = Dataset.objects.get(pk=scan.pk).opens_at
    assert paris is not None
    assert there is not None
    assert timedelta(hours=11) < paris - there < timedelta(hours=15)
