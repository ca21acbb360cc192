"""What did not register itself: who sees it, and what they do about it."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.models import Arrival, AuditEvent, Dataset, IngestRule, Instrument, Proposal
from catalogue.watching import watch_once
from tests.api.conftest import MachineOf, machine_of  # noqa: F401 - a fixture
from tests.builders import World, a_dataset
from tests.makers.nexus import write_nexus_scan

ClientOf = Callable[[str | None], Client]
State = Arrival.State

PAGE = "/steward/quarantine/"
API = "/api/v1/arrivals/"
KEY = "hg-172/id13/ceria/scan_0001.h5"


@pytest.fixture
def rule(world: World) -> IngestRule:
    return IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, policy=world.policy,
        watch="{proposal}/id13/{sample}/{scan}.h5", quiet_for_s=0,
    )  # fmt: skip


def an_arrival(rule: IngestRule, key: str = KEY, **changes: object) -> Arrival:
    now = timezone.now()
    fields = {
        "fingerprint": "f" * 64,
        "quiet_since": now - timedelta(hours=1),
        "seen_at": now,
        "state": State.QUARANTINED,
        "code": "file-incomplete",
        "reason": "The file says itself that the scan is not finished. Wait for its writer.",
        "attempts": 3,
    }
    return Arrival.objects.create(rule=rule, key=key, **(fields | changes))


def text_of(response: object) -> str:
    html = response.content.decode()  # type: ignore[attr-defined]  # the test client's response
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def press(client: Client, act: str, key: str = KEY, **fields: str) -> object:
    return client.post(PAGE, {"rule": "scans", "key": key, "act": act, **fields})


# Who sees it.


@pytest.mark.parametrize("name", ["ivo", "dana"])
def test_staff_and_data_stewards_see_what_was_refused_and_why(
    client_of: ClientOf, rule: IngestRule, name: str
) -> None:
    an_arrival(rule)
    words = text_of(client_of(name).get(PAGE))
    for said in (KEY, "scans", "file-incomplete", "the scan is not finished", "3 attempts"):
        assert said in words


@pytest.mark.parametrize("name", [None, "sten", "rea", "ines", "carlo"])
def test_nobody_else_learns_anything(
    client_of: ClientOf,
    machine_of: MachineOf,  # noqa: F811 - a fixture
    rule: IngestRule,
    name: str | None,
) -> None:
    an_arrival(rule)
    client, machine = client_of(name), machine_of(name)
    answers = [
        client.get(PAGE),
        press(client, "retry"),
        press(client, "dismiss", reason="no"),
        machine.get(API),
        machine.post(f"{API}retry/", {"rule": "scans", "key": KEY}, format="json"),
        machine.post(
            f"{API}dismiss/", {"rule": "scans", "key": KEY, "reason": "no"}, format="json"
        ),
    ]
    for answer in answers:
        assert answer.status_code in {401, 403}  # type: ignore[attr-defined]  # a response
        assert KEY not in answer.content.decode()  # type: ignore[attr-defined]  # a response
    assert Arrival.objects.get().state == State.QUARANTINED


def test_the_staff_of_another_instrument_sees_none_of_it(
    client_of: ClientOf,
    machine_of: MachineOf,  # noqa: F811 - a fixture
    world: World,
    rule: IngestRule,
) -> None:
    an_arrival(rule)
    other = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    other.staff.add(world.sten)
    client, machine = client_of("sten"), machine_of("sten")
    assert KEY not in text_of(client.get(PAGE))
    assert machine.get(API).json()["results"] == []
    assert press(client, "retry").status_code == 404  # type: ignore[attr-defined]  # a response
    for address, more in (("retry/", {}), ("dismiss/", {"reason": "no"})):
        hidden = machine.post(API + address, {"rule": "scans", "key": KEY, **more}, format="json")
        absent = machine.post(API + address, {"rule": "none", "key": KEY, **more}, format="json")
        assert hidden.status_code == 404
        assert hidden.content == absent.content


def test_a_dataset_under_the_name_is_linked_for_those_who_may_see_it(
    client_of: ClientOf,
    machine_of: MachineOf,  # noqa: F811 - a fixture
    world: World,
    rule: IngestRule,
) -> None:
    elsewhere = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    mine = a_dataset(world)
    hidden = a_dataset(world, instrument=elsewhere)
    an_arrival(rule, "a", code="content-changed", dataset=mine)
    an_arrival(rule, "b", code="content-changed", dataset=hidden)
    page = client_of("ivo").get(PAGE).content.decode()
    assert str(mine.pid) in page
    assert str(hidden.pid) not in page
    found = machine_of("ivo").get(API).json()["results"]
    assert {row["key"]: row["dataset"] for row in found} == {"a": str(mine.pid), "b": None}


# What they do.


def test_trying_again_takes_in_what_was_mended(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    path = Path(world.raw.root, KEY)
    path.parent.mkdir(parents=True)
    write_nexus_scan(path, instrument="id13")
    watch_once()
    mark = Arrival.objects.get().fingerprint
    Arrival.objects.update(state=State.QUARANTINED, code="euxfel-index", attempts=99)
    watch_once()
    assert Dataset.objects.count() == 0
    answer = press(client_of("ivo"), "retry")
    assert answer.status_code == 302  # type: ignore[attr-defined]  # a response
    watch_once()
    row = Arrival.objects.get()
    assert (row.state, row.code, row.fingerprint) == (State.REGISTERED, "", mark)
    assert row.dataset == Dataset.objects.get()
    event = AuditEvent.objects.get(act="arrival.retried")
    assert (event.person, event.subject) == (world.ivo, KEY)


def test_setting_aside_needs_a_reason_and_is_audited(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    an_arrival(rule)
    client = client_of("dana")
    refused = press(client, "dismiss", reason="  ")
    assert refused.status_code == 422  # type: ignore[attr-defined]  # a response
    assert "Say why it is set aside" in text_of(refused)
    assert not AuditEvent.objects.exists()
    press(client, "dismiss", reason="A test of the detector.")
    row = Arrival.objects.get()
    assert (row.state, row.reason) == (State.DISMISSED, "Dana: A test of the detector.")
    event = AuditEvent.objects.get()
    assert (event.act, event.reason) == ("arrival.dismissed", "A test of the detector.")
    assert event.old["code"] == "file-incomplete"
    assert KEY in text_of(client.get(f"{PAGE}?state=dismissed"))


def test_what_is_set_aside_stays_so_until_its_files_change(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    path = Path(world.raw.root, KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no HDF5")
    watch_once()
    watch_once()
    press(client_of("ivo"), "dismiss", reason="A test")
    watch_once()
    assert Arrival.objects.get().state == State.DISMISSED
    write_nexus_scan(path, instrument="id13")
    watch_once()
    watch_once()
    assert Arrival.objects.get().state == State.REGISTERED


def test_a_proposal_is_chosen_for_data_of_an_unknown_one(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    key = KEY.replace("hg-172", "hg-127")  # two digits swapped
    path = Path(world.raw.root, key)
    path.parent.mkdir(parents=True)
    write_nexus_scan(path, instrument="id13")
    watch_once()
    watch_once()
    client = client_of("ivo")
    assert "Choose a proposal" in text_of(client.get(PAGE))
    refused = press(client, "choose", key, proposal="hg-271")
    assert refused.status_code == 422  # type: ignore[attr-defined]  # a response
    assert "Proposal hg-271 is not known" in text_of(refused)
    press(client, "choose", key, proposal="hg-172")
    watch_once()
    assert Dataset.objects.get().guards.get().proposal == world.proposal
    event = AuditEvent.objects.get()
    assert event.act == "arrival.proposal"
    assert event.new == {"rule": "scans", "key": key, "proposal": "hg-172"}


def test_a_choice_is_remembered_when_the_files_change_before_they_are_read(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    key = KEY.replace("hg-172", "hg-127")
    path = Path(world.raw.root, key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut off")
    watch_once()
    watch_once()
    press(client_of("ivo"), "choose", key, proposal="hg-172")
    watch_once()
    assert Arrival.objects.get().code == "file-unreadable"
    write_nexus_scan(path, instrument="id13")
    watch_once()
    watch_once()
    assert Dataset.objects.get().guards.get().proposal == world.proposal


def test_a_proposal_of_another_facility_cannot_be_chosen(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    an_arrival(rule, code="no-proposal")
    facility = type(world.facility).objects.create(slug="x", name="X", timezone="UTC")
    Proposal.objects.create(facility=facility, number="x-1", title="Elsewhere")
    assert press(client_of("ivo"), "choose", proposal="x-1").status_code == 422  # type: ignore[attr-defined]  # a response


def test_what_is_registered_meanwhile_is_not_touched(client_of: ClientOf, rule: IngestRule) -> None:
    an_arrival(rule, state=State.REGISTERED, code="", reason="")
    client = client_of("ivo")
    for act, more in (("retry", {}), ("dismiss", {"reason": "Too late"})):
        answer = press(client, act, **more)
        assert answer.status_code == 422  # type: ignore[attr-defined]  # a response
    assert Arrival.objects.get().state == State.REGISTERED
    assert not AuditEvent.objects.exists()


# The page and its twin.


def test_a_page_costs_the_same_for_one_and_for_fifty(
    client_of: ClientOf, world: World, rule: IngestRule
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(PAGE).status_code == 200
        return len(captured)

    client = client_of("dana")
    an_arrival(rule)
    client.get(PAGE)
    one = cost()
    for number in range(60):
        an_arrival(rule, f"{KEY}.{number}", dataset=a_dataset(world) if number < 3 else None)
    assert cost() == one


def test_names_are_shown_as_text_and_do_not_turn_the_line(
    client_of: ClientOf, rule: IngestRule
) -> None:
    an_arrival(rule, "hg-172/id13/<script>alert(1)</script>.h5")
    page = client_of("dana").get(PAGE).content.decode()
    assert "<script>alert" not in page
    assert "<bdi>" in page


def test_machines_list_retry_and_dismiss(
    machine_of: MachineOf,  # noqa: F811 - a fixture
    rule: IngestRule,
) -> None:
    an_arrival(rule)
    an_arrival(rule, "other", state=State.WAITING, code="", reason="")
    machine = machine_of("ivo")
    (row,) = machine.get(API, {"state": "quarantined"}).json()["results"]
    assert (row["rule"], row["key"], row["code"]) == ("scans", KEY, "file-incomplete")
    assert (row["instrument"], row["attempts"], row["dataset"]) == ("id13", 3, None)
    named = {"rule": "scans", "key": KEY}
    again = machine.post(f"{API}retry/", named, format="json")
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    aside = machine.post(f"{API}dismiss/", named | {"reason": "A test"}, format="json")
    assert (aside.status_code, aside.json()["state"]) == (200, "dismissed")
    blank = machine.post(f"{API}dismiss/", named | {"reason": ""}, format="json")
    assert blank.status_code == 400
    wrong = machine.post(f"{API}retry/", named | {"proposal": "hg-0"}, format="json")
    assert wrong.status_code == 422
    Arrival.objects.update(state=State.REGISTERED)
    assert machine.post(f"{API}retry/", named, format="json").status_code == 409


def test_the_list_comes_in_pages_without_gaps(
    machine_of: MachineOf,  # noqa: F811 - a fixture
    rule: IngestRule,
) -> None:
    for number in range(5):
        an_arrival(rule, f"scan {number}")
    machine, address, keys = machine_of("dana"), f"{API}?page_size=2", []
    while address:
        page = machine.get(address).json()
        keys += [row["key"] for row in page["results"]]
        address = page["next"]
    assert sorted(keys) == [f"scan {number}" for number in range(5)]
