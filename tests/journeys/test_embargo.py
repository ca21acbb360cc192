"""A whole embargo in the browser: asked for, decided, opened early, taken back."""

import re
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from catalogue.audit import record
from catalogue.embargo.wishes import ask_access, ask_extension
from catalogue.models import Dataset, Guest, Notice
from catalogue.notices import tell
from tests.builders import World
from tests.catalogue.closing import closed_for, day_of, in_days
from tests.journeys.conftest import Browse, sign_in
from tests.journeys.test_every_page import WCAG, visit


def open_deed(page: Page, title: str) -> None:
    page.locator("summary", has_text=re.compile(rf"^\s*{title}")).first.click()


def fill(page: Page, button: str, **fields: str) -> None:
    """Fill the unfolded form by its labels, and press its button."""
    form = page.locator("details[open] form").first
    for label, value in fields.items():
        form.get_by_label(label.capitalize()).fill(value)
    form.get_by_role("button", name=button, exact=True).click()


def ask_and_grant_more_time(leader: Page, curator: Page, address: str) -> None:
    leader.goto(address)
    open_deed(leader, "Ask for a longer embargo")
    fill(leader, "Ask", reason="The thesis is late.")
    expect(leader.get_by_role("status").first).to_contain_text("A data steward decides")
    curator.goto("/steward/")
    expect(curator.get_by_text("The thesis is late.").first).to_be_visible()
    open_deed(curator, "Grant")
    fill(curator, "Grant", answer="One year more.")
    expect(curator.get_by_role("status").first).to_contain_text("Granted.")
    leader.goto("/me/notices/")
    expect(leader.get_by_text("One year more.").first).to_be_visible()


def set_a_day_then_open(leader: Page, curator: Page, address: str, day: date) -> None:
    curator.goto(address)
    open_deed(curator, "Set the opening day")
    fill(curator, "Set the day", day=day.isoformat(), reason="The patent is out.")
    expect(curator.get_by_role("status").first).to_contain_text("The data open on")
    leader.goto(address)
    open_deed(leader, "Open the data early")
    fill(leader, "Open the data", reason="The paper is out.")
    expect(leader.get_by_role("status").first).to_contain_text("open to all now")


@pytest.mark.parametrize("options", [{}, {"javascript": False}], ids=["script", "no script"])
def test_an_embargo_from_its_extension_to_a_tombstone(
    browse: Browse, world: World, options: dict[str, bool]
) -> None:
    dataset = closed_for(world, 100, listed_in=-1, title="Fragment of a fresco")
    address, name = f"/datasets/{dataset.pid}/", dataset.files.get().path
    leader, curator, stranger = (browse(**options) for _ in range(3))
    sign_in(leader, "ines")
    sign_in(curator, "dana")

    ask_and_grant_more_time(leader, curator, address)
    stranger.goto(address)
    expect(stranger.get_by_text(f"open to all on {day_of(dataset):%-d %B %Y}")).to_be_visible()
    expect(stranger.get_by_text(name)).to_have_count(0)

    set_a_day_then_open(leader, curator, address, in_days(world, 40))
    stranger.goto(address)
    expect(stranger.get_by_text("Anybody may read and process these data")).to_be_visible()
    expect(stranger.get_by_text(name)).to_be_visible()

    # They prove wrong: the curator retracts them, and a tombstone stays.
    curator.goto(address)
    curator.get_by_role("link", name="Retract …").click()
    expect(curator.get_by_text("Nothing was made from these data.")).to_be_visible()
    curator.get_by_label("Reason").fill("It is another fresco.")
    curator.get_by_role("button", name="Retract", exact=True).click()
    stranger.goto(address)
    expect(stranger.get_by_text("It is another fresco.")).to_be_visible()
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Fragment of a fresco")
    expect(stranger.get_by_text(name)).to_have_count(0)
    curator.goto("/steward/audit/")
    for act in ("embargo.extended", "embargo.ruled", "embargo.released", "dataset.retracted"):
        expect(curator.get_by_text(act, exact=True).first).to_be_visible()


def test_a_reuser_asks_for_access_and_becomes_a_guest(browse: Browse, world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    reuser, leader = browse(), browse()
    sign_in(reuser, "rea")
    sign_in(leader, "ines")
    reuser.goto(f"/datasets/{dataset.pid}/")
    open_deed(reuser, "Ask for access")
    fill(reuser, "Ask", reason="To compare with ours.")
    leader.goto("/requests/")
    open_deed(leader, "Grant until a day")
    fill(leader, "Grant", day=in_days(world, 5).isoformat(), answer="Welcome.")
    expect(leader.get_by_role("status").first).to_contain_text("Granted.")
    reuser.goto(f"/datasets/{dataset.pid}/")
    expect(reuser.get_by_text("You are a guest until")).to_be_visible()
    expect(reuser.get_by_text(dataset.files.get().path)).to_be_visible()


def fill_pages(world: World) -> dict[str, str]:
    """Make one of everything that the pages about access show."""
    closed = closed_for(world, 20, listed_in=-1, title="Closed, with a public page")
    later = closed_for(world, 80)
    ask_access(world.rea, closed, "To compare with ours.")
    ask_extension(world.ines, closed, "The thesis is late.")
    Guest.objects.create(dataset=later, person=world.rea, valid_to=in_days(world, 5))
    record("embargo.ruled", closed, person=world.dana, old={"opens_on": None}, reason="patent")
    tell(world.dana, Notice.Kind.OPENED, "Data have opened.", once="a", dataset=closed)
    Dataset.objects.filter(pk=later.pk).update(warnings=["a unit was not understood"])
    return {
        "closed dataset": f"/datasets/{closed.pid}/",
        "access": f"/datasets/{later.pid}/access/",
        "requests": "/requests/",
        "embargoes": "/embargoes/",
        "notices": "/me/notices/",
        "steward": "/steward/",
        "incomplete": "/steward/incomplete/?lacks=warnings",
        "audit": "/steward/audit/",
        "nothing in the audit log": "/steward/audit/?who=nobody",
    }


@pytest.mark.parametrize("colours", [{}, {"dark": True}], ids=["light", "dark"])
def test_axe_finds_nothing_on_the_pages_about_access(
    browse: Browse, world: World, colours: dict[str, bool]
) -> None:
    pages = fill_pages(world)
    page, faults = browse(**colours), {}
    sign_in(page, "dana")
    for name, address in pages.items():
        visit(page, address)
        found = Axe().run(page, options=WCAG)
        if found.violations_count:
            faults[name] = [
                f"{fault['id']}: {node['target']}"
                for fault in found.response["violations"]
                for node in fault["nodes"]
            ]
    assert faults == {}


@pytest.mark.parametrize("width", [390, 320])
def test_no_page_about_access_scrolls_sideways(browse: Browse, world: World, width: int) -> None:
    pages = fill_pages(world)
    page, too_wide = browse(width=width), {}
    sign_in(page, "dana")
    for name, address in pages.items():
        visit(page, address)
        found = page.evaluate("document.documentElement.scrollWidth")
        if found > width:
            too_wide[name] = found
    assert too_wide == {}
