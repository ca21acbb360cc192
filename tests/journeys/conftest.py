"""A real browser against a real server, which must stay silent and at home."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request
from pytest_django.live_server_helper import LiveServer

from tests.builders import World
from tests.journeys.browser import ARGUMENTS, find_chromium

Browse = Callable[..., Page]


@pytest.fixture(scope="session")
def base_url() -> None:
    """Addresses are relative to the live server; the plugin's own fixture is out of date."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": find_chromium(), "args": ARGUMENTS}


@pytest.fixture
def browse(
    new_context: Callable[..., BrowserContext], live_server: LiveServer, world: World
) -> Iterator[Browse]:
    """
    Open pages by width, colour scheme and with or without JavaScript.

    At the end of every journey no page may have written an error to the console (a
    breach of the content security policy writes one) or asked another host.
    """
    faults: list[str] = []
    contexts: list[BrowserContext] = []

    def hear(message: ConsoleMessage) -> None:
        # The browser notes every answer above 399, also the refusals that a journey is about.
        if message.type == "error" and "the server responded with a status" not in message.text:
            faults.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((live_server.url, "data:", "blob:")):
            faults.append(f"off-site: {request.url}")

    def open_page(*, width: int = 1280, dark: bool = False, javascript: bool = True) -> Page:
        context = new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", watch)
        return page

    yield open_page
    for context in contexts:
        context.close()
    _wait_for_the_server()
    assert faults == []


def _wait_for_the_server() -> None:
    """
    Let the server end what the browser has asked for and left.

    Its threads would otherwise read tables that the next test empties, or keep the
    database from being dropped.
    """
    others = """
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND backend_type = 'client backend'
    """
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(others)
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.05)
    pytest.fail("The live server still uses the database 10 s after the browser was closed.")


def sign_in(page: Page, name: str = "ines") -> None:
    """Sign in as a person of the story, through the form."""
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(f"{name}-password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


@pytest.fixture
def a_worker(live_server: LiveServer, world: World, start_worker: Callable[[], object]) -> None:
    """Let a real worker claim the runs of this test, in a process of its own."""
    start_worker()
