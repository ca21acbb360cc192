"""How many products of each rule are in which condition, what is to come, and its price."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from processing.models import Product, ProductRule
from processing.products.pricing import Price, Rates, rates_of
from processing.products.reviewing import Finding, Review
from processing.products.writing import lost_products

Condition = Product.Condition


@dataclass
class RulePlan:
    """
    What one rule comes to.

    ``to_compute`` are the runs that the steward would ask for by itself, ``changed`` those
    of them that the declaration makes necessary, ``reused`` the results known already.
    """

    slug: str
    recipe: str
    matching: int = 0
    conditions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, ...]] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    orphaned: int = 0
    reused: int = 0
    to_compute: int = 0
    changed: int = 0
    bytes_in: int = 0
    rates: Rates = field(default_factory=lambda: Rates("not asked for"))
    per_hour: int | None = None
    core_hours_per_day: float | None = None

    def count(self, finding: Finding) -> None:
        self.matching += 1
        verdict = finding.verdict
        self.conditions[verdict.condition] += 1
        if verdict.condition == Condition.STALE:
            self.reasons[verdict.reasons] += 1
        self.reused += finding.is_reused
        if finding.is_due:
            self.to_compute += 1
            self.bytes_in += finding.row.size
            self.changed += finding.row.desired_key != finding.desired
        elif verdict.condition in {Condition.STALE, Condition.ABSENT}:
            self.held[verdict.detail.rpartition(". ")[2]] += 1

    @property
    def price(self) -> Price:
        return self.rates.price(self.to_compute, self.bytes_in)

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        price = self.price
        return {
            "rule": self.slug,
            "recipe": self.recipe,
            "matching": self.matching,
            "conditions": dict(sorted(self.conditions.items())),
            "stale": {"+".join(reasons): n for reasons, n in sorted(self.reasons.items())},
            "held": sum(self.held.values()),
            "orphaned": self.orphaned,
            "reused": self.reused,
            "to_compute": self.to_compute,
            "price": {
                "source": price.source,
                "core_hours": round(price.core_hours, 3),
                "core_hours_p90": round(price.core_hours_p90, 3),
                "bytes_out": price.bytes_out,
            },
        }


def plan_rules() -> list[RulePlan]:
    """Count the products of all rules, as they are declared in this transaction."""
    rules = ProductRule.objects.select_related("recipe", "archive").order_by("slug")
    return [plan_rule(rule) for rule in rules]


def plan_rule(rule: ProductRule) -> RulePlan:
    """Count the products of one rule."""
    plan = RulePlan(
        rule.slug,
        str(rule.recipe),
        per_hour=rule.per_hour,
        core_hours_per_day=rule.core_hours_per_day,
    )
    for finding in Review(rule).findings():
        plan.count(finding)
    plan.orphaned = lost_products(rule).exclude(processing_run=None, wanted_run=None).count()
    plan.rates = rates_of(rule)
    return plan
