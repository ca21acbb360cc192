"""The log in both its shapes, and what must never stand in it."""

import json
import logging
import subprocess
import sys
import time

import pytest

from config import logs
from tests.config.conftest import ROOT


def a_record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("processing.worker", logging.WARNING, "", 0, message, values, None)
    vars(record).update(extra)
    return record


def test_an_event_is_one_json_object_on_one_line() -> None:
    line = logs.JsonFormatter().format(a_record("Archiving %s:\n%s", "a map", "no room"))
    assert "\n" not in line
    event = json.loads(line)
    assert event.pop("at").endswith("Z")
    assert event == {
        "level": "warning",
        "logger": "processing.worker",
        "event": "Archiving a map:\nno room",
    }


def test_an_event_on_a_terminal_cannot_pass_for_two() -> None:
    """Else whoever asks for /%0A2026-... writes the log."""
    line = logs.LineFormatter().format(a_record("GET /x\n2026 info root: all is well", person="p"))
    assert len(line.splitlines()) == 1
    assert line.endswith("GET /x\\n2026 info root: all is well person=p")


def test_a_traceback_stays_with_its_event() -> None:
    try:
        raise RuntimeError("password=hunter2")
    except RuntimeError:
        record = a_record("It failed")
        record.exc_info = sys.exc_info()
    event = json.loads(logs.JsonFormatter().format(record))
    assert "Traceback" in event["exception"]
    line = logs.LineFormatter().format(record)
    assert line.splitlines()[1].startswith("Traceback")
    assert "hunter2" not in event["exception"] + line


def test_what_libraries_attach_stays_out() -> None:
    event = json.loads(
        logs.JsonFormatter().format(a_record("x", request="GET /?q=gold", status=404))
    )
    assert "request" not in event
    assert event["status"] == 404


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Authorization: Basic aW5lczppbmVzLXBhc3N3b3Jk", "Authorization: ***"),
        ("{'Authorization': 'Token 3f0c8a8e7d'}", "{'Authorization': '***'}"),
        ("Bearer 3f0c8a8e7d6f5a4b3c2d refused", "Bearer *** refused"),
        ("plm_3f0c8a8e was used", "*** was used"),
        ("postgresql://ines:mad%40der@db/palimpsest", "postgresql://ines:***@db/palimpsest"),
        ("password=hunter2&title=x", "password=***&title=x"),
        ('{"new_password1": "hunter2"}', '{"new_password1": "***"}'),
        ("Cookie: sessionid=8f2b; csrftoken=9c1d", "Cookie: ***; csrftoken=***"),
        ("api-key: 12345", "api-key: ***"),
        ("The token was revoked by Dana", "The token was revoked by Dana"),
        ("GET /datasets/3f0c8a8e-7d6f/ 200", "GET /datasets/3f0c8a8e-7d6f/ 200"),
    ],
)
def test_passwords_and_tokens_are_struck_and_nothing_else(said: str, kept: str) -> None:
    assert logs.strike(said) == kept


@pytest.mark.parametrize("said", ["token" * 20_000, "password " * 10_000, "://a:" + "x" * 100_000])
def test_striking_takes_no_longer_than_the_text_is_long(said: str) -> None:
    started = time.perf_counter()
    logs.strike(said)
    assert time.perf_counter() - started < 2  # 0.1 s; quadratic would be minutes


@pytest.mark.parametrize(("shape", "begins"), [("json", '{"at": "20'), ("line", "20"), ("", "20")])
def test_every_process_logs_in_the_shape_of_the_setting(shape: str, begins: str) -> None:
    """Steward and worker too: what they log with is what this process logs with."""
    code = "import django, logging; django.setup(); logging.getLogger('processing').info('here')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "config.settings", "PALIMPSEST_LOG": shape},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith(begins)
    assert "here" in done.stderr
