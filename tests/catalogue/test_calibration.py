"""What a dataset calibrates: said by its team, on the page and by REST, with a trace."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client

from catalogue.models import AuditEvent, CalibrationConstant, Dataset
from tests.api.conftest import MachineOf, machine_of
from tests.builders import World, a_dataset
from tests.catalogue.closing import guarded
from tests.catalogue.test_pages import text_of

__all__ = ["machine_of"]  # the clients of REST, as a fixture

ClientOf = Callable[[str | None], Client]
NOON = "2026-06-01T12:00:00Z"
EVENING = "2026-06-01T18:00:00Z"
SAID = {
    "kind": "dark", "detector": "Eiger4M", "valid_from": NOON,
    "conditions": {"energy_kev": 12.4, "gain": "high"}, "reason": "Taken after the refill.",
}  # fmt: skip
FORM = {
    "kind": "dark", "detector": "Eiger4M", "module": "", "valid_from": "2026-06-01T12:00:00",
    "valid_to": "", "conditions": "energy_kev = 12.4\r\n\r\ngain = high\r\n",
    "reason": "Taken after the refill.",
}  # fmt: skip


def page_of(dataset: Dataset) -> str:
    return f"/datasets/{dataset.pid}/calibration/"


def rest_of(dataset: Dataset) -> str:
    return f"/api/v1/datasets/{dataset.pid}/calibration/"


def test_the_addresses_are_as_the_doors_say(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world, content="image")
    assert client_of("ines").get(page_of(dataset)).status_code == 200
    assert client_of("ines").get(rest_of(dataset)).status_code == 404  # nothing was said yet


def knock(page: Any, machine: Any, dataset: Dataset) -> list[int]:
    return [
        page.get(page_of(dataset)).status_code,
        page.post(page_of(dataset), FORM).status_code,
        machine.put(rest_of(dataset), SAID, format="json").status_code,
        machine.delete(rest_of(dataset)).status_code,
    ]


@pytest.mark.parametrize("name", ["sten", "rea", None])
def test_only_the_team_says_what_a_dataset_calibrates(
    client_of: ClientOf, machine_of: MachineOf, world: World, name: str | None
) -> None:
    dataset = a_dataset(world, content="image")
    assert machine_of("ines").put(rest_of(dataset), SAID, format="json").status_code == 200
    before = CalibrationConstant.objects.values().get()
    page, machine = client_of(name), machine_of(name)
    # Whoever is not signed in is asked to, before anything is looked up.
    hidden = [302, 302, 401, 401] if name is None else [404] * 4
    closed = hidden if name is None else [403] * 4
    assert knock(page, machine, dataset) == hidden
    assert machine.get(rest_of(dataset)).status_code == 404
    guarded(dataset, opens_on=date(2100, 1, 1), listed_on=date(2020, 1, 1))
    assert knock(page, machine, dataset) == closed
    assert machine.get(rest_of(dataset)).json()["kind"] == "dark", "its page is public"
    assert CalibrationConstant.objects.values().get() == before


@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana"])
def test_the_team_staff_and_stewards_say_it_and_the_log_tells(
    client_of: ClientOf, world: World, name: str
) -> None:
    dataset = a_dataset(world, content="image")
    answer = client_of(name).post(page_of(dataset), FORM)
    assert (answer.status_code, answer["Location"]) == (302, f"/datasets/{dataset.pid}/")
    constant = CalibrationConstant.objects.get()
    assert (constant.kind, constant.detector, constant.valid_to) == ("dark", "Eiger4M", None)
    assert constant.valid_from == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert constant.conditions == {"energy_kev": 12.4, "gain": "high"}
    event = AuditEvent.objects.get(act="calibration.said")
    assert (event.who, event.subject) == (name.title(), str(dataset.pid))
    assert (event.old, event.reason) == (None, FORM["reason"])
    assert event.new is not None
    assert event.new["kind"] == "dark"


def test_page_and_rest_say_the_same(
    client_of: ClientOf, machine_of: MachineOf, world: World
) -> None:
    dataset, machine = a_dataset(world, content="image"), machine_of("ines")
    said = machine.put(rest_of(dataset), SAID | {"valid_to": EVENING}, format="json").json()
    assert said == {
        "dataset": str(dataset.pid), "kind": "dark", "detector": "Eiger4M", "module": "",
        "valid_from": NOON, "valid_to": EVENING,
        "conditions": {"energy_kev": 12.4, "gain": "high"},
    }  # fmt: skip
    assert machine.get(rest_of(dataset)).json() == said
    shown = client_of("ines").get(page_of(dataset)).content.decode()
    assert 'value="2026-06-01T12:00:00"' in shown
    assert 'value="2026-06-01T18:00:00"' in shown
    assert "energy_kev = 12.4" in shown
    assert "gain = high" in shown


def test_saying_the_same_again_leaves_no_trace_and_forgetting_one(
    machine_of: MachineOf, world: World
) -> None:
    dataset, machine = a_dataset(world, content="image"), machine_of("ines")
    for _ in range(2):
        machine.put(rest_of(dataset), SAID, format="json")
    assert AuditEvent.objects.filter(act="calibration.said").count() == 1
    for _ in range(2):
        assert machine.delete(f"{rest_of(dataset)}?reason=Not+dark").status_code == 204
    assert machine.get(rest_of(dataset)).status_code == 404
    old, new = AuditEvent.objects.filter(act="calibration.said").order_by("pk")
    assert (old.new, new.old, new.new, new.reason) == (new.old, old.new, None, "Not dark")


@pytest.mark.parametrize("end", [NOON, "2026-06-01T11:59:59Z"])
def test_what_ends_before_it_begins_is_refused(
    client_of: ClientOf, machine_of: MachineOf, world: World, end: str
) -> None:
    dataset = a_dataset(world, content="image")
    answer = machine_of("ines").put(rest_of(dataset), SAID | {"valid_to": end}, format="json")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "#/valid_to", "detail": "must be later than valid_from"}
    ]
    form = client_of("ines").post(page_of(dataset), FORM | {"valid_to": end.rstrip("Z")})
    assert form.status_code == 422
    assert "must be later than valid_from" in text_of(form)
    assert not CalibrationConstant.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ""},
        {"kind": "da\x00rk"},
        {"kind": "x" * 41},
        {"detector": "Eiger\x00"},
        {"reason": "why\x00"},
        {"valid_from": "yesterday"},
        {"valid_from": "2026-06-01T12:00:00"},  # of which time zone?
        {"valid_from": None},
        {"conditions": {"a\x00b": 1}},
        {"conditions": {"gain": "hi\x00gh"}},
        {"conditions": {"": 1}},
        {"conditions": {"energy_kev": [1]}},
        {"conditions": {str(number): 1 for number in range(51)}},
        {"sort": "dark"},
    ],
    ids=str,
)
def test_nonsense_is_refused_by_rest(
    machine_of: MachineOf, world: World, change: dict[str, Any]
) -> None:
    dataset = a_dataset(world, content="image")
    answer = machine_of("ines").put(rest_of(dataset), SAID | change, format="json")
    assert answer.status_code in {400, 422}
    assert answer["Content-Type"].startswith("application/problem+json")
    assert not CalibrationConstant.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ""},
        {"kind": "da\x00rk"},
        {"valid_from": "yesterday"},
        {"conditions": "energy_kev = nan"},
        {"conditions": "energy_kev = inf"},
        {"conditions": f"{'x' * 61} = 1"},
        {"conditions": "gain = hi\x00gh"},
        {"conditions": f"gain = {'x' * 201}"},
    ],
    ids=str,
)
def test_nonsense_on_the_form_comes_back_with_its_words(
    client_of: ClientOf, world: World, change: dict[str, str]
) -> None:
    dataset = a_dataset(world, content="image")
    answer = client_of("ines").post(page_of(dataset), FORM | change)
    assert answer.status_code == 422
    assert (
        'class="field fault"' in answer.content.decode() or "errorlist" in answer.content.decode()
    )
    assert not CalibrationConstant.objects.exists()


@pytest.mark.parametrize(
    ("valid_from", "valid_to"),
    [
        ("0001-01-01T00:00:00+14:00", None),  # ten hours before the calendar, in UTC
        ("2020-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_validity_beyond_the_calendar_is_refused(
    world: World, client_of: ClientOf, valid_from: str, valid_to: str | None
) -> None:
    address = f"/api/v1/datasets/{a_dataset(world, content='poni').pid}/calibration/"
    before = list(CalibrationConstant.objects.values())
    said = {"kind": "poni", "valid_from": valid_from, "valid_to": valid_to}
    answer = client_of("carlo").put(address, said, content_type="application/json")
    assert answer.status_code == 400
    assert "1000 to 9000" in answer.json()["detail"]
    assert list(CalibrationConstant.objects.values()) == before
