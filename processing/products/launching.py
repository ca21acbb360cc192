"""Ask for what is due, within the budgets: an upgrade must not eat the machines."""

import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, FloatField, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Now
from django.utils import timezone

from catalogue.models import Dataset
from processing.errors import ProcessingError
from processing.models import Configuration, ProcessingRun, Product, ProductRule
from processing.products.pricing import rates_of
from processing.products.reviewing import Finding, Review
from processing.products.writing import note_wanted, write
from processing.submission import submit_for_rule

_log = logging.getLogger(__name__)

Condition = Product.Condition
State = ProcessingRun.State

_MOST_PER_PASS = 500  # the queue stays short; the next pass asks for more
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Budget:
    """How many runs a rule may launch now, and what keeps it from more."""

    runs: int
    limit: str = ""


def budget_of(rule: ProductRule, configuration: Configuration | None, due: int) -> Budget:
    """
    Say how many runs a rule may launch by itself now.

    Runs per hour are counted back from now, core-hours over the last day; what is under
    way counts with its price.
    """
    offers = [Budget(_MOST_PER_PASS)]
    mine = ProcessingRun.objects.filter(rule=rule)
    if rule.per_hour is not None:
        latest = mine.filter(queued_at__gt=Now() - _HOUR).count()
        offers.append(Budget(max(0, rule.per_hour - latest), f"per_hour {rule.per_hour}"))
    all_rules = ProcessingRun.objects.filter(rule__isnull=False)
    steward = configuration.steward if configuration else {}
    for hours, runs in (
        (rule.core_hours_per_day, mine),
        (steward.get("core_hours_per_day"), all_rules),
    ):
        if hours is not None:
            offers.append(_affordable(rule, hours, runs, due))
    return min(offers, key=lambda budget: budget.runs)


def _affordable(rule: ProductRule, hours: float, runs: Any, due: int) -> Budget:
    cpu = Cast(KT("usage__cpu_seconds"), FloatField())
    ended = runs.filter(finished_at__gt=Now() - _DAY).aggregate(total=Sum(cpu))["total"] or 0.0
    live = runs.filter(state__in=[State.QUEUED, State.RUNNING]).order_by()
    counts = dict(live.values_list("rule").annotate(runs=Count("id")))
    others = ProductRule.objects.select_related("recipe").in_bulk(counts)
    promised = sum(counts[pk] * _usual_price(other) for pk, other in others.items())
    each = _usual_price(rule)
    left = hours - ended / 3600 - promised
    return Budget(max(0, min(due, int(left / each))), f"core_hours_per_day {hours:g}")


def _usual_price(rule: ProductRule) -> float:
    """Return the core-hours of one run of a rule."""
    return max(rates_of(rule).price(1, _usual_size(rule)).core_hours, 1e-9)


def _usual_size(rule: ProductRule) -> int:
    sizes = Product.objects.filter(rule=rule).order_by("-id").values_list("subject__size")
    newest = [size for (size,) in sizes[:100]]
    return sum(newest) // max(1, len(newest))


def launch(review: Review, due: Sequence[Finding], configuration: Configuration | None) -> int:
    """
    Ask for the products that are due: what people have ordered first, then the newest subjects.

    Returns
    -------
    int
        How many runs were queued; the others wait for the next pass.
    """
    rule = review.rule
    if not due:
        return 0
    budget = budget_of(rule, configuration, len(due))
    if budget.runs < len(due):
        _log.info("%s: %d of %d launched (%s)", rule, budget.runs, len(due), budget.limit)
    chosen = heapq.nlargest(budget.runs, due, key=_urgency)
    pks = {finding.row.pk for finding in chosen}
    pks |= {one.pk for finding in chosen for one in finding.picked.values()}
    datasets = Dataset.objects.select_related("instrument").in_bulk(pks)
    queued = 0
    for finding in chosen:
        queued += _launch_one(review, finding, datasets, configuration)
    return queued


def _urgency(finding: Finding) -> tuple[bool, int]:
    return finding.row.ordered_at is not None, finding.row.pk


def _launch_one(
    review: Review,
    finding: Finding,
    datasets: dict[int, Dataset],
    configuration: Configuration | None,
) -> bool:
    rule = review.rule
    inputs = {rule.subject: [datasets[finding.row.pk]]}
    inputs |= {role: [datasets[one.pk]] for role, one in finding.picked.items()}
    try:
        made = submit_for_rule(
            rule, inputs, resolution=resolution_of(review, finding), configuration=configuration
        )
    except ProcessingError as error:
        finding.verdict = type(finding.verdict)(Condition.BLOCKED, detail=str(error))
        write(rule, [finding])
        return False
    condition = (
        Condition.RUNNING if made.processing_run.state == State.RUNNING else Condition.QUEUED
    )
    note_wanted(rule, [(finding.row.pk, made.processing_run.pk, condition)])
    is_new = not (made.is_reused or made.is_joined)
    if is_new:
        _log.info("%s wants %s of %s", rule, rule.recipe, finding.row.title)
    return is_new


def resolution_of(review: Review, finding: Finding) -> dict[str, Any]:
    """State for each late-bound role the rule, what it has picked, and when."""
    now = timezone.now().isoformat()
    return {
        role: {
            "rule": str(review.shelves[role].binding),
            "pid": one.pid,
            "title": one.title,
            "digest": one.digest,
            "valid_from": one.valid_from.isoformat(),
            "decided_at": now,
        }
        for role, one in finding.picked.items()
    }
