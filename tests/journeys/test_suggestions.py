"""The search box suggests names and values: by keyboard and mouse, seen and spoken."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from catalogue.saved_searches import save
from tests.builders import World, a_dataset
from tests.journeys.conftest import Browse, sign_in
from tests.journeys.test_every_page import WCAG


def fill(world: World) -> None:
    mode = {"detector.name": ("Eiger 4M", "")}
    a_dataset(world, title="Blue", is_open=True, sample="Roman glass", parameters=mode)
    a_dataset(world, title="Brown", is_open=True, sample="Ro")
    a_dataset(world, title="Hidden", sample="Rome, unpublished")


def open_box(page: Page) -> Locator:
    page.goto("/")
    return page.get_by_role("combobox", name="Words to search for")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_a_query_is_typed_by_the_keyboard_alone(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    box = open_box(page)
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press_sequentially("sam")
    expect(options(page)).to_contain_text(["sample"])
    expect(box).to_have_attribute("aria-expanded", "true")

    box.press("ArrowDown")
    first = options(page).first
    expect(first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", first.get_attribute("id") or "")
    expect(box).to_be_focused()
    box.press("Enter")
    # The name is taken over, and its values come at once: only those that may be seen.
    expect(box).to_have_value("sample:")
    expect(options(page)).to_have_text(["Ro ", "Roman glass "])

    box.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    box.press("Tab")
    expect(box).to_have_value('sample:"Roman glass"')
    expect(options(page)).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text(re.compile("1 dataset"))
    expect(page).to_have_url(re.compile(r"q=sample%3A%22Roman"))
    expect(box).to_be_focused()


def test_escape_closes_the_list_and_keeps_the_text(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    box = open_box(page)
    box.press_sequentially("sample:r")
    expect(options(page)).to_have_count(2)
    box.press("ArrowDown")
    box.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(box).to_have_value("sample:r")
    expect(box).not_to_have_attribute("aria-activedescendant", re.compile(""))
    box.press("ArrowDown")  # asks again
    expect(options(page)).to_have_count(2)
    box.press("ArrowDown")
    box.press("ArrowDown")
    box.press("ArrowDown")  # round to the box
    expect(options(page).and_(page.locator("[aria-selected=true]"))).to_have_count(0)
    box.press("Enter")  # nothing is chosen: it searches
    expect(options(page)).to_have_count(0)
    expect(box).to_have_value("sample:r")


def test_a_click_takes_a_value_and_leaving_the_box_closes_the_list(
    browse: Browse, world: World
) -> None:
    fill(world)
    page = browse()
    box = open_box(page)
    box.fill("blue sample:r")
    options(page).filter(has_text="Roman").click()
    expect(box).to_have_value('blue sample:"Roman glass"')
    expect(box).to_be_focused()
    box.fill("sample:r")
    expect(options(page)).to_have_count(2)
    box.press("Tab")
    expect(options(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Search")).to_be_focused()


def test_what_stands_behind_the_cursor_stays(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    box = open_box(page)
    # A duck is one character, and two halves for the browser.
    box.fill("\N{DUCK} det brown")
    for _ in "brown ":
        box.press("ArrowLeft")
    box.press("ArrowDown")
    options(page).filter(has_text="detector.name").click()
    expect(box).to_have_value("\N{DUCK} detector.name: brown")
    options(page).filter(has_text="Eiger").click()
    expect(box).to_have_value('\N{DUCK} detector.name:"Eiger 4M" brown')


def test_a_late_answer_about_another_text_is_dropped(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "q=inst" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.route("**/suggestions/**", hold)
    box = open_box(page)
    with page.expect_request("**/suggestions/?q=inst*"):
        box.fill("inst")
    box.fill("sample:r")
    expect(options(page)).to_have_count(2)
    (late,) = held
    with page.expect_response("**/suggestions/?q=inst*"):
        late.continue_()
    expect(options(page)).to_have_text(["Ro ", "Roman glass "])


def test_the_box_works_on_after_back(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    box = open_box(page)
    box.fill("blue")
    expect(page.get_by_role("status")).to_have_text(re.compile("1 dataset"))
    page.go_back()
    expect(page.get_by_role("status")).to_have_text(re.compile("2 datasets"))
    box.fill("sample:r")
    expect(options(page)).to_have_count(2)


def test_without_javascript_it_is_a_search_box(browse: Browse, world: World) -> None:
    fill(world)
    page = browse(javascript=False)
    page.goto("/")
    box = page.get_by_role("searchbox", name="Words to search for")
    box.fill("sample:ro")
    box.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("1 dataset"))


@pytest.mark.parametrize("colours", [{}, {"dark": True}], ids=["light", "dark"])
def test_axe_finds_nothing_with_the_list_open(
    browse: Browse, world: World, colours: dict[str, bool]
) -> None:
    fill(world)
    page = browse(**colours)
    box = open_box(page)
    for text in ("", "sample:r"):
        box.fill(text)
        box.press("ArrowDown")
        expect(options(page).first).to_be_visible()
        box.press("ArrowDown")
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [390, 320])
def test_the_open_list_fits_a_phone(browse: Browse, world: World, width: int) -> None:
    fill(world)
    page = browse(width=width)
    box = open_box(page)
    box.press("ArrowDown")
    expect(options(page)).to_have_count(10)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("colours", [{}, {"dark": True}], ids=["light", "dark"])
def test_axe_finds_nothing_on_the_pages_beside_the_search(
    browse: Browse, world: World, colours: dict[str, bool]
) -> None:
    save(world.ines, "Gold", "q=gold")
    page = browse(**colours)
    sign_in(page)
    for address in ("/search/help/", "/me/searches/"):
        page.goto(address)
        for summary in page.locator("summary:visible").all():
            summary.click()
        found = Axe().run(page, options=WCAG)
        assert found.violations_count == 0, found.generate_report()
        page.set_viewport_size({"width": 320, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.set_viewport_size({"width": 1280, "height": 900})


def test_an_example_of_the_help_page_runs(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    page.goto("/")
    page.get_by_role("link", name="All that can be asked for").click()
    page.get_by_role("link", name="kind:raw technique:diffraction").click()
    expect(page.get_by_label("Words to search for")).to_have_value("kind:raw technique:diffraction")


def test_a_search_is_kept_without_javascript(browse: Browse, world: World) -> None:
    save(world.ines, "Gold", "q=gold")
    page = browse(javascript=False)
    sign_in(page)
    page.goto("/me/searches/")
    page.get_by_text("Change Gold").click()
    page.get_by_label("Name").fill("Gold leaf")
    page.get_by_label("Mail me what is new").uncheck()
    page.get_by_role("button", name="Keep these changes").click()
    expect(page.get_by_role("link", name="Gold leaf")).to_have_attribute("href", "/?q=gold")
    page.get_by_text("Change Gold leaf").click()
    expect(page.get_by_label("Mail me what is new")).not_to_be_checked()
    page.get_by_role("button", name="Delete Gold leaf").click()
    expect(page.get_by_text("You have none.")).to_be_visible()
