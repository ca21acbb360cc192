"""
Retract data that are wrong, with all that was made from them, and undo it.

The pages stay as a record and say why; the bytes are gone for readers. Another record of
the same retraction undoes it, and what no other retraction marks is there again.
"""

from django.db import transaction
from django.utils import timezone

from catalogue import audit
from catalogue.embargo.announcing import tell_of_retraction, tell_of_undoing
from catalogue.embargo.consequences import Preview, foresee
from catalogue.embargo.decisions import lapse
from catalogue.embargo.marks import lift, mark, standing
from catalogue.embargo.withdrawal import withdraw
from catalogue.errors import TransitionError
from catalogue.indexing import reindex
from catalogue.models import Dataset, Request, Retraction, Tombstone, User
from catalogue.permissions import Act, require
from catalogue.retracting import lock_exclusive

Kind = Tombstone.Kind


def preview(person: User, dataset: Dataset) -> Preview:
    """
    Say what the retraction of a dataset would mean; nothing happens.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to retract.
    """
    require(person, Act.RETRACT, dataset)
    return foresee(person, dataset)


@transaction.atomic
def retract(person: User, dataset: Dataset, reason: str) -> Retraction:
    """
    Retract a dataset and everything that stems from it, all or nothing.

    Parameters
    ----------
    person : User
        Who does it.
    dataset : Dataset
        It and what was made from it leave all lists; nobody reads their bytes any more.
    reason : str
        It will stand on the page of the dataset, for everybody who sees that.

    Returns
    -------
    Retraction
        Its ``marks`` name each dataset that went with it.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to retract.
    TransitionError
        If it was taken back before.
    """
    require(person, Act.RETRACT, dataset)
    lock_exclusive()
    _refuse_twice(dataset)
    retraction = Retraction.objects.create(dataset=dataset, reason=reason, person=person)
    marked = mark(retraction)
    reindex(marked)
    derived = len(marked) - 1
    new = f"retracted, with {derived} made from it" if derived else "retracted"
    audit.record("dataset.retracted", dataset, person=person, new=new, reason=reason)
    gone = Request.objects.filter(dataset__retraction_marks__retraction=retraction)
    lapse(gone, "The dataset was retracted.")
    tell_of_retraction(retraction)
    return retraction


@transaction.atomic
def undo(person: User, dataset: Dataset, reason: str) -> Retraction:
    """
    Undo the retraction of a dataset, and of what was marked with it.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to retract.
    TransitionError
        If nothing is to be undone, or if it was withdrawn since.
    """
    require(person, Act.REINSTATE, dataset)
    lock_exclusive()
    retraction = standing(dataset)
    if retraction is None:
        raise TransitionError(str(Act.REINSTATE), "nobody has retracted it, or it was undone.")
    retraction.undone_at, retraction.undone_by = timezone.now(), person
    retraction.undone_reason = reason
    retraction.save()
    reindex(lift(retraction))
    old = Kind.RETRACTED.value
    audit.record("dataset.reinstated", dataset, person=person, old=old, reason=reason)
    tell_of_undoing(retraction)
    return retraction


def take_back(person: User, dataset: Dataset, kind: Tombstone.Kind, reason: str) -> Tombstone:
    """Retract or withdraw a dataset, as ``retract`` and ``withdraw`` do; return its stone."""
    if kind == Kind.WITHDRAWN:
        return withdraw(person, dataset, reason)
    retract(person, dataset, reason)
    return Tombstone.objects.get(dataset=dataset)


def _refuse_twice(dataset: Dataset) -> None:
    stone = Tombstone.objects.filter(dataset=dataset).first()
    is_withdrawn = stone is not None and stone.kind == Kind.WITHDRAWN
    if is_withdrawn or standing(dataset) is not None:
        kind = Kind.WITHDRAWN if is_withdrawn else Kind.RETRACTED
        raise TransitionError(str(Act.RETRACT), f"it was {kind.value} before.")
