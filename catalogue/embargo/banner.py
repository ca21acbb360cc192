"""What the page of a dataset, and REST, say of the access to it."""

from dataclasses import dataclass

from django import forms

from catalogue.access import AccessState, Person, access_state, may_read
from catalogue.embargo.deeds import Deed, deeds_on_dataset, fill
from catalogue.embargo.reasons import why_visible
from catalogue.models import Dataset, Tombstone

Filled = tuple[Deed, forms.Form]


@dataclass(frozen=True)
class Banner:
    """
    What the page of a dataset says of access.

    Attributes
    ----------
    state : AccessState
        Of the dataset today.
    why : str
        Why this person can see it.
    is_readable : bool
        Whether they may read its bytes.
    stone : Tombstone or None
        If it was taken back.
    deeds : list of (Deed, Form)
        What they can do.
    """

    state: AccessState
    why: str
    is_readable: bool
    stone: Tombstone | None
    deeds: list[tuple[Deed, forms.Form]]


def describe_access(person: Person, dataset: Dataset, filled: Filled | None = None) -> Banner:
    """Describe access to a dataset that a person sees; ``filled`` is a form to show again."""
    state = access_state(dataset)
    deeds = {deed: fill(deed, "here") for deed in deeds_on_dataset(person, dataset)}
    return Banner(
        state,
        why_visible(person, dataset, state),
        may_read(person, dataset),
        Tombstone.objects.filter(dataset=dataset).first(),
        list((deeds | dict([filled] if filled else [])).items()),
    )
