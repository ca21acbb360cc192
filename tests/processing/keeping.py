"""Scans, constants and a rule that binds them, and an engine that takes no time."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from catalogue.models import CalibrationConstant, Dataset, Tombstone
from catalogue.places import content_folder
from catalogue.storage.content import keep_bytes
from processing import leases
from processing.lifecycle import settle
from processing.models import ProcessingRun, Product, ProductRule
from processing.products.keeping import Kept, keep_all
from processing.products.reviewing import Review
from processing.ticket import Failure, Outcome, OutputFile, Usage
from tests.builders import World, a_dataset, a_recipe

START = datetime(2026, 6, 1, tzinfo=UTC)
DETECTOR = "Eiger4M"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def a_scan(world: World, hours: float, **told: Any) -> Dataset:
    parameters = {"detector.name": (DETECTOR, ""), "photon_energy": (12.4, "keV")}
    fields: dict[str, Any] = {
        "start_time": at(hours),
        "parameters": parameters,
        "title": f"Scan {hours:g}",
    }
    return a_dataset(world, **(fields | told))


def a_constant(world: World, hours: float, *, file: bytes | None = None, **told: Any) -> Dataset:
    """A geometry that holds from so many hours after the start, until there is a newer one."""
    dataset = a_dataset(
        world,
        content="poni",
        title=f"Geometry {hours:g}",
        start_time=at(hours - 0.5),
        file=file,
    )
    fields: dict[str, Any] = {
        "kind": "poni",
        "detector": DETECTOR,
        "valid_from": at(hours),
        "conditions": {"energy_kev": 12.4},
    }
    CalibrationConstant.objects.update_or_create(dataset=dataset, defaults=fields | told)
    return dataset


def a_rule(world: World, **changes: Any) -> ProductRule:
    """xrd-map of each raw scan, with the latest geometry before it."""
    geometry = {
        "source": "calibration",
        "content": "poni",
        "match": {"detector": "equal", "energy_kev": {"within": 0.01}},
        "pick": "closest_before",
    }
    fields: dict[str, Any] = {
        "slug": "xrd-map",
        "recipe": a_recipe(),
        "selection": {"kind": "raw", "instrument": "id13"},
        "subject": "scan",
        "inputs": {"geometry": geometry},
        "parameters": {"bins": 500},
        "keep": "fresh",
    }
    return ProductRule.objects.create(**(fields | changes))


def finish_all(cpu_s: float = 60.0, role: str = "result") -> int:
    """Let all queued runs succeed, each with a map of its own; return how many there were."""
    count = 0
    while held := leases.claim("worker", 60):
        run = ProcessingRun.objects.get(pk=held.run_id)
        body = f"map {run.run_key}".encode()
        sha256 = hashlib.sha256(body).hexdigest()
        keep_bytes(content_folder(), body, sha256)
        output = OutputFile(role=role, path="map.nxs", size=len(body), sha256=sha256)
        settle(held, Outcome(outputs=(output,), usage=Usage(seconds=cpu_s, cpu_seconds=cpu_s)))
        count += 1
    return count


def fail_next(message: str = "Frames are transposed.") -> ProcessingRun:
    held = leases.claim("worker", 60)
    assert held is not None
    failure = Failure(reason="input", code="xrd-shape", message=message)
    settle(held, Outcome(failure=failure))
    return ProcessingRun.objects.get(pk=held.run_id)


def keep_true(world: World) -> None:
    """Let the steward look until all is made."""
    while keep_all().submitted:
        finish_all()


def settled(kept: Kept) -> bool:
    """Say whether a pass has found nothing to do and nothing to write."""
    return (kept.submitted, kept.changed, kept.reused) == (0, 0, 0)


def conditions(rule: ProductRule) -> dict[str, str]:
    """Condition of each product by the title of its subject."""
    rows = Product.objects.filter(rule=rule).values_list("subject__title", "condition")
    return dict(rows)


def due(rule: ProductRule) -> dict[str, tuple[str, ...]]:
    """What a review finds stale, with the reasons, by the title of the subject."""
    rule = ProductRule.objects.select_related("recipe").get(pk=rule.pk)
    return {
        finding.row.title: finding.verdict.reasons
        for finding in Review(rule).findings()
        if finding.verdict.condition == "stale"
    }


def bury(dataset: Dataset, reason: str = "The sample was not in the beam.") -> None:
    """Mark a dataset as retracted, without asking who may."""
    Tombstone.objects.create(dataset=dataset, kind=Tombstone.Kind.RETRACTED, reason=reason)
