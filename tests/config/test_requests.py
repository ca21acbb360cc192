"""What every request gets: an identifier, a line in the log, headers."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from config import urls
from config.logs import JsonFormatter, request_id
from tests.builders import World

ClientOf = Callable[[str | None], Client]
Events = Callable[[], list[dict[str, Any]]]


def greet(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the token=3f0c8a8e7d6f was refused")


def flow(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        logging.getLogger("flow").info("the first part")
        yield b"part"

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("greet", greet, name="greet"),
    path("fail", fail),
    path("flow", flow),
    *urls.urlpatterns,
]
handler404, handler500 = urls.handler404, urls.handler500
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Events:
    """Return what the log holds, as a machine reads it."""
    caplog.handler.setFormatter(JsonFormatter())
    caplog.set_level(logging.INFO)
    return lambda: [json.loads(line) for line in caplog.text.splitlines()]


def test_an_identifier_that_a_proxy_gave_is_kept() -> None:
    response = Client().get("/greet", headers={"x-request-id": "proxy-7.a_b:c"})
    assert response["X-Request-ID"] == "proxy-7.a_b:c"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, 'a"quote', "line\u2028break", "<b>"])
def test_another_one_is_made_where_the_given_is_odd(given: str) -> None:
    made = {Client().get("/greet", headers={"x-request-id": given})["X-Request-ID"] for _ in "ab"}
    assert len(made) == 2
    assert all(len(name) == 32 and name.isalnum() for name in made)


def test_a_request_is_one_event(events: Events) -> None:
    Client().get("/greet?q=gold+leaf", headers={"x-request-id": "r1"})
    (event,) = events()
    assert 0 < event.pop("duration_ms") < 1000
    assert event.pop("at")
    assert event == {
        "level": "info",
        "logger": "config.middleware",
        "event": "GET /greet 200",
        "request_id": "r1",
        "method": "GET",
        "path": "/greet",
        "view": "greet",
        "status": 200,
    }
    assert request_id.get() == ""


def test_a_missing_page_is_one_event_too(events: Events) -> None:
    Client().get("/absent")
    (event,) = events()
    assert (event["status"], event["view"], event["level"]) == (404, "unknown", "info")


def test_a_person_is_named_by_identifier(world: World, client_of: ClientOf, events: Events) -> None:
    client_of("ines").get("/")
    event = events()[-1]
    assert event["person"] == str(world.ines.pid)
    assert "ines" not in json.dumps(event).lower()
    client_of(None).get("/")
    assert "person" not in events()[-1]


def test_a_machine_is_named_as_its_person(world: World, events: Events) -> None:
    secret = "aW5lczppbmVzLXBhc3N3b3Jk"  # ines:ines-password
    response = Client().get("/api/v1/datasets/", headers={"authorization": f"Basic {secret}"})
    assert response.status_code == 200
    event = events()[-1]
    assert event["person"] == str(world.ines.pid)
    assert secret not in json.dumps(events())


def test_the_log_asks_the_database_nothing(world: World, events: Events) -> None:
    client = Client()
    client.force_login(world.ines)
    with CaptureQueriesContext(connection) as asked:
        client.get("/greet")
    assert len(asked) == 0
    assert "person" not in events()[-1]


def test_a_fault_and_its_request_are_found_by_one_identifier(db: None, events: Events) -> None:
    client = Client(raise_request_exception=False)
    response = client.get("/fail", headers={"x-request-id": "r2"})
    assert (response.status_code, response["X-Request-ID"]) == (500, "r2")
    fault, line = events()
    assert (fault["level"], line["level"]) == ("error", "warning")
    assert fault["request_id"] == line["request_id"] == "r2"
    assert "RuntimeError" in fault["exception"]
    assert "3f0c8a8e7d6f" not in json.dumps(events())


def test_what_is_logged_while_bytes_flow_belongs_to_the_request(events: Events) -> None:
    response = Client().get("/flow", headers={"x-request-id": "r3"})
    assert response.getvalue() == b"part"
    assert [event["request_id"] for event in events()] == ["r3", "r3"]
    Client().get("/greet", headers={"x-request-id": "r4"})
    assert events()[-1]["request_id"] == "r4"


def test_a_name_of_the_host_that_is_not_ours_is_refused_with_an_identifier(db: None) -> None:
    response = Client().get("/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert response["X-Request-ID"]


def test_a_page_may_load_only_what_we_sent_and_use_no_device(db: None) -> None:
    headers = Client().get("/").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in headers  # a laptop has no https to stay with
