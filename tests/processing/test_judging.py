"""The conditions of a product: the first that applies, whatever else is true as well."""

import json
from typing import Any

import pytest

from processing.products.judging import Facts, Policy, Verdict, differing, judge, tell_differences

# What is true of a product, from what overrules all to what overrules nothing.
RETRACTED_SUBJECT = {"retracted": "The beam was off."}
RETRACTED_RESULT = {"is_result_retracted": True}
PINNED = {"pinned": "Figure 3 shows it."}
BLOCKED = {"desired": "", "blocked": "Nothing fits the role geometry."}
FRESH = {"recorded": "new"}
RUNNING = {"wanted": "new", "wanted_state": "running"}
QUEUED = {"wanted": "new", "wanted_state": "queued"}
FAILED = {"wanted": "new", "wanted_state": "failed", "attempts": 3}
CANCELLED = {"wanted": "new", "wanted_state": "cancelled", "attempts": 1}
STALE = {"recorded": "old", "differs": ("constant",)}


def facts(*told: dict[str, Any]) -> Facts:
    """Facts of a product whose key is "new"; of what is told, the first counts."""
    found: dict[str, Any] = {"desired": "new"}
    for one in reversed(told):
        found |= one
    return Facts(**found)


@pytest.mark.parametrize(
    ("told", "condition"),
    [
        # Each line: what applies first, and below it what it overrules.
        ([RETRACTED_SUBJECT, PINNED, BLOCKED, STALE], "retracted"),
        ([RETRACTED_SUBJECT, FRESH], "retracted"),
        ([RETRACTED_RESULT, PINNED, STALE], "retracted"),
        ([RETRACTED_RESULT, PINNED, FRESH], "retracted"),
        ([RETRACTED_RESULT, BLOCKED, STALE], "retracted"),
        ([RETRACTED_RESULT, FRESH], "retracted"),
        ([PINNED, BLOCKED, STALE], "pinned"),
        ([PINNED, FRESH], "pinned"),
        ([PINNED, RUNNING, STALE], "pinned"),
        ([PINNED, FAILED], "pinned"),
        ([BLOCKED, RUNNING, STALE], "blocked"),
        ([BLOCKED, FAILED], "blocked"),
        ([BLOCKED], "blocked"),
        ([FRESH, RUNNING], "fresh"),
        ([FRESH, FAILED], "fresh"),
        ([FRESH], "fresh"),
        ([RUNNING, STALE], "running"),
        ([RUNNING], "running"),
        ([QUEUED, STALE], "queued"),
        ([QUEUED], "queued"),
        ([FAILED, STALE], "failed"),
        ([FAILED], "failed"),
        ([CANCELLED, STALE], "failed"),
        ([STALE], "stale"),
        ([], "absent"),
        # What replaces a retracted result is made of other inputs: it is only not made yet.
        ([RETRACTED_RESULT, STALE], "stale"),
        ([RETRACTED_RESULT, RUNNING, STALE], "running"),
    ],
)
def test_the_first_condition_that_applies_is_the_one(
    told: list[dict[str, Any]], condition: str
) -> None:
    assert judge(facts(*told)).condition == condition


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_a_run_that_was_asked_for_under_another_key_says_nothing(state: str) -> None:
    other = {"wanted": "older", "wanted_state": state}
    assert judge(facts(other, STALE)).condition == "stale"
    assert judge(facts(other)).condition == "absent"


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        ([RETRACTED_SUBJECT], "Its subject was retracted: The beam was off."),
        ([RETRACTED_RESULT, FRESH],
         "Its result was retracted, and the same would come out again."),
        ([RETRACTED_RESULT, BLOCKED], "It was retracted. Nothing fits the role geometry."),
        ([RETRACTED_RESULT, PINNED, STALE],
         "Its result was retracted, and a pin keeps it: Figure 3 shows it."),
        ([PINNED, STALE],
         "Kept as it is: Figure 3 shows it. Meanwhile another calibration applies."),
        ([PINNED, FRESH], "Kept as it is: Figure 3 shows it."),
        ([BLOCKED], "Nothing fits the role geometry."),
        ([FAILED], "It failed after 3 attempts."),
        ([FAILED | {"attempts": 1}], "It failed after 1 attempt."),
        ([CANCELLED], "A person has cancelled it. Launch it again if it is wanted."),
        ([STALE], "Another calibration applies."),
        ([STALE, {"held": "The rule makes it once, and leaves it."}],
         "Another calibration applies. The rule makes it once, and leaves it."),
        ([{"held": "Order it."}], "Order it."),
        ([FRESH], ""),
        ([RUNNING], ""),
    ],
)  # fmt: skip
def test_a_verdict_says_why_in_a_sentence(told: list[dict[str, Any]], detail: str) -> None:
    assert judge(facts(*told)).detail == detail


