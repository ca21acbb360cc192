"""Teams of proposals, as a machine sees them."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from catalogue.models import ApiToken, AuditEvent, Membership
from catalogue.tokens import make_token
from tests.api.conftest import MachineOf
from tests.builders import World
from tests.catalogue.closing import in_days

WISH = {"person": "rea", "reason": "Helps with the fit"}


def address_of(world: World, *below: object) -> str:
    return "/".join(["/api/v1/proposals", str(world.proposal.pid), "members", *map(str, below), ""])


@pytest.mark.parametrize(
    ("name", "seen", "added", "ended"),
    [
        (None, 404, 401, 401), ("sten", 404, 404, 404), ("ivo", 404, 404, 404),
        ("carlo", 200, 403, 403), ("ines", 200, 201, 204), ("dana", 200, 201, 204),
    ],
)  # fmt: skip
def test_who_sees_a_team_and_who_changes_it(
    machine_of: MachineOf, world: World, name: str | None, seen: int, added: int, ended: int
) -> None:
    client = machine_of(name)
    assert client.get(address_of(world)).status_code == seen
    assert client.post(address_of(world), WISH, format="json").status_code == added
    address = f"{address_of(world, world.carlo.pid)}?reason=why"
    assert client.delete(address).status_code == ended


def test_a_member_comes_and_goes(machine_of: MachineOf, world: World) -> None:
    client = machine_of("ines")
    day = in_days(world, 9).isoformat()
    wish = {"role": "co_proposer", "valid_to": day, **WISH}
    said = {
        "person": str(world.rea.pid), "name": "Rea", "role": "co_proposer", "source": "hand",
        "valid_from": None, "valid_to": day,
    }  # fmt: skip
    assert client.post(address_of(world), wish, format="json").json() == said
    assert said in client.get(address_of(world)).json()["results"]
    client.delete(f"{address_of(world, world.rea.pid)}?reason=Is+done")
    (row,) = [r for r in client.get(address_of(world)).json()["results"] if r["name"] == "Rea"]
    assert row["valid_to"] == in_days(world, -1).isoformat()
    assert [event.reason for event in AuditEvent.objects.all()] == ["Is done", WISH["reason"]]


def test_the_list_goes_on_page_by_page(machine_of: MachineOf, world: World) -> None:
    Membership.objects.create(person=world.ines, proposal=world.proposal, source="user_office")
    client = machine_of("carlo")
    first = client.get(address_of(world), {"page_size": 2}).json()
    second = client.get(first["next"]).json()
    rows = [(row["name"], row["source"]) for row in first["results"] + second["results"]]
    assert rows == [("Carlo", "hand"), ("Ines", "hand"), ("Ines", "user_office")]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("change", "status", "pointers"),
    [
        ({"person": "nobody"}, 422, ["#/person"]),
        ({"valid_to": "2001-01-01"}, 422, ["#/valid_to"]),
        ({"role": "boss"}, 400, ["#/role"]),
        ({"reason": " "}, 400, ["#/reason"]),
        ({"source": "user_office"}, 400, ["#/source"]),
        ({"valid_from": "tomorrow"}, 400, ["#/valid_from"]),
    ],
)
def test_what_is_wrong_is_named_by_its_place(
    machine_of: MachineOf, world: World, change: dict[str, Any], status: int, pointers: list[str]
) -> None:
    answer = machine_of("ines").post(address_of(world), WISH | change, format="json")
    assert answer.status_code == status
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers


def test_what_the_state_of_the_team_forbids_is_a_conflict(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of("ines")
    Membership.objects.create(person=world.rea, proposal=world.proposal, source="entitlement")
    again = client.post(address_of(world), WISH | {"person": "carlo"}, format="json")
    imported = client.delete(f"{address_of(world, world.rea.pid)}?reason=why")
    last = client.delete(f"{address_of(world, world.ines.pid)}?reason=why")
    assert {answer.status_code for answer in (again, imported, last)} == {409}
    assert "the sign-in" in imported.json()["detail"]
    assert client.delete(address_of(world, world.carlo.pid)).status_code == 400  # no reason


def test_an_unknown_member_and_an_unknown_proposal_are_problems(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of("ines")
    for person in (world.sten.pid, uuid4(), "carlo"):
        answer = client.delete(f"{address_of(world, person)}?reason=why")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/#no-membership")
    for pid in (uuid4(), "hg-172"):
        answer = client.get(f"/api/v1/proposals/{pid}/members/")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/#no-team")


def test_a_hidden_team_and_an_absent_one_are_the_same_bytes(
    machine_of: MachineOf, world: World
) -> None:
    client, absent = machine_of("sten"), str(uuid4())
    hidden = client.get(address_of(world)).content.decode()
    other = client.get(f"/api/v1/proposals/{absent}/members/").content.decode()
    assert hidden.replace(str(world.proposal.pid), absent) == other


def test_a_token_reads_a_team_and_lets_nobody_in(world: World) -> None:
    secret = make_token(world.ines, "script", list(ApiToken.Scope), 30).secret
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get(address_of(world)).status_code == 200
    assert client.post(address_of(world), WISH, format="json").status_code == 403
    ended = client.delete(f"{address_of(world, world.carlo.pid)}?reason=why")
    assert ended.status_code == 403
