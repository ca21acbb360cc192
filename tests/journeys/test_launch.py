"""From finding a scan to opening the map made of it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from catalogue.ingest import register_path
from catalogue.models import Dataset
from demo.makers.xrd import Scan, write_poni, write_xrd_scan
from processing.models import ProcessingRun
from processing.recipes.registry import discover
from tests.builders import World, a_dataset, a_recipe
from tests.journeys.conftest import Browse, sign_in

RUN_TIMEOUT_MS = 90_000  # a cold start imports pyFAI in a process of its own


@pytest.fixture
def scan(world: World) -> Dataset:
    """A scan of 2 by 3 positions and its geometry, registered as a facility does."""
    for manifest in discover().manifests:
        a_recipe(manifest)
    folder = Path(world.raw.root)
    write_xrd_scan(folder, Scan(shape=(2, 3)))
    write_poni(folder / "geometry.poni")
    where = {"instrument": world.instrument.slug, "proposal": world.proposal.number}
    register_path(folder / "geometry.poni", person=None, **where)
    return register_path(folder / "fragment_0001.h5", person=None, **where).dataset


def find(page: Page, scan: Dataset, *, press_search: bool = False) -> None:
    """Search for the scan by a word of its file's name, and open its page."""
    sign_in(page)
    page.get_by_label("Words to search for").fill("fragment_0001")
    if press_search:
        page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("1 dataset")
    page.get_by_role("link", name=scan.title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(scan.title)


def launch(page: Page, bins: str) -> None:
    page.get_by_text("Change parameters").click()
    page.get_by_label("Bins", exact=True).fill(bins)
    page.get_by_role("button", name="Launch").click()


def test_ines_finds_a_scan_launches_with_other_bins_and_opens_the_map(
    browse: Browse, scan: Dataset, a_worker: None
) -> None:
    page = browse()
    find(page, scan)
    page.get_by_role("link", name="Process with xrd-map").click()
    launch(page, "200")

    expect(page.get_by_role("heading", level=1)).to_contain_text("xrd-map@")
    expect(page.locator("#status .state")).to_have_text("succeeded", timeout=RUN_TIMEOUT_MS)
    expect(page.locator("#announcement")).to_have_text("Succeeded")
    page.get_by_role("heading", level=3).get_by_role("link").click()

    expect(page.get_by_text("Derived dataset")).to_be_visible()
    expect(page.get_by_role("img", name="Preview")).to_be_visible()
    expect(page.get_by_role("link", name="map.nxs")).to_be_visible()
    expect(page.get_by_role("link", name="processing run of xrd-map")).to_be_visible()
    assert ProcessingRun.objects.get().parameters["bins"] == 200


def test_the_same_is_done_without_javascript(browse: Browse, scan: Dataset, a_worker: None) -> None:
    page = browse(javascript=False)
    find(page, scan, press_search=True)
    page.get_by_role("link", name="Process, and see what was made").click()
    page.get_by_role("link", name="Process with xrd-map").click()
    launch(page, "200")

    for _ in range(RUN_TIMEOUT_MS // 1000):
        if page.locator("#status .succeeded").count():
            break
        expect(page.locator("#status .failed")).to_have_count(0)
        page.wait_for_timeout(1000)
        page.get_by_role("link", name="Refresh").click()
    page.get_by_role("heading", level=3).get_by_role("link").click()

    expect(page.get_by_text("Derived dataset")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="map.nxs").click()
    assert download.value.suggested_filename == "map.nxs"


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["script", "no script"])
def test_a_bad_value_is_answered_at_its_field_with_what_was_entered(
    browse: Browse, world: World, options: dict[str, bool]
) -> None:
    a_recipe()
    a_dataset(world, content="poni")
    scan = a_dataset(world)
    page = browse(**options)
    sign_in(page)
    page.goto(f"/datasets/{scan.pid}/process/xrd-map/")
    page.get_by_text("Change parameters").click()
    page.get_by_label("Polarization").fill("0.5")
    page.get_by_label("Bins", exact=True).fill("5")
    page.get_by_role("button", name="Launch").click()

    bins = page.get_by_label("Bins", exact=True)
    expect(bins).to_be_focused()
    expect(bins).to_have_value("5")
    expect(bins).to_have_accessible_description(re.compile(r"Must be at least 10\."))
    expect(page.get_by_label("Polarization")).to_have_value("0.5")


def test_two_presses_of_launch_give_one_run(browse: Browse, world: World) -> None:
    a_recipe()
    a_dataset(world, content="poni")
    scan = a_dataset(world)
    page = browse()
    sign_in(page)
    page.goto(f"/datasets/{scan.pid}/process/xrd-map/")
    page.get_by_role("button", name="Launch").dblclick()
    expect(page.locator("#status .state")).to_have_text("queued")
    assert ProcessingRun.objects.count() == 1


def test_a_queued_run_is_cancelled_and_launched_again_with_changes(
    browse: Browse, world: World
) -> None:
    a_recipe()
    a_dataset(world, content="poni")
    scan = a_dataset(world)
    page = browse()
    sign_in(page)
    page.goto(f"/datasets/{scan.pid}/process/xrd-map/")
    launch(page, "300")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status .state")).to_have_text("cancelled")
    page.get_by_role("link", name="Launch again with changes").click()
    expect(page.get_by_label("Bins", exact=True)).to_have_value("300")
