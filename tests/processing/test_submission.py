"""Who may ask for which result, and that equal wishes are one run."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from catalogue.errors import NotPermittedError
from catalogue.models import Dataset, Instrument, Proposal
from processing.errors import RecipeInputError, RecipeParameterError, UnknownRecipeError
from processing.models import ProcessingRun, ProductRule, Recipe
from processing.recipes.manifest import InputSlot
from processing.submission import (
    Submission,
    candidates,
    choose_inputs,
    fitting_roles,
    get_recipe,
    list_recipes,
    read_manifest,
    submit,
    submit_for_rule,
)
from tests.builders import World, a_dataset, a_manifest, a_recipe

DEFAULTS = {"bins": 1000, "polarization": 0.95, "unit": "q_nm^-1", "zigzag": False}

Inputs = dict[str, Sequence[Dataset]]


@pytest.fixture
def inputs(world: World) -> Inputs:
    return {
        "scan": [a_dataset(world, title="scan")],
        "geometry": [a_dataset(world, title="geometry", content="poni")],
    }


def ask(
    world: World, inputs: Inputs, recipe: Recipe | None = None, **parameters: Any
) -> Submission:
    return submit(world.ines, recipe or a_recipe(), inputs, parameters)


def a_merge() -> Recipe:
    """A recipe that takes many scans."""
    slots = {"scans": InputSlot(contents=("nexus-scan", "nexus"), many=True)}
    return a_recipe(a_manifest(name="merge", inputs=slots))


def test_a_wish_becomes_a_queued_run_with_its_defaults_filled_in(
    world: World, inputs: Inputs
) -> None:
    submission = ask(world, inputs, bins=500)
    run = submission.processing_run
    assert (submission.is_reused, submission.is_joined) == (False, False)
    assert (run.state, run.requested_by, run.attempt) == ("queued", world.ines, 0)
    assert run.parameters == DEFAULTS | {"bins": 500}
    assert [(it.role, it.dataset.title) for it in run.inputs.all()] == [
        ("geometry", "geometry"), ("scan", "scan"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "parameters",
    [
        DEFAULTS,
        {"bins": 1000.0},
        {"polarization": 0.95, "zigzag": False},
        dict(reversed(DEFAULTS.items())),
    ],
)
def test_saying_a_default_is_the_same_wish(
    world: World, inputs: Inputs, parameters: dict[str, Any]
) -> None:
    first = ask(world, inputs)
    again = ask(world, inputs, **parameters)
    assert again.is_joined
    assert again.processing_run == first.processing_run


@pytest.mark.parametrize(
    "parameters", [{"bins": 999}, {"polarization": None}, {"polarization": 0}, {"zigzag": True}]
)
def test_saying_something_else_is_another(
    world: World, inputs: Inputs, parameters: dict[str, Any]
) -> None:
    first = ask(world, inputs).processing_run
    other = ask(world, inputs, **parameters).processing_run
    assert other != first
    assert other.run_key != first.run_key


def test_a_wish_of_somebody_else_joins_the_run_that_is_there(world: World, inputs: Inputs) -> None:
    first = ask(world, inputs).processing_run
    joined = submit(world.carlo, a_recipe(), inputs, {})
    assert (joined.is_joined, joined.processing_run.requested_by) == (True, world.ines)
    ProcessingRun.objects.filter(pk=first.pk).update(state="succeeded")
    reused = submit(world.carlo, a_recipe(), inputs, {})
    assert (reused.is_reused, reused.is_joined, reused.processing_run) == (True, False, first)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_failed_is_run_again(world: World, inputs: Inputs, state: str) -> None:
    first = ask(world, inputs).processing_run
    ProcessingRun.objects.filter(pk=first.pk).update(state=state)
    again = ask(world, inputs)
    assert (again.is_reused, again.is_joined) == (False, False)
    assert again.processing_run.run_key == first.run_key
    assert again.processing_run.seed == first.seed


def test_equal_bytes_in_another_proposal_are_another_wish(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    world.ivo.memberships.create(proposal=other)
    recipe = a_merge()
    mine = a_dataset(world, file=b"the same bytes")
    theirs = a_dataset(world, file=b"the same bytes", proposal=other)
    first = submit(world.ines, recipe, {"scans": [mine]}, {}).processing_run
    ProcessingRun.objects.filter(pk=first.pk).update(state="succeeded")
    second = submit(world.ivo, recipe, {"scans": [theirs]}, {})
    assert not second.is_reused
    assert second.processing_run.inputs.get().dataset == theirs


@pytest.mark.parametrize(
    ("roles", "role", "reason"),
    [
        (["scan"], "geometry", "no dataset is given; it takes poni"),
        (["geometry"], "scan", "no dataset is given; it takes nexus-scan"),
        ([], "scan", "no dataset is given"),
        (["scan", "geometry", "dark"], "dark", "no such role; it has scan, geometry, mask"),
    ],
)
def test_a_role_that_is_missing_or_unknown_is_named(
    world: World, inputs: Inputs, roles: list[str], role: str, reason: str
) -> None:
    given = {name: inputs.get(name, inputs["scan"]) for name in roles}
    with pytest.raises(RecipeInputError, match=reason) as refused:
        ask(world, given)
    assert refused.value.role == role
    assert not ProcessingRun.objects.exists()


def test_a_role_for_one_takes_no_two(world: World, inputs: Inputs) -> None:
    two = [*inputs["scan"], a_dataset(world)]
    with pytest.raises(RecipeInputError, match="scan: takes one dataset, 2 are given"):
        ask(world, inputs | {"scan": two})


def test_a_dataset_must_contain_what_the_role_takes(world: World, inputs: Inputs) -> None:
    swapped = {"scan": inputs["geometry"], "geometry": inputs["scan"]}
    with pytest.raises(RecipeInputError, match="geometry contains poni; it takes nexus-scan"):
        ask(world, swapped)
    with pytest.raises(RecipeInputError, match="mask: scan contains nexus-scan; it takes image"):
        ask(world, inputs | {"mask": inputs["scan"]})


def test_an_optional_role_may_be_empty(world: World, inputs: Inputs) -> None:
    first = ask(world, inputs).processing_run
    assert ask(world, inputs | {"mask": []}).processing_run == first
    masked = ask(world, inputs | {"mask": [a_dataset(world, content="image")]}).processing_run
    assert masked.run_key != first.run_key


def test_many_inputs_keep_their_order_and_are_one_wish_in_any(world: World) -> None:
    one, two = a_dataset(world, title="one"), a_dataset(world, title="two", content="nexus")
    first = ask(world, {"scans": [two, one]}, a_merge())
    assert [it.dataset for it in first.processing_run.inputs.all()] == [two, one]
    assert ask(world, {"scans": [one, two]}, a_merge()).processing_run == first.processing_run
    assert not ask(world, {"scans": [one]}, a_merge()).is_joined


def test_who_is_not_signed_in_launches_nothing(world: World) -> None:
    scan = a_dataset(world, is_open=True)
    with pytest.raises(NotPermittedError, match="sign in"):
        submit(AnonymousUser(), a_merge(), {"scans": [scan]}, {})
    world.sten.is_active = False
    with pytest.raises(NotPermittedError):
        submit(world.sten, a_merge(), {"scans": [scan]}, {})
    assert not ProcessingRun.objects.exists()


def test_a_stranger_may_launch_on_open_data_only(world: World) -> None:
    open_scan, closed = a_dataset(world, is_open=True), a_dataset(world)
    assert submit(world.sten, a_merge(), {"scans": [open_scan]}, {}).processing_run.pk
    with pytest.raises(RecipeInputError) as refused:
        submit(world.sten, a_merge(), {"scans": [open_scan, closed]}, {})
    assert closed.title not in str(refused.value)
    assert str(closed.pid) not in str(refused.value)


def test_a_hidden_input_is_refused_before_its_content_is_told(world: World) -> None:
    closed = a_dataset(world, title="secret", content="poni")
    with pytest.raises(RecipeInputError) as refused:
        submit(world.sten, a_merge(), {"scans": [closed]}, {})
    assert "secret" not in str(refused.value)
    assert "poni" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["", "gold", "1", "a\x00b", "'; --", "x" * 10_000])
def test_what_is_no_identifier_is_an_unknown_dataset(world: World, wrong: str) -> None:
    with pytest.raises(RecipeInputError, match="that you may read"):
        choose_inputs(world.ines, {"scan": [wrong]})


def test_a_hidden_dataset_cannot_be_told_from_an_unknown_one(world: World) -> None:
    hidden, unknown = str(a_dataset(world).pid), str(uuid4())
    texts = set()
    for pid in (hidden, unknown):
        with pytest.raises(RecipeInputError) as refused:
            choose_inputs(world.sten, {"scan": [pid]})
        texts.add(str(refused.value).replace(pid, "PID"))
    assert texts == {"scan: there is no dataset PID that you may read"}


def test_datasets_are_chosen_role_by_role_in_the_order_given(world: World) -> None:
    one, two = a_dataset(world), a_dataset(world)
    wanted = {"scans": [str(two.pid), str(one.pid)], "mask": []}
    assert choose_inputs(world.ines, wanted) == {"scans": [two, one], "mask": []}


def test_all_faults_of_parameters_are_told_at_once(world: World, inputs: Inputs) -> None:
    with pytest.raises(RecipeParameterError) as refused:
        ask(world, inputs, bins=5, polarization=float("nan"), unit="furlong", colour="red")
    assert {fault.name for fault in refused.value.faults} == {
        "bins", "polarization", "unit", "colour",
    }  # fmt: skip
    assert not ProcessingRun.objects.exists()


@pytest.mark.parametrize(
    "parameters",
    [
        {"bins": "1000"},
        {"bins": True},
        {"bins": 10.5},
        {"bins": None},
        {"bins": 10**400},
        {"bins": [1000]},
        {"polarization": float("inf")},
        {"zigzag": 1},
        {"unit": "q_nm^-1\x00"},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(
    world: World, inputs: Inputs, parameters: dict[str, Any]
) -> None:
    with pytest.raises(RecipeParameterError) as refused:
        ask(world, inputs, **parameters)
    (name,) = parameters
    assert {fault.pointer for fault in refused.value.faults} == {f"#/parameters/{name}"}


def test_a_rule_asks_on_nobodys_behalf_and_sees_everything(world: World, inputs: Inputs) -> None:
    rule = ProductRule.objects.create(
        slug="maps", recipe=a_recipe(), subject="scan", parameters={"bins": 500}, keep="fresh"
    )
    run = submit_for_rule(rule, inputs).processing_run
    assert (run.rule, run.requested_by, run.parameters["bins"]) == (rule, None, 500)
    assert ask(world, inputs, bins=500).processing_run == run


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_are_one_run(world: World, inputs: Inputs) -> None:
    recipe, together = a_recipe(), Barrier(8)

    def press_launch(_: int) -> Submission:
        try:
            together.wait()
            return submit(world.ines, recipe, inputs, {})
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        submissions = list(threads.map(press_launch, range(8)))
    run = ProcessingRun.objects.get()
    assert {it.processing_run for it in submissions} == {run}
    assert sum(it.is_joined for it in submissions) == 7
    assert run.inputs.count() == 2


def test_the_newest_version_of_a_recipe_is_meant_unless_one_is_named(world: World) -> None:
    old, new = (a_recipe(a_manifest(version=version)) for version in ("1.9.0", "1.10.0"))
    merge = a_merge()
    assert get_recipe("xrd-map") == new
    assert get_recipe("xrd-map", "1.9.0") == old
    assert list_recipes() == [merge, new]
    for wanted in (("xrd-map", "2.0.0"), ("xrd-mop", "")):
        with pytest.raises(UnknownRecipeError, match=wanted[0]):
            get_recipe(*wanted)


def test_a_new_patch_reuses_the_results_of_the_old_one(world: World, inputs: Inputs) -> None:
    first = ask(world, inputs, a_recipe(a_manifest(version="1.0.0"))).processing_run
    assert ask(world, inputs, a_recipe(a_manifest(version="1.0.1"))).processing_run == first
    assert not ask(world, inputs, a_recipe(a_manifest(version="1.1.0"))).is_joined


def test_a_dataset_fits_the_required_roles_that_take_its_content(world: World) -> None:
    recipe = a_recipe()
    found = {
        content: fitting_roles(recipe, a_dataset(world, content=content))
        for content in ("nexus-scan", "poni", "image", "nexus")
    }
    assert found == {"nexus-scan": ["scan"], "poni": ["geometry"], "image": [], "nexus": []}


def test_candidates_are_visible_fitting_and_of_the_same_instrument(world: World) -> None:
    id22 = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    other = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    scan = a_dataset(world)
    mine = a_dataset(world, content="poni")
    elsewhere = a_dataset(world, content="poni", instrument=id22)
    hidden = a_dataset(world, content="poni", proposal=other)
    slot = read_manifest(a_recipe()).inputs["geometry"]
    assert list(candidates(world.ines, slot, scan)) == [mine]
    assert set(candidates(world.ines, slot)) == {mine, elsewhere}
    assert hidden in candidates(world.dana, slot, scan)
    assert list(candidates(AnonymousUser(), slot)) == []
