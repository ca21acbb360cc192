"""What Django's own checks cannot know; docs/settings.md has a heading for each."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution


@register()
def check_values(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - the shape of a check
    """Refuse values that would be found wrong only when something uses them."""
    return list(_find_wrong_values())


def _find_wrong_values() -> Iterator[CheckMessage]:
    if settings.PALIMPSEST_LOG not in {"line", "json"}:
        text = f"PALIMPSEST_LOG is {settings.PALIMPSEST_LOG!r}, neither line nor json."
        yield Error(text, id="palimpsest.E001")
    if settings.PALIMPSEST_ENGINE not in {"dask", "in-process", "slurm"}:
        text = f"PALIMPSEST_ENGINE is {settings.PALIMPSEST_ENGINE!r}."
        yield Error(text, "Write dask, in-process or slurm.", id="palimpsest.E002")
    tls = [getattr(settings, f"PALIMPSEST_SCHEDULER_TLS_{part}") for part in ("CA", "CERT", "KEY")]
    if any(tls) and not all(tls):
        text = "PALIMPSEST_SCHEDULER_TLS_CA, _CERT and _KEY are not all set."
        yield Error(text, "TLS needs all three files.", id="palimpsest.E007")
    for network in settings.PALIMPSEST_METRICS_ALLOW:
        try:
            ip_network(network)
        except ValueError as error:
            hint = "Write networks as 10.1.0.0/16, single addresses as 10.1.2.3."
            yield Error(f"PALIMPSEST_METRICS_ALLOW: {error}.", hint, id="palimpsest.E003")
    if not settings.DATABASES["default"]["ENGINE"].endswith(".postgresql"):
        text = "DATABASE_URL names no PostgreSQL."
        yield Error(text, "Begin it with postgresql://", id="palimpsest.E004")


@register(deploy=True)
def check_deployment(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - the shape of a check
    """Say what a public server lacks."""
    return list(find_missing())


def find_missing() -> Iterator[CheckMessage]:
    if settings.SECRET_KEY == "unset":  # noqa: S105 - no password, the mark of a missing one
        hint = "Set PALIMPSEST_SECRET_KEY or PALIMPSEST_SECRET_KEY_FILE."
        yield Error("There is no secret key.", hint, id="palimpsest.E005")
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts in PALIMPSEST_HOSTS."
        yield Caution("The site answers to any name.", hint, id="palimpsest.W001")
    if not settings.PALIMPSEST_COLLECTED:
        hint = "Set PALIMPSEST_COLLECTED=1 and run manage.py collectstatic."
        yield Caution("Static files are sent as they are.", hint, id="palimpsest.W002")
    elif not Path(settings.STATIC_ROOT, "staticfiles.json").is_file():
        hint = "Run manage.py collectstatic."
        yield Error("No static files are collected.", hint, id="palimpsest.E006")
