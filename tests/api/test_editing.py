"""What is said of a dataset is changed by whoever has seen its latest version."""

import threading
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from catalogue.embargo.retraction import take_back
from catalogue.models import AuditEvent, Dataset, Listing, Tombstone
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset, a_technique


def address(dataset: Dataset) -> str:
    return f"/api/v1/datasets/{dataset.pid}/"


def change(client: APIClient, dataset: Dataset, body: Any, etag: str | None = "*") -> Any:
    headers = {} if etag is None else {"If-Match": etag}
    return client.patch(address(dataset), body, format="json", headers=headers)


def a_scan(world: World, **changes: Any) -> Dataset:
    return a_dataset(
        world,
        sample="S1",
        technique=a_technique().pid,
        parameters={"photon_energy": (12.4, "keV"), "mode": ("fly scan", "")},
        **changes,
    )


def test_reading_a_dataset_tells_its_version(machine_of: MachineOf, world: World) -> None:
    dataset, client = a_scan(world), machine_of("ines")
    first = client.get(address(dataset))
    assert (first["ETag"], first.json()["revision"]) == ('"1"', 1)
    again = client.get(address(dataset), headers={"If-None-Match": '"1"'})
    # The version stays while an embargo ends: an answer of 304 would hide that.
    assert (again.status_code, again["ETag"]) == (200, '"1"')
    assert again["Cache-Control"] == "private"
    head = client.head(address(dataset))
    assert (head.status_code, head["ETag"]) == (200, '"1"')


@pytest.mark.parametrize("etag", ['"1"', "*"])
def test_a_version_tells_a_stranger_nothing(machine_of: MachineOf, world: World, etag: str) -> None:
    dataset = a_scan(world)
    answers = [
        machine_of(name).get(address(dataset), headers={header: etag})
        for name in ("sten", None)
        for header in ("If-None-Match", "If-Match")
    ]
    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana"])
def test_the_team_the_staff_and_stewards_change_what_is_said(
    machine_of: MachineOf, world: World, name: str
) -> None:
    dataset = a_scan(world)
    tomography = a_technique("PaNET01207", "x-ray tomography")
    body = {
        "title": "Lead white, first layer",
        "description": "Cross section of the sky.",
        "licence": "cc0-1.0",
        "techniques": ["X-ray tomography"],
        "samples": [{"name": "S2", "chemical_formula": "PbCO3"}],
        "tags": ["painting", "2026"],
        "parameters": {
            "set": [
                {"name": "photon_energy", "value": 12.5, "unit": "keV"},
                {"name": "visit", "value": 2**53 + 1},
            ],
            "remove": ["mode"],
        },
    }
    answer = change(machine_of(name), dataset, body, '"1"')
    assert (answer.status_code, answer["ETag"]) == (200, '"2"'), answer.json()
    said = machine_of("ines").get(address(dataset)).json()
    assert said == answer.json()
    assert (said["title"], said["description"]) == (body["title"], body["description"])
    assert said["licence"] == "CC0-1.0"
    assert [it["pid"] for it in said["techniques"]] == [tomography.pid]
    assert [(it["name"], it["chemical_formula"]) for it in said["samples"]] == [("S2", "PbCO3")]
    assert sorted(said["tags"]) == ["2026", "painting"]
    values = {it["name"]: (it["value"], it["unit"]) for it in said["parameters"]}
    assert values == {"photon_energy": (12.5, "keV"), "visit": ("9007199254740993", "")}


def test_what_is_left_out_stays_as_it_is(machine_of: MachineOf, world: World) -> None:
    dataset, client = a_scan(world), machine_of("ines")
    before = client.get(address(dataset)).json()
    after = change(client, dataset, {"tags": ["new"]}).json()
    assert after == before | {"tags": ["new"], "revision": 2}
    assert change(client, dataset, {"tags": []}).json()["tags"] == []


def test_a_change_is_found_by_search_at_once(machine_of: MachineOf, world: World) -> None:
    dataset, client = a_scan(world), machine_of("ines")
    change(client, dataset, {"title": "Azurite", "tags": ["vermeer"]})
    for word in ("azurite", "vermeer"):
        found = client.get("/api/v1/datasets/", {"q": word}).json()["results"]
        assert [it["pid"] for it in found] == [str(dataset.pid)]
    assert Listing.objects.get(dataset=dataset).words


def test_a_change_is_in_the_audit_log_with_what_it_was(machine_of: MachineOf, world: World) -> None:
    dataset = a_scan(world)
    change(
        machine_of("carlo"),
        dataset,
        {
            "title": "Azurite",
            "parameters": {"remove": ["mode"]},
            "tags": [],
            "reason": "It was mixed up.",
        },
    )
    event = AuditEvent.objects.get(act="metadata.edited")
    assert (event.who, event.subject) == ("Carlo", str(dataset.pid))
    assert event.old == {
        "title": "Fragment of a painting",
        "parameters": {"mode": ["fly scan", ""]},
    }
    assert event.new == {"title": "Azurite", "parameters": {}}
    assert event.reason == "It was mixed up."


