"""What holds on every page: axe finds nothing, and nothing scrolls sideways."""

import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, expect

from catalogue import annotations, collecting, publications, saved_searches
from catalogue.embargo import wishes
from catalogue.models import Arrival, Collection, Dataset, IngestRule
from catalogue.registration import ActivityRecord, DerivedDataset, DerivedFile, register_derived
from catalogue.storage.content import content_key, keep_bytes
from catalogue.tokens import make_token
from processing.models import (
    ArchiveCopy,
    Configuration,
    LogEntry,
    ProcessingRun,
    Product,
    ProductRule,
)
from processing.products.keeping import keep_all
from tests.builders import World, a_dataset, a_run, a_technique
from tests.journeys.conftest import Browse, sign_in

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
LONG = "Vermilion_over_red_lake_cross_section_0007_after_cleaning_second_attempt"


def fill(world: World) -> dict[str, str]:
    """Make one of everything that pages show, and return their addresses by name."""
    dataset = a_dataset(
        world,
        title=LONG,
        sample="Lapis",
        technique=a_technique().pid,
        parameters={"photon_energy": (12.7, "keV"), "detector.name": (LONG * 2, "")},
    )
    world.instrument.staff.add(world.ines)  # for the page of registration
    done, running, failed = (a_run(world, bins=bins) for bins in (100, 200, 300))
    queued = a_run(world, bins=400)
    result = _succeed(done, world)
    LogEntry.objects.create(processing_run=running, fence=1, level="warning", text=LONG * 3)
    now = timezone.now()
    state = ProcessingRun.objects.filter
    state(pk=running.pk).update(
        state="running", lease_until=now + timedelta(minutes=5), started_at=now,
        progress_done=1, progress_total=3, stage="integrating",
    )  # fmt: skip
    problem = {"reason": "input", "code": "xrd-shape", "message": "Frames are transposed."}
    state(pk=failed.pk).update(state="failed", finished_at=now, started_at=now, problem=problem)
    scan = queued.inputs.get(role="scan").dataset
    collection = _say_things(world, dataset)
    wanted = _want(world, done, failed)
    return {
        "search": "/",
        "search without match": "/?q=quartz&kind=raw",
        "dataset": f"/datasets/{dataset.pid}/",
        "result": f"/datasets/{result.pid}/",
        "processing of a dataset": f"/datasets/{scan.pid}/processing/",
        "launch": f"/datasets/{dataset.pid}/process/xrd-map/",
        "launch again": f"/datasets/{scan.pid}/process/xrd-map/?from={queued.uuid}",
        "register": "/register/",
        "runs": "/processing-runs/",
        "queued run": f"/processing-runs/{queued.uuid}/",
        "running run": f"/processing-runs/{running.uuid}/",
        "succeeded run": f"/processing-runs/{done.uuid}/",
        "two runs compared": f"/processing-runs/{done.uuid}/diff/{queued.uuid}/",
        "failed run": f"/processing-runs/{failed.uuid}/",
        "products": "/products/",
        "products in a condition": "/products/?rule=xrd-map&condition=failed",
        "maps of a proposal": f"/proposals/{world.proposal.number}/maps/",
        "stale product": f"/products/xrd-map/{wanted[0].pid}/",
        "failed product": f"/products/xrd-map/{wanted[1].pid}/",
        "calibration": f"/datasets/{wanted[0].pid}/calibration/",
        "recipes": "/recipes/",
        "recipe": "/recipes/xrd-map/",
        "access": f"/datasets/{dataset.pid}/access/",
        "retraction": f"/datasets/{scan.pid}/retraction/",
        "edit": f"/datasets/{dataset.pid}/edit/",
        "team": f"/proposals/{world.proposal.pid}/members/",
        "requests": "/requests/",
        "embargoes": "/embargoes/",
        "notices": "/me/notices/",
        "tokens": "/me/tokens/",
        "saved searches": "/me/searches/",
        "search help": "/search/help/",
        "collections": "/collections/",
        "collection": f"/collections/{collection.pid}/",
        "publications": "/publications/",
        "quarantine": "/steward/quarantine/",
        "problems": "/problems/",
        "no such page": "/nowhere/",
        "no such dataset": "/datasets/00000000-0000-0000-0000-000000000000/",
    }


# What only data stewards see.
OF_STEWARDS = {
    "steward": "/steward/",
    "what lacks metadata": "/steward/incomplete/?lack=sample",
    "audit log": "/steward/audit/",
    "operations": "/ops/",
    "facility": "/facility/",
    "plan": "/facility/plan/",
    "rules": "/facility/rules/",
    "revision": "/facility/revisions/1/",
    "backlog": "/products/xrd-map/backfill/",
}


