"""The people of the story, their clients, and a database that is the real one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.builders import World, a_world

# Six people per test: the slow hash of real passwords would be most of the run.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Start the embedded PostgreSQL, unless the tests run against a server outside."""
    if not settings.DATABASE_URL:
        from config import database  # noqa: PLC0415 - not needed with a server outside

        database.join(settings.PALIMPSEST_DATA)
    # Several test runs at once share the server, not the database.
    settings.DATABASES["default"]["TEST"]["NAME"] = f"test_palimpsest_{os.getpid()}"


@pytest.fixture
def world(db: None, tmp_path: Path) -> World:
    """A facility, its stores in an empty folder, and the people of the story."""
    return a_world(tmp_path)


@pytest.fixture
def client_of(world: World) -> Callable[[str | None], Client]:
    """Give a signed-in browser for a person, or an anonymous one for None."""

    def sign_in(name: str | None) -> Client:
        client = Client()
        if name:
            client.force_login(getattr(world, name))
        return client

    return sign_in