def test_what_changes_nothing_makes_no_version(machine_of: MachineOf, world: World) -> None:
    dataset = a_scan(world)
    answer = change(machine_of("ines"), dataset, {"title": dataset.title, "tags": []}, '"1"')
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert change(machine_of("ines"), dataset, {}).json()["revision"] == 1
    assert not AuditEvent.objects.filter(act="metadata.edited").exists()


def test_a_change_must_name_the_version_it_is_of(machine_of: MachineOf, world: World) -> None:
    dataset, client = a_scan(world), machine_of("ines")
    answer = change(client, dataset, {"title": "New"}, None)
    assert answer.status_code == 428
    assert "If-Match" in answer.json()["detail"]
    for etag in ('"2"', 'W/"1"', "1", ""):
        stale = change(client, dataset, {"title": "New"}, etag)
        assert (stale.status_code, stale["ETag"]) == (412, '"1"'), etag
    assert change(client, dataset, {"title": "New"}, '"9", "1"').status_code == 200
    assert Dataset.objects.get(pk=dataset.pk).title == "New"


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_one_is_told_of_the_other(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_scan(world)
    answers: list[Any] = []
    gate = threading.Barrier(4)

    def call(title: str) -> None:
        client = machine_of("ines")
        gate.wait(10)
        answers.append(change(client, dataset, {"title": title}, '"1"'))
        connection.close()

    threads = [threading.Thread(target=call, args=(f"Title {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    (done,) = [answer.json() for answer in answers if answer.status_code == 200]
    dataset.refresh_from_db()
    assert (dataset.title, dataset.revision) == (done["title"], 2)


def test_who_may_not_edit_is_refused_and_a_stranger_finds_nothing(
    machine_of: MachineOf, world: World
) -> None:
    closed, opened = a_scan(world), a_dataset(world, is_open=True)
    body = {"title": "Mine now", "owner": "sten"}
    assert change(machine_of("sten"), closed, body).status_code == 404
    assert change(machine_of("sten"), opened, body, None).status_code == 403
    assert change(machine_of(None), opened, body).status_code == 401
    assert Dataset.objects.filter(title="Mine now").count() == 0


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"title": ""}, 400, "#/title"),
        ({"title": None}, 400, "#/title"),
        ({"title": "a\x00b"}, 400, "#/title"),
        ({"title": "x" * 501}, 400, "#/title"),
        ({"owner": "sten"}, 400, "#/owner"),
        ({"isPublished": True}, 400, "#/isPublished"),
        ({"embargo_until": "2020-01-01"}, 400, "#/embargo_until"),
        ({"revision": 9}, 400, "#/revision"),
        ({"tags": ["x" * 61]}, 400, "#/tags/0"),
        ({"tags": "one"}, 400, "#/tags"),
        ({"samples": [{"formula": "x"}]}, 400, "#/samples/0/name"),
        ({"parameters": {"set": [{"name": "a"}]}}, 400, "#/parameters/set/0/value"),
        ([], 400, "#"),
        ({"licence": "Beerware please"}, 422, "#/licence"),
        ({"licence": "()"}, 422, "#/licence"),
        ({"techniques": ["PaNET01101", "phrenology"]}, 422, "#/techniques/1"),
        (
            {"parameters": {"set": [{"name": "a", "value": 1}], "remove": ["a"]}},
            422,
            "#/parameters/remove/0",
        ),
        (
            {"parameters": {"set": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]}},
            422,
            "#/parameters/set/1/name",
        ),
        (
            {"parameters": {"set": [{"name": "a", "value": 10**400}]}},
            422,
            "#/parameters/set/0/value",
        ),
    ],
)
def test_a_fault_is_named_and_nothing_changes(
    machine_of: MachineOf, world: World, body: Any, status: int, where: str
) -> None:
    dataset, client = a_scan(world), machine_of("ines")
    before = client.get(address(dataset)).json()
    wish = body | {"description": "x"} if isinstance(body, dict) else body
    answer = change(client, dataset, wish)
    assert answer.status_code == status, answer.json()
    assert where in [fault["pointer"] for fault in answer.json()["errors"]]
    assert client.get(address(dataset)).json() == before


def test_what_was_taken_back_stays_as_it_is_said(machine_of: MachineOf, world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    take_back(world.dana, dataset, Tombstone.Kind.RETRACTED, "The shutter was closed.")
    answer = change(machine_of("dana"), dataset, {"title": "Never mind"})
    assert answer.status_code == 409
    assert Dataset.objects.get(pk=dataset.pk).title == dataset.title
