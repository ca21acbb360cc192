"""
Whoever publishes results and whoever retracts data take turns.

Publishing shares the lock, retracting has it alone: a result either is there when its
input is retracted, and is marked with it, or finds its input retracted already.
"""

from django.db import connection

LOCK = 0x7265_7472_6163_74  # "retract"


def lock_shared() -> None:
    """Let nobody retract until the transaction ends; many may hold this at once."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def lock_exclusive() -> None:
    """Wait until everybody who publishes is done, and keep them waiting likewise."""
    _lock("SELECT pg_advisory_xact_lock(%s)")


def _lock(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [LOCK])
