"""The two questions of whoever keeps the service running."""

import json
import shutil
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from tests.builders import World
from tests.config.conftest import Manage

ASK = (
    "from django.test import Client; found = Client().get('{}'); "
    "print(found.status_code, found.content.decode())"
)


def test_a_process_says_that_it_lives_without_any_database() -> None:
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert "no-store" in response["Cache-Control"]


def test_a_site_with_database_and_stores_is_ready(world: World) -> None:
    response = Client().get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_a_store_that_is_away_makes_it_not_ready(world: World) -> None:
    shutil.rmtree(world.products.root)
    response = Client().get("/health/ready")
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["faults"] == {
        "stores": "products: cannot be written. Mount or mend them."
    }
    assert world.products.root not in response.content.decode()
    Path(world.products.root).mkdir()
    shutil.rmtree(world.raw.root)  # raw data that are away close no door
    assert Client().get("/health/ready").status_code == 200


def test_a_migration_that_waits_makes_it_not_ready(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    faults = Client().get("/health/ready").json()["faults"]
    assert faults == {"migrations": "1 wait. Run manage.py migrate."}


def test_a_database_that_is_away_makes_it_not_ready_and_betrays_nothing(manage: Manage) -> None:
    away = {"DATABASE_URL": "postgresql://painter:madder@127.0.0.1:1/hidden"}
    done = manage("shell", "-v0", "-c", ASK.format("/health/ready"), **away)
    status, _, body = done.stdout.partition(" ")
    assert (status, list(json.loads(body)["faults"])) == ("503", ["database"])
    assert not {"painter", "madder", "hidden", "127.0.0.1"} & set(body.replace('"', " ").split())
    done = manage("shell", "-v0", "-c", ASK.format("/health/live"), **away)
    assert done.stdout.startswith("200")


@pytest.mark.parametrize("address", ["/health/live", "/health/ready"])
def test_a_probe_needs_neither_our_name_nor_https(
    world: World, settings: LazySettings, address: str
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client = Client(headers={"host": "10.1.2.3:8000"})
    assert client.get(address).status_code == 200
    assert client.head(address).status_code == 200
    assert client.post(address).status_code == 405
    assert Client().get("/").status_code == 301


def test_a_probe_asks_little(world: World, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(3):  # type: ignore[operator]  # a fixture of pytest-django
        Client().get("/health/ready")
