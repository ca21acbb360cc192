"""A machine registers hundreds of datasets in one call, or none."""

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from catalogue.description import Description, FoundFile
from catalogue.models import (
    ClientCall,
    DataFile,
    Dataset,
    EmbargoPolicy,
    Facility,
    IngestRule,
    Instrument,
    Listing,
    Parameter,
    Proposal,
    Store,
    User,
)
from catalogue.registration import RawOrigin, register_raw
from tests.api.conftest import MachineOf
from tests.builders import World, a_technique

BULK = "/api/v1/datasets/bulk/"

Item = dict[str, Any]


def an_item(world: World, number: int = 0, **changes: Any) -> Item:
    """A dataset of one real file of the raw store, as a machine declares it."""
    path = Path(world.raw.root, "ceria", f"scan_{number:04d}.h5")
    path.parent.mkdir(exist_ok=True)
    body = f"frames of scan {number}".encode()
    path.write_bytes(body)
    return {
        "instrument": "id13",
        "source_id": f"ceria/{number}",
        "title": f"Scan {number}",
        "proposal": "hg-172",
        "start_time": "2026-03-02T10:00:00+01:00",
        "end_time": "2026-03-02T10:05:00+01:00",
        "store": "raw",
        "prefix": "ceria",
        "files": [
            {
                "path": path.name,
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "media_type": "application/x-hdf5",
            }
        ],
        "parameters": [
            {"name": "photon_energy", "value": 12.4, "unit": "keV"},
            {"name": "sample.temperature", "value": 80 + number, "unit": "K"},
            {"name": "mode", "value": "fly scan"},
        ],
        "samples": [{"name": "CeO2", "chemical_formula": "CeO2"}],
    } | changes


def send(client: APIClient, batch: Any, **headers: str) -> Any:
    return client.post(BULK, batch, format="json", headers=headers)


