"""Machines keep searches for their owner, and see no others."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from catalogue.models import ApiToken, SavedSearch
from catalogue.saved_searches import MOST, run_due, save
from catalogue.tokens import make_token
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset

ADDRESS = "/api/v1/saved-searches/"


def test_a_search_is_saved_listed_and_deleted(machine_of: MachineOf, world: World) -> None:
    ines = machine_of("ines")
    wish = {"name": "Gold", "query": "sample=b&q=gold&sample=a&cursor=x", "wants_mail": False}
    answer = ines.post(ADDRESS, wish, format="json")
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"] == made["url"]
    assert made["query"] == "q=gold&sample=a&sample=b"
    assert made["datasets"].endswith("/api/v1/datasets/?q=gold&sample=a&sample=b")
    assert (made["name"], made["wants_mail"], made["paused"]) == ("Gold", False, "")

    again = ines.post(ADDRESS, wish | {"name": "Gold leaf"}, format="json")
    assert (again.status_code, again.json()["uuid"]) == (200, made["uuid"])
    listed = ines.get(ADDRESS).json()["results"]
    assert [each["name"] for each in listed] == ["Gold leaf"]
    assert machine_of("carlo").get(ADDRESS).json() == {"results": []}

    assert ines.delete(made["url"]).status_code == 204
    assert ines.get(ADDRESS).json() == {"results": []}
    assert ines.delete(made["url"]).status_code == 404


def test_what_is_saved_is_run(machine_of: MachineOf, world: World) -> None:
    body = {"name": "Gold", "query": "q=gold"}
    made = machine_of("ines").post(ADDRESS, body, format="json").json()
    a_dataset(world, title="gold leaf")
    run_due()
    assert SavedSearch.objects.get(uuid=made["uuid"]).matches.count() == 1
    found = machine_of("ines").get(made["datasets"]).json()["results"]
    assert [row["title"] for row in found] == ["gold leaf"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"query": "q=kind%3Acooked"}, "#/query"),
        ({"query": "q=" + "x" * 3000}, "#/query"),
        ({"query": None}, "#/query"),
        ({"wants_mail": "perhaps"}, "#/wants_mail"),
        ({"interval": 5}, "#/interval"),
    ],
)
def test_a_wish_with_faults_is_refused(
    machine_of: MachineOf, changes: dict[str, Any], fault: str
) -> None:
    body = {"name": "Gold", "query": "q=gold"} | changes
    answer = machine_of("ines").post(ADDRESS, body, format="json")
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == [fault]
    assert not SavedSearch.objects.exists()


def test_one_more_than_may_be_kept_is_refused(machine_of: MachineOf, world: World) -> None:
    first, _ = save(world.ines, "Gold", "q=gold")
    SavedSearch.objects.bulk_create(
        SavedSearch(owner=world.ines, name="x", query=f"q={n}", seen_up_to=first.seen_up_to)
        for n in range(MOST - 1)
    )
    answer = machine_of("ines").post(ADDRESS, {"name": "x", "query": "q=lead"}, format="json")
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["carlo", "dana"])
def test_anothers_search_and_none_are_the_same(
    machine_of: MachineOf, world: World, name: str
) -> None:
    search, _ = save(world.ines, "Gold", "q=gold")
    client = machine_of(name)
    answers = [client.delete(f"{ADDRESS}{uuid}/") for uuid in (search.uuid, uuid4(), "no-uuid")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert SavedSearch.objects.exists()


def test_nobody_keeps_searches_without_signing_in(machine_of: MachineOf, world: World) -> None:
    search, _ = save(world.ines, "Gold", "q=gold")
    client = machine_of(None)
    assert client.get(ADDRESS).status_code == 401
    assert client.post(ADDRESS, {"name": "x", "query": ""}, format="json").status_code == 401
    assert client.delete(f"{ADDRESS}{search.uuid}/").status_code == 401


def test_a_token_reads_searches_and_changes_none(world: World) -> None:
    search, _ = save(world.ines, "Gold", "q=gold")
    made = make_token(world.ines, "mine", list(ApiToken.Scope), 1)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.secret}")
    assert len(client.get(ADDRESS).json()["results"]) == 1
    assert client.delete(f"{ADDRESS}{search.uuid}/").status_code == 403
    assert client.post(ADDRESS, {"name": "x", "query": ""}, format="json").status_code == 403
