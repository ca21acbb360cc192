"""The page on which a description is edited, as a browser without JavaScript receives it."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from catalogue.curation import Changes, edit, etag_of
from catalogue.models import AuditEvent, Dataset, Tombstone
from catalogue.statements import read_said
from tests.builders import World, a_dataset, a_technique
from tests.catalogue.closing import a_product, a_proposal

ClientOf = Callable[[str | None], Client]
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_BOX = re.compile(r'<input type="text" name="([^"]+)"(?: value="([^"]*)")?')
_AREA = re.compile(r'<textarea name="([^"]+)"[^>]*>\n([^<]*)</textarea>')


def text_of(response: Any) -> str:
    return " ".join(unescape(strip_tags(response.content.decode())).split())


def address(dataset: Dataset) -> str:
    return f"/datasets/{dataset.pid}/edit/"


def fields_of(page: Any) -> dict[str, str]:
    """What a browser would send if the form on a page were sent as it is."""
    html = page.content.decode().split('<form class="register"')[1]
    found = [pair for kind in (_HIDDEN, _BOX, _AREA) for pair in kind.findall(html)]
    # A browser sends the ends of lines like this, whatever they were. The token for
    # forms is another one on each page.
    return {
        name: "\r\n".join(unescape(value).splitlines())
        for name, value in found
        if name != "csrfmiddlewaretoken"
    }


def say(world: World, dataset: Dataset, name: str = "carlo", **said: Any) -> Dataset:
    """Somebody else changes the description, by another way."""
    dataset.refresh_from_db()
    changes = read_said(Changes, said)
    return edit(getattr(world, name), dataset.pid, changes, etags=[etag_of(dataset)])


@pytest.fixture
def dataset(world: World) -> Dataset:
    a_technique()
    made = a_dataset(world, sample="glass", technique="PaNET01101", is_open=True)
    return say(world, made, "ines", description="One line\nand more", tags=["blue", "lead white"])


@pytest.mark.parametrize(
    ("name", "status"),
    [("ines", 200), ("carlo", 200), ("ivo", 200), ("dana", 200), ("sten", 403), ("rea", 403)],
)
def test_the_team_staff_and_stewards_may_edit_and_only_they_are_offered_it(
    client_of: ClientOf, world: World, dataset: Dataset, name: str, status: int
) -> None:
    client = client_of(name)
    assert client.get(address(dataset)).status_code == status
    offers = address(dataset) in client.get(f"/datasets/{dataset.pid}/").content.decode()
    assert offers is (status == 200)
    form = fields_of(client_of("ines").get(address(dataset))) | {"title": "Changed"}
    assert client.post(address(dataset), form).status_code == (302 if status == 200 else 403)
    dataset.refresh_from_db()
    assert (dataset.title == "Changed") is (status == 200)


def test_a_product_is_edited_by_whoever_launched_it(client_of: ClientOf, world: World) -> None:
    other = a_dataset(world, proposal=a_proposal(world, "other", sten="pi"))
    product = a_product(world, a_dataset(world, is_open=True), owner=world.rea)
    assert client_of("rea").get(address(product)).status_code == 200
    assert client_of("rea").get(address(other)).status_code == 404


def test_nobody_learns_of_hidden_data_by_asking_to_edit_them(
    client_of: ClientOf, world: World
) -> None:
    hidden = a_dataset(world)
    assert client_of("sten").get(address(hidden)).status_code == 404
    assert client_of("sten").post(address(hidden), {"title": "Mine"}).status_code == 404
    assert client_of(None).get(address(hidden)).headers["Location"].startswith("/sign-in")


def test_what_is_saved_stands_on_the_page_and_is_found(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    client = client_of("ines")
    form = fields_of(client.get(address(dataset)))
    assert form["techniques"] == "x-ray powder diffraction"
    assert form["description"] == "One line\r\nand more"
    said = {
        "title": "Azurite on oak",
        "description": "The blue robe.\r\nSecond half.",
        "licence": "cc0-1.0",
        "samples": "oak\r\n\r\nazurite ",
        "tags": "robe, lead white,",
    }
    answer = client.post(address(dataset), form | said, follow=True)
    assert answer.redirect_chain == [(f"/datasets/{dataset.pid}/", 302)]
    text = text_of(answer)
    for part in ("Azurite on oak", "The blue robe.", "Sample oak", "Sample azurite", "robe"):
        assert part in text
    assert 'href="/?q=tag%3Arobe"' in answer.content.decode()
    assert 'href="/?q=tag%3A%22lead%20white%22"' in answer.content.decode()
    assert "Azurite on oak" in text_of(client.get("/", {"q": 'tag:"lead white"'}))
    assert "Azurite on oak" not in text_of(client.get("/", {"q": "tag:blue"}))
    dataset.refresh_from_db()
    assert (dataset.licence, dataset.description) == ("CC0-1.0", "The blue robe.\nSecond half.")
    assert dataset.techniques.get().pid == "PaNET01101"


def test_what_was_not_touched_is_not_written(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    # A tag with a comma can be given by REST only; the page would cut it in two.
    say(world, dataset, tags=["a, b"])
    client, events = client_of("ines"), AuditEvent.objects.count()
    form = fields_of(client.get(address(dataset)))
    assert client.post(address(dataset), form).status_code == 302
    assert AuditEvent.objects.count() == events
    client.post(address(dataset), form | {"title": "New"})
    assert AuditEvent.objects.first().new == {"title": "New"}  # type: ignore[union-attr]  # the one just made
    assert dataset.tags.get().name == "a, b"


def test_every_fault_stands_beside_its_field_and_nothing_is_saved_or_lost(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    client = client_of("ines")
    form = fields_of(client.get(address(dataset))) | {"licence": "my own", "tags": "kept"}
    form |= {"techniques": "x-ray powder diffraction\r\nastrology"}
    page = client.post(address(dataset), form)
    assert page.status_code == 422
    faults = re.findall(r'id_(\w+)_error">\s*<li>([^<]+)', page.content.decode())
    assert [name for name, _ in faults] == ["licence", "techniques"]
    assert "number 2 astrology" in unescape(faults[1][1])
    assert fields_of(page) == form
    assert sorted(dataset.tags.values_list("name", flat=True)) == ["blue", "lead white"]
    empty = client.post(address(dataset), form | {"licence": "", "techniques": "", "title": " "})
    assert (empty.status_code, "id_title_error" in empty.content.decode()) == (422, True)


def test_two_editors_lose_nothing(client_of: ClientOf, world: World, dataset: Dataset) -> None:
    client = client_of("ines")
    mine = fields_of(client.get(address(dataset))) | {"title": "Mine", "tags": "blue, mine"}
    say(world, dataset, "carlo", title="Theirs", description="Their text")

    page = client.post(address(dataset), mine)
    assert page.status_code == 412
    text = text_of(page)
    assert "Carlo has changed this meanwhile" in text
    assert "Title Theirs You changed it too" in text
    assert "Description Their text You left it as it was" in text
    offered = fields_of(page)
    assert (offered["title"], offered["description"]) == ("Mine", "Their text")
    assert offered["tags"] == "blue, mine"

    assert client.post(address(dataset), offered).status_code == 302
    dataset.refresh_from_db()
    assert (dataset.title, dataset.description) == ("Mine", "Their text")
    assert AuditEvent.objects.first().old == {  # type: ignore[union-attr]  # the one just made
        "title": "Theirs",
        "tags": ["blue", "lead white"],
    }


def test_retracted_data_keep_what_was_said_of_them(
    client_of: ClientOf, world: World, dataset: Dataset
) -> None:
    client = client_of("ines")
    form = fields_of(client.get(address(dataset))) | {"title": "Better"}
    Tombstone.objects.create(dataset=dataset, kind="retracted", reason="wrong sample")
    assert address(dataset) not in client.get(f"/datasets/{dataset.pid}/").content.decode()
    page = client.post(address(dataset), form)
    assert (page.status_code, "taken back" in text_of(page)) == (409, True)


@pytest.mark.parametrize("field", ["title", "description", "tags", "samples"])
def test_what_people_write_is_never_run_as_html(
    client_of: ClientOf, world: World, dataset: Dataset, field: str
) -> None:
    client, attack = client_of("ines"), "<script>alert(1)</script>"
    form = fields_of(client.get(address(dataset)))
    assert client.post(address(dataset), form | {field: attack}).status_code == 302
    conflict = client.post(address(dataset), form | {field: "x"})
    assert conflict.status_code == 412
    edited = client.get(address(dataset))
    for page in (client.get(f"/datasets/{dataset.pid}/"), edited, conflict):
        assert attack not in page.content.decode()
        assert "&lt;script&gt;alert(1)" in page.content.decode()
    assert fields_of(edited)[field] == attack
