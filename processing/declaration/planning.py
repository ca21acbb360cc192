"""What a declaration would change, for how many products and at what price; nothing runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from catalogue.declaration.comparing import Change
from processing.declaration.applying import make_true
from processing.declaration.counting import RulePlan, plan_rules
from processing.declaration.installed import discover_declared
from processing.declaration.reading import Read
from processing.declaration.sections import StewardSection
from processing.models import ProductRule
from processing.products.judging import tell_differences


@dataclass(frozen=True)
class Plan:
    """Differences between file and database, and what they come to."""

    changes: list[Change]
    rules: list[RulePlan]
    recipes: list[str] = field(default_factory=list)  # "xrd-map 1.2.0 -> 1.3.0", by rule
    guards: list[str] = field(default_factory=list)
    needs_yes: bool = False

    @property
    def is_in_step(self) -> bool:
        return not [change for change in self.changes if change.action != "keep"]

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "in_step": self.is_in_step,
            "changes": [
                {"action": c.action, "what": c.what, "detail": c.detail} for c in self.changes
            ],
            "recipes": self.recipes,
            "products": [rule.as_document() for rule in self.rules],
            "guards": self.guards,
            "needs_yes": self.needs_yes,
        }

    def lines(self) -> Iterator[str]:
        """Write it for people."""
        yield from map(str, self.changes)
        yield from (f"recipe  {recipe}" for recipe in self.recipes)
        for rule in self.rules:
            yield from write_rule(rule)
        yield from (f"guard   {guard}" for guard in self.guards)


def plan(read: Read) -> Plan:
    """
    Return what ``apply`` would change: it is done, counted, and taken back.

    Raises
    ------
    DeclarationError
        If it would be refused.
    """
    found = discover_declared(read)
    with transaction.atomic():
        before = _recipes()
        changes = make_true(read, found)
        rules = plan_rules()
        after = _recipes()
        transaction.set_rollback(True)
    recipes = [
        f"{before[slug]} -> {after[slug]} for [product.{slug}]"
        for slug in sorted(before.keys() & after.keys())
        if before[slug] != after[slug]
    ]
    steward = read.declaration.steward
    changed = sum(rule.changed for rule in rules)
    return Plan(
        changes, rules, recipes, list(_guards(rules, steward)), changed > steward.max_change
    )


def _recipes() -> dict[str, str]:
    rules = ProductRule.objects.select_related("recipe")
    return {rule.slug: str(rule.recipe) for rule in rules}


def write_rule(rule: RulePlan) -> Iterator[str]:
    """Say what a rule comes to, in a few lines."""
    plural = "dataset matches" if rule.matching == 1 else "datasets match"
    yield f"product {rule.slug}: {_n(rule.matching)} {plural}"
    if not rule.matching:
        yield "        nothing to do: check the rule's [for], or wait for data"
        return
    counts = [f"{_n(count)} {name}" for name, count in rule.conditions.most_common() if count]
    if rule.orphaned:
        counts.append(f"{_n(rule.orphaned)} orphaned")
    yield f"        now {', '.join(counts)}"
    for reasons, count in rule.reasons.most_common():
        yield f"        {_n(count)} stale: {tell_differences(reasons)}"
    for why, count in rule.held.most_common():
        yield f"        {_n(count)} held: {why}"
    yield f"        {_n(rule.to_compute)} to compute, {_n(rule.reused)} known already and reused"
    price = rule.price
    if rule.to_compute:
        yield (
            f"        price {_hours(price.core_hours)} core-hours ({price.source}; 9 in 10 below "
            f"{_hours(price.core_hours_p90)}), {_bytes(price.bytes_out)} written, "
            f"{_duration(price.core_hours / max(1, settings.PALIMPSEST_SLOTS))} on "
            f"{settings.PALIMPSEST_SLOTS} slots"
        )


def _guards(rules: list[RulePlan], steward: StewardSection) -> Iterator[str]:
    changed = sum(rule.changed for rule in rules)
    if changed > steward.max_change:
        yield (
            f"max_change {_n(steward.max_change)} is exceeded by {_n(changed)} products: "
            "apply needs --yes"
        )
    for rule in rules:
        if rule.per_hour and rule.to_compute > rule.per_hour:
            spread = _duration(rule.to_compute / rule.per_hour)
            yield f"{rule.slug}: per_hour {_n(rule.per_hour)} spreads this over {spread}"
        hours = rule.core_hours_per_day
        if hours and rule.price.core_hours > hours:
            spread = _duration(24 * rule.price.core_hours / hours)
            yield f"{rule.slug}: core_hours_per_day {hours:g} spreads this over {spread}"
    total = sum(rule.price.core_hours for rule in rules)
    if steward.core_hours_per_day and total > steward.core_hours_per_day:
        spread = _duration(24 * total / steward.core_hours_per_day)
        yield f"core_hours_per_day {steward.core_hours_per_day:g} spreads all over {spread}"


def _n(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _hours(hours: float) -> str:
    return f"{hours:,.0f}".replace(",", "\u202f") if hours >= 10 else f"{hours:.2g}"


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def _duration(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minutes"
