"""The search, whose address holds all that it says, and the registration of raw data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django import forms
from django.http import QueryDict

from catalogue.access import Person, registrable_instruments
from catalogue.errors import CatalogueError
from catalogue.places import raw_stores
from catalogue.query import scan, without
from catalogue.search import Facet


class RegistrationForm(forms.Form):
    """Where the files of a raw dataset are, and what they do not say themselves."""

    store = forms.ChoiceField(help_text="Where the files lie; facility.toml declares the stores.")
    path = forms.CharField(
        max_length=1000,
        help_text="Relative to the store: a NeXus or PONI file, an image, a folder of images, "
        "or the folder of a European XFEL run.",
    )
    instrument = forms.ChoiceField(required=False, help_text="If the files do not name it.")
    proposal = forms.CharField(
        required=False, max_length=60, help_text="Its number, if the files do not name it."
    )

    def __init__(self, person: Person, data: QueryDict | None = None) -> None:
        super().__init__(data)
        stores = raw_stores().values_list("slug", "slug")
        instruments = registrable_instruments(person).values_list("slug", "name")
        self.fields["store"].choices = list(stores)  # type: ignore[attr-defined]  # a choice field
        self.fields["instrument"].choices = [("", "as the files say"), *instruments]  # type: ignore[attr-defined]  # the same

    def refuse(self, error: CatalogueError) -> None:
        """Put a refusal beside the field it is about, else above the form."""
        field = getattr(error, "field", "path")
        self.add_error(field if field in self.fields else None, str(error))


@dataclass(frozen=True)
class Chip:
    """A chosen filter in words, and the same search without it."""

    label: str
    remaining: QueryDict

    @property
    def address(self) -> str:
        return f"?{self.remaining.urlencode()}"


def read_lists(parameters: QueryDict) -> Mapping[str, Sequence[str]]:
    """Return the values of each parameter; PostgreSQL knows no text with a zero byte."""
    return {
        name: [value.replace("\x00", "") for value in values] for name, values in parameters.lists()
    }


def list_chips(parameters: QueryDict, facets: Sequence[Facet]) -> list[Chip]:
    """Name every filter in force: the words, each condition of the text, what is chosen."""
    chips = [*_chips_of_text(parameters)]
    chips += [
        Chip(f"{facet.label}: {value.label}", _without(parameters, facet.name, value.value))
        for facet in facets
        for value in facet.values
        if value.is_chosen
    ]
    return chips


def _chips_of_text(parameters: QueryDict) -> Iterator[Chip]:
    """Take the plain words together, and every term with a key or a minus for itself."""
    text = " ".join(parameters.getlist("q"))
    terms = scan(text)
    plain = [term for term in terms if not term.key and not term.negated]
    conditions = [term for term in terms if term.key or term.negated]
    if plain:
        rest = " ".join(term.text for term in conditions)
        yield Chip(f"“{' '.join(term.text for term in plain)}”", _with_text(parameters, rest))
    for term in conditions:
        yield Chip(term.text, _with_text(parameters, without(text, term)))


def _with_text(parameters: QueryDict, text: str) -> QueryDict:
    remaining = _without(parameters, "q")
    if text:
        remaining.setlist("q", [text])
    return remaining


def _without(parameters: QueryDict, name: str, value: str | None = None) -> QueryDict:
    """Take one filter away, and the place in the list, which was that of the old results."""
    remaining = parameters.copy()
    kept = [] if value is None else [v for v in parameters.getlist(name) if v != value]
    remaining.setlist(name, kept)
    remaining.pop("cursor", None)
    return remaining