def pointers(answer: Any) -> list[str]:
    return [fault["pointer"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize("name", ["ivo", "dana"])
def test_the_staff_of_the_instrument_registers_a_batch(
    machine_of: MachineOf, world: World, name: str
) -> None:
    answer = send(machine_of(name), [an_item(world, 1), an_item(world, 2)])
    assert answer.status_code == 201, answer.json()
    first, second = answer.json()["datasets"]
    assert (first["source_id"], first["status"], first["warnings"]) == ("ceria/1", "registered", [])
    found = machine_of("ines").get(second["url"]).json()
    assert (found["title"], found["kind"], found["content"]) == ("Scan 2", "raw", "files")
    assert found["start_time"] == "2026-03-02T09:00:00Z"
    assert [proposal["number"] for proposal in found["proposals"]] == ["hg-172"]
    assert [sample["chemical_formula"] for sample in found["samples"]] == ["CeO2"]
    assert {it["name"]: (it["value"], it["unit"]) for it in found["parameters"]} == {
        "mode": ("fly scan", ""),
        "photon_energy": (12.4, "keV"),
        "sample.temperature": (82.0, "K"),
    }
    (file,) = machine_of("ines").get(found["files"]).json()["results"]
    assert file["path"] == "scan_0002.h5"
    assert machine_of("ines").get(file["content"]).getvalue() == b"frames of scan 2"


def test_what_a_batch_brings_is_found_at_once_and_stays_closed(
    machine_of: MachineOf, world: World
) -> None:
    (one,) = send(machine_of("ivo"), [an_item(world)]).json()["datasets"]
    dataset = Dataset.objects.get(pid=one["pid"])
    assert Listing.objects.filter(dataset=dataset).exists()
    guard = dataset.guards.get()
    assert (guard.proposal, guard.instrument) == (world.proposal, world.instrument)
    assert str(guard.opens_on) == "2029-03-02"
    assert machine_of("sten").get(one["url"]).status_code == 404
    assert dataset.generated_by.activity.title == "Measured at ID13 micro-XRD"


@pytest.mark.parametrize(("name", "status"), [("ines", 403), ("sten", 403), (None, 401)])
def test_nobody_else_registers_and_nobody_else_learns_what_is_there(
    machine_of: MachineOf, world: World, name: str | None, status: int
) -> None:
    good, bad = an_item(world), an_item(world, title=7, store="attic")
    answers = [send(machine_of(name), [item]) for item in (good, bad)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].content == answers[1].content
    assert not Dataset.objects.exists()


def test_staff_of_one_instrument_registers_nothing_of_another(
    machine_of: MachineOf, world: World
) -> None:
    Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    batch = [an_item(world, 1), an_item(world, 2, instrument="id22")]
    answer = send(machine_of("ivo"), batch)
    assert answer.status_code == 403
    assert "ID22" in answer.json()["detail"]
    assert not Dataset.objects.exists()
    assert send(machine_of("dana"), batch).status_code == 201


def change(item: Item, where: str, value: Any) -> Item:
    """Put a value where a pointer says."""
    *way, last = where.split("/")
    inside: Any = item
    for step in way:
        inside = inside[int(step) if step.isdigit() else step]
    inside[last] = value
    return item


SHAPES = {
    "title": [None, 7, "", " ", "a\x00b", "x" * 501],
    "instrument": ["", None],
    "source_id": ["", "x" * 201],
    "start_time": ["yesterday", "2026-03-02T10:00:00", "0012-01-01T00:00:00Z"],
    "end_time": ["9999-12-31T23:59:59Z"],
    "prefix": ["/ceria", "../ceria", "ceria/../.."],
    "content": ["secrets"],
    "files": [[], None, "scan.h5"],
    "files/0/path": ["", "/etc/hostname", "../scan.h5", "a//b", "x" * 1001, "a\x00b"],
    "files/0/size": [-1, 1.5, "10", 2**63],
    "files/0/sha256": ["A" * 64, "abc"],
    "files/0/media_type": ["hdf5", "text/html\r\nX: y"],
    "parameters/0/name": ["", None, "x" * 201],
    "parameters/0/value": [None, [], "", "x" * 1001, "a\x00b"],
    "parameters/0/unit": [3, "x" * 61],
    "samples/0/name": ["", 5],
}


@pytest.mark.parametrize(
    ("where", "value"), [(where, value) for where, values in SHAPES.items() for value in values]
)
def test_a_field_of_a_wrong_shape_is_named_and_nothing_is_registered(
    machine_of: MachineOf, world: World, where: str, value: Any
) -> None:
    answer = send(machine_of("ivo"), [an_item(world, 1), change(an_item(world, 2), where, value)])
    assert answer.status_code == 400, answer.json()
    assert pointers(answer) == [f"#/1/{where}"]
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    "name", ["isPublished", "embargo_until", "owner", "opens_on", "pid", "revision", "licence"]
)
def test_what_is_not_a_clients_to_say_is_refused(
    machine_of: MachineOf, world: World, name: str
) -> None:
    answer = send(machine_of("ivo"), [an_item(world, 1), an_item(world, 2, **{name: "2020-01-01"})])
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"pointer": f"#/1/{name}", "detail": "there is no such field here"}
    ]
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("instrument", "id99", "no instrument id99"),
        ("proposal", "zz-1", "proposal zz-1 is not known"),
        ("store", "attic", "no store attic"),
        ("store", "products", "no store products"),
        ("techniques/0", "phrenology", "names no techniques"),
        ("end_time", "2026-03-02T09:59:59+01:00", "before start_time"),
        ("files/0/path", "absent.h5", "no such file"),
        ("files/0/size", 7, "has 16 bytes"),
    ],
)
def test_what_cannot_be_done_is_named_and_nothing_is_registered(
    machine_of: MachineOf, world: World, where: str, value: Any, said: str
) -> None:
    bad = an_item(world, 2, techniques=[""])
    if where == "techniques/0":
        bad["techniques"] = [value]
    else:
        bad = change(an_item(world, 2), where, value)
    answer = send(machine_of("dana"), [an_item(world, 1), bad])
    assert answer.status_code == 422, answer.json()
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"#/1/{where}"
    assert said in fault["detail"]
    assert str(world.folder) not in answer.content.decode()
    assert not Dataset.objects.exists()


