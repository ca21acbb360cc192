"""What the audit log holds, in words."""

from typing import Any

from django import template

register = template.Library()


@register.filter
def told(value: Any) -> str:
    """Write an old or new value of an event as one line."""
    if value is None or value == "":
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "never" if value is None else str(value)
