"""
How often somebody may call: counted in the database, so that all processes share it.

A caller has one number for each limit: the instant at which all that they have spent
will be paid off, at so many calls a minute (the generic cell rate algorithm). A minute's
worth may be spent at once. The table is unlogged: a crash forgets a minute.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from catalogue.errors import RateLimitError
from catalogue.models import ApiToken, User

CALLS, BYTES, GUESSES = "calls", "bytes", "guesses"
MOST_GUESSES = 10
"""Wrong passwords a minute for one account from one address."""
MOST_GUESSES_OF_ADDRESS = 60
"""The same for all accounts together, and of tokens: colleagues may share an address."""

_WINDOW_S = 60.0


@dataclass(frozen=True)
class Limit:
    """So many calls a minute by one caller, "token 3f2a..."; 0 is no limit."""

    caller: str
    calls: int

    @property
    def step_s(self) -> float:
        """Seconds in which one call is paid off."""
        return _WINDOW_S / self.calls


@dataclass(frozen=True)
class Allowance:
    """What is left of the tightest limit after a call."""

    policy: str
    calls: int
    left: int
    full_after_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers writes it."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.calls};w={_WINDOW_S:.0f}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.full_after_s}',
        }


# One statement: all limits are spent, or none. Of calls at the same instant each may find
# the last one free; what they spend is added up all the same.
_SPEND = """
WITH clock AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS now),
asked AS (
    SELECT key, wish.step, greatest(coalesce(rate.due, 0), now) + wish.step AS due
    FROM unnest(%s::text[], %s::float8[]) AS wish (key, step)
    CROSS JOIN clock LEFT JOIN catalogue_rate AS rate USING (key)
),
verdict AS (SELECT bool_and(due <= now + %s) AS is_free FROM asked, clock),
spent AS (
    INSERT INTO catalogue_rate AS rate (key, step, due)
    SELECT key, step, due FROM asked, verdict WHERE is_free ORDER BY key
    ON CONFLICT (key) DO UPDATE SET due = greatest(rate.due + EXCLUDED.step, EXCLUDED.due)
)
SELECT key, is_free, due - now FROM asked, verdict, clock
"""


def count_call(request: HttpRequest, policy: str = CALLS) -> Allowance | None:
    """
    Count a call for who makes it: a person and their token, else an address.

    Parameters
    ----------
    request : HttpRequest
        After authentication.
    policy : str
        BYTES for files and archives, of which a reader in small pieces makes many.

    Returns
    -------
    Allowance or None
        None if nothing limits this caller.

    Raises
    ------
    RateLimitError
        If that was one too many.
    """
    person, token = request.user, getattr(request, "auth", None)
    of_bytes = settings.PALIMPSEST_RATE_BYTES if policy == BYTES else None
    if not isinstance(person, User):
        calls = settings.PALIMPSEST_RATE_ANONYMOUS if of_bytes is None else of_bytes
        return spend(policy, [Limit(f"address {address_of(request)}", calls)])
    calls = settings.PALIMPSEST_RATE_PERSON if of_bytes is None else of_bytes
    limits = [Limit(f"person {person.pid}", calls)]
    if isinstance(token, ApiToken) and of_bytes is None:
        # A script that runs wild uses up its token, not its owner.
        limits.append(Limit(f"token {token.uuid}", settings.PALIMPSEST_RATE_TOKEN))
    return spend(policy, limits)


def spend(policy: str, limits: Sequence[Limit]) -> Allowance | None:
    """
    Count one call against each limit, or against none if one of them is used up.

    Raises
    ------
    RateLimitError
        If a limit is used up; it tells when to go on.
    """
    by_key = {f"{policy} {limit.caller}": limit for limit in limits if limit.calls > 0}
    if not by_key:
        return None
    steps = [limit.step_s for limit in by_key.values()]
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, [list(by_key), steps, _WINDOW_S])
        rows: list[tuple[str, bool, float]] = cursor.fetchall()
    key, is_free, owed_s = max(rows, key=lambda row: row[2])
    tightest = by_key[key]
    if not is_free:
        wait_s = max(1, math.ceil(owed_s - _WINDOW_S))
        raise RateLimitError(policy, tightest.calls, wait_s)
    left = int((_WINDOW_S - owed_s) / tightest.step_s)
    return Allowance(policy, tightest.calls, left, math.ceil(owed_s))


def require_left(policy: str, limits: Sequence[Limit]) -> None:
    """
    Refuse a call if one of its limits is used up, and count nothing.

    Raises
    ------
    RateLimitError
        Telling when to go on.
    """
    by_key = {f"{policy} {limit.caller}": limit for limit in limits}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, due - extract(epoch FROM clock_timestamp())::float8"
            " FROM catalogue_rate WHERE key = ANY(%s)",
            [list(by_key)],
        )
        rows: list[tuple[str, float]] = cursor.fetchall()
    for key, owed_s in rows:
        limit = by_key[key]
        if (wait_s := owed_s + limit.step_s - _WINDOW_S) > 0:
            raise RateLimitError(policy, limit.calls, math.ceil(wait_s))


def password_limits(name: str, address: str) -> list[Limit]:
    """Limit guesses at one account, and one guess at each of many; for page and REST."""
    account = name[:150].replace("\x00", "")  # which PostgreSQL cannot hold
    return [
        Limit(f"{account} from {address}", MOST_GUESSES),
        Limit(f"passwords of {address}", MOST_GUESSES_OF_ADDRESS),
    ]


def forget_idle() -> int:
    """Remove callers who owe nothing, and return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM catalogue_rate WHERE due < extract(epoch FROM clock_timestamp())"
        )
        removed: int = cursor.rowcount
    return removed


def address_of(request: HttpRequest) -> str:
    """
    Return who calls, by address; of IPv6 the network, all of which one customer has.

    X-Forwarded-For is believed as far as our own proxies have written it: whatever
    stands before that, the caller may have made up.
    """
    named = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies = settings.PALIMPSEST_PROXIES
    address = request.META.get("REMOTE_ADDR", "")
    if proxies and any(named):
        address = named[-min(proxies, len(named))]
    try:
        found = ip_address(address)
    except ValueError:
        return str(address)[:45]
    return str(found) if found.version == 4 else str(ip_network((found, 64), strict=False))
