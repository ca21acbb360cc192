"""The audit log: who changed access, metadata or state, when and why."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from catalogue.models import AuditEvent, User

STEWARD_PROCESS = "the steward process"


def record(
    act: str,
    subject: Model,
    *,
    person: User | None,
    old: Any = None,
    new: Any = None,
    reason: str = "",
) -> None:
    """
    Write one event, in the transaction of the change it tells of.

    Parameters
    ----------
    act : str
        What happened, by subject and verb: "embargo.extended", "metadata.edited".
    subject : Model
        What it happened to; it is named by its public identifier.
    person : User or None
        Who did it; None for the steward process.
    old, new : JSON value, optional
        What it was and what it became.
    reason : str, optional
        Why, in the words of whoever did it.
    """
    record_all(act, [(subject, old, new)], person=person, reason=reason)


def record_all(
    act: str,
    changes: Iterable[tuple[Model, Any, Any]],
    *,
    person: User | None,
    reason: str = "",
) -> None:
    """Write one event for each (subject, old, new), in one statement."""
    AuditEvent.objects.bulk_create(
        AuditEvent(
            person=person,
            who=str(person) if person else STEWARD_PROCESS,
            act=act,
            subject_kind=subject._meta.model_name or "",
            subject=_public_name(subject),
            old=old,
            new=new,
            reason=reason[:2000],
        )
        for subject, old, new in changes
    )


def _public_name(subject: Model) -> str:
    """Return the identifier by which people know a row; never its primary key."""
    for name in ("pid", "uuid", "slug", "username"):
        if value := getattr(subject, name, None):
            return str(value)
    return str(subject)[:200]
