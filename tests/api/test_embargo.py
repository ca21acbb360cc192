"""Access, requests, rulings, the audit log and notices, as a machine client sees them."""

from typing import Any

import pytest

from catalogue.access import access_state, may_read
from catalogue.audit import record
from catalogue.embargo.wishes import ask_access, ask_extension
from catalogue.models import ApiToken, EmbargoPolicy, Guest, Notice
from catalogue.notices import tell
from catalogue.tokens import make_token
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset
from tests.catalogue.closing import closed_for, in_days, today


def post(client: Any, address: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{address}", body, format="json")


def test_access_says_state_day_reason_and_what_can_be_done(
    machine_of: MachineOf, world: World
) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    answer = machine_of("rea").get(f"/api/v1/datasets/{dataset.pid}/access/").json()
    assert answer == {
        "state": "embargoed",
        "is_open": False,
        "opens_on": in_days(world, 100).isoformat(),
        "is_readable": False,
        "why": "Everybody can see this page. The data themselves are closed.",
        "tombstone": None,
        "causes": [],
        "can": ["ask-access"],
    }
    mine = machine_of("ines").get(f"/api/v1/datasets/{dataset.pid}/access/").json()
    assert mine["is_readable"] is True
    assert mine["can"] == ["ask-extension", "release", "retract"]


def test_a_request_goes_from_asking_to_its_decision(machine_of: MachineOf, world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    filed = post(
        machine_of("rea"), f"datasets/{dataset.pid}/requests/", kind="access", reason="compare"
    )
    assert filed.status_code == 201
    assert machine_of("rea").get(filed.headers["Location"]).json() == filed.json()
    assert filed.json()["state"] == "open"
    assert filed.json()["dataset"] == str(dataset.pid)
    uuid = filed.json()["uuid"]
    twice = post(
        machine_of("rea"), f"datasets/{dataset.pid}/requests/", kind="access", reason="compare"
    )
    assert twice.status_code == 409
    assert machine_of("sten").get(f"/api/v1/requests/{uuid}/").status_code == 404
    (listed,) = machine_of("ines").get("/api/v1/requests/?state=open").json()["results"]
    assert listed["uuid"] == uuid

    address = f"requests/{uuid}/decision/"
    assert post(machine_of("rea"), address, outcome="granted").status_code == 403
    assert post(machine_of("ines"), address, outcome="granted").status_code == 409, "no day"
    day = in_days(world, 5).isoformat()
    decided = post(machine_of("ines"), address, outcome="granted", answer="welcome", day=day)
    assert (decided.status_code, decided.json()["state"]) == (200, "granted")
    assert may_read(world.rea, dataset)
    assert post(machine_of("dana"), address, outcome="refused").status_code == 409

    (guest,) = machine_of("ines").get(f"/api/v1/datasets/{dataset.pid}/guests/").json()["results"]
    assert (guest["name"], guest["valid_to"]) == ("Rea", day)
    assert machine_of("carlo").get(f"/api/v1/datasets/{dataset.pid}/guests/").status_code == 403
    end = f"datasets/{dataset.pid}/guests/{guest['person']}/end/"
    assert post(machine_of("ines"), end, reason="done").status_code == 204
    assert post(machine_of("ines"), end, reason="done").status_code == 404
    assert not Guest.objects.exists()


def test_an_early_release_that_is_ones_own_to_decide_takes_effect_at_once(
    machine_of: MachineOf, world: World
) -> None:
    dataset = closed_for(world, 100)
    address = f"datasets/{dataset.pid}/requests/"
    filed = post(machine_of("ines"), address, kind="release", reason="published")
    assert (filed.status_code, filed.json()["state"]) == (201, "granted")
    assert access_state(dataset).is_open
    again = post(machine_of("ines"), address, kind="release", reason="published")
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/#transition"


def test_a_team_objects_to_an_early_release(machine_of: MachineOf, world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    dataset = closed_for(world, 100)
    address = f"datasets/{dataset.pid}/requests/"
    filed = post(machine_of("ines"), address, kind="release", reason="published").json()
    assert filed["due_on"] == in_days(world, 14).isoformat()
    address = f"requests/{filed['uuid']}/objection/"
    assert post(machine_of("sten"), address, answer="no").status_code == 404
    stopped = post(machine_of("carlo"), address, answer="not mine")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "refused")


def test_a_request_is_taken_back(machine_of: MachineOf, world: World) -> None:
    request = ask_extension(world.ines, closed_for(world, 100), "why")
    address = f"requests/{request.uuid}/take-back/"
    assert post(machine_of("dana"), address).status_code == 409, "it is not theirs"
    assert post(machine_of("ines"), address).json()["state"] == "taken_back"
    assert post(machine_of("ines"), address).status_code == 409


def test_a_steward_sets_a_day_and_takes_data_back(machine_of: MachineOf, world: World) -> None:
    dataset = closed_for(world, 100)
    address, day = f"datasets/{dataset.pid}/ruling/", in_days(world, 5).isoformat()
    ruled = post(machine_of("dana"), address, opens_on=day, reason="why")
    assert (ruled.status_code, ruled.json()["opens_on"]) == (200, day)
    past = post(machine_of("dana"), address, opens_on="2001-01-01", reason="why")
    assert past.status_code == 409
    assert post(machine_of("ines"), address, opens_on=day, reason="why").status_code == 403
    assert post(machine_of("sten"), address, opens_on=day, reason="why").status_code == 404

    address = f"datasets/{dataset.pid}/retraction/"
    taken = post(machine_of("dana"), address, kind="withdrawn", reason="personal data")
    assert taken.json()["tombstone"]["kind"] == "withdrawn"
    gone = machine_of("ines").get(f"/api/v1/datasets/{dataset.pid}/")
    assert gone.status_code == 410
    assert gone.json()["reason"] == "personal data"
    assert gone.json()["since"] == today(world).isoformat()


def test_the_history_of_a_dataset_is_for_its_team(machine_of: MachineOf, world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    record("metadata.edited", dataset, person=world.ines, old={"title": "A"}, new={"title": "B"})
    address = f"/api/v1/datasets/{dataset.pid}/history/"
    (event,) = machine_of("carlo").get(address).json()["results"]
    assert (event["act"], event["who"], event["new"]) == ("metadata.edited", "Ines", {"title": "B"})
    assert machine_of("sten").get(address).status_code == 403


def test_the_audit_log_is_read_in_pages_by_stewards(machine_of: MachineOf, world: World) -> None:
    dataset = a_dataset(world)
    for number in range(5):
        record("metadata.edited", dataset, person=world.ines, reason=f"edit {number}")
    record("embargo.ruled", dataset, person=world.dana, reason="patent")
    client, reasons, address = machine_of("dana"), [], "/api/v1/audit/?page_size=2"
    while address:
        page = client.get(address).json()
        reasons += [event["reason"] for event in page["results"]]
        address = page["next"]
    assert reasons == ["patent", *(f"edit {number}" for number in (4, 3, 2, 1, 0))]
    found = client.get("/api/v1/audit/?act=embargo.&who=dan").json()["results"]
    assert [event["reason"] for event in found] == ["patent"]
    assert machine_of("ines").get("/api/v1/audit/").status_code == 403
    assert machine_of(None).get("/api/v1/audit/").status_code == 401


def test_notices_are_read_and_marked(machine_of: MachineOf, world: World) -> None:
    dataset = a_dataset(world)
    tell(world.ines, Notice.Kind.OPENED, "Data have opened.", once="a", dataset=dataset)
    (notice,) = machine_of("ines").get("/api/v1/notices/").json()["results"]
    assert (notice["text"], notice["read_at"]) == ("Data have opened.", None)
    post(machine_of("carlo"), "notices/read/", notices=[notice["uuid"]])
    assert Notice.objects.get().read_at is None, "it is not Carlo's"
    assert post(machine_of("ines"), "notices/read/", notices=[notice["uuid"]]).status_code == 204
    assert Notice.objects.get().read_at is not None


NO_REQUEST = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("address", ["requests/", "notices/", "audit/", f"requests/{NO_REQUEST}/"])
def test_personal_matters_ask_for_a_sign_in(machine_of: MachineOf, address: str) -> None:
    assert machine_of(None).get(f"/api/v1/{address}").status_code == 401


def test_a_token_decides_nothing_about_access(machine_of: MachineOf, world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    request = ask_access(world.rea, dataset, "why")
    made = make_token(world.dana, "all", list(ApiToken.Scope.values), 30)
    client = machine_of(None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.secret}")
    assert client.get(f"/api/v1/requests/{request.uuid}/").status_code == 200
    refused = post(client, f"requests/{request.uuid}/decision/", outcome="refused", answer="no")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/#scope")
    day = in_days(world, 5).isoformat()
    refused = post(client, f"datasets/{dataset.pid}/ruling/", opens_on=day, reason="why")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("address", "body", "pointer"),
    [
        ("datasets/{pid}/requests/", {"kind": "gift", "reason": "why"}, "#/kind"),
        ("datasets/{pid}/requests/", {"kind": "access"}, "#/reason"),
        ("datasets/{pid}/requests/", {"kind": "access", "reason": "\x00"}, "#/reason"),
        ("datasets/{pid}/ruling/", {"opens_on": "soon", "reason": "why"}, "#/opens_on"),
        ("datasets/{pid}/ruling/", {"opens_on": "2027-01-01", "reason": ""}, "#/reason"),
        ("datasets/{pid}/retraction/", {"kind": "lost", "reason": "why"}, "#/kind"),
        ("notices/read/", {"notices": ["x"]}, "#/notices/0"),
    ],
)
def test_what_is_malformed_names_its_field(
    machine_of: MachineOf, world: World, address: str, body: dict[str, Any], pointer: str
) -> None:
    dataset = closed_for(world, 100)
    answer = post(machine_of("dana"), address.format(pid=dataset.pid), **body)
    assert answer.status_code == 400
    assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
