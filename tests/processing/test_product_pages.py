"""Products and what the facility declares, on pages and by REST: who sees and who decides."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client

from catalogue.models import AuditEvent, CalibrationConstant, Dataset
from processing.declaration import apply, read_text
from processing.models import Configuration, Product, ProductRule
from processing.products.keeping import keep_all
from tests.api.conftest import MachineOf, machine_of
from tests.builders import World
from tests.catalogue.closing import a_proposal, guarded
from tests.catalogue.test_pages import text_of
from tests.processing.keeping import (
    a_constant,
    a_rule,
    a_scan,
    at,
    fail_next,
    finish_all,
    keep_true,
)
from tests.processing.test_facility import HEAD, RULE

__all__ = ["machine_of"]  # the clients of REST, as a fixture

ClientOf = Callable[[str | None], Client]
API = "/api/v1"


@pytest.fixture
def product(world: World) -> Product:
    """A fresh product of a closed scan of Ines' proposal."""
    a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1, title="Lapis lazuli")
    keep_true(world)
    return Product.objects.select_related("subject").get()


def the_product() -> Product:
    return Product.objects.select_related("subject").get()


def list_publicly(dataset: Dataset) -> None:
    """Let everybody see the page of a dataset, and only its team the bytes."""
    guarded(dataset, opens_on=date(2100, 1, 1), listed_on=date(2020, 1, 1))


def page_of(product: Product) -> str:
    return f"/products/xrd-map/{product.subject.pid}/"


def knock(client: Any, product: Product) -> list[int | bool]:
    """Ask at each address that shows a product; for a list, whether it is in it."""
    pid = str(product.subject.pid)
    return [
        pid in client.get("/products/").content.decode(),
        pid in client.get(f"{API}/products/").content.decode(),
        client.get(page_of(product)).status_code,
        client.get(f"{API}{page_of(product)}").status_code,
    ]


@pytest.mark.parametrize("name", [None, "sten", "rea"])
def test_products_are_shown_with_their_subjects_only(
    client_of: ClientOf, world: World, product: Product, name: str | None
) -> None:
    assert knock(client_of("ines"), product) == [True, True, 200, 200]
    assert knock(client_of("ivo"), product) == [True, True, 200, 200]
    assert knock(client_of(name), product) == [False, False, 404, 404]
    assert "Lapis" not in client_of(name).get("/products/?rule=xrd-map").content.decode()
    list_publicly(product.subject)
    assert knock(client_of(name), product) == [True, True, 200, 200]


def decide(
    client_of: ClientOf, machine_of: MachineOf, name: str | None, product: Product
) -> Iterator[int]:
    """Try each act at each address; give the statuses."""
    for act in ("order", "pin", "unpin"):
        yield client_of(name).post(f"{page_of(product)}{act}/", {"reason": "why"}).status_code
        body = {"act": act, "reason": "why"}
        asked = machine_of(name).post(f"{API}{page_of(product)}", body, format="json")
        yield asked.status_code


@pytest.mark.parametrize("name", [None, "sten", "rea"])
def test_a_stranger_decides_nothing_about_a_product(
    client_of: ClientOf, machine_of: MachineOf, world: World, product: Product, name: str | None
) -> None:
    before = Product.objects.values().get()
    unknown = set(decide(client_of, machine_of, name, product))
    assert unknown == ({401, 404} if name is None else {404})
    list_publicly(product.subject)
    refused = set(decide(client_of, machine_of, name, product))
    assert refused == ({401, 403} if name is None else {403})
    assert Product.objects.values().get() == before
    page = text_of(client_of(name).get(page_of(product)))
    assert "What you may do" not in page
    assert not AuditEvent.objects.filter(act__startswith="product.").exists()


def test_the_team_pins_and_orders_and_the_audit_log_tells(
    client_of: ClientOf, world: World, product: Product
) -> None:
    client = client_of("carlo")
    answer = client.post(f"{page_of(product)}pin/", {"reason": "Figure 3\x00 shows it."})
    assert (answer.status_code, answer["Location"]) == (302, page_of(product))
    assert (the_product().pin_reason, the_product().pinned_by) == (
        "Figure 3 shows it.",
        world.carlo,
    )
    event = AuditEvent.objects.get(act="product.pinned")
    assert (event.who, event.reason) == ("Carlo", "Figure 3 shows it.")
    page = text_of(client.get(page_of(product)))
    assert "Kept as it is: Figure 3 shows it." in page
    assert "Let it follow its rule again" in page
    client.post(f"{page_of(product)}unpin/", {"reason": "It is published."})
    assert the_product().pinned_at is None
    ProductRule.objects.update(keep="manual", parameters={"bins": 800})
    keep_all()
    assert "Make it now" in text_of(client.get(page_of(product)))
    client.post(f"{page_of(product)}order/")
    assert the_product().ordered_by == world.carlo
    assert keep_all().submitted == 1


