"""
In which condition a product is, from the facts, without asking anybody.

The first condition that applies is the one: see the table in docs/products.md.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from processing.models import ProcessingRun, Product, ProductRule

Condition = Product.Condition
Keep = ProductRule.Keep
State = ProcessingRun.State

BY_HAND = "by-hand"  # of a result that no rule keeps, where nothing else is to be said

_COMPATIBLE = frozenset({"input", "constant", "parameters"})

_WORDS = {
    "input": "its input has changed",
    "constant": "another calibration applies",
    "parameters": "the rule's parameters have changed",
    "recipe": "the rule names another version of the recipe",
    "environment": "the recipe's packages have other versions",
}


@dataclass(slots=True)
class Facts:
    """
    What is known of one product.

    Keys are run keys, "" where there is none: ``desired`` is blocked then, for the reason
    in ``blocked``. ``wanted`` is what was asked for and has not succeeded.
    """

    desired: str
    blocked: str = ""
    recorded: str = ""
    differs: tuple[str, ...] = ()  # what of the recorded key differs, as in _WORDS
    retracted: str = ""  # why the subject is
    is_result_retracted: bool = False
    wanted: str = ""
    wanted_state: str = ""
    attempts: int = 0
    pinned: str = ""  # why a person has frozen it
    held: str = ""  # why nothing is launched by itself


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition, what makes a stale one stale, and the sentence that says why."""

    condition: str
    reasons: tuple[str, ...] = ()
    detail: str = ""


def judge(facts: Facts) -> Verdict:
    """Say in which condition a product is."""
    if facts.retracted:
        return Verdict(Condition.RETRACTED, detail=f"Its subject was retracted: {facts.retracted}")
    if facts.pinned:
        return _judge_pinned(facts)
    if not facts.desired:
        return _judge_blocked(facts)
    return _judge_result(facts) if facts.recorded == facts.desired else _judge_wish(facts)


def _judge_blocked(facts: Facts) -> Verdict:
    if facts.is_result_retracted:
        return Verdict(Condition.RETRACTED, detail=f"It was retracted. {facts.blocked}")
    return Verdict(Condition.BLOCKED, detail=facts.blocked)


def _judge_pinned(facts: Facts) -> Verdict:
    if facts.is_result_retracted:  # and nothing replaces it as long as the pin holds
        detail = f"Its result was retracted, and a pin keeps it: {facts.pinned}"
        return Verdict(Condition.RETRACTED, facts.differs, detail)
    return Verdict(Condition.PINNED, facts.differs, _tell_pin(facts))


def _tell_pin(facts: Facts) -> str:
    differs = f" Meanwhile {tell_differences(facts.differs)}." if facts.differs else ""
    return f"Kept as it is: {facts.pinned}{differs}"


def _judge_result(facts: Facts) -> Verdict:
    if facts.is_result_retracted:
        detail = "Its result was retracted, and the same would come out again."
        return Verdict(Condition.RETRACTED, detail=detail)
    return Verdict(Condition.FRESH)


def _judge_wish(facts: Facts) -> Verdict:
    is_asked = facts.wanted == facts.desired
    if is_asked and facts.wanted_state in {State.QUEUED, State.RUNNING}:
        is_running = facts.wanted_state == State.RUNNING
        return Verdict(Condition.RUNNING if is_running else Condition.QUEUED, facts.differs)
    if is_asked and facts.wanted_state in {State.FAILED, State.CANCELLED}:
        return Verdict(Condition.FAILED, facts.differs, _tell_failure(facts))
    if facts.recorded:
        why = tell_differences(facts.differs) or "its key differs"
        held = f" {facts.held}" if facts.held else ""
        return Verdict(Condition.STALE, facts.differs, f"{why[:1].upper()}{why[1:]}.{held}")
    return Verdict(Condition.ABSENT, detail=facts.held)


def _tell_failure(facts: Facts) -> str:
    if facts.wanted_state == State.CANCELLED:
        return "A person has cancelled it. Launch it again if it is wanted."
    times = "attempt" if facts.attempts == 1 else "attempts"
    # Not why: who sees the product may not be one who sees the run, and what it read.
    return f"It failed after {facts.attempts} {times}."


def tell_differences(reasons: Collection[str]) -> str:
    """Say what makes a product stale, without a full stop."""
    return " and ".join(_WORDS[reason] for reason in _WORDS if reason in reasons)


@dataclass(frozen=True, slots=True)
class Unkept:
    """What is known of a result that no rule keeps, as far as the reader may know it."""

    is_by_hand: bool = True  # else nobody knows any more who, or which rule, asked for it
    by: str = ""  # who has launched it; "" to whom the run is hidden
    is_retracted: bool = False
    is_input_gone: bool = False
    has_newer_recipe: bool = False


def judge_unkept(facts: Unkept) -> Verdict:
    """Say in which condition a result is that no rule keeps."""
    who = f"{facts.by} made it by hand" if facts.by else "It was made by hand"
    if not facts.is_by_hand:
        who = "Its rule, or who asked for it, is gone"
    if facts.is_retracted:
        return Verdict(Condition.RETRACTED, detail=f"{who}. It was taken back.")
    if facts.is_input_gone:
        return Verdict(Condition.STALE, ("input",), f"{who}. An input was taken back since.")
    if facts.has_newer_recipe:
        return Verdict(Condition.STALE, ("recipe",), f"{who}. Its recipe has a newer version.")
    if facts.is_by_hand:
        by = f"By {facts.by}. " if facts.by else ""
        return Verdict(BY_HAND, detail=f"{by}No rule keeps it up to date.")
    return Verdict(Condition.ORPHANED, detail=f"{who}: the result stays as it is.")


def differing(recorded: str, desired: str, constants: Collection[str]) -> tuple[str, ...]:
    """
    Name the fields in which two key documents differ.

    Parameters
    ----------
    recorded, desired : str
        Canonical JSON, as runs keep it.
    constants : collection of str
        Roles that are bound to calibration constants.
    """
    old: dict[str, Any] = json.loads(recorded)
    new: dict[str, Any] = json.loads(desired)
    found = {name for name in ("parameters", "recipe", "environment") if old[name] != new[name]}
    given: tuple[Mapping[str, Any], Mapping[str, Any]] = (old["inputs"], new["inputs"])
    for role in {*given[0], *given[1]}:
        if given[0].get(role) != given[1].get(role):
            found.add("constant" if role in constants else "input")
    return tuple(name for name in _WORDS if name in found)


@dataclass(frozen=True)
class Policy:
    """When a rule's products are made without anybody asking."""

    keep: str
    is_ordered: bool = False
    is_old: bool = False  # older than the rule's backfill

    def hold(self, facts: Facts) -> str:
        """Say why nothing is launched by itself, "" if nothing is in the way."""
        has_new_recipe = not set(facts.differs) <= _COMPATIBLE
        obstacles = {
            "The rule makes it only when a person asks.": self.keep == Keep.MANUAL,
            "It is older than the rule's backfill: order it to have it.": self.is_old,
            "The rule makes it once, and leaves it.": bool(facts.recorded)
            and self.keep == Keep.ONCE,
            "The rule does not make it again for a new recipe: order it to have it.": bool(
                facts.recorded
            )
            and self.keep == Keep.LATEST_COMPATIBLE
            and has_new_recipe,
        }
        return (
            "" if self.is_ordered else next((why for why, is_so in obstacles.items() if is_so), "")
        )
