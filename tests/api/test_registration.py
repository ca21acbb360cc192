"""A machine registers what lies in a declared store."""

from pathlib import Path
from typing import Any

import pytest

from catalogue.models import Dataset
from tests.api.conftest import MachineOf
from tests.builders import World
from tests.makers.nexus import write_nexus_scan

DATASETS = "/api/v1/datasets/"


def a_scan(world: World, name: str = "ceria/scan_0001.h5", **changes: Any) -> Path:
    """A real file of ID13 and proposal hg-172 in the raw store."""
    path = Path(world.raw.root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_nexus_scan(path, **({"proposal": "hg-172", "instrument": "id13"} | changes))


@pytest.mark.parametrize("name", ["ivo", "dana"])
def test_the_staff_of_an_instrument_registers_a_scan(
    machine_of: MachineOf, world: World, name: str
) -> None:
    a_scan(world)
    body = {"store": "raw", "path": "ceria/scan_0001.h5"}
    response = machine_of(name).post(DATASETS, body, format="json")
    made = response.json()
    assert response.status_code == 201, made
    assert made["title"] == "Ceria on a grid"
    assert made["content"] == "nexus-scan"
    assert made["start_time"] == "2026-03-02T09:00:00Z"
    assert [proposal["number"] for proposal in made["proposals"]] == ["hg-172"]
    assert machine_of("ines").get(response["Location"]).json() == made
    (file,) = machine_of("ines").get(made["files"]).json()["results"]
    assert file["path"] == "scan_0001.h5"


def test_the_same_content_registered_again_is_the_same_dataset(
    machine_of: MachineOf, world: World
) -> None:
    a_scan(world)
    body = {"store": "raw", "path": "ceria/scan_0001.h5"}
    client = machine_of("ivo")
    first = client.post(DATASETS, body, format="json")
    again = client.post(DATASETS, body, format="json")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Dataset.objects.count() == 1


def test_a_path_may_be_absolute_if_it_lies_in_a_store(machine_of: MachineOf, world: World) -> None:
    path = a_scan(world)
    response = machine_of("ivo").post(DATASETS, {"path": str(path)}, format="json")
    assert response.status_code == 201
    assert world.raw.root not in response.content.decode()


def test_what_the_file_does_not_say_the_body_does(machine_of: MachineOf, world: World) -> None:
    a_scan(world, proposal="", instrument="")
    body = {"store": "raw", "path": "ceria/scan_0001.h5"}
    client = machine_of("dana")
    assert client.post(DATASETS, body, format="json").json()["field"] == "instrument"
    body |= {"instrument": "id13", "proposal": "hg-172"}
    made = client.post(DATASETS, body, format="json").json()
    assert made["instrument"]["slug"] == "id13"
    assert [proposal["number"] for proposal in made["proposals"]] == ["hg-172"]


def test_other_content_at_a_registered_place_is_a_conflict(
    machine_of: MachineOf, world: World
) -> None:
    a_scan(world)
    body = {"store": "raw", "path": "ceria/scan_0001.h5"}
    client = machine_of("ivo")
    pid = client.post(DATASETS, body, format="json").json()["pid"]
    a_scan(world, seed=1)
    response = client.post(DATASETS, body, format="json")
    assert response.status_code == 409
    assert response.json()["pid"] == pid
    assert Dataset.objects.count() == 1


def test_who_is_not_signed_in_is_asked_to_sign_in(machine_of: MachineOf, world: World) -> None:
    response = machine_of(None).post(DATASETS, {"path": "x", "store": "raw"}, format="json")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("name", ["ines", "carlo", "sten"])
def test_who_is_not_of_the_instrument_may_not_register(
    machine_of: MachineOf, world: World, name: str
) -> None:
    a_scan(world)
    body = {"store": "raw", "path": "ceria/scan_0001.h5", "instrument": "id13"}
    response = machine_of(name).post(DATASETS, body, format="json")
    assert response.status_code == 403
    assert response.json()["type"] == "/problems/#not-permitted"
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({}, 400, "path"),
        ({"path": ""}, 400, "path"),
        ({"path": 7.5, "store": {"slug": "raw"}}, 400, "store"),
        ({"path": "a\x00b", "store": "raw"}, 400, "path"),
        ({"path": "scan.h5", "store": "raw", "owner": "dana"}, 400, "owner"),
        ({"path": "scan.h5", "store": "raw", "opens_on": "2020-01-01"}, 400, "opens_on"),
        ({"path": "scan.h5"}, 422, "store"),
        ({"path": "scan.h5", "store": "attic"}, 422, "store"),
        ({"path": "../raw/scan.h5", "store": "raw"}, 422, "path"),
        ({"path": "/etc/hostname", "store": "raw"}, 422, "path"),
        ({"path": "/etc/hostname"}, 422, "path"),
        ({"path": "/no/such/file"}, 422, "path"),
        ({"path": "absent.h5", "store": "raw"}, 422, "path"),
        ({"path": "scan.h5", "store": "raw", "instrument": "id99"}, 422, "instrument"),
        ({"path": "scan.h5", "store": "raw", "proposal": "zz-1"}, 422, "proposal"),
    ],
)
def test_a_wrong_body_names_the_field_and_registers_nothing(
    machine_of: MachineOf, world: World, body: dict[str, Any], status: int, name: str
) -> None:
    a_scan(world, "scan.h5")
    response = machine_of("ivo").post(DATASETS, body, format="json")
    problem = response.json()
    assert response.status_code == status, problem
    if status == 400:
        assert f"#/{name}" in [fault["pointer"] for fault in problem["errors"]]
    else:
        assert problem["field"] == name
    assert str(world.folder) not in response.content.decode()
    assert not Dataset.objects.exists()


def test_a_place_outside_the_stores_is_refused_without_looking_at_it(
    machine_of: MachineOf, world: World
) -> None:
    Path(world.folder, "there.h5").touch()
    answers = []
    for name in ("there", "nowhere"):
        body = {"path": str(Path(world.folder, f"{name}.h5"))}
        response = machine_of("sten").post(DATASETS, body, format="json")
        answers.append(response.content)
    assert answers[0] == answers[1]


def test_a_link_that_leads_out_of_the_store_is_refused(machine_of: MachineOf, world: World) -> None:
    outside = write_nexus_scan(Path(world.folder, "private.h5"))
    Path(world.raw.root, "innocent.h5").symlink_to(outside)
    body = {"store": "raw", "path": "innocent.h5", "instrument": "id13"}
    response = machine_of("ivo").post(DATASETS, body, format="json")
    assert response.status_code == 422
    assert str(world.folder) not in response.content.decode()


def test_a_file_that_is_no_data_is_refused_by_its_name_only(
    machine_of: MachineOf, world: World
) -> None:
    Path(world.raw.root, "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n but no more")
    body = {"store": "raw", "path": "broken.h5", "instrument": "id13"}
    response = machine_of("ivo").post(DATASETS, body, format="json")
    assert response.status_code == 422
    assert response.json()["type"] == "/problems/#file-unreadable"
    assert response.json()["code"] == "file-unreadable"
    assert str(world.folder) not in response.content.decode()
