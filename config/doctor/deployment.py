"""Database, clock and settings of a deployment."""

import time
from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.core import checks
from django.db import connection

from config.doctor.finding import Finding, fail, ok, warn
from config.health import pending_migrations

_OLDEST = 15  # NULLS NOT DISTINCT keeps guards and combinations single
# Leases and embargoes go by the database's clock, sign-ins and logs by ours.
_NOTABLE_S, _HARMFUL_S = 2.0, 60.0
_LEAST_KEY = 50  # characters, as Django asks for


def look_at_database() -> Iterator[Finding]:
    version = connection.pg_version  # type: ignore[attr-defined]  # of the PostgreSQL backend
    if version // 10000 < _OLDEST:
        yield fail(f"PostgreSQL is version {version // 10000}.", f"Move to {_OLDEST} or newer.")
    else:
        yield ok(f"PostgreSQL {version // 10000}.{version % 10000} answers.")


def look_at_migrations() -> Iterator[Finding]:
    waiting = pending_migrations()
    if waiting:
        yield fail(f"{len(waiting)} migrations wait, first {waiting[0]}.", "manage.py migrate")
    else:
        yield ok("Every migration is applied.")


def look_at_clock() -> Iterator[Finding]:
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        theirs: float = cursor.fetchone()[0]
    yield judge_clock("the database", theirs - (before + time.time()) / 2)


def judge_clock(whose: str, difference_s: float) -> Finding:
    """Judge by how many seconds another clock is ahead of ours."""
    size = abs(difference_s)
    what = f"The clock of {whose} is {size:.1f} s {'ahead' if difference_s > 0 else 'behind'}."
    how = "Let both machines keep time by NTP."
    if size < _NOTABLE_S:
        return ok(f"The clock of {whose} agrees with ours.")
    return fail(what, how) if size >= _HARMFUL_S else warn(what, how)


def look_at_secrets() -> Iterator[Finding]:
    key, how = settings.SECRET_KEY, "Set PALIMPSEST_SECRET_KEY_FILE to a file of 50 random letters."
    if len(key) < _LEAST_KEY or len(set(key)) < 5:
        yield fail("The secret key is short enough to be guessed.", how)
    kept = settings.PALIMPSEST_DATA / "secret-key"
    if kept.is_file() and kept.stat().st_mode & 0o077:
        yield fail("Others on this machine can read secret-key.", "chmod 600 in the data folder")
    if settings.DEBUG:
        yield fail("Debug pages show the insides of the site.", "Unset PALIMPSEST_DEBUG.")
    else:
        yield ok("Debug pages are off.")


def look_at_settings() -> Iterator[Finding]:
    """Hold a site that others can reach to what Django and we ask of a public one."""
    if all(map(_is_here, settings.ALLOWED_HOSTS)):
        yield ok("The site answers to this machine only; nothing is asked of its settings.")
        return
    messages = checks.run_checks(include_deployment_checks=True)
    grave = [m for m in messages if m.level >= checks.WARNING and not m.is_silenced()]
    for message in grave:
        say = fail if message.level >= checks.ERROR else warn
        yield say(f"{message.id}: {message.msg}", message.hint or "See docs/settings.md.")
    if not grave:
        yield ok("The settings are those of a public site.")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
