"""Calls that clients repeat because they never got the answer: answered, not done again."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from catalogue.access import Person
from catalogue.errors import RepeatedKeyError
from catalogue.models import ClientCall, User


@transaction.atomic
def answer_once(person: Person, key: str, body: bytes, act: Callable[[], Any]) -> tuple[Any, bool]:
    """
    Do what a call asks for, unless it has been done under the same key.

    Parameters
    ----------
    person : User or AnonymousUser
        Who calls; keys of different people are different, those of nobody are not kept.
    key : str
        As the client made it up; without one nothing is remembered.
    body : bytes
        What the call said.
    act : callable
        Does it, and returns the answer as a JSON value. If it raises, nothing is
        remembered and nothing it wrote stays.

    Returns
    -------
    tuple of answer and bool
        True if this is the answer of an earlier call.

    Raises
    ------
    RepeatedKeyError
        If the key came with another body before.
    """
    if not key or not isinstance(person, User):
        return act(), False
    _wait_for_turn(f"{person.pk} {key}")
    digest = hashlib.sha256(body).hexdigest()
    if call := ClientCall.objects.filter(person=person, key=key).first():
        if call.digest != digest:
            raise RepeatedKeyError(key)
        return call.answer, True
    answer = act()
    ClientCall.objects.create(person=person, key=key, digest=digest, answer=answer)
    return answer, False


def _wait_for_turn(name: str) -> None:
    """Let the second of two equal calls wait for the answer of the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
