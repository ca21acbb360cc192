"""Recipes, processing runs and products, as a machine reads and asks for them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from catalogue.models import Dataset
from processing.models import ArchiveCopy, LogEntry, ProcessingRun, Product, ProductRule
from processing.recipes.manifest import Place, Preset
from tests.api.conftest import MachineOf
from tests.api.results import a_result, result_of
from tests.builders import World, a_dataset, a_manifest, a_recipe, a_run
from tests.catalogue.closing import guarded

RUNS = "/api/v1/processing-runs/"


def a_wish(world: World, **changes: Any) -> dict[str, Any]:
    """A body that launches xrd-map on two fresh datasets of the proposal."""
    a_recipe()
    scan, geometry = a_dataset(world), a_dataset(world, content="poni")
    inputs = {"scan": [str(scan.pid)], "geometry": [str(geometry.pid)]}
    return {"recipe": "xrd-map", "inputs": inputs, "parameters": {"bins": 500}} | changes


def test_recipes_are_listed_in_their_newest_version(machine_of: MachineOf, world: World) -> None:
    for version in ("1.0.0", "1.1.0"):
        a_recipe(a_manifest(version=version))
    a_recipe(a_manifest(name="dark"))
    client = machine_of(None)
    rows = client.get("/api/v1/recipes/").json()["results"]
    assert [(row["name"], row["version"]) for row in rows] == [
        ("dark", "1.0.0"),
        ("xrd-map", "1.1.0"),
    ]
    pages = client.get("/api/v1/recipes/?page_size=1").json()
    assert client.get(pages["next"]).json()["results"] == rows[1:]
    body = client.get(rows[1]["url"]).json()
    assert body["versions"] == ["1.1.0", "1.0.0"]
    assert body["manifest"]["parameters"]["properties"]["bins"]["maximum"] == 100_000
    old = client.get("/api/v1/recipes/xrd-map@1.0.0/").json()
    assert old["manifest"]["version"] == "1.0.0"


def test_presets_are_listed_with_all_their_values_and_no_path_of_the_server(
    machine_of: MachineOf, world: World
) -> None:
    presets = {"coarse": Preset(description="A quick look", parameters={"bins": 20})}
    place = Place(interpreter="/opt/secret/bin/python", manifest_file="/opt/secret/a.toml")
    a_recipe(a_manifest(presets=presets, place=place))
    client = machine_of(None)
    (row,) = client.get("/api/v1/recipes/").json()["results"]
    (preset,) = row["presets"]
    assert (preset["name"], preset["description"]) == ("coarse", "A quick look")
    assert preset["parameters"] == {
        "bins": 20,
        "polarization": 0.95,
        "unit": "q_nm^-1",
        "zigzag": False,
    }
    one = client.get(row["url"])
    assert one.json()["presets"] == row["presets"]
    assert b"secret" not in one.content


@pytest.mark.parametrize("spec", ["sofa", "xrd-map@9.9.9", "xrd-map@", "XRD", "%00"])
def test_an_unknown_recipe_is_not_found(machine_of: MachineOf, world: World, spec: str) -> None:
    a_recipe()
    response = machine_of(None).get(f"/api/v1/recipes/{spec}/")
    assert response.status_code == 404
    assert response.json()["type"] == "/problems/#no-recipe"


def test_a_launch_queues_a_run_with_its_defaults(machine_of: MachineOf, world: World) -> None:
    wish = a_wish(world)
    response = machine_of("carlo").post(RUNS, wish, format="json")
    body = response.json()
    assert response.status_code == 201, body
    assert body["outcome"] == "queued"
    assert body["recipe"] == "xrd-map@1.0.0"
    assert body["state"] == "queued"
    assert body["inputs"] == wish["inputs"]
    assert body["parameters"]["bins"] == 500
    assert body["parameters"]["polarization"] == 0.95
    assert body["requested_by"] == "Carlo"
    assert hashlib.sha256(body["key_document"].encode()).hexdigest() == body["run_key"]
    assert machine_of("ines").get(response["Location"]).json()["uuid"] == body["uuid"]


def test_the_same_wish_joins_the_run_that_is_under_way(machine_of: MachineOf, world: World) -> None:
    wish = a_wish(world)
    first = machine_of("carlo").post(RUNS, wish, format="json").json()
    second = machine_of("ines").post(RUNS, wish | {"recipe": "xrd-map@1.0.0"}, format="json")
    assert second.status_code == 200
    assert second.json()["outcome"] == "joined"
    assert second.json()["uuid"] == first["uuid"]


def test_who_holds_the_same_bytes_learns_nothing_of_the_runs_of_others(
    machine_of: MachineOf, world: World
) -> None:
    wish = a_wish(world)
    first = machine_of("carlo").post(RUNS, wish, format="json").json()
    theirs = Dataset.objects.filter(
        pid__in=[pid for pids in wish["inputs"].values() for pid in pids]
    )
    copies = {}
    for dataset in theirs:
        copy = a_dataset(world, content=dataset.content, is_open=True)
        # As if the very same file had been registered at another place.
        Dataset.objects.filter(pk=copy.pk).update(digest=dataset.digest)
        copies[dataset.content] = str(copy.pid)
    wish["inputs"] = {"scan": [copies["nexus-scan"]], "geometry": [copies["poni"]]}
    own = machine_of("sten").post(RUNS, wish, format="json")
    assert own.json()["outcome"] == "queued"
    assert own.json()["run_key"] == first["run_key"]
    assert own.json()["uuid"] != first["uuid"]
    assert own.json()["inputs"] == wish["inputs"]
    assert not any(str(dataset.pid) in own.content.decode() for dataset in theirs)
    assert machine_of("sten").get(f"{RUNS}{first['uuid']}/").status_code == 404


def test_a_result_that_exists_is_reused(machine_of: MachineOf, world: World) -> None:
    wish = a_wish(world)
    first = machine_of("carlo").post(RUNS, wish, format="json").json()
    run = a_result(world, ProcessingRun.objects.get(uuid=first["uuid"]))
    again = machine_of("ines").post(RUNS, wish, format="json")
    assert again.status_code == 200
    body = again.json()
    assert (body["outcome"], body["state"]) == ("reused", "succeeded")
    assert [output["dataset"] for output in body["outputs"]] == [str(result_of(run).pid)]


def test_who_is_not_signed_in_is_asked_to_sign_in(machine_of: MachineOf, world: World) -> None:
    response = machine_of(None).post(RUNS, a_wish(world), format="json")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Basic")
    assert not ProcessingRun.objects.exists()


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"recipe": "Not a name"}, 400, "#/recipe"),
        ({"recipe": None}, 400, "#/recipe"),
        ({"inputs": {"scan": ["7"]}}, 400, "#/inputs/scan/0"),
        ({"inputs": {"scan": "7"}}, 400, "#/inputs/scan"),
        ({"inputs": []}, 400, "#/inputs"),
        ({"priority": 9}, 400, "#/priority"),
        ({"requested_by": "dana"}, 400, "#/requested_by"),
        ({"parameters": {"bins": 5}}, 422, "#/parameters/bins"),
        ({"parameters": {"bins": 5, "colour": "red"}}, 422, "#/parameters/colour"),
    ],
)
def test_a_wrong_wish_names_the_field_and_queues_nothing(
    machine_of: MachineOf, world: World, change: dict[str, Any], status: int, pointer: str
) -> None:
    response = machine_of("carlo").post(RUNS, a_wish(world) | change, format="json")
    assert response.status_code == status, response.json()
    assert pointer in [fault["pointer"] for fault in response.json()["errors"]]
    assert not ProcessingRun.objects.exists()


def test_inputs_that_do_not_fit_are_refused_by_role(machine_of: MachineOf, world: World) -> None:
    wish = a_wish(world)
    wish["inputs"]["geometry"] = wish["inputs"]["scan"]
    response = machine_of("carlo").post(RUNS, wish, format="json")
    assert response.status_code == 422
    assert response.json()["role"] == "geometry"


def test_a_hidden_input_and_an_absent_one_cannot_be_told_apart(
    machine_of: MachineOf, world: World
) -> None:
    hidden, absent = str(a_dataset(world).pid), str(uuid4())
    wish = a_wish(world)
    answers = []
    for pid in (hidden, absent):
        wish["inputs"] = {"scan": [pid]}
        response = machine_of("sten").post(RUNS, wish, format="json")
        assert response.status_code == 422
        answers.append(response.content.replace(pid.encode(), b"PID"))
    assert answers[0] == answers[1]


def test_a_run_tells_its_outputs_copies_and_usage(machine_of: MachineOf, world: World) -> None:
    run = a_result(world)
    ArchiveCopy.objects.create(
        dataset=result_of(run), store=world.archive, state="archived", files_done=1, bytes_done=42
    )
    body = machine_of("ines").get(f"{RUNS}{run.uuid}/").json()
    (output,) = body["outputs"]
    assert output["role"] == "result"
    assert output["dataset"] == str(result_of(run).pid)
    (copy,) = output["copies"]
    assert (copy["store"], copy["state"], copy["bytes_done"]) == ("archive", "archived", 42)
    assert body["usage"] == {"seconds": 1.5, "cpu_seconds": 1.0, "peak_memory_bytes": 10**8}
    assert run.activity is not None
    assert body["activity"] == str(run.activity.pid)
    assert body["failure"] is None


def test_a_failure_says_whose_fault_it_was_but_keeps_the_traceback(
    machine_of: MachineOf, world: World
) -> None:
    run = a_run(world)
    failure = {
        "reason": "input",
        "code": "xrd-shape",
        "message": "frames are 16 x 24, expected 32 x 32",
        "traceback": 'File "/srv/palimpsest/xrd_map.py", line 7',
    }
    ProcessingRun.objects.filter(pk=run.pk).update(
        state="failed", problem=failure, finished_at=datetime.now(UTC)
    )
    response = machine_of("ines").get(f"{RUNS}{run.uuid}/")
    assert response.json()["failure"] == {
        key: failure[key] for key in ("reason", "code", "message")
    }
    assert "/srv" not in response.content.decode()


def test_runs_are_listed_newest_first_and_by_state_and_recipe(
    machine_of: MachineOf, world: World
) -> None:
    queued, done = a_run(world), a_result(world)

    def listed(query: str = "") -> list[str]:
        rows = machine_of("ines").get(f"{RUNS}?{query}").json()["results"]
        return [row["uuid"] for row in rows]

    assert set(listed()) == {str(queued.uuid), str(done.uuid)}
    assert listed("state=queued") == [str(queued.uuid)]
    assert listed("recipe=xrd-map@1.0.0&state=succeeded") == [str(done.uuid)]
    assert listed("recipe=sofa") == []
    assert machine_of("ines").get(f"{RUNS}?state=lost").status_code == 400


def test_runs_queued_at_one_instant_are_each_listed_once(
    machine_of: MachineOf, world: World
) -> None:
    # Within one transaction the database's clock stands still: all are of one instant.
    uuids = {str(a_run(world, bins=number).uuid) for number in range(100, 105)}
    client, seen, address = machine_of("ines"), [], f"{RUNS}?page_size=2"
    while address:
        page = client.get(address).json()
        seen += [row["uuid"] for row in page["results"]]
        address = page["next"]
    assert len(seen) == 5
    assert set(seen) == uuids


def test_a_log_is_followed_by_the_number_of_the_last_line(
    machine_of: MachineOf, world: World
) -> None:
    other, run = a_run(world), a_run(world)
    for number in range(5):
        for row in (other, run):
            LogEntry.objects.create(
                processing_run=row, fence=1, level="info", text=f"{row.uuid} frame {number}"
            )
    client = machine_of("ines")
    address = f"{RUNS}{run.uuid}/log/"
    body = client.get(f"{address}?page_size=3").json()
    assert [row["line"] for row in body["results"]] == [1, 2, 3]
    assert body["results"][0]["text"] == f"{run.uuid} frame 0"
    rest = client.get(body["next"]).json()
    assert [row["line"] for row in rest["results"]] == [4, 5]
    assert rest["next"] is None
    assert client.get(f"{address}?after=5").json()["results"] == []
    LogEntry.objects.create(processing_run=run, fence=1, level="error", text="stopped")
    news = client.get(f"{address}?after=5").json()["results"]
    assert [(row["line"], row["text"]) for row in news] == [(6, "stopped")]
    assert client.get(f"{address}?after=-1").status_code == 400


def test_who_asked_for_a_run_may_cancel_it(machine_of: MachineOf, world: World) -> None:
    run = a_run(world)
    response = machine_of("ines").post(f"{RUNS}{run.uuid}/cancel/", {}, format="json")
    assert response.status_code == 200
    run.refresh_from_db()
    assert response.json()["state"] == run.state == "cancelled"


def test_others_may_not_cancel_a_run_that_they_see(machine_of: MachineOf, world: World) -> None:
    run = a_run(world)
    response = machine_of("carlo").post(f"{RUNS}{run.uuid}/cancel/", {}, format="json")
    assert response.status_code == 403
    assert response.json()["type"] == "/problems/#not-permitted"
    assert machine_of(None).post(f"{RUNS}{run.uuid}/cancel/").status_code == 401
    run.refresh_from_db()
    assert run.state == "queued"


def test_a_run_that_has_ended_cannot_be_cancelled(machine_of: MachineOf, world: World) -> None:
    run = a_result(world)
    response = machine_of("ines").post(f"{RUNS}{run.uuid}/cancel/")
    assert response.status_code == 409
    assert response.json()["state"] == "succeeded"


def test_cancelling_takes_no_fields(machine_of: MachineOf, world: World) -> None:
    run = a_run(world)
    response = machine_of("ines").post(f"{RUNS}{run.uuid}/cancel/", {"force": True}, format="json")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "#/force"


def a_product(world: World, slug: str, subject: Dataset, **fields: Any) -> Product:
    rule, _ = ProductRule.objects.get_or_create(
        slug=slug, defaults={"recipe": a_recipe(), "subject": "scan", "keep": "fresh"}
    )
    return Product.objects.create(rule=rule, subject=subject, **fields)


def test_products_say_what_a_rule_wants_and_what_became_of_it(
    machine_of: MachineOf, world: World
) -> None:
    run = a_result(world)
    scan = run.inputs.get(role="scan").dataset
    a_product(world, "map", scan, processing_run=run, condition="fresh")
    waiting = a_dataset(world)
    a_product(world, "zap", waiting, condition="blocked", detail="There is no geometry for ID13.")
    rows = machine_of("ines").get("/api/v1/products/").json()["results"]
    assert rows == [
        {
            "rule": "map",
            "subject": str(scan.pid),
            "processing_run": str(run.uuid),
            "outputs": [str(result_of(run).pid)],
            "condition": "fresh",
            "reasons": [],
            "detail": "",
            "wanted_run": None,
            "pinned_at": None,
            "explanation": f"/api/v1/products/map/{scan.pid}/",
        },
        {
            "rule": "zap",
            "subject": str(waiting.pid),
            "processing_run": None,
            "outputs": [],
            "condition": "blocked",
            "reasons": [],
            "detail": "There is no geometry for ID13.",
            "wanted_run": None,
            "pinned_at": None,
            "explanation": f"/api/v1/products/zap/{waiting.pid}/",
        },
    ]
    assert machine_of("sten").get("/api/v1/products/").json()["results"] == []


def test_a_product_of_an_open_subject_keeps_its_hidden_run_to_itself(
    machine_of: MachineOf, world: World
) -> None:
    run = a_result(world)
    scan = run.inputs.get(role="scan").dataset
    guarded(scan, opens_on=date(2020, 1, 1), listed_on=date(2020, 1, 1))
    a_product(world, "map", scan, processing_run=run)
    (row,) = machine_of("sten").get("/api/v1/products/").json()["results"]
    assert (row["processing_run"], row["outputs"]) == (None, [])


@pytest.mark.parametrize("address", [RUNS, "/api/v1/products/", "/api/v1/activities/"])
def test_the_number_of_queries_does_not_grow_with_a_list(
    machine_of: MachineOf,
    world: World,
    count_queries: Callable[[Callable[[], object]], int],
    address: str,
) -> None:
    for _ in range(4):
        run = a_result(world)
        a_product(world, "map", run.inputs.get(role="scan").dataset, processing_run=run)
    client = machine_of("ines")
    small = count_queries(lambda: client.get(f"{address}?page_size=1"))
    assert count_queries(lambda: client.get(f"{address}?page_size=4")) == small


def test_a_run_of_many_inputs_takes_as_many_queries_as_one_of_few(
    machine_of: MachineOf, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    run = a_result(world)
    client = machine_of("ines")
    few = count_queries(lambda: client.get(f"{RUNS}{run.uuid}/"))
    for position in range(1, 9):
        run.inputs.create(role="scan", position=position, dataset=a_dataset(world))
    assert count_queries(lambda: client.get(f"{RUNS}{run.uuid}/")) == few
