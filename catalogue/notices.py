"""
What the catalogue has to tell people: on their page at once, by mail once a day.

A notice names a dataset by reference. Whether its reader may still hear of it is asked
when it is shown and when it is sent: whoever has left a team gets nothing of it.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from catalogue.access import cleared_datasets, visible_datasets
from catalogue.models import Dataset, Notice, User

Kind = Notice.Kind

# The team's own matters: they go to nobody who merely sees the page.
_OF_THE_TEAM = (Kind.REMINDER, Kind.REQUEST)
_NO_MAIL = "no mail"
_LONGEST = 1000


def tell(
    person: User, kind: Notice.Kind, text: str, *, once: str, dataset: Dataset | None = None
) -> None:
    """Tell one person something, as ``tell_all`` does."""
    tell_all([person], kind, text, once=once, dataset=dataset)


def tell_all(
    people: Iterable[User],
    kind: Notice.Kind,
    text: str,
    *,
    once: str,
    dataset: Dataset | None = None,
) -> None:
    """
    Tell people something, each of them once.

    Parameters
    ----------
    people : iterable of User
        Whom.
    kind : Notice.Kind
        What it is about; reminders and requests are for a team only.
    text : str
        Whole sentences. What may not be known for ever does not belong in here, if
        there is no dataset by which access is asked again.
    once : str
        Names the occasion: a person who was told of it before is not told again.
    dataset : Dataset, optional
        Whose page it leads to.
    """
    addressed = list(people)
    silent = _silent(addressed)
    Notice.objects.bulk_create(
        (
            Notice(
                person=person,
                kind=kind,
                text=text[:_LONGEST],
                dataset=dataset,
                once=once,
                mail_wanted=bool(person.email) and person.pk not in silent,
            )
            for person in addressed
        ),
        ignore_conflicts=True,
    )


def notices_of(person: User) -> QuerySet[Notice]:
    """Select what a person may still be told, the latest first."""
    of_all = Q(dataset__in=visible_datasets(person)) & ~Q(kind__in=_OF_THE_TEAM)
    of_team = Q(dataset__in=cleared_datasets(person))
    told = Notice.objects.filter(person=person).filter(Q(dataset__isnull=True) | of_all | of_team)
    return told.select_related("dataset")


def mark_read(person: User, *uuids: UUID) -> None:
    """Mark notices as read, or all of a person's if none is named."""
    unread = Notice.objects.filter(person=person, read_at__isnull=True)
    (unread.filter(uuid__in=uuids) if uuids else unread).update(read_at=timezone.now())


def wants_mail(person: User) -> bool:
    """Say whether a person's notices also go out by mail."""
    return not _silent([person])


def stop_mail(person: User) -> None:
    """Send a person no more mail; a notice on their page says so, and is how it is known."""
    text = "You get no mail of these notices any more. They wait for you here."
    Notice.objects.get_or_create(
        person=person,
        once=_NO_MAIL,
        defaults={"kind": Kind.DECISION, "text": text, "mail_wanted": False},
    )
    Notice.objects.filter(person=person, mailed_at__isnull=True).update(mail_wanted=False)


def resume_mail(person: User) -> None:
    """Send a person mail again, of what comes from now on."""
    Notice.objects.filter(person=person, once=_NO_MAIL).delete()


def _silent(people: Iterable[User]) -> set[int]:
    asked = Notice.objects.filter(once=_NO_MAIL, person__in=people)
    return set(asked.values_list("person", flat=True))
