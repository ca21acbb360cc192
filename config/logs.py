"""
The log: one line for each event, in words for a terminal or in JSON for a machine.

Web server, worker and steward write the same shape. What looks like a password or a
token is struck out, wherever a message or a traceback came from.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that this thread is answering; empty elsewhere."""

# What our own lines add to a message; whatever else libraries attach stays out.
_MEMBERS = ("method", "path", "view", "status", "duration_ms", "person")
_SAID = {"method", "path", "status"}  # by the message already

_NAMES = r"pass(?:word|wd|phrase)|secret|token|api[_-]?key|authorization|cookie|session_?id"
_STRUCK = [
    # Authorization: Basic aW5lczpv...
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)(?:\w+\s+)?[^\s'\",}]+"), r"\1***"),
    # our own tokens, by their first letters
    (re.compile(r"\bplm_\w+"), "***"),
    # Bearer 3f0c..., as long as a token is
    (re.compile(r"(?i)\b(basic|bearer|token)\s+[\w.~+/=-]{16,}"), r"\1 ***"),
    # postgresql://user:password@host
    (re.compile(r"(://[^\s/:@]*:)[^\s/]+@"), r"\1***@"),
    # password=..., 'token': '...', Cookie: ...
    (re.compile(rf"(?i)((?:{_NAMES})[\w-]{{0,20}}['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;}}]+"), r"\1***"),
]


def strike(text: str) -> str:
    """Return a text without what looks like a password or a token."""
    for pattern, replacement in _STRUCK:
        text = pattern.sub(replacement, text)
    return text


class JsonFormatter(logging.Formatter):
    """One JSON object for each event."""

    def format(self, record: logging.LogRecord) -> str:
        event = _describe(record)
        if record.exc_info:
            event["exception"] = strike(self.formatException(record.exc_info))
        return json.dumps(event, ensure_ascii=False)


class LineFormatter(logging.Formatter):
    """One line for each event, and below it the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        event = _describe(record)
        head = " ".join(str(event.pop(name)) for name in ("at", "level", "logger"))
        # A message with line breaks would look like other events.
        message = "\\n".join(event.pop("event").splitlines())
        rest = "".join(f" {name}={value}" for name, value in event.items() if name not in _SAID)
        line = f"{head}: {message}{rest}"
        if record.exc_info:
            line += "\n" + strike(self.formatException(record.exc_info))
        return line


def _describe(record: logging.LogRecord) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.created, UTC)
    event: dict[str, Any] = {
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": strike(record.getMessage()),
    }
    if known := request_id.get():
        event["request_id"] = known
    for name in _MEMBERS:
        if (value := vars(record).get(name)) is not None:
            event[name] = strike(value) if isinstance(value, str) else value
    return event