def test_rest_decides_as_the_page_does(
    machine_of: MachineOf, world: World, product: Product
) -> None:
    address = f"{API}{page_of(product)}"
    client = machine_of("ines")
    pinned = client.post(address, {"act": "pin", "reason": "Figure 3."}, format="json").json()
    assert (pinned["condition"], pinned["detail"]) == ("pinned", "Kept as it is: Figure 3.")
    assert client.post(address, {"act": "unpin"}, format="json").json()["condition"] == "fresh"
    for body in ({"act": "burn"}, {}, {"act": "pin", "reason": "a\x00b"}, {"act": "pin", "x": 1}):
        assert client.post(address, body, format="json").status_code in {400, 422}
    keep_all()
    assert client.get(f"{API}/products/?condition=fresh&rule=xrd-map").json()["results"]
    assert not client.get(f"{API}/products/?condition=stale").json()["results"]


def test_an_explanation_names_no_input_that_its_reader_may_not_see(
    client_of: ClientOf, world: World
) -> None:
    """The subject is public, the geometries are not: neither their names nor their digests."""
    a_rule(world)
    old = a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    new = a_constant(world, 0.5)
    product = the_product()
    list_publicly(product.subject)
    for address in (page_of(product), f"{API}{page_of(product)}"):
        seen = client_of("ines").get(address).content.decode()
        hidden = client_of("sten").get(address).content.decode()
        for geometry in (old, new):
            assert str(geometry.pid) in seen
            for word in (str(geometry.pid), geometry.title, geometry.digest[:12]):
                assert word not in hidden
        assert "a dataset that you may not see" in hidden


def test_what_a_recipe_says_of_closed_data_is_told_to_those_who_see_the_run(
    client_of: ClientOf, world: World
) -> None:
    a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    fail_next("secret_sample_0001.h5 is transposed.")
    keep_all()
    product = the_product()
    list_publicly(product.subject)
    addresses = ["/products/", f"{API}/products/", page_of(product), f"{API}{page_of(product)}"]
    for address in addresses:
        assert "secret_sample" not in client_of("sten").get(address).content.decode()
    for address in addresses[2:]:
        assert "secret_sample" in client_of("ines").get(address).content.decode()


def test_an_unknown_product_is_not_found(client_of: ClientOf, product: Product) -> None:
    client = client_of("ines")
    pid = product.subject.pid
    nobody = "00000000-0000-0000-0000-000000000000"
    for address in (f"/products/other/{pid}/", f"/products/xrd-map/{nobody}/"):
        assert client.get(address).status_code == 404
        assert client.get(f"{API}{address}").status_code == 404


def test_lists_of_products_are_filtered_and_take_any_nonsense(
    client_of: ClientOf, product: Product
) -> None:
    client = client_of("ines")
    assert "Lapis" in text_of(client.get("/products/?rule=xrd-map&condition=fresh"))
    assert "None is in this condition" in text_of(client.get("/products/?condition=stale"))
    for query in ("?rule=%00", "?condition=%00", "?page=-3", "?page=x", "?condition=burnt"):
        assert client.get(f"/products/{query}").status_code == 200


# What the facility declares


@pytest.fixture
def declared(world: World) -> str:
    text = HEAD + RULE
    apply(read_text(text, base=world.folder))
    return text


PAGES = ["/facility/", "/facility/facility.toml", "/facility/plan/", "/facility/rules/",
         "/facility/revisions/1/", "/products/xrd-map/backfill/"]  # fmt: skip


@pytest.mark.parametrize("name", [None, "sten", "ines", "ivo"])
def test_only_data_stewards_see_and_change_what_is_declared(
    client_of: ClientOf, machine_of: MachineOf, declared: str, name: str | None
) -> None:
    page, machine = client_of(name), machine_of(name)
    body = {"text": declared.replace("bins = 500", "bins = 800")}
    statuses = {
        *(page.get(address).status_code for address in PAGES),
        page.post("/facility/plan/", body | {"act": "plan"}).status_code,
        page.post("/facility/plan/", body | {"act": "apply"}).status_code,
        page.post("/facility/rules/", {"text": ""}).status_code,
        page.post("/products/xrd-map/backfill/").status_code,
        machine.get(f"{API}/facility/").status_code,
        machine.post(f"{API}/facility/", body, format="json").status_code,
        machine.post(f"{API}/facility/plan/", body, format="json").status_code,
    }
    assert statuses == ({401, 403} if name is None else {403})
    assert Configuration.objects.count() == 1
    assert ProductRule.objects.get().parameters["bins"] == 500
    assert "bins = 500" not in page.get("/facility/plan/").content.decode()


