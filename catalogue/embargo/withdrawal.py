"""
Withdraw a dataset that must not be shown for legal reasons, for good.

All but data stewards are told the reason, and no more. What was made from it is another
matter: whether that must not be shown either is for a person to say.
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


@transaction.atomic
def withdraw(person: User, dataset: Dataset, reason: str) -> Tombstone:
    """
    Withdraw a dataset; what was retracted may still be.

    Parameters
    ----------
    person : User
        Who does it.
    dataset : Dataset
        It leaves all lists; nobody but stewards sees its page any more.
    reason : str
        What others are told.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If they are no data steward.
    TransitionError
        If it was withdrawn before.
    """
    require(person, Act.WITHDRAW, dataset)
    stone, is_new = Tombstone.objects.select_for_update().get_or_create(
        dataset=dataset, defaults={"kind": Kind.WITHDRAWN, "reason": reason, "person": person}
    )
    old = None if is_new else stone.kind
    if old == Kind.WITHDRAWN:
        raise TransitionError("withdraw this dataset", "it was withdrawn before.")
    if not is_new:
        stone.kind, stone.reason, stone.person = Kind.WITHDRAWN.value, reason, person
        stone.save()
    reindex([dataset.pk])
    new = Kind.WITHDRAWN.value
    audit.record("dataset.withdrawn", dataset, person=person, old=old, new=new, reason=reason)
    lapse(Request.objects.filter(dataset=dataset), "The dataset was withdrawn.")
    _tell(person, dataset, reason)
    return stone


def _tell(person: User, dataset: Dataset, reason: str) -> None:
    """Tell its owner and its team; they see no page any more, so the notice stands alone."""
    owners = User.objects.filter(datasets=dataset, is_active=True)
    concerned = (team_of([dataset.pk]) | owners).exclude(pk=person.pk).distinct()
    text = f"The dataset {dataset.pid} was withdrawn: {reason}"
    tell_all(concerned, Notice.Kind.DECISION, text, once=f"withdrawn {dataset.pid}")
