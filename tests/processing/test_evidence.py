"""What two runs differ in, and the pages and addresses of replays."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from catalogue.embargo.retraction import retract
from catalogue.models import Tombstone
from processing.differing import Diff, diff
from processing.models import ProcessingRun, Replay
from processing.recalling import cancel_retracted
from processing.recipes.manifest import Environment
from processing.submission import submit
from tests.api.results import a_result, result_of
from tests.builders import World, a_dataset, a_manifest, a_recipe, a_run
from tests.catalogue.test_pages import text_of

ClientOf = Callable[[str | None], Client]


def change(run: ProcessingRun, **values: Any) -> ProcessingRun:
    """Write to a run that has ended, past its trigger: as if it had ended so."""
    copy = ProcessingRun.objects.get(pk=run.pk)
    for name, value in values.items():
        setattr(copy, name, value)
    return copy


def told(found: Diff) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in found.lines:
        sections.setdefault(line.section, []).append(line.sentence)
    return sections


def test_equal_runs_differ_in_nothing(world: World) -> None:
    run = a_run(world)
    found = diff(world.ines, run, run)
    assert (found.lines, found.key_fields) == ([], [])
    assert found.summary.startswith("They have the same key")


def test_what_differs_is_told_and_nothing_else(world: World) -> None:
    scan, other = a_dataset(world, title="scan"), a_dataset(world, title="another")
    geometry = a_dataset(world, content="poni", title="Geometry")
    recipe = a_recipe()

    def run(subject: object, **parameters: Any) -> ProcessingRun:
        given: Any = {"scan": [subject], "geometry": [geometry]}
        return submit(world.ines, recipe, given, parameters).processing_run

    found = diff(world.ines, run(scan, bins=500), run(other, bins=600))
    assert found.key_fields == ["inputs", "parameters"]
    assert found.summary == "Their keys differ in inputs and parameters."
    assert told(found) == {
        "inputs": ["The scan is “scan” in the first and “another” in the second."],
        "parameters": ["Bins is 500 in the first and 600 in the second."],
    }


def test_a_rule_says_why_it_picked_another_input(world: World) -> None:
    one, other = a_run(world), a_run(world)
    for run, day in ((one, "2 May"), (other, "9 May")):
        run.resolution = {"geometry": {"rule": f"The closest before {day}."}}
    (line,) = [line for line in diff(world.ines, one, other).lines if line.name == "the geometry"]
    assert (
        line.reason
        == "In the first: The closest before 2 May. In the second: The closest before 9 May."
    )


def test_versions_of_packages_are_compared(world: World) -> None:
    newer = Environment(packages={"numpy": "3", "pyFAI": "1"}, python="3.11.7", digest="e" * 64)
    one = a_run(world)
    other = a_run(world)
    other.recipe = a_recipe(a_manifest(version="1.1.0", environment=newer))
    sections = told(diff(world.ines, one, other))
    assert sections["recipe"] == [
        "Recipe is xrd-map@1.0.0 in the first and xrd-map@1.1.0 in the second."
    ]
    assert sections["environment"] == [
        "Numpy is 2 in the first and 3 in the second.", "Only the second has pyFAI: 1.",
    ]  # fmt: skip


def test_usage_counts_where_it_differs_by_more_than_a_tenth(world: World) -> None:
    run = a_run(world)
    one = change(run, usage={"seconds": 10.0, "cpu_seconds": 5.0, "peak_memory_bytes": 2**30})
    other = change(run, usage={"seconds": 10.5, "cpu_seconds": 9.0, "peak_memory_bytes": 2**30})
    assert told(diff(world.ines, one, other)) == {
        "usage": ["Computing time is 5 s in the first and 9 s in the second."]
    }


def test_one_key_with_two_results_is_said_first(world: World) -> None:
    run = a_run(world)
    digests = {"state": "succeeded", "content_digest": "a" * 64, "result_digest": "a" * 64}
    one = change(run, **digests)
    other = change(run, **digests | {"content_digest": "b" * 64, "result_digest": "b" * 64})
    assert (
        diff(world.ines, one, other).summary
        == "They have the same key, and yet their results differ."
    )
    same = change(run, **digests | {"result_digest": "b" * 64})
    assert told(diff(world.ines, one, same))["outputs"] == [
        "The result is the same content in the first and other bytes of it in the second."
    ]


def test_a_verdict_tells_the_difference_between_an_original_and_its_replay(world: World) -> None:
    original = a_result(world)
    replay = a_replay(original)
    (sentence, path) = told(diff(world.ines, original, replay))["outputs"]
    assert "different in the second" in sentence
    assert "Map.nxs:/entry/q is the original in the first and 3 of 9 values differ, by 0.5" in path


def a_replay(original: ProcessingRun, verdict: str = "different") -> ProcessingRun:
    now = datetime.now(UTC)
    copy = ProcessingRun.objects.create(
        purpose="replay", state="succeeded", recipe=original.recipe, run_key=original.run_key,
        parameters=original.parameters, key_document=original.key_document, scope=original.scope,
        clock=original.clock, seed=original.seed, usage=original.usage, finished_at=now,
        content_digest="c" * 64, result_digest="c" * 64,
    )  # fmt: skip
    for row in original.inputs.all():
        row.pk, row.processing_run = None, copy
        row.save()
    difference = {"path": "map.nxs:/entry/q", "detail": "3 of 9 values differ", "deviation": 0.5}
    Replay.objects.create(
        original=original, processing_run=copy, verdict=verdict, judged_at=now,
        detail={"differences": [difference]},
    )  # fmt: skip
    return copy


def test_the_page_of_a_run_shows_how_well_it_was_repeated(
    world: World, client_of: ClientOf
) -> None:
    original = a_result(world)
    replay = a_replay(original)
    page = client_of("ines").get(f"/processing-runs/{original.uuid}/")
    assert "Different on" in text_of(page)
    assert "3 of 9 values differ, by 0.5 at most" in text_of(page)
    assert f"/processing-runs/{replay.uuid}/" in page.content.decode()
    own = client_of("ines").get(f"/processing-runs/{replay.uuid}/")
    assert "repeats an earlier one" in text_of(own)
    assert f"/processing-runs/{original.uuid}/diff/{replay.uuid}/" in own.content.decode()
    assert "replay" in text_of(client_of("ines").get("/processing-runs/"))


def upgrade_packages(run: ProcessingRun) -> None:
    """Install another numpy than the run was made with."""
    newer = Environment(packages={"numpy": "3"}, python="3.11.7", digest="e" * 64)
    run.recipe.manifest = a_manifest(environment=newer).model_dump_json()
    run.recipe.save()


def test_a_replay_is_asked_for_on_the_page_and_by_rest(world: World, client_of: ClientOf) -> None:
    original, client = a_result(world), client_of("ines")
    asked = client.post(f"/processing-runs/{original.uuid}/replays/", follow=True)
    assert "the verdict will stand here" in text_of(asked)
    assert "Pending asked for on" in text_of(asked)
    address = f"/api/v1/processing-runs/{original.uuid}/replays/"
    (pending,) = client.get(address).json()["results"]
    assert (pending["verdict"], pending["requested_by"]) == ("", "Ines")
    ProcessingRun.objects.filter(purpose="replay").update(state="cancelled")
    upgrade_packages(original)
    answer = client.post(address, {}, content_type="application/json")
    assert (answer.status_code, answer.json()["verdict"]) == (201, "not-replayable")
    assert "numpy" in answer.json()["reason"]
    assert len(client.get(address).json()["results"]) == 2


def test_a_run_without_result_cannot_be_replayed(world: World, client_of: ClientOf) -> None:
    run = a_run(world)
    answer = client_of("ines").post(
        f"/api/v1/processing-runs/{run.uuid}/replays/", {}, content_type="application/json"
    )
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/no-replay/") or "no-replay" in answer.json()["type"]
    page = client_of("ines").post(f"/processing-runs/{run.uuid}/replays/", follow=True)
    assert "cannot be replayed: it is queued" in text_of(page)


def test_a_stranger_asks_for_no_replay(world: World, client_of: ClientOf) -> None:
    original = a_result(world)
    address = f"/processing-runs/{original.uuid}/replays/"
    assert client_of("sten").post(address).status_code == 404
    assert client_of(None).post(address).status_code == 302
    body: dict[str, Any] = {"content_type": "application/json"}
    assert client_of("sten").post(f"/api/v1{address}", {}, **body).status_code == 404
    assert client_of(None).post(f"/api/v1{address}", {}, **body).status_code == 401
    assert not Replay.objects.exists()


def test_only_two_runs_that_one_sees_are_compared(world: World, client_of: ClientOf) -> None:
    one, other = a_run(world), a_run(world, bins=500)
    chosen = f"/processing-runs/compare/?run={one.uuid}&run={other.uuid}"
    address = f"/processing-runs/{one.uuid}/diff/{other.uuid}/"
    assert client_of("ines").get(chosen).headers["Location"] == address
    assert client_of("sten").get(chosen).headers["Location"] == "/processing-runs/"
    for wrong in ("?run=nonsense&run=x", "", f"?run={one.uuid}"):
        found = client_of("ines").get(f"/processing-runs/compare/{wrong}")
        assert found.headers["Location"] == "/processing-runs/"
    assert "Bins is 1000 in the first and 500 in the second." in text_of(
        client_of("ines").get(address)
    )
    answer = client_of("ines").get(f"/api/v1{address}").json()
    assert answer["key_fields"] == ["inputs", "parameters"]
    assert {line["section"] for line in answer["lines"]} == {"inputs", "parameters"}


def test_runs_of_an_unsteady_recipe_are_named_to_whom_may_see_them(
    world: World, client_of: ClientOf
) -> None:
    original = a_run(world)
    ProcessingRun.objects.filter(pk=original.pk).update(content_digest="b" * 64, state="succeeded")
    original.refresh_from_db()
    address = "/api/v1/recipes/xrd-map/determinism/"
    assert client_of("ines").get(address).json()["unsteady_keys"] == 0
    replay = a_replay(original)
    mine, others = (client_of(name).get(address).json() for name in ("ines", "sten"))
    assert mine["unsteady_keys"] == others["unsteady_keys"] == 1
    assert set(mine["processing_runs"]) == {str(original.uuid), str(replay.uuid)}
    assert others["processing_runs"] == []
    assert "not deterministic" in text_of(client_of(None).get("/recipes/xrd-map/"))


def test_runs_on_retracted_data_are_stopped_by_any_pass(world: World) -> None:
    queued, running, other = a_run(world), a_run(world), a_run(world)
    lease = {"state": "running", "lease_until": datetime.now(UTC)}
    ProcessingRun.objects.filter(pk=running.pk).update(**lease)
    for run in (queued, running):
        retract(world.dana, run.inputs.get(role="geometry").dataset, "the wrong distance")
    assert cancel_retracted() == 2
    assert cancel_retracted() == 0, "a second pass finds nothing"
    for run in (queued, running, other):
        run.refresh_from_db()
    assert (queued.state, queued.problem["code"]) == ("cancelled", "input-retracted")
    assert (running.state, running.cancel_requested) == ("running", True)
    assert (other.state, other.cancel_requested) == ("queued", False)


def test_the_command_says_why_a_result_is_not_replayed(world: World) -> None:
    original = a_result(world)
    upgrade_packages(original)
    with pytest.raises(CommandError, match="packages it was made with are gone"):
        call_command("reproduce", str(original.uuid), "--wait", "0")
    for uuid in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(CommandError, match="no processing run"):
            call_command("reproduce", uuid)


def test_a_comparison_names_no_file_of_a_result_that_was_withdrawn(world: World) -> None:
    original = a_result(world)
    one = change(original, result_digest="a" * 64)
    other = change(a_result(world), result_digest="b" * 64)
    replay = a_replay(original)
    assert "Map.nxs is " in told(diff(world.ines, one, other))["outputs"][0]
    Tombstone.objects.create(dataset=result_of(original), kind="withdrawn", reason="a name")
    found = [*diff(world.ines, one, other).lines, *diff(world.ines, original, replay).lines]
    outputs = [line.sentence for line in found if line.section == "outputs"]
    assert outputs == [
        "The result is one in the first and another in the second.",
        "The result is the original in the first and different in the second.",
    ]
    assert "Map.nxs is " in told(diff(world.dana, one, other))["outputs"][0]


def test_a_replay_names_no_file_of_a_result_that_was_withdrawn(
    world: World, client_of: ClientOf
) -> None:
    original = a_result(world)
    replay = a_replay(original)
    rest = f"/api/v1/processing-runs/{original.uuid}/replays/"
    pages = [f"/processing-runs/{run.uuid}/" for run in (original, replay)]
    for address in (rest, *pages):
        assert "/entry/q" in client_of("ines").get(address).content.decode()
    Tombstone.objects.create(dataset=result_of(original), kind="withdrawn", reason="a name")
    for address in (rest, *pages):
        told = client_of("ines").get(address).content.decode()
        assert "/entry/q" not in told
        assert "different" in told.lower()
        assert "/entry/q" in client_of("dana").get(address).content.decode()


@pytest.mark.parametrize(
    "address",
    ["products/a%00b/00000000-0000-0000-0000-000000000000/", "recipes/a%00b/determinism/"],
)
def test_a_name_that_no_database_holds_is_unknown(client_of: ClientOf, address: str) -> None:
    assert client_of(None).get(f"/api/v1/{address}").status_code == 404
