"""
Take datasets back: the page stays and says why, the bytes are gone for readers.

A retracted dataset is wrong, and its page remains as a record. One that is withdrawn must
not be shown for legal reasons: all but data stewards are told that, and no more.
"""

from django.db import transaction

from catalogue import audit
from catalogue.embargo.decisions import lapse
from catalogue.embargo.teams import team_of
from catalogue.errors import TransitionError
from catalogue.indexing import reindex
from catalogue.models import Dataset, Notice, Request, Tombstone, User
from catalogue.notices import tell_all
from catalogue.permissions import Act, require

Kind = Tombstone.Kind

_ACTS = {Kind.RETRACTED: Act.RETRACT, Kind.WITHDRAWN: Act.WITHDRAW}


@transaction.atomic
def take_back(person: User, dataset: Dataset, kind: Tombstone.Kind, reason: str) -> Tombstone:
    """
    Retract or withdraw a dataset, for good.

    Parameters
    ----------
    person : User
        Who does it.
    dataset : Dataset
        It leaves all lists; nobody reads its bytes any more.
    kind : Tombstone.Kind
        What was retracted may still be withdrawn, not the other way round.
    reason : str
        It will stand on the page, for everybody to read.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to take back.
    TransitionError
        If it was taken back before.
    """
    require(person, _ACTS[kind], dataset)
    stone, is_new = Tombstone.objects.select_for_update().get_or_create(
        dataset=dataset, defaults={"kind": kind, "reason": reason, "person": person}
    )
    old = None if is_new else stone.kind
    if old in {kind.value, Kind.WITHDRAWN.value}:
        verb = "withdraw" if kind == Kind.WITHDRAWN else "retract"
        raise TransitionError(f"{verb} this dataset", f"it was {old} before.")
    if not is_new:
        stone.kind, stone.reason, stone.person = kind, reason, person
        stone.save()
    reindex([dataset.pk])
    event = f"dataset.{kind.value}"
    audit.record(event, dataset, person=person, old=old, new=kind.value, reason=reason)
    lapse(Request.objects.filter(dataset=dataset), f"The dataset was {kind.value}.")
    _tell(person, dataset, stone)
    return stone


def _tell(person: User, dataset: Dataset, stone: Tombstone) -> None:
    """Tell its owner and its team."""
    owners = User.objects.filter(datasets=dataset, is_active=True)
    concerned = (team_of([dataset.pk]) | owners).exclude(pk=person.pk).distinct()
    # Of what is withdrawn they see no page any more: the notice must stand for itself.
    is_hidden = stone.kind == Kind.WITHDRAWN
    name = f"The dataset {dataset.pid}" if is_hidden else f"“{dataset.title}”"
    tell_all(
        concerned,
        Notice.Kind.DECISION,
        f"{name} was {stone.kind}: {stone.reason}",
        once=f"{stone.kind} {dataset.pid}",
        dataset=None if is_hidden else dataset,
    )
