"""What the page of a dataset, and REST, say of the access to it."""

from dataclasses import dataclass

from django import forms

from catalogue.access import AccessState, Person, may_read
from catalogue.embargo.deeds import Deed, deeds_on_dataset, fill
from catalogue.embargo.marks import causes
from catalogue.embargo.offers import offered_acts
from catalogue.embargo.reasons import why_visible
from catalogue.embargo.rulings import look
from catalogue.models import Dataset, Retraction, Tombstone
from catalogue.permissions import Act, permitted_acts

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
    causes : list of Retraction
        Of the inputs it was retracted with, as far as this person sees them.
    permitted : frozenset of Act
        What this person may do to it, should its state allow it.
    deeds : list of (Deed, Form)
        What they can do.
    """

    state: AccessState
    why: str
    is_readable: bool
    stone: Tombstone | None
    causes: list[Retraction]
    permitted: frozenset[Act]
    deeds: list[Filled]


def describe_access(person: Person, dataset: Dataset, filled: Filled | None = None) -> Banner:
    """Describe access to a dataset that a person sees; ``filled`` is a form to show again."""
    found, is_readable = look(dataset), may_read(person, dataset)
    permitted = permitted_acts(person, dataset, is_readable=is_readable)
    offered = offered_acts(permitted, found, is_readable=is_readable)
    deeds = {deed: fill(deed, "here") for deed in deeds_on_dataset(offered)}
    return Banner(
        found.state,
        why_visible(person, dataset, found.state),
        is_readable,
        found.stone,
        causes(person, dataset) if found.stone else [],
        permitted,
        list((deeds | dict([filled] if filled else [])).items()),
    )
