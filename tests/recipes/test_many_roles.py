"""Roles of many datasets, several outputs, hooks: from the signature to the result."""

import hashlib
from pathlib import Path
from typing import Literal

import pytest

from processing.checking import check_recipe
from processing.errors import RecipeDefinitionError
from processing.recipes.asking import Question, compare_by_hook, estimate
from processing.recipes.base import Input, Output, Preset, recipe
from processing.recipes.comparison import Comparison, Difference
from processing.recipes.manifest import Manifest
from tests.builders import a_manifest
from tests.makers.recipes import copy_scan, join_scans, roll_dice
from tests.makers.tickets import a_ticket, bodies, run

MANIFEST = join_scans.manifest


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"scan_{number}.bin" for number in range(3)]
    for path in paths:
        path.write_bytes(path.stem.encode())
    return paths


def test_roles_of_many_and_several_outputs_stand_in_the_manifest() -> None:
    scans, dark = MANIFEST.inputs["scans"], MANIFEST.inputs["dark"]
    assert (scans.many, scans.ordered, scans.optional) == (True, False, False)
    assert scans.description == "Any number of scans"
    assert (dark.many, dark.ordered, dark.optional) == (True, True, True)
    assert {role: slot.content for role, slot in MANIFEST.outputs.items()} == {
        "joined": "copy",
        "report": "report",
    }
    assert MANIFEST.outputs["report"].optional
    assert MANIFEST.hooks == ("estimate",)


def test_a_role_of_many_gets_all_its_datasets_and_each_output_its_files(
    scans: list[Path], tmp_path: Path
) -> None:
    ticket = a_ticket(MANIFEST, tmp_path, {"scans": scans[:2], "dark": scans[2:]})
    outcome, _ = run(ticket)
    assert outcome.failure is None
    found = [(file.role, file.path) for file in outcome.outputs]
    assert found == [("joined", "joined.bin"), ("joined", "index.txt"), ("report", "report.txt")]
    assert bodies(ticket, outcome)["report"] == ticket.clock.encode(), "the run's clock"
    joined = outcome.outputs[0]
    assert joined.content_digest == joined.sha256, "of what is no HDF5 file the bytes count"


def test_only_ordered_datasets_keep_the_order_in_which_they_are_given(
    scans: list[Path], tmp_path: Path
) -> None:
    def joined(fence: int, **inputs: list[Path]) -> str:
        outcome, _ = run(a_ticket(MANIFEST, tmp_path, inputs, fence=fence))
        return outcome.outputs[0].sha256

    first, second, third = scans
    assert joined(1, scans=[first, second]) == joined(2, scans=[second, first])
    forward = joined(3, scans=[third], dark=[first, second])
    assert forward == hashlib.sha256(b"scan_2|scan_0|scan_1").hexdigest()
    assert joined(4, scans=[third], dark=[second, first]) != forward


def test_an_optional_output_may_be_left_out(scans: list[Path], tmp_path: Path) -> None:
    outcome, _ = run(a_ticket(MANIFEST, tmp_path, {"scans": scans}, report=False))
    assert outcome.failure is None
    assert {file.role for file in outcome.outputs} == {"joined"}


def test_prices_of_many_runs_come_from_one_child_and_a_bad_answer_harms_no_other() -> None:
    questions = [
        Question(sizes={"scans": [200_000_000, 100_000_000]}, parameters={"report": True}),
        Question(sizes={"scans": [1]}, parameters={"report": False}),
        Question(sizes={"scans": [0]}, parameters={"report": True}),
    ]
    first, second, third = estimate(MANIFEST, questions)
    assert first is not None
    assert (first.core_seconds, first.bytes_out) == (3.0, 300_000_000)
    assert second is None
    assert third is not None
    assert third.core_seconds == 0.0


def test_the_recipes_own_measure_decides_about_a_replay(tmp_path: Path) -> None:
    said: list[str] = []
    assert check_recipe(roll_dice.manifest, tmp_path, said.append)
    assert said[-1] == "Replay of copy.bin: equal within the tolerance of the manifest."
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("6 1")
    other.write_text("8 1")
    found = compare_by_hook(roll_dice.manifest, one, other)
    assert found == Comparison("different", (Difference("/", "another die", 2.0),))
    assert compare_by_hook(copy_scan.manifest, one, other) is None


def test_a_hook_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(RecipeDefinitionError, match="hook compare failed: IndexError"):
        compare_by_hook(roll_dice.manifest, tmp_path / "empty", tmp_path / "empty")


def test_a_recipe_without_the_hook_has_no_price() -> None:
    assert estimate(copy_scan.manifest, [Question(sizes={})]) == [None]


def test_a_preset_outside_the_schema_is_refused_by_name() -> None:
    def function(scan: Input[Literal["nexus"]], *, bins: int = 3) -> Output[Literal["curve"]]: ...  # type: ignore[empty-body]  # only its signature matters

    preset = Preset(parameters={"bins": "many"})
    with pytest.raises(RecipeDefinitionError, match="preset quick: bins: must be of type integer"):
        recipe("broken", version="1.0.0", environment=[], presets={"quick": preset})(function)


def test_a_manifest_says_one_thing_that_is_run() -> None:
    with pytest.raises(ValueError, match="one of entry, command and notebook"):
        a_manifest(command=("true",))


def test_a_manifest_of_the_first_release_is_readable_and_keeps_its_digest() -> None:
    # As written by version 0.1.0, and its digest then.
    old = (
        '{"manifest":1,"name":"old","version":"1.0.0","title":"T","description":"","entry":"m:f",'
        '"inputs":{"scan":{"contents":["nexus"],"optional":false,"many":false,"description":""}},'
        '"parameters":{"type":"object","properties":{}},"outputs":{"result":{"content":"curve"}},'
        '"resources":{"cores":1,"memory_bytes":2147483648,"walltime_s":1800.0},'
        '"environment":{"packages":{},"python":"3.11.7","digest":"c"}}'
    )
    manifest = Manifest.model_validate_json(old)
    assert manifest.model_dump_json() == old
    assert manifest.digest == "913afc8d1d7b39393143eba22c79f2e8fb3dd7b5ff3c82d96b69ae63017c69cd"
    assert manifest.model_copy(update={"chunk": 2}).digest != manifest.digest
