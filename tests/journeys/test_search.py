"""Find datasets by words and facets, with and without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

from tests.builders import World, a_dataset, a_technique
from tests.journeys.conftest import Browse, sign_in


def fill(world: World) -> None:
    technique = a_technique()
    a_dataset(world, title="Blue pigment", is_open=True, sample="Lapis", technique=technique.pid)
    a_dataset(world, title="Lead white", is_open=True, sample="Lead white")
    a_dataset(world, title="Geometry", is_open=True, content="poni")


def test_facets_and_words_apply_at_once_and_back_undoes_them(browse: Browse, world: World) -> None:
    fill(world)
    page = browse()
    page.goto("/")
    count = page.get_by_role("status")
    expect(count).to_have_text("3 datasets")

    page.get_by_label("Lapis").check()
    expect(count).to_have_text("1 dataset")
    expect(page).to_have_url(re.compile(r"sample=Lapis"))
    expect(page.get_by_label("Lapis")).to_be_focused()
    expect(page.get_by_role("link", name="Lead white")).to_have_count(0)
    # Inside a facet the other values keep their counts, for they are alternatives.
    expect(page.locator("label", has_text="Lead white")).to_contain_text("1")

    page.get_by_label("Lead white").check()
    expect(count).to_have_text("2 datasets")
    page.get_by_label("Words to search for").press_sequentially("lead")
    expect(count).to_have_text("1 dataset")

    page.go_back()
    expect(count).to_have_text("2 datasets")
    expect(page.get_by_role("heading", name="Find datasets")).to_be_visible()


def test_facets_work_by_a_button_without_javascript(browse: Browse, world: World) -> None:
    fill(world)
    page = browse(javascript=False)
    page.goto("/")
    page.get_by_label("Lapis").check()
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_role("status")).to_have_text("1 dataset")
    page.get_by_role("link", name="Sample: Lapis").click()
    expect(page.get_by_role("status")).to_have_text("3 datasets")


@pytest.mark.parametrize("name", ["ines", "ivo"])  # staff are offered to register, too
def test_on_a_wide_screen_the_results_stand_beside_the_filters(
    browse: Browse, world: World, name: str
) -> None:
    fill(world)
    page = browse()
    sign_in(page, name)
    page.goto("/")
    filters, found = (page.locator(part).bounding_box() for part in (".filters", ".found"))
    assert filters is not None
    assert found is not None
    assert found["x"] >= filters["x"] + filters["width"]
    assert abs(found["y"] - filters["y"]) < 1
    assert found["width"] > 2 * filters["width"]


def test_on_a_phone_the_filters_are_folded_and_stay_open_while_used(
    browse: Browse, world: World
) -> None:
    fill(world)
    page = browse(width=390)
    page.goto("/")
    expect(page.get_by_label("Lapis")).not_to_be_visible()
    page.get_by_text("Filters").click()
    page.get_by_label("Lapis").check()
    expect(page.get_by_role("status")).to_have_text("1 dataset")
    expect(page.get_by_text("Filters (1)")).to_be_visible()
    expect(page.get_by_label("Lapis")).to_be_visible()
