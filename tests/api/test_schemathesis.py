"""A machine tries to break every address, by what the OpenAPI document says of it."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from catalogue.models import ApiToken, User
from catalogue.tokens import make_token
from tests.api.conftest import WebServer
from tests.api.results import a_result, result_of
from tests.builders import World, a_dataset

CONFIGURATION = """
continue-on-failure = true

[generation]
deterministic = true
database = "none"
allow-x00 = false  # PostgreSQL cannot hold it; that it is refused is tested elsewhere

# What exists: made up identifiers alone would only ever find 404.
[dictionaries.identifiers]
values = {identifiers}

[parameters]
"path.pid" = {{ dictionary = "identifiers", probability = 0.8 }}
"path.uuid" = {{ dictionary = "identifiers", probability = 0.8 }}
# Signed: no grammar can tell one that was given out from one that was not.
"query.cursor" = ""

[checks.positive_data_acceptance]
# 422: every field is well formed, but there is no such store, instrument, recipe.
# 429: it guesses passwords, and is told to wait.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "410", "412", "416", "422", "429"]
"""
CSRF = "c" * 32


@pytest.fixture
def configuration(world: World, tmp_path: Path) -> Path:
    run = a_result(world)
    opened, closed = a_dataset(world, is_open=True), a_dataset(world)
    result = result_of(run)
    assert run.activity is not None
    rows = [opened.pid, closed.pid, result.pid, run.activity.pid, run.uuid]
    rows += [dataset.files.get().uuid for dataset in (opened, closed, result)]
    path = tmp_path / "schemathesis.toml"
    path.write_text(CONFIGURATION.format(identifiers=json.dumps([str(row) for row in rows])))
    return path


def by_token(person: User) -> list[str]:
    secret = make_token(person, "fuzzer", list(ApiToken.Scope), 1).secret
    # Else it takes itself back, and is nobody from then on.
    return ["--header", f"Authorization: Bearer {secret}", "--exclude-operation-id", "revoke_token"]


def by_session(person: User) -> list[str]:
    """Sign in as a browser does: a password would be hashed for every call."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    cookies = f"Cookie: sessionid={session.session_key}; csrftoken={CSRF}"
    return ["--header", cookies, "--header", f"X-CSRFToken: {CSRF}"]


def attack(web_server: WebServer, configuration: Path, *options: str) -> None:
    """Let schemathesis call every address; it fails with a report of what it found."""
    found = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", configuration,
         "run", f"{web_server.url}/api/v1/schema/", "--no-shrink", *options],
        capture_output=True, text=True, check=False, cwd=configuration.parent,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Test cases" in found.stdout


def test_nothing_that_nobody_may_send_breaks_an_address(
    web_server: WebServer, configuration: Path
) -> None:
    attack(web_server, configuration, "--phases", "fuzzing", "--max-time", "8")


def test_calls_of_a_person_that_lead_to_one_another_break_no_address(
    web_server: WebServer, world: World, configuration: Path
) -> None:
    # It would send a wrong password beside a cookie that is right.
    options = ["--exclude-checks", "ignored_auth", *by_session(world.ivo)]
    attack(web_server, configuration, "--phases", "fuzzing,stateful", "--max-time", "12", *options)


def test_every_edge_of_every_field_is_met_by_a_token_of_a_steward(
    web_server: WebServer, world: World, configuration: Path
) -> None:
    options = ("--phases", "coverage", "--max-time", "40", *by_token(world.dana))
    attack(web_server, configuration, *options)