@pytest.mark.parametrize("first", [{}, RUNNING, FAILED, PINNED])
def test_what_differs_stays_visible_whatever_the_condition(first: dict[str, Any]) -> None:
    assert judge(facts(first, STALE)).reasons == ("constant",)


def test_a_fresh_product_has_no_reasons() -> None:
    assert judge(facts(FRESH)) == Verdict("fresh")


# What makes a product stale: the differing fields of two key documents.


def a_document(**changes: Any) -> str:
    fields = {
        "v": 1,
        "recipe": ["xrd-map", "1.0"],
        "inputs": {"scan": ["a"], "geometry": ["b"], "mask": ["m"]},
        "parameters": {"bins": 1000},
        "environment": "c",
    }
    return json.dumps(fields | changes)


def inputs(**changes: Any) -> dict[str, Any]:
    return {"inputs": {"scan": ["a"], "geometry": ["b"], "mask": ["m"]} | changes}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        (inputs(scan=["z"]), ("input",)),
        (inputs(mask=["z"]), ("input",)),
        (inputs(geometry=["z"]), ("constant",)),
        (inputs(geometry=["z"], scan=["z"]), ("input", "constant")),
        (inputs(flat=["f"]), ("input",)),
        ({"inputs": {"scan": ["a"], "mask": ["m"]}}, ("constant",)),
        ({"parameters": {"bins": 500}}, ("parameters",)),
        ({"recipe": ["xrd-map", "1.1"]}, ("recipe",)),
        ({"environment": "d"}, ("environment",)),
        ({"environment": "d", "recipe": ["xrd-map", "2.0"], "parameters": {}},
         ("parameters", "recipe", "environment")),
    ],
)  # fmt: skip
def test_the_reasons_are_the_differing_fields(
    changes: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert differing(a_document(), a_document(**changes), {"geometry"}) == reasons


def test_several_reasons_make_one_sentence() -> None:
    assert tell_differences({"recipe", "constant"}) == (
        "another calibration applies and the rule names another version of the recipe"
    )


# keep x difference: what the rule makes by itself, and what waits for a person.

HELD, DUE = "held", "due"


@pytest.mark.parametrize(
    ("keep", "absent", "constant", "recipe", "environment", "both"),
    [
        ("fresh", DUE, DUE, DUE, DUE, DUE),
        ("latest-compatible", DUE, DUE, HELD, HELD, HELD),
        ("once", DUE, HELD, HELD, HELD, HELD),
        ("manual", HELD, HELD, HELD, HELD, HELD),
    ],
)
def test_what_a_rule_makes_by_itself_and_what_it_holds(
    keep: str, absent: str, constant: str, recipe: str, environment: str, both: str
) -> None:
    def asks(*differs: str) -> str:
        recorded = "old" if differs else ""
        why = Policy(keep).hold(Facts("new", recorded=recorded, differs=differs))
        return HELD if why else DUE

    assert asks() == absent
    assert [asks(one) for one in ("input", "constant", "parameters")] == [constant] * 3
    assert asks("recipe") == recipe
    assert asks("environment") == environment
    assert asks("constant", "recipe") == both


@pytest.mark.parametrize("keep", ["fresh", "latest-compatible", "once", "manual"])
def test_an_order_overrules_what_a_rule_holds(keep: str) -> None:
    stale = Facts("new", recorded="old", differs=("recipe",))
    assert Policy(keep, is_ordered=True, is_old=True).hold(stale) == ""


@pytest.mark.parametrize("keep", ["fresh", "latest-compatible", "once"])
def test_what_is_older_than_the_backfill_waits_for_an_order(keep: str) -> None:
    assert "older than the rule's backfill" in Policy(keep, is_old=True).hold(Facts("new"))
