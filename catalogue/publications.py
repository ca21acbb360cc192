"""Papers, theses and reports that stand on datasets."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet

from catalogue import audit
from catalogue.access import Person, access_state, visible_datasets
from catalogue.embargo.dates import recompute
from catalogue.errors import DescriptionError, Fault, TransitionError, UnknownPublicationError
from catalogue.identifiers import check_doi
from catalogue.models import Dataset, EmbargoPolicy, Guard, Publication, Tombstone, User
from catalogue.permissions import Act, require, require_account

_RESOLVERS = ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "doi:")
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_MOST_AUTHORS = 500


@dataclass(frozen=True)
class Reference:
    """What a person says of a publication; its DOI names it."""

    doi: str
    title: str
    authors: Sequence[str] = ()
    year: int | None = None
    abstract: str = ""


@transaction.atomic
def link_publication(person: Person, dataset: Dataset, said: Reference) -> Publication:
    """
    Say that a publication stands on a dataset.

    A publication that is known already stays as it was told first.

    Raises
    ------
    NotPermittedError
        If the dataset is not theirs to edit.
    DescriptionError
        Naming every fault of the reference.
    """
    editor = _require_editor(person, dataset)
    doi = _bare(said.doi)
    if faults := _faults(doi, said):
        raise DescriptionError(faults)
    publication, _ = Publication.objects.get_or_create(
        doi=doi,
        defaults={
            "title": said.title.strip(),
            "authors": [author.strip() for author in said.authors],
            "year": said.year,
            "abstract": said.abstract.strip(),
        },
    )
    if not publication.datasets.filter(pk=dataset.pk).exists():
        _require_release(editor, dataset)
        publication.datasets.add(dataset)
        audit.record("publication.linked", dataset, person=editor, new={"doi": doi})
        _count_anew(dataset, f"published as {doi}")
    return publication


@transaction.atomic
def unlink_publication(person: Person, dataset: Dataset, pid: object) -> None:
    """
    Take back that a publication stands on a dataset.

    Raises
    ------
    NotPermittedError
        If the dataset is not theirs to edit.
    UnknownPublicationError
        If nobody had said so.
    """
    editor = _require_editor(person, dataset)
    publication = _get(dataset.publications.all(), pid)
    _require_release(editor, dataset)
    publication.datasets.remove(dataset)
    audit.record("publication.unlinked", dataset, person=editor, old={"doi": publication.doi})
    _count_anew(dataset, f"not published as {publication.doi}")


def _require_editor(person: Person, dataset: Dataset) -> User:
    editor = require_account(person)
    require(editor, Act.EDIT, dataset)
    if Tombstone.objects.filter(dataset=dataset).exists():
        reason = "it was taken back. Its page stays as a record."
        raise TransitionError("change the publications of this dataset", reason)
    return editor


def _require_release(editor: User, dataset: Dataset) -> None:
    """Leave it to the leader where the embargo counts from a publication: a link ends it."""
    of_proposals = Q(proposal__guard__dataset=dataset)
    policies = EmbargoPolicy.objects.filter(of_proposals | Q(dataset=dataset))
    if policies.filter(starts_with="publication").exists() and not access_state(dataset).is_open:
        require(editor, Act.RELEASE, dataset)


def _count_anew(dataset: Dataset, reason: str) -> None:
    """Let a policy that counts from the first publication know of it."""
    recompute(Guard.objects.filter(dataset=dataset), reason=reason)


def list_publications(person: Person) -> QuerySet[Publication]:
    """Select all publications, each with those of its datasets that a person may see."""
    seen = visible_datasets(person).order_by("title", "pid")
    return Publication.objects.prefetch_related(Prefetch("datasets", seen, to_attr="seen"))


def get_publication(person: Person, pid: object) -> Publication:
    """
    Return a publication with those of its datasets that a person may see.

    Raises
    ------
    UnknownPublicationError
        If there is none.
    """
    return _get(list_publications(person), pid)


def _get(rows: QuerySet[Publication], pid: object) -> Publication:
    try:
        return rows.get(pid=str(pid))
    except (Publication.DoesNotExist, ValidationError) as error:
        raise UnknownPublicationError(str(pid)) from error


def _bare(doi: str) -> str:
    """Return a DOI without its resolver; capitals make no difference in it."""
    bare = doi.strip().lower()
    return next((bare.removeprefix(it) for it in _RESOLVERS if bare.startswith(it)), bare)


def _faults(doi: str, said: Reference) -> list[Fault]:
    faults = []
    try:
        check_doi(doi)
    except ValidationError as error:
        faults.append(Fault("#/doi", error.messages[0]))
    if not _is_text(said.title, 1000, is_needed=True):
        faults.append(Fault("#/title", "must be text of 1 to 1000 characters"))
    if len(said.authors) > _MOST_AUTHORS or not all(
        _is_text(author, 200, is_needed=True) for author in said.authors
    ):
        text = f"must be at most {_MOST_AUTHORS} names of 1 to 200 characters"
        faults.append(Fault("#/authors", text))
    if said.year is not None and not _FIRST_YEAR <= said.year < _LAST_YEAR:
        faults.append(Fault("#/year", "must lie between 1900 and 2199"))
    if not _is_text(said.abstract, 20_000):
        faults.append(Fault("#/abstract", "must be text of at most 20000 characters"))
    return faults


def _is_text(said: str, longest: int, *, is_needed: bool = False) -> bool:
    return len(said) <= longest and "\x00" not in said and (bool(said.strip()) or not is_needed)
