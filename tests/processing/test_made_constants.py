"""A recipe makes calibration constants: once each, and product rules pick them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydantic import ValidationError

from catalogue.models import CalibrationConstant, Dataset
from catalogue.places import content_folder
from catalogue.storage.content import keep_bytes
from processing import leases
from processing.errors import LeaseLostError
from processing.lifecycle import settle
from processing.models import ProcessingRun, Product, ProductRule
from processing.products.keeping import keep_all
from processing.recipes.dark_characterise import dark_characterise
from processing.recipes.manifest import InputSlot
from processing.recipes.workspace import Workspace
from processing.replaying import reproduce
from processing.runner import _collect
from processing.submission import submit
from processing.ticket import MadeConstant, Outcome, OutputFile, Repetition
from tests.builders import World, a_dataset, a_manifest, a_recipe, a_run
from tests.processing.keeping import at, conditions, finish_all

DETECTOR = "SPB_DET_AGIPD1M-1"
CONDITIONS = {"bias_v": 300.0, "cells": 4.0, "rate_mhz": 1.1}


def dark_runs(world: World, hours: float) -> dict[str, list[Dataset]]:
    return {
        gain: [a_dataset(world, content="euxfel-run", title=gain, start_time=at(hours + place))]
        for place, gain in enumerate(("high", "medium", "low"))
    }


def make_darks(world: World, hours: float, **said: Any) -> Dataset:
    """Let dark-characterise succeed as its runner would tell it."""
    recipe = a_recipe(dark_characterise.manifest)
    submit(world.ines, recipe, dark_runs(world, hours), {})
    held = leases.claim("worker", 60)
    assert held is not None
    settle(held, an_outcome(hours, **said))
    activity = ProcessingRun.objects.get(pk=held.run_id).activity
    assert activity is not None
    return activity.generated.get().dataset


def an_outcome(hours: float, **said: Any) -> Outcome:
    body = f"darks of hour {hours}".encode()
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(content_folder(), body, sha256)
    file = OutputFile(role="result", path="dark-AGIPD00.h5", size=len(body), sha256=sha256)
    fields: dict[str, Any] = {
        "role": "result", "kind": "dark", "detector": DETECTOR, "valid_from": at(hours),
        "conditions": CONDITIONS,
    }  # fmt: skip
    return Outcome(outputs=(file,), constants=(MadeConstant(**(fields | said)),))


def correcting() -> ProductRule:
    """A rule that corrects each raw run of the detector with the latest fitting darks."""
    manifest = a_manifest(
        name="detector-correct",
        inputs={
            "run": InputSlot(contents=("euxfel-run",)),
            "constants": InputSlot(contents=("dark-constants",)),
        },
    )
    constants = {
        "source": "calibration",
        "content": "dark",
        "match": {
            "detector": "equal",
            "bias_v": {"within": 5},
            "cells": "equal",
            "rate_mhz": {"within": 0.01},
        },
        "pick": "closest_before",
    }
    return ProductRule.objects.create(
        slug="correct", recipe=a_recipe(manifest), subject="run",
        selection={"sample": "Lysozyme"},
        inputs={"constants": constants}, parameters={}, keep="fresh",
    )  # fmt: skip


def test_a_result_becomes_the_constant_that_its_recipe_states(
    world: World, client_of: Callable[[str | None], Client]
) -> None:
    dataset = make_darks(world, 0)
    constant = CalibrationConstant.objects.get()
    assert (constant.dataset, constant.kind, constant.detector) == (dataset, "dark", DETECTOR)
    assert (constant.valid_from, constant.valid_to) == (at(0), None)
    assert constant.conditions == CONDITIONS
    assert dataset.content == "dark-constants"
    page = client_of("ines").get(f"/datasets/{dataset.pid}/").content.decode()
    assert DETECTOR in page
    assert "bias_v" in page


@pytest.mark.parametrize("year", [1, 999, 9999])
def test_a_constant_of_no_calendar_is_refused(year: int) -> None:
    """A clock gone wrong, told by a file: the database holds it, no page could show it."""
    with pytest.raises(ValidationError, match="years 1000 to 9000"):
        MadeConstant(role="", kind="dark", valid_from=datetime(year, 6, 1, tzinfo=UTC))


def test_what_is_said_last_of_a_role_counts_by_whatever_name(tmp_path: Path) -> None:
    """The first role is called by its name or not at all: a dataset has one constant."""
    work = Workspace(tmp_path)
    work.output("dark-AGIPD00.h5").write_bytes(b"")
    work.constant(kind="dark", valid_from=at(0))
    work.constant(kind="dark", valid_from=at(1), role="result")
    outcome = _collect(dark_characterise.manifest, work, {"result": "dark-AGIPD00.h5"})
    assert [(it.role, it.valid_from) for it in outcome.constants] == [("result", at(1))]


def test_a_result_without_a_statement_is_no_constant(world: World) -> None:
    a_run(world)  # its geometry is a constant by itself
    finish_all()
    assert not CalibrationConstant.objects.filter(dataset__kind="derived").exists()


def a_science_run(world: World, hours: float) -> Dataset:
    told: dict[str, tuple[float | str, str]] = {
        "detector.name": (DETECTOR, ""), "detector.bias_voltage": (299.0, "V"),
        "detector.memory_cells": (4, ""), "detector.repetition_rate": (1.1, "MHz"),
    }  # fmt: skip
    return a_dataset(
        world, content="euxfel-run", title=f"Run {hours:g}", start_time=at(hours),
        sample="Lysozyme", parameters=told,
    )  # fmt: skip


def test_a_rule_picks_the_latest_made_constant_of_the_same_conditions(world: World) -> None:
    correcting()
    first = make_darks(world, 0)
    make_darks(world, 2, conditions=CONDITIONS | {"bias_v": 200.0})
    make_darks(world, 3, detector="MID_DET_AGIPD1M-1")
    a_science_run(world, 5)
    assert keep_all().submitted == 1
    run = ProcessingRun.objects.get(state="queued")
    assert run.inputs.get(role="constants").dataset == first
    assert run.resolution["constants"]["valid_from"] == at(0).isoformat()


def test_darks_that_come_later_make_exactly_the_runs_after_them_stale(world: World) -> None:
    rule = correcting()
    make_darks(world, 0)
    for hours in (4, 6):
        a_science_run(world, hours)
    keep_all()
    finish_all()
    newer = make_darks(world, 5)
    assert keep_all().submitted == 1
    assert conditions(rule) == {"Run 4": "fresh", "Run 6": "queued"}
    (product,) = Product.objects.exclude(wanted_run=None)
    assert product.wanted_run is not None
    assert product.wanted_run.inputs.get(role="constants").dataset == newer


def test_an_attempt_that_was_overtaken_makes_no_second_constant(world: World) -> None:
    submit(world.ines, a_recipe(dark_characterise.manifest), dark_runs(world, 0), {})
    held = leases.claim("worker", 60)
    assert held is not None
    settle(held, an_outcome(0))
    with pytest.raises(LeaseLostError):
        settle(held, an_outcome(0))
    assert CalibrationConstant.objects.count() == 1


def test_a_replay_makes_no_constant(world: World) -> None:
    made = make_darks(world, 0)
    original = ProcessingRun.objects.get(activity__generated__dataset=made)
    replay = reproduce(world.ines, original)
    held = leases.claim("worker", 60)
    assert held is not None
    assert held.run_id == replay.processing_run_id
    outcome = an_outcome(0)
    settle(held, outcome.model_copy(update={"repetition": Repetition(verdict="identical-bytes")}))
    assert CalibrationConstant.objects.get().dataset == made
