"""A data steward and the operator in the browser: quarantine, operations, folders of files."""

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalogue.models import Arrival, Dataset, IngestRule
from processing import leases
from processing.models import ArchiveCopy, ProcessingRun
from tests.builders import World, a_dataset, a_run
from tests.catalogue.test_folders import with_files
from tests.journeys.conftest import Browse, sign_in
from tests.journeys.test_every_page import LONG, _axe, visit

REASON = "The file is cut off: 4096 bytes were written, 2048 are here. Copy it again."


def fill(world: World) -> dict[str, str]:
    """Make one of everything that these pages show."""
    cache.clear()
    rule = IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, policy=world.policy,
        watch="{proposal}/id13/{sample}/{scan}.h5",
    )  # fmt: skip
    now = timezone.now()
    for key, code, dataset in (
        (f"hg-172/id13/{LONG}/scan_0001.h5", "file-unreadable", None),
        ("hg-999/id13/ceria/scan_0002.h5", "no-proposal", None),
        ("hg-172/id13/ceria/scan_0003.h5", "content-changed", a_dataset(world)),
    ):
        Arrival.objects.create(
            rule=rule, key=key, fingerprint="", quiet_since=now, seen_at=now, attempts=2,
            state=Arrival.State.QUARANTINED, code=code, reason=REASON, dataset=dataset,
        )  # fmt: skip
    running, failed = a_run(world, bins=100), a_run(world, bins=200)
    a_run(world, bins=300)
    ProcessingRun.objects.filter(pk=failed.pk).update(
        state="failed", finished_at=now, problem={"code": "xrd-shape", "message": "No."}
    )
    assert leases.claim(f"node-{LONG}-4711", 60)
    assert running
    ArchiveCopy.objects.create(dataset=a_dataset(world), store=world.archive, state="failed")
    folders = with_files(world, [f"{LONG}/{number}.tif" for number in range(130)] + ["top.h5"])
    return {
        "quarantine": "/steward/quarantine/",
        "quarantine, empty": "/steward/quarantine/?state=dismissed",
        "operations": "/ops/?refresh=off",
        "folders": f"/datasets/{folders.pid}/",
        "inside a folder": f"/datasets/{folders.pid}/?folder={LONG}&files=2",
    }


@pytest.mark.parametrize("colours", [{}, {"dark": True}], ids=["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_new_data(
    browse: Browse, world: World, colours: dict[str, bool]
) -> None:
    pages = fill(world)
    page = browse(**colours)
    sign_in(page, "dana")
    assert _axe(page, pages) == {}


@pytest.mark.parametrize("width", [390, 320])
def test_none_of_them_scrolls_sideways(browse: Browse, world: World, width: int) -> None:
    pages = fill(world)
    page = browse(width=width)
    sign_in(page, "dana")
    for name, address in pages.items():
        visit(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_a_data_steward_clears_the_quarantine_without_javascript(
    browse: Browse, world: World
) -> None:
    fill(world)
    page = browse(javascript=False)
    sign_in(page, "dana")
    page.goto("/steward/quarantine/")
    _set_aside(page, "scan_0003.h5", "")
    expect(page.get_by_text("Say why it is set aside")).to_be_visible()
    _set_aside(page, "scan_0003.h5", "The detector was being tested.")
    expect(page.get_by_text("is set aside until its files change")).to_be_visible()

    row = page.get_by_role("listitem").filter(has_text="scan_0002.h5")
    row.get_by_text("Choose a proposal").click()
    row.get_by_label("Number of the proposal").fill("hg-172")
    row.get_by_role("button", name="Register with it").click()
    expect(page.get_by_text("will be registered with proposal hg-172")).to_be_visible()

    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_role("heading", name="Nothing is in quarantine")).to_be_visible()
    assert set(Arrival.objects.values_list("state", flat=True)) == {"waiting", "dismissed"}


def _set_aside(page: Page, name: str, reason: str) -> None:
    row = page.get_by_role("listitem").filter(has_text=name)
    if row.locator("details[open]").count() == 0:
        row.get_by_text("Set aside …").click()
    row.get_by_label("Why").fill(reason)
    row.get_by_role("button", name="Set aside").click()


def test_the_operators_numbers_load_again_by_themselves(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    sign_in(page, "dana")
    page.goto("/ops/")
    refused = page.get_by_role("row").filter(has_text="scans").get_by_role("cell").nth(5)
    expect(refused).to_have_text("3")
    Arrival.objects.all().delete()
    expect(refused).to_have_text("0", timeout=15_000)


def test_one_walks_through_folders_and_back(browse: Browse, world: World) -> None:
    dataset = with_files(world, [f"raw/{n:03d}.tif" for n in range(130)] + ["top.h5"])
    assert Dataset.objects.get(pk=dataset.pk).file_count == 131
    page = browse(javascript=False)
    sign_in(page)
    page.goto(f"/datasets/{dataset.pid}/")
    files = page.locator("#files")
    expect(files.get_by_role("link", name="top.h5")).to_be_visible()
    files.get_by_role("link", name="raw/").click()
    expect(files.get_by_role("link", name="000.tif")).to_be_visible()
    files.get_by_role("link", name="2", exact=True).click()
    expect(files.get_by_role("link", name="129.tif")).to_be_visible()
    files.get_by_role("link", name="All files").click()
    expect(files.get_by_role("link", name="top.h5")).to_be_visible()
