"""
The steward: compare what the rules want with what there is, and ask for the rest.

Level-triggered: each pass looks at everything and remembers nothing, so a steward that
was killed costs nothing, and a second one is harmless.
"""

import logging
import re
import shutil
import time
from dataclasses import dataclass

from django.core.cache import cache

from catalogue.embargo.upkeep import keep_up
from catalogue.models import Dataset
from catalogue.places import content_folder
from catalogue.rates import forget_idle
from catalogue.saved_searches import run_due
from catalogue.search.ledger import fold
from processing.archiving import copy_due, request_copies
from processing.errors import ProcessingError
from processing.lifecycle import bind_product
from processing.models import ProcessingRun, Product, ProductRule
from processing.resolution import matching_datasets, resolve
from processing.submission import find_run, key_of, read_manifest, submit_for_rule

_log = logging.getLogger(__name__)

State = ProcessingRun.State

_SEARCH_EVERY_S = 300.0
_LEFT_FOR_S = 24 * 3600.0
_RUN_FOLDER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}\.\d{1,9}")


@dataclass
class Pass:
    """What one look at everything has done."""

    wanted: int = 0
    submitted: int = 0
    blocked: int = 0
    copied: int = 0
    opened: int = 0


def reconcile() -> Pass:
    """Bring products and archive one step nearer to what is declared."""
    done = Pass()
    for rule in ProductRule.objects.select_related("recipe", "archive").order_by("slug"):
        for subject in matching_datasets(rule).select_related("instrument"):
            product, _ = Product.objects.get_or_create(rule=rule, subject=subject)
            done.wanted += 1
            _reconcile_product(product, rule, subject, done)
    done.copied = copy_due()
    done.opened = keep_up().opened
    fold()
    forget_idle()
    if cache.add("steward-saved-searches", 1, _SEARCH_EVERY_S):
        run_due()
    clear_staging()
    return done


def clear_staging() -> int:
    """Remove what killed attempts have left, a day after nobody works there any more."""
    staging = content_folder() / "staging"
    removed = 0
    for folder in staging.glob("*.*") if staging.is_dir() else ():
        uuid, _, fence = folder.name.rpartition(".")
        is_old = time.time() - folder.stat().st_mtime > _LEFT_FOR_S
        if not (is_old and _RUN_FOLDER.fullmatch(folder.name)):
            continue
        if not ProcessingRun.objects.filter(uuid=uuid, fence=fence, state=State.RUNNING).exists():
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _reconcile_product(product: Product, rule: ProductRule, subject: Dataset, done: Pass) -> None:
    resolution = resolve(rule, subject)
    if resolution.blocked:
        done.blocked += 1
        _block(product, resolution.blocked)
        return
    request_copies(product)
    if rule.keep == "manual" or _is_settled(product, rule, resolution.inputs):
        return
    try:
        submission = submit_for_rule(rule, resolution.inputs)
    except ProcessingError as error:
        done.blocked += 1
        _block(product, str(error))
        return
    bind_product(product, submission.processing_run)
    request_copies(product)
    if not (submission.is_reused or submission.is_joined):
        done.submitted += 1
        _log.info("%s wants %s of %s", rule, rule.recipe, subject)


def _is_settled(product: Product, rule: ProductRule, inputs: dict[str, list[Dataset]]) -> bool:
    """
    Say whether there is nothing to ask for.

    A wanted run that failed or was cancelled is not tried again by itself: it waits
    until a person has launched the same, and then takes that.
    """
    run = product.processing_run
    if run is None or product.detail:
        return False
    checked = read_manifest(rule.recipe).validate_parameters(rule.parameters)
    _, run_key = key_of(rule.recipe, inputs, checked)
    if run.run_key != run_key:
        return False
    has_ended_badly = run.state in {State.FAILED, State.CANCELLED}
    return not has_ended_badly or find_run(run_key, inputs) is None


def _block(product: Product, reason: str) -> None:
    if product.detail != reason[:500]:
        product.detail = reason[:500]
        product.save(update_fields=["detail"])
