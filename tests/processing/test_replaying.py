"""Old results are made again from their record alone, and graded."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.errors import NotPermittedError
from catalogue.models import Activity, Dataset
from catalogue.places import content_folder, local_path
from processing import leases
from processing.determinism import spread_of, unsteady_keys
from processing.engine.in_process import InProcessEngine
from processing.errors import LeaseLostError, NothingToReplayError
from processing.issuing import issue_ticket
from processing.lifecycle import settle
from processing.models import ProcessingRun, Replay
from processing.replaying import judge_ended, replay_sample, reproduce
from processing.results import find_run
from processing.submission import submit
from processing.ticket import Failure, Outcome
from tests.builders import World, a_dataset, a_recipe
from tests.makers.repeatable import repeat_scan

BODY = bytes(range(200))


@pytest.fixture(scope="module")
def engine() -> Iterator[InProcessEngine]:
    engine = InProcessEngine()
    yield engine
    engine.close()


def work(engine: InProcessEngine) -> None:
    """Do what is next in the queue, as a worker does."""
    held = leases.claim("worker", 60)
    assert held is not None
    outcome = engine.submit(issue_ticket(held)).wait(60)
    assert outcome is not None
    settle(held, outcome)


def a_result(world: World, engine: InProcessEngine, how: str = "same") -> ProcessingRun:
    scan = a_dataset(world, file=BODY)
    recipe = a_recipe(repeat_scan.manifest)
    run = submit(world.ines, recipe, {"scan": [scan]}, {"how": how}).processing_run
    work(engine)
    run.refresh_from_db()
    assert run.state == "succeeded", run.problem
    return run


def replayed(world: World, engine: InProcessEngine, original: ProcessingRun) -> Replay:
    replay = reproduce(world.ines, original)
    work(engine)
    replay.refresh_from_db()
    return replay


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ("same", "identical-bytes"),
        ("clock", "identical-content"),
        ("noise", "equal-within-tolerance"),
        ("other", "different"),
    ],
)
def test_a_verdict_says_how_well_a_result_is_repeated(
    world: World, engine: InProcessEngine, how: str, verdict: str
) -> None:
    original = a_result(world, engine, how)
    kept = sorted(path.name for path in content_folder().rglob("*") if path.is_file())
    replay = replayed(world, engine, original)
    assert replay.verdict == verdict
    assert replay.judged_at is not None
    paths = [one["path"] for one in replay.detail["differences"]]
    assert paths == (["values.nxs:/entry/values"] if how in {"noise", "other"} else [])
    # It has published nothing, and left nothing behind.
    assert Dataset.objects.filter(kind="derived").count() == 1
    assert Activity.objects.filter(kind="processing").count() == 1
    assert sorted(path.name for path in content_folder().rglob("*") if path.is_file()) == kept
    run = replay.processing_run
    assert run is not None
    assert (run.state, run.purpose, run.activity) == ("succeeded", "replay", None)


def test_a_difference_tells_where_and_how_large(world: World, engine: InProcessEngine) -> None:
    replay = replayed(world, engine, a_result(world, engine, "other"))
    (difference,) = replay.detail["differences"]
    assert 0 < difference["deviation"] < 1, "both were shifted by one to two"
    assert "values differ" in difference["detail"]


def test_a_replay_takes_clock_and_seed_from_the_record(
    world: World, engine: InProcessEngine
) -> None:
    original = a_result(world, engine)
    run = reproduce(world.ines, original).processing_run
    assert run is not None
    row = ("clock", "seed", "run_key", "key_document", "scope", "parameters", "recipe_id")
    assert [getattr(run, name) for name in row] == [getattr(original, name) for name in row]


@pytest.mark.parametrize("gone", ["input", "result", "packages"])
def test_what_is_gone_is_named_at_once(world: World, engine: InProcessEngine, gone: str) -> None:
    original = a_result(world, engine)
    scan = original.inputs.get().dataset
    if gone == "input":
        local_path(scan.files.get()).unlink()
    elif gone == "result":
        assert original.activity is not None
        path = local_path(original.activity.generated.get().dataset.files.get())
        path.parent.chmod(0o755)
        path.unlink()
    else:
        manifest = repeat_scan.manifest
        packages = {"numpy": "99.0"}
        newer = manifest.environment.model_copy(update={"packages": packages, "digest": "d" * 64})
        original.recipe.manifest = manifest.model_copy(
            update={"environment": newer}
        ).model_dump_json()
        original.recipe.save()
    replay = reproduce(world.ines, original)
    words = {
        "input": f"of {scan.title}, its scan, is gone",
        "result": "values.nxs of the result is gone",
        "packages": "became 99.0",
    }
    assert replay.verdict == "not-replayable"
    assert words[gone] in replay.detail["reason"]
    assert replay.processing_run is None
    assert str(Path(world.raw.root)) not in replay.detail["reason"]


def test_an_input_that_has_changed_is_found_by_the_replay(
    world: World, engine: InProcessEngine
) -> None:
    original = a_result(world, engine)
    path = local_path(original.inputs.get().dataset.files.get())
    path.write_bytes(BODY[::-1])  # of the same size
    replay = replayed(world, engine, original)
    assert replay.verdict == "not-replayable"
    assert "has changed since it was registered" in replay.detail["reason"]
    assert replay.processing_run is not None
    assert replay.processing_run.state == "failed"


def test_a_replay_is_no_result_to_be_reused(world: World, engine: InProcessEngine) -> None:
    original = a_result(world, engine)
    inputs = {"scan": [original.inputs.get().dataset]}
    replay = replayed(world, engine, original)
    assert replay.processing_run is not None
    assert replay.processing_run.pk > original.pk
    assert find_run(original.run_key, inputs) == original


def test_a_replay_under_way_is_not_asked_for_twice(world: World, engine: InProcessEngine) -> None:
    original = a_result(world, engine)
    assert reproduce(world.ines, original) == reproduce(world.dana, original)


def test_only_results_are_replayed_and_only_by_people(
    world: World, engine: InProcessEngine
) -> None:
    original = a_result(world, engine)
    with pytest.raises(NotPermittedError):
        reproduce(AnonymousUser(), original)
    run = replayed(world, engine, original).processing_run
    assert run is not None
    run.refresh_from_db()
    with pytest.raises(NothingToReplayError, match="a replay itself"):
        reproduce(world.ines, run)
    scan = a_dataset(world)
    queued = submit(world.ines, a_recipe(repeat_scan.manifest), {"scan": [scan]}, {})
    with pytest.raises(NothingToReplayError, match="queued"):
        reproduce(world.ines, queued.processing_run)


def test_a_lost_lease_gives_no_verdict(world: World, engine: InProcessEngine) -> None:
    replay = reproduce(world.ines, a_result(world, engine))
    held = leases.claim("worker", 60)
    assert held is not None
    ProcessingRun.objects.filter(pk=held.run_id).update(fence=held.fence + 1)
    with pytest.raises(LeaseLostError):
        settle(held, Outcome())
    replay.refresh_from_db()
    assert replay.verdict == ""


def test_a_replay_that_died_in_every_attempt_gets_its_verdict_from_a_pass(
    world: World, engine: InProcessEngine
) -> None:
    replay = reproduce(world.ines, a_result(world, engine))
    ProcessingRun.objects.filter(pk=replay.processing_run_id).update(max_attempts=1)
    held = leases.claim("worker", 60)
    assert held is not None
    settle(held, Outcome(failure=Failure(reason="lost", code="killed", message="It was killed.")))
    assert (judge_ended(), judge_ended()) == (1, 0)
    replay.refresh_from_db()
    assert (replay.verdict, replay.detail) == ("not-replayable", {"reason": "It was killed."})


def test_a_sample_is_as_large_as_is_wanted_each_day(world: World, engine: InProcessEngine) -> None:
    for _ in range(3):
        a_result(world, engine)
    assert len(replay_sample(2)) == 2
    assert replay_sample(2) == [], "that was today"
    run = Replay.objects.filter(requested_by=None).first()
    assert run is not None
    assert run.processing_run is not None
    assert run.processing_run.priority < 0, "nobody waits for it"


def test_one_key_with_two_contents_is_flagged(world: World, engine: InProcessEngine) -> None:
    steady = a_result(world, engine, "clock")
    replayed(world, engine, steady)
    found = spread_of(steady)
    assert (found.runs, found.contents, found.results, found.is_flagged) == (2, 1, 2, False)
    assert "only what may vary" in found.sentence
    unsteady = a_result(world, engine, "other")
    replayed(world, engine, unsteady)
    assert spread_of(unsteady).is_flagged
    assert "2 different results" in spread_of(unsteady).sentence
    assert list(unsteady_keys("repeat-scan")) == [unsteady.run_key]