def _say_things(world: World, dataset: Dataset) -> Collection:
    """Let people write, ask, collect and search, and something be refused."""
    annotations.add_note(world.ines, dataset, f"The shutter of {LONG} stuck.")
    annotations.flag_quality(world.ines, dataset, "bad", LONG)
    said = publications.Reference("10.1000/1", f"On {LONG}", [LONG])
    publications.link_publication(world.ines, dataset, said)
    wishes.ask_extension(world.ines, dataset, "We write it up.")
    saved_searches.save(world.ines, LONG, "q=lapis", wants_mail=True)
    make_token(world.ines, LONG[:60], ["read"], 30)
    rule = IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, policy=world.policy,
        watch="{proposal}/{scan}.h5",
    )  # fmt: skip
    now = timezone.now()
    Arrival.objects.create(
        rule=rule, key=f"hg-172/{LONG}.h5", fingerprint="f" * 64, quiet_since=now, seen_at=now,
        state=Arrival.State.QUARANTINED, code="file-incomplete", reason="It is not finished.",
    )  # fmt: skip
    collection = collecting.make_collection(world.ines, LONG, "Whites and reds.")
    collecting.add_dataset(world.ines, collection.pid, dataset.pid)
    return collection


def _want(world: World, done: ProcessingRun, failed: ProcessingRun) -> list[Dataset]:
    """Declare a rule; return the subjects of a stale product of it, and of a failed one."""
    rule = ProductRule.objects.create(
        slug="xrd-map", recipe=done.recipe, selection={"kind": "raw"}, subject="scan",
        inputs={"geometry": {"source": "calibration", "content": "poni", "match": {},
                             "pick": "closest", "max_age_s": 7 * 86400.0}},
        parameters={"bins": 900}, keep="manual",
    )  # fmt: skip
    text = f'schema = 1\n[product.xrd-map]\nrecipe = "xrd-map"  # {LONG}\n'
    Configuration.objects.create(
        number=1, text=text, digest="d" * 64, changes=[f"create product {LONG}"],
        recipes={"xrd-map": {"recipe": str(done.recipe), "environment": "e" * 64}},
    )  # fmt: skip
    subjects = [run.inputs.get(role="scan").dataset for run in (done, failed)]
    Product.objects.create(
        rule=rule, subject=subjects[0], processing_run=done, condition="stale",
        reasons=["parameters"], detail="The rule's parameters have changed.",
    )  # fmt: skip
    Product.objects.create(
        rule=rule, subject=subjects[1], wanted_run=failed, condition="failed",
        detail="It failed after 3 attempts.",
    )  # fmt: skip
    keep_all()
    return subjects


def _succeed(run: ProcessingRun, world: World) -> Dataset:
    picture = io.BytesIO()
    Image.new("RGB", (320, 240), "teal").save(picture, "PNG")
    body = picture.getvalue()
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(Path(world.products.root), body, sha256)
    file = DerivedFile("preview.png", len(body), sha256, "image/png", content_key(sha256))
    activity = register_derived(
        ActivityRecord(
            title="Integrate every frame",
            used={row.role: [row.dataset] for row in run.inputs.order_by("id")},
            generated=[DerivedDataset("result", "xrd-map", "A map", [file], "d" * 64, sha256)],
            store=world.products,
            recipe="xrd-map",
            version="1.0.0",
            run_key=run.run_key,
            key_document=run.key_document,
            person=world.ines,
            ended_at=timezone.now(),
        )
    )
    now = timezone.now()
    ProcessingRun.objects.filter(pk=run.pk).update(
        state="succeeded", activity=activity, started_at=now, finished_at=now
    )
    result = Dataset.objects.get(generated_by__activity=activity)
    ArchiveCopy.objects.create(
        dataset=result, store=world.archive, state="archived", archived_at=now
    )
    return result


def visit(page: Page, address: str) -> None:
    """Open a page with everything unfolded and every part of it loaded."""
    page.goto(address)
    expect(page.locator("[hx-trigger=load]")).to_have_count(0)
    for summary in page.locator("summary:visible").all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()


@pytest.mark.parametrize("colours", [{}, {"dark": True}], ids=["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    browse: Browse, world: World, colours: dict[str, bool]
) -> None:
    pages = fill(world)
    page = browse(**colours)
    faults = _axe(page, {"sign in": "/sign-in/", "search of a stranger": "/"})
    sign_in(page)
    faults |= _axe(page, pages)
    steward = browse(**colours)
    sign_in(steward, "dana")
    assert faults | _axe(steward, OF_STEWARDS) == {}


def _axe(page: Page, pages: dict[str, str]) -> dict[str, list[str]]:
    faults = {}
    for name, address in pages.items():
        visit(page, address)
        found = Axe().run(page, options=WCAG)
        if found.violations_count:
            faults[name] = [
                f"{fault['id']}: {node['target']}"
                for fault in found.response["violations"]
                for node in fault["nodes"]
            ]
    return faults


@pytest.mark.parametrize("width", [390, 320])
def test_no_page_scrolls_sideways(browse: Browse, world: World, width: int) -> None:
    too_wide = {}
    for person, pages in (("ines", fill(world)), ("dana", OF_STEWARDS)):
        page = browse(width=width)
        sign_in(page, person)
        for name, address in pages.items():
            visit(page, address)
            found = page.evaluate("document.documentElement.scrollWidth")
            if found > width:
                too_wide[name] = found
    assert too_wide == {}


def test_the_keyboard_reaches_the_content_in_one_step(browse: Browse, world: World) -> None:
    page = browse()
    page.goto("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
