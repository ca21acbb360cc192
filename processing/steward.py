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
from pathlib import Path

from django.core.cache import cache

from catalogue.embargo.upkeep import keep_up
from catalogue.leftovers import clear_store
from catalogue.places import content_folder
from catalogue.rates import forget_idle
from catalogue.saved_searches import run_due
from catalogue.search.ledger import fold
from processing.archiving import copy_due
from processing.errors import SigningKeyError
from processing.exports.statements import sign_due
from processing.models import Configuration, ProcessingRun
from processing.products.keeping import Kept, keep_all
from processing.recalling import cancel_retracted
from processing.replaying import judge_ended, replay_sample

_log = logging.getLogger(__name__)

State = ProcessingRun.State

_SEARCH_EVERY_S = 300.0
_CLEAR_EVERY_S = 3600.0
_LEFT_FOR_S = 24 * 3600.0
_RUN_FOLDER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}\.\d{1,9}")


@dataclass
class Pass:
    """What one look at everything has done."""

    products: Kept
    copied: int = 0
    opened: int = 0
    signed: int = 0


def reconcile() -> Pass:
    """Bring products and archive one step nearer to what is declared."""
    cancel_retracted()
    done = Pass(keep_all())
    done.copied = copy_due()
    done.signed = _sign()
    _replay()
    done.opened = keep_up().opened
    fold()
    forget_idle()
    if cache.add("steward-saved-searches", 1, _SEARCH_EVERY_S):
        run_due()
    clear_staging()
    if cache.add("steward-leftovers", 1, _CLEAR_EVERY_S):
        clear_store()
    return done


def _replay() -> None:
    """Judge replays that ended without a verdict, and ask for the day's sample."""
    judge_ended()
    latest = Configuration.objects.first()
    if latest is not None:
        replay_sample(int(latest.steward.get("replays_per_day", 0)))


def _sign() -> int:
    """Sign what was done; a broken key must not keep products from being kept."""
    try:
        return sign_due()
    except SigningKeyError as error:
        _log.error("Nothing is signed: %s", error)
        return 0


def clear_staging() -> int:
    """Remove what killed attempts have left, a day after nobody works there any more."""
    staging = content_folder() / "staging"
    removed = 0
    for folder in staging.glob("*.*") if staging.is_dir() else ():
        uuid, _, fence = folder.name.rpartition(".")
        if not (_RUN_FOLDER.fullmatch(folder.name) and _is_left(folder)):
            continue
        if not ProcessingRun.objects.filter(uuid=uuid, fence=fence, state=State.RUNNING).exists():
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _is_left(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _LEFT_FOR_S
    except FileNotFoundError:  # an attempt has just ended and taken it away
        return False
