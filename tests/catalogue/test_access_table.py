"""The table of access: persons by states, through every door."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from catalogue.models import DataFile, Dataset
from processing.models import ProcessingRun
from tests.builders import World, a_dataset, a_recipe
from tests.catalogue.closing import a_product, closed_for, guarded, in_days
from tests.catalogue.doors import (
    DOORS,
    ELSEWHERE,
    EXPECTED,
    FOR_ALL,
    PEOPLE,
    STATES,
    TYPICAL,
    Target,
    build,
)

ClientOf = Callable[[str | None], Client]

_CHANGING = re.compile(r'value="[A-Za-z0-9]{64}"|"X-CSRFToken": "\w+"')


def outcome(response: Any) -> Any:
    """A status, or whether something showed; streams are read to their end."""
    if isinstance(response, bool | int):
        return response
    for _ in getattr(response, "streaming_content", ()):
        pass
    return response.status_code


@pytest.mark.parametrize("kind", EXPECTED)
def test_every_door_answers_by_the_table(client_of: ClientOf, world: World, kind: str) -> None:
    states = STATES if kind in {"page", "bytes"} else TYPICAL
    targets = build(world, states)
    clients = {who: client_of(name) for who, name in PEOPLE.items()}
    wrong = {}
    doors = [door for door in DOORS if door.kind == kind]
    for door, state, who in itertools.product(doors, states, PEOPLE):
        expected = EXPECTED[kind](state, who)
        found = outcome(door.knock(clients[who], targets[state]))
        # Whoever is not signed in is asked to, or told the same as a stranger.
        never = {500} if who == "nobody" else {404, 410, 500}
        if found != expected if expected is not None else found in never:
            wrong[door.name, state, who] = f"expected {expected}, found {found}"
    assert wrong == {}


def test_hidden_and_absent_give_the_same_bytes(client_of: ClientOf, world: World) -> None:
    hidden = build(world, ["hidden"])["hidden"]
    absent = Target(
        Dataset(pid=uuid4()), DataFile(uuid=uuid4(), path=hidden.file.path),
        hidden.word, hidden.sample, hidden.picture, hidden.child, ProcessingRun(uuid=uuid4()),
    )  # fmt: skip
    for door in DOORS:
        if not door.routes or door.kind in {"list", "leak"}:
            continue
        for client in (client_of(None), client_of("sten")):
            answers = [door.knock(client, target) for target in (hidden, absent)]
            assert plain(answers[0], hidden) == plain(answers[1], absent), door.name


def plain(response: HttpResponse, target: Target) -> tuple[int, str]:
    """An answer without what differs from call to call, and without the identifier."""
    text = _CHANGING.sub("", response.content.decode() + response.headers.get("Location", ""))
    for uuid in (target.dataset.pid, target.file.uuid, target.run.uuid):
        text = text.replace(str(uuid), "UUID")
    return response.status_code, text


@pytest.mark.parametrize(
    ("state", "who", "status"),
    [
        ("listed", "outsider", 403), ("listed", "member", 200), ("hidden", "outsider", 404),
        ("open", "outsider", 200), ("retracted", "leader", 410), ("withdrawn", "steward", 410),
        ("proprietary", "staff", 200), ("hidden", "guest", 200), ("open", "nobody", 302),
    ],
)  # fmt: skip
def test_processing_is_for_whoever_may_read(
    client_of: ClientOf, world: World, state: str, who: str, status: int
) -> None:
    target = build(world, [state])[state]
    client = client_of(PEOPLE[who])
    page = client.get(f"/datasets/{target.dataset.pid}/process/xrd-map/")
    assert page.status_code == status
    geometry = Dataset.objects.get(content="poni")
    wish = {
        "recipe": "xrd-map",
        "inputs": {"scan": [str(target.dataset.pid)], "geometry": [str(geometry.pid)]},
        "parameters": {"bins": 77},
    }
    launched = client.post("/api/v1/processing-runs/", wish, content_type="application/json")
    assert launched.status_code == {200: 201, 302: 401}.get(status, 422)


def test_closed_data_are_not_offered_as_inputs(client_of: ClientOf, world: World) -> None:
    a_recipe()
    scan = a_dataset(world, is_open=True)
    geometry = closed_for(world, 100, listed_in=-5, content="poni", title="Somebody's geometry")
    page = client_of("sten").get(f"/datasets/{scan.pid}/process/xrd-map/").content.decode()
    assert str(geometry.pid) not in page
    assert str(geometry.pid) in (
        client_of("carlo").get(f"/datasets/{scan.pid}/process/xrd-map/").content.decode()
    )


def routes(patterns: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Every address of the site with its name."""
    for one in patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, address)
        elif isinstance(one, URLPattern):
            yield address, str(one.name)


def test_no_address_of_the_site_is_without_a_door() -> None:
    named = {name for _, name in routes(get_resolver().url_patterns)}
    covered = {route for door in DOORS for route in door.routes} | set(ELSEWHERE) | FOR_ALL
    assert named - covered == set()


def test_the_doors_that_are_tried_elsewhere_are_tried_there() -> None:
    files = Path(__file__).parents[1].glob("*/test_*.py")
    text = "".join(file.read_text() for file in files)
    for test in ELSEWHERE.values():
        assert f"def {test}(" in text


def test_the_key_document_of_a_product_goes_with_its_bytes(
    client_of: ClientOf, world: World
) -> None:
    target = build(world, ["hidden"])["hidden"]
    child = target.child
    assert client_of(None).get(f"/datasets/{child.pid}/key-document.json").status_code == 200
    hidden = a_product(world, target.dataset)
    address = f"/datasets/{hidden.pid}/key-document.json"
    for name, status in ((None, 404), ("sten", 404), ("carlo", 200), ("dana", 200)):
        assert client_of(name).get(address).status_code == status
    guarded(hidden, opens_on=in_days(world, 100), listed_on=in_days(world, -1))
    assert client_of("sten").get(f"/datasets/{hidden.pid}/").status_code == 200
    assert client_of("sten").get(address).status_code == 403, "it names checksums of its inputs"
    activity = f"/api/v1/activities/{hidden.generated_by.activity.pid}/"
    assert client_of("sten").get(activity).json()["key_document"] == ""
    assert client_of("carlo").get(activity).json()["key_document"] != ""