def test_a_data_steward_sees_every_page_of_the_facility(
    client_of: ClientOf, machine_of: MachineOf, declared: str
) -> None:
    client = client_of("dana")
    assert {client.get(address).status_code for address in PAGES} == {200}
    assert "Revision 1 holds" in text_of(client.get("/facility/"))
    assert client.get("/facility/facility.toml")["Content-Type"] == "application/toml"
    assert client.get("/facility/revisions/2/").status_code == 404
    assert client.get("/products/other/backfill/").status_code == 404
    found = machine_of("dana").get(f"{API}/facility/").json()
    assert (found["revision"], len(found["digest"])) == (1, 64)


def test_a_steward_plans_and_applies_on_the_page(client_of: ClientOf, declared: str) -> None:
    client = client_of("dana")
    text = declared.replace("bins = 500", "bins = 800").replace("\n", "\r\n")
    planned = text_of(client.post("/facility/plan/", {"text": text, "act": "plan"}))
    assert "change product xrd-map (parameters.bins: 500 -&gt; 800)" in planned
    assert Configuration.objects.count() == 1
    assert client.post("/facility/plan/", {"text": text, "act": "apply"}).status_code == 302
    latest = Configuration.objects.get(number=2)
    assert (latest.source, latest.applied_by.username) == ("page", "dana")  # type: ignore[union-attr]  # it has one
    assert "\r" not in latest.text
    bad = client.post("/facility/plan/", {"text": text.replace("800", "5"), "act": "apply"})
    assert bad.status_code == 422
    assert "product.xrd-map.parameters.bins" in text_of(bad)
    assert client.post("/facility/plan/", {"text": "a\x00b", "act": "plan"}).status_code == 422


def test_too_much_change_is_confirmed_on_the_page_and_by_rest(
    client_of: ClientOf, machine_of: MachineOf, world: World, declared: str
) -> None:
    a_constant(world, 0)
    a_scan(world, 1)
    keep_true(world)
    text = declared.replace("500", "800") + "[steward]\nmax_change = 0\n"
    form = {"text": text, "act": "apply"}
    refused = client_of("dana").post("/facility/plan/", form)
    assert refused.status_code == 422
    assert "max_change is 0" in text_of(refused)
    machine = machine_of("dana")
    asked = machine.post(f"{API}/facility/plan/", {"text": text}, format="json").json()
    assert (asked["needs_yes"], asked["in_step"]) == (True, False)
    answer = machine.post(f"{API}/facility/", {"text": text}, format="json")
    assert answer.status_code == 409
    assert (answer.json()["changed"], answer.json()["most"]) == (1, 0)
    assert Configuration.objects.count() == 1
    assert client_of("dana").post("/facility/plan/", form | {"confirmed": "on"}).status_code == 302


def test_rules_of_the_page_are_edited_on_the_page(client_of: ClientOf, declared: str) -> None:
    client = client_of("dana")
    own = RULE.replace("product.xrd-map", "product.mine").replace("500", "300")
    assert client.post("/facility/rules/", {"text": own}).status_code == 302
    assert ProductRule.objects.get(slug="mine").owner == "page"
    shown = client.get("/facility/rules/").content.decode()
    assert "[product.mine]" in shown
    assert "[product.xrd-map]" not in shown
    assert client.post("/facility/rules/", {"text": RULE}).status_code == 422
    assert client.post("/facility/rules/", {"text": ""}).status_code == 302
    assert not ProductRule.objects.filter(slug="mine").exists()


def test_a_backlog_has_a_price_and_is_ordered(client_of: ClientOf, world: World) -> None:
    a_rule(world)
    a_constant(world, 0)
    a_scan(world, 1)
    keep_all()
    finish_all(cpu_s=7200.0)
    ProductRule.objects.update(keep="manual", parameters={"bins": 800})
    keep_all()
    client = client_of("dana")
    page = text_of(client.get("/products/xrd-map/backfill/"))
    assert "1 product could be made that is not fresh" in page
    assert "2.00 core-hours (history, median of 1)" in page
    assert client.post("/products/xrd-map/backfill/").status_code == 302
    assert keep_all().submitted == 1


def test_a_constant_of_another_proposal_that_is_closed_is_not_named(
    client_of: ClientOf, world: World
) -> None:
    a_rule(world)
    other = a_proposal(world, "hg-200", rea="pi")
    theirs = a_constant(world, 0)
    guarded(theirs, proposal=other)
    CalibrationConstant.objects.filter(dataset=theirs).update(valid_from=at(0))
    a_scan(world, 1)
    keep_all()
    product = the_product()
    assert product.condition == "blocked"
    page = client_of("ines").get(page_of(product)).content.decode()
    assert theirs.title not in page
    assert str(theirs.pid) not in page
