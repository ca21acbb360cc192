"""Clients as machines have them: they send a name and a password with every call."""

import base64
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.builders import World

MachineOf = Callable[[str | None], APIClient]


@pytest.fixture
def machine_of(world: World) -> MachineOf:
    """Give a client that signs in as a person with Basic auth, or as nobody for None."""

    def sign_in(name: str | None) -> APIClient:
        client = APIClient()
        if name:
            secret = base64.b64encode(f"{name}:{name}-password".encode()).decode()
            client.credentials(HTTP_AUTHORIZATION=f"Basic {secret}")
        return client

    return sign_in


@pytest.fixture
def count_queries() -> Callable[[Callable[[], object]], int]:
    """Count the SQL statements of an act."""

    def count(act: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            act()
        return len(captured)

    return count