def test_every_fault_of_every_dataset_is_named(machine_of: MachineOf, world: World) -> None:
    batch = [an_item(world, number) for number in range(6)]
    batch[1]["parameters"][2]["unit"] = 5
    batch[2]["proposal"] = "zz-1"
    batch[4]["isPublished"] = True
    batch[5]["files"][0]["size"] = 1
    answer = send(machine_of("ivo"), batch)
    assert answer.status_code == 400
    assert sorted(pointers(answer)) == [
        "#/1/parameters/2/unit",
        "#/2/proposal",
        "#/4/isPublished",
        "#/5/files/0/size",
    ]
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "JSON"),
        ("{}", "array"),
        ("[]", "array"),
        ("[" * 5000, "JSON"),
        ('["\\ud800"]', "JSON"),
        ("[" + "{}," * 500 + "{}]", "500"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(
    machine_of: MachineOf, world: World, body: str, said: str
) -> None:
    answer = machine_of("ivo").post(BULK, body, content_type="application/json")
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert machine_of("ivo").post(BULK, "a,b", content_type="text/csv").status_code == 415


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_none_is_refused(machine_of: MachineOf, world: World, number: str) -> None:
    item = an_item(world, parameters=[{"name": "flux", "value": "NUMBER"}])
    body = json.dumps([item]).replace('"NUMBER"', number)
    answer = machine_of("ivo").post(BULK, body, content_type="application/json")
    assert answer.status_code == 422
    assert pointers(answer) == ["#/0/parameters/0/value"]
    assert not Dataset.objects.exists()


def test_numbers_are_kept_as_written_and_compared_in_si_units(
    machine_of: MachineOf, world: World
) -> None:
    said = {
        "energy": (0.93, "keV"),
        "temperature": (20, "°C"),
        "train_id": (2**53 + 1, ""),
        "shutter": (True, ""),
        "label": ("< 80", ""),
        "flux": (3e12, "arb. units"),
    }
    parameters = [{"name": n, "value": v, "unit": u} for n, (v, u) in said.items()]
    answer = send(machine_of("ivo"), [an_item(world, parameters=parameters)])
    (one,) = answer.json()["datasets"]
    assert one["warnings"] == ["Units not understood, kept as text and not comparable: arb. units."]
    found = {it.name: it for it in Parameter.objects.select_related("key")}
    assert (found["energy"].number, found["energy"].si_unit) == (0.93, "kg*m**2/s**2")
    assert found["energy"].si_number == pytest.approx(930 * 1.602176634e-19, rel=1e-12)
    assert found["temperature"].si_number == pytest.approx(293.15)
    # No float is 2**53 + 1; it is found as a number and given back as it was.
    assert (found["train_id"].text, found["train_id"].number) == ("9007199254740993", None)
    assert found["train_id"].si_number == 2.0**53
    assert found["shutter"].text == "true"
    assert found["label"].text == "< 80"
    assert (found["flux"].number, found["flux"].si_number) == (3e12, None)


def test_the_same_batch_again_gives_the_datasets_that_are_there(
    machine_of: MachineOf, world: World
) -> None:
    batch = [an_item(world, 1), an_item(world, 2)]
    first = send(machine_of("ivo"), batch)
    again = send(machine_of("dana"), [*batch, an_item(world, 3)])
    known, fresh = again.json()["datasets"][:2], again.json()["datasets"][2]
    assert (first.status_code, again.status_code) == (201, 201)
    assert [it["pid"] for it in known] == [it["pid"] for it in first.json()["datasets"]]
    assert [it["status"] for it in known] == ["known", "known"]
    assert fresh["status"] == "registered"
    whole = send(machine_of("ivo"), batch)
    assert whole.status_code == 200
    assert Dataset.objects.count() == 3


@pytest.mark.parametrize(
    ("where", "value"),
    [("title", "Another"), ("parameters/0/value", 12.5), ("start_time", "2026-03-02T09:00:00Z")],
)
def test_something_else_under_a_known_name_is_a_conflict_that_names_both(
    machine_of: MachineOf, world: World, where: str, value: Any
) -> None:
    client = machine_of("ivo")
    (one,) = send(client, [an_item(world, 1)]).json()["datasets"]
    answer = send(client, [an_item(world, 2), change(an_item(world, 1), where, value)])
    assert answer.status_code == 409
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "#/1"
    assert one["pid"] in fault["detail"]
    assert Dataset.objects.count() == 1


def test_what_people_changed_since_does_not_make_a_repeated_batch_a_conflict(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of("ivo")
    (one,) = send(client, [an_item(world)]).json()["datasets"]
    Dataset.objects.update(title="A better title", revision=2)
    (again,) = send(client, [an_item(world)]).json()["datasets"]
    assert (again["pid"], again["status"]) == (one["pid"], "known")


def a_registered_file(world: World, name: str, instrument: Instrument, source_id: str) -> Dataset:
    """A dataset of one file of the raw store that came in by another door."""
    body = Path(world.raw.root, "ceria", name).read_bytes()
    sha256 = hashlib.sha256(body).hexdigest()
    file = FoundFile(path=name, size=len(body), sha256=sha256, media_type="text/plain")
    description = Description(content="files", root="", title="Seen before", files=(file,))
    origin = RawOrigin(instrument, world.raw, "ceria/", world.policy, source_id=source_id)
    return register_raw(description, origin).dataset


def test_files_that_came_in_by_another_door_are_recognised_by_their_bytes(
    machine_of: MachineOf, world: World
) -> None:
    batch = [an_item(world, 1), an_item(world, 2)]
    there = [
        a_registered_file(world, "scan_0001.h5", world.instrument, source_id="ceria/1"),
        a_registered_file(world, "scan_0002.h5", world.instrument, source_id=""),
    ]
    answer = send(machine_of("ivo"), batch).json()
    assert [it["pid"] for it in answer["datasets"]] == [str(it.pid) for it in there]
    batch[0]["files"][0]["sha256"] = "0" * 64
    answer = send(machine_of("ivo"), batch)
    assert (answer.status_code, pointers(answer)) == (409, ["#/0/files"])


def another_instrument(world: World, *staff: User) -> Instrument:
    other = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    other.staff.set(staff)
    return other


def a_rule(world: World, instrument: Instrument, watch: str) -> IngestRule:
    return IngestRule.objects.create(
        slug=f"rule-{IngestRule.objects.count()}",
        instrument=instrument,
        store=world.raw,
        policy=world.policy,
        watch=watch,
    )


def of_two_files(world: World, other: str, **changes: Any) -> Item:
    """A dataset of ID22, of a file of its own and another one with an invented checksum."""
    item = an_item(world, 7, instrument="id22", **changes)
    item["files"].append({"path": other, "size": 16, "sha256": "0" * 64})
    return item


def said_of(answer: Any) -> list[tuple[str, str]]:
    return [(fault["pointer"], fault["detail"]) for fault in answer.json()["errors"]]


@pytest.mark.parametrize("size", [16, 17])
def test_a_file_registered_with_another_instrument_is_like_one_that_is_not_there(
    machine_of: MachineOf, world: World, size: int
) -> None:
    another_instrument(world, world.sten)
    closed = send(machine_of("ivo"), [an_item(world, 1)]).json()["datasets"]
    first = an_item(world, 1, instrument="id22")
    first["files"][0]["size"] = size
    later, absent = (of_two_files(world, name) for name in ("scan_0001.h5", "absent.h5"))
    later["files"][1]["size"] = size
    answers = [send(machine_of("sten"), [item]) for item in (first, later, absent)]
    (of_first,), (of_later,), (of_absent,) = map(said_of, answers)
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert (of_first[0], of_later[0]) == ("#/0/files/0/path", "#/0/files/1/path")
    assert of_first[1] == of_later[1] == of_absent[1]
    assert closed[0]["pid"] not in answers[0].content.decode()
    assert Dataset.objects.count() == 1


def test_every_file_of_another_instrument_is_named_in_one_answer(
    machine_of: MachineOf, world: World
) -> None:
    another_instrument(world, world.sten)
    send(machine_of("ivo"), [an_item(world, 1), an_item(world, 2)])
    batch = [
        of_two_files(world, f"scan_000{number}.h5", source_id=f"{number}") for number in (1, 2)
    ]
    batch[1]["files"].reverse()
    answer = send(machine_of("sten"), batch)
    assert pointers(answer) == ["#/0/files/1/path", "#/1/files/0/path"]


def test_datasets_of_one_instrument_may_share_a_file(machine_of: MachineOf, world: World) -> None:
    send(machine_of("ivo"), [an_item(world, 1)])
    shared = an_item(world, 2)
    shared["files"] += an_item(world, 1)["files"]
    assert send(machine_of("ivo"), [shared]).status_code == 201
    assert send(machine_of("ivo"), [shared]).status_code == 200


@pytest.mark.parametrize("name", ["scan_0001.h5", "absent.h5"])
@pytest.mark.parametrize(
    ("watch", "is_theirs"),
    [
        ("{sample}/{scan}.h5", True),
        ("{run}", True),  # a run is watched as a folder, and the file lies in it
        ("{sample}/{scan}.cbf", False),
        ("ceri", False),
    ],
)
def test_a_place_that_a_rule_gives_to_another_instrument_is_refused_whatever_lies_there(
    machine_of: MachineOf, world: World, name: str, watch: str, *, is_theirs: bool
) -> None:
    other = another_instrument(world, world.sten)
    a_rule(world, other, "ceria/scan_0007.h5")
    a_rule(world, world.instrument, watch)
    an_item(world, 1)
    item = of_two_files(world, name)
    item["files"][1]["size"] = 3
    said = said_of(send(machine_of("sten"), [item]))
    ruled = ("#/0/files/1/path", "by an ingest rule this place is another instrument's")
    assert (ruled in said) is is_theirs
    assert all(pointer.startswith("#/0/files/1/") for pointer, _ in said)
    assert not Dataset.objects.exists()


def test_the_innermost_rule_says_whose_a_place_is(machine_of: MachineOf, world: World) -> None:
    other = another_instrument(world, world.sten)
    a_rule(world, world.instrument, "{visit}")
    mine = an_item(world, 1, instrument="id22")
    assert pointers(send(machine_of("sten"), [mine])) == ["#/0/files/0/path"]
    a_rule(world, other, "ceria/{scan}.h5")
    assert send(machine_of("sten"), [mine]).status_code == 201
    assert pointers(send(machine_of("ivo"), [an_item(world, 2)])) == ["#/0/files/0/path"]


def test_what_lies_in_a_store_inside_the_store_is_not_declared_by_the_outer_one(
    machine_of: MachineOf, world: World
) -> None:
    item = an_item(world, 1)
    assert send(machine_of("ivo"), [item]).status_code == 201
    Store.objects.filter(slug="products").update(root=f"{world.raw.root}/ceria")
    answer = send(machine_of("ivo"), [an_item(world, 2)])
    assert (answer.status_code, pointers(answer)) == (422, ["#/0/files/0/path"])


def test_twice_in_one_batch_is_once_too_often(machine_of: MachineOf, world: World) -> None:
    same = [an_item(world, 1), an_item(world, 2), an_item(world, 1)]
    answer = send(machine_of("ivo"), same)
    assert answer.status_code == 422
    assert sorted(pointers(answer)) == ["#/2/files/0/path", "#/2/source_id"]
    twice = an_item(world, 3)
    twice["files"] *= 2
    twice["parameters"].append({"name": "mode", "value": "step scan"})
    answer = send(machine_of("ivo"), [twice])
    assert sorted(pointers(answer)) == ["#/0/files/1/path", "#/0/parameters/3/name"]
    assert not Dataset.objects.exists()


def test_a_link_a_folder_and_what_lies_behind_a_link_are_no_files(
    machine_of: MachineOf, world: World
) -> None:
    batch = [an_item(world, number) for number in range(3)]
    root = Path(world.raw.root)
    outside = Path(world.folder, "private")
    outside.mkdir()
    Path(outside, "scan.h5").write_bytes(b"frames of scan 0")
    Path(root, "door").symlink_to(outside)
    Path(root, "ceria", "link.h5").symlink_to(outside / "scan.h5")
    Path(root, "ceria", "folder").mkdir()
    for item, path in zip(batch, ("link.h5", "folder", "scan.h5"), strict=True):
        item["files"][0]["path"] = path
    batch[2]["prefix"] = "door"
    answer = send(machine_of("ivo"), batch)
    assert answer.status_code == 422
    assert pointers(answer) == [f"#/{place}/files/0/path" for place in range(3)]


def test_the_same_key_and_body_get_the_same_answer(machine_of: MachineOf, world: World) -> None:
    client, key = machine_of("ivo"), {"Idempotency-Key": "beamtime 7, part 1"}
    first = send(client, [an_item(world, 1)], **key)
    Dataset.objects.update(source_id="renamed since")
    again = send(client, [an_item(world, 1)], **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert Dataset.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(machine_of: MachineOf, world: World) -> None:
    client, key = machine_of("ivo"), {"Idempotency-Key": "one"}
    send(client, [an_item(world, 1)], **key)
    answer = send(client, [an_item(world, 2)], **key)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/#repeated-key"
    # It is a key of Ivo's; others have their own.
    assert send(machine_of("dana"), [an_item(world, 2)], **key).status_code == 201
    assert Dataset.objects.count() == 2


def test_a_key_of_a_refused_call_is_free_again(machine_of: MachineOf, world: World) -> None:
    client, key = machine_of("ivo"), {"Idempotency-Key": "one"}
    assert send(client, [an_item(world, 1, title="")], **key).status_code == 400
    assert not ClientCall.objects.exists()
    assert send(client, [an_item(world, 1)], **key).status_code == 201
    assert send(client, [], **{"Idempotency-Key": "x" * 201}).status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["", "one"])
def test_the_same_batch_sent_twice_at_once_gives_one_set(
    machine_of: MachineOf, world: World, key: str
) -> None:
    batch = [an_item(world, number) for number in range(20)]
    answers: list[Any] = []
    gate = threading.Barrier(3)

    def call() -> None:
        client = machine_of("ivo")
        gate.wait(10)
        answers.append(send(client, batch, **({"Idempotency-Key": key} if key else {})))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    pids = [[it["pid"] for it in answer.json()["datasets"]] for answer in answers]
    assert pids[0] == pids[1] == pids[2]
    assert Dataset.objects.count() == DataFile.objects.count() == 20


def test_the_number_of_statements_does_not_grow_with_the_batch(
    machine_of: MachineOf, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    a_technique()
    client = machine_of("ivo")
    send(client, [an_item(world, 0, techniques=["PaNET01101"])])  # what is asked only once
    counts = []
    for first, size in ((1, 1), (2, 10), (12, 100)):
        batch = [
            an_item(world, number, techniques=["PaNET01101"])
            for number in range(first, first + size)
        ]
        counts.append(count_queries(lambda batch=batch: send(client, batch)))  # type: ignore[misc]  # bound at once
    assert counts[0] == counts[1] == counts[2]
    assert Dataset.objects.count() == 112


def test_a_technique_is_known_by_identifier_address_or_name(
    machine_of: MachineOf, world: World
) -> None:
    powder = a_technique()
    names = [powder.pid, powder.iri, f"PaNET:{powder.pid}", "X-ray powder diffraction"]
    batch = [an_item(world, number, techniques=[name]) for number, name in enumerate(names)]
    assert send(machine_of("ivo"), batch).status_code == 201
    found = [list(dataset.techniques.all()) for dataset in Dataset.objects.all()]
    assert found == [[powder]] * 4


def test_without_a_technique_that_of_the_instrument_holds(
    machine_of: MachineOf, world: World
) -> None:
    world.instrument.techniques.add(a_technique())
    send(machine_of("ivo"), [an_item(world)])
    assert [it.pid for it in Dataset.objects.get().techniques.all()] == ["PaNET01101"]


def test_the_policy_is_that_of_the_proposal_else_the_default(
    machine_of: MachineOf, world: World
) -> None:
    short = EmbargoPolicy.objects.create(
        slug="short", months=6, starts_with="dataset.end_time", licence="CC0-1.0"
    )
    Proposal.objects.filter(pk=world.proposal.pk).update(policy=short)
    answer = send(machine_of("ivo"), [an_item(world, 1), an_item(world, 2, proposal="")])
    dates = [str(it.guards.get().opens_on) for it in Dataset.objects.order_by("source_id")]
    assert dates == ["2026-09-02", "2029-03-02"]
    (warning,) = answer.json()["datasets"][1]["warnings"]
    assert warning == "No proposal is named: only the instrument's staff see this dataset."


def test_a_proposal_of_another_facility_is_not_known_here(
    machine_of: MachineOf, world: World
) -> None:
    elsewhere = Facility.objects.create(slug="other", name="Other", timezone="UTC")
    Proposal.objects.create(facility=elsewhere, number="zz-1", title="Theirs")
    answer = send(machine_of("ivo"), [an_item(world, proposal="zz-1")])
    assert (answer.status_code, pointers(answer)) == (422, ["#/0/proposal"])


def test_a_file_of_three_gigabytes_keeps_its_size(machine_of: MachineOf, world: World) -> None:
    size = 3 << 30  # more than a signed integer of 32 bits holds
    item = an_item(world)
    with Path(world.raw.root, "ceria", "scan_0000.h5").open("wb") as file:
        file.truncate(size)
    item["files"][0]["size"] = size
    (one,) = send(machine_of("ivo"), [item]).json()["datasets"]
    found = machine_of("ines").get(one["url"]).json()
    assert found["size"] == size
    assert machine_of("ines").get(found["files"]).json()["results"][0]["size"] == size


def test_odd_names_and_titles_stay_what_they_are(machine_of: MachineOf, world: World) -> None:
    name, title = "Δ θ \u202e scan.h5", "</script><b>a\u202eb\x07</b> ½"
    item = an_item(world, title=title)
    Path(world.raw.root, "ceria", "scan_0000.h5").rename(Path(world.raw.root, "ceria", name))
    item["files"][0]["path"] = name
    (one,) = send(machine_of("ivo"), [item]).json()["datasets"]
    found = machine_of("ines").get(one["url"]).json()
    assert found["title"] == title
    assert machine_of("ines").get(found["files"]).json()["results"][0]["path"] == name


def test_a_file_that_changes_after_it_was_declared_is_not_given_out(
    machine_of: MachineOf, world: World
) -> None:
    (one,) = send(machine_of("ivo"), [an_item(world)]).json()["datasets"]
    client = machine_of("ines")
    (file,) = client.get(client.get(one["url"]).json()["files"]).json()["results"]
    path = Path(world.raw.root, "ceria", "scan_0000.h5")
    assert b"".join(client.get(file["content"]).streaming_content) == path.read_bytes()
    path.write_bytes(b"FRAMES OF SCAN 0")
    assert client.get(file["content"]).status_code == 409
