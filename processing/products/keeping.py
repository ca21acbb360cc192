"""One pass over all rules: look, write down, ask for what is due."""

import logging
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from processing.archiving import request_copies
from processing.models import Configuration, Product, ProductRule
from processing.products.launching import launch
from processing.products.reviewing import Finding, Review
from processing.products.telling import tell_failures
from processing.products.writing import note_orphans, write

_log = logging.getLogger(__name__)

Condition = Product.Condition

_CHUNK = 5_000


@dataclass
class Kept:
    """What one pass has found and done."""

    wanted: int = 0
    submitted: int = 0
    reused: int = 0
    blocked: int = 0
    changed: int = 0


def keep_all() -> Kept:
    """
    Bring the products of all rules one step nearer to what is declared.

    Nothing is remembered from one pass to the next, each may be run twice or by two
    stewards at once.
    """
    done = Kept()
    configuration = Configuration.objects.first()
    for rule in ProductRule.objects.select_related("recipe", "archive").order_by("slug"):
        try:
            keep(rule, configuration, done)
        except (InterfaceError, OperationalError):
            raise
        except Exception:  # noqa: BLE001 - a rule's border: the others are kept all the same
            _log.exception("The products of %s could not be kept true", rule)
    return done


def keep(rule: ProductRule, configuration: Configuration | None, done: Kept) -> None:
    """Bring the products of one rule one step nearer."""
    review = Review(rule)
    changed: list[Finding] = []
    due: list[Finding] = []
    failed: list[Finding] = []
    for finding in review.findings():
        done.wanted += 1
        done.blocked += finding.verdict.condition == Condition.BLOCKED
        done.reused += finding.is_reused
        if finding.is_due:
            due.append(finding)
        if finding.is_changed:
            changed.append(finding)
            done.changed += 1
            if finding.verdict.condition == Condition.FAILED:
                failed.append(finding)
        if len(changed) == _CHUNK:
            write(rule, changed)
            changed = []
    write(rule, changed)
    done.changed += note_orphans(rule)
    tell_failures(rule, failed, configuration)
    done.submitted += launch(review, due, configuration)
    if rule.archive is not None:
        request_copies(rule)
