"""The mail of the day: one to a person at most, of what they have not been sent yet."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from catalogue.models import Notice, User
from catalogue.notices import notices_of

_log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_MOST_LINES = 50
_SALT = "no more mail"


def send_digests() -> int:
    """
    Send everybody their mail of the day.

    Two at once send nothing twice. If the mail server does not answer, nothing is lost:
    the next call tries again.

    Returns
    -------
    int
        How many mails went out.
    """
    sent = 0
    for pk in list(_due(User.objects.filter(is_active=True)).values_list("pk", flat=True)):
        try:
            sent += _send(pk)
        except (OSError, SMTPException) as error:
            _log.warning("Mail cannot be sent, it is kept for later: %s", type(error).__name__)
            break
    return sent


def _due(people: QuerySet[User]) -> QuerySet[User]:
    mine = Notice.objects.filter(person=OuterRef("pk"))
    waiting = mine.filter(mail_wanted=True, mailed_at__isnull=True)
    recent = mine.filter(mailed_at__gt=Now() - _DAY)
    return people.filter(Exists(waiting)).exclude(Exists(recent)).exclude(email="")


@transaction.atomic
def _send(pk: int) -> int:
    """Send one person's mail while their row is ours; it is marked only if it went out."""
    mine = User.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=pk)
    person = _due(mine).first()
    if person is None:
        return 0
    waiting = Notice.objects.filter(person=person, mail_wanted=True, mailed_at__isnull=True)
    tellable = list(notices_of(person).filter(pk__in=waiting.values("pk")))
    waiting.exclude(pk__in=[notice.pk for notice in tellable]).update(mail_wanted=False)
    waiting.update(mailed_at=Now())
    if tellable:
        _write(person, tellable).send()
    return int(bool(tellable))


def _write(person: User, notices: list[Notice]) -> EmailMessage:
    lines = [f"Dear {person},", ""]
    for notice in notices[:_MOST_LINES]:
        lines.append(f"* {notice.text}")
        if notice.dataset:
            lines.append(f"  {_address('dataset', notice.dataset.pid)}")
    if len(notices) > _MOST_LINES:
        lines.append(f"* and {len(notices) - _MOST_LINES} more")
    leave = f"{_address('unsubscribe')}?person={unsubscription(person)}"
    lines += ["", f"All of it: {_address('notices')}"]
    lines += ["This comes once a day at most. No more mail:", leave, ""]
    count = f"{len(notices)} notice{'s' * (len(notices) > 1)}"
    return EmailMessage(
        f"Palimpsest: {count}",
        "\n".join(lines),
        to=[person.email],
        # By RFC 8058 a mail programme may send the form behind the link by itself.
        headers={
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )


def _address(name: str, *parts: object) -> str:
    site = str(getattr(settings, "PALIMPSEST_URL", "http://127.0.0.1:8000"))
    return site.rstrip("/") + reverse(name, args=parts)


def unsubscription(person: User) -> str:
    """Return the sign by which a link in a mail stops that person's mail, and no more."""
    return signing.dumps(str(person.pid), salt=_SALT)


def read_unsubscription(sign: str) -> User | None:
    """Return whose mail a sign stops; None if we did not give it out."""
    try:
        pid = signing.loads(sign, salt=_SALT)
    except signing.BadSignature:
        return None
    return User.objects.filter(pid=pid).first()
