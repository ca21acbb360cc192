"""
The terms of PaNET as the catalogue holds them: loaded, named by people, and expanded.

The closure of the hierarchy stands in a table, so that a search for diffraction is one
lookup however deep the terms below it lie.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from catalogue.indexing import reindex
from catalogue.models import Technique, Vocabulary
from catalogue.panet.hierarchy import Ancestors, Term, close, nearest
from catalogue.panet.subset import CREDIT, DIGEST, TERMS
from catalogue.words import fold

OFFICIAL, SHIPPED = "PaNET", "PaNET subset"
_IDENTIFIER = re.compile(
    r"(?:https?://purl\.org/pan-science/PaNET/|PaNET:)?(PaNET\d+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Loaded:
    """What loading did: terms by kind, and how many of them changed."""

    techniques: int
    concepts: int
    created: int
    changed: int
    obsolete: int


def load_terms(terms: Iterable[Term], credit: str, digest: str) -> Loaded:
    """
    Make the official terms the vocabulary: the shipped ones give way to them.

    A term that the list no longer holds stays, marked obsolete, below what it was below:
    datasets are tagged with it. Local techniques keep their places likewise.

    Parameters
    ----------
    terms : iterable of Term
        The whole list, closed.
    credit : str
        Whose it is, with licence, as it is to be shown.
    digest : str
        sha256 of the file, which names the edition.

    Returns
    -------
    Loaded
        With nothing created, changed or obsolete if the same list was loaded before.
    """
    with transaction.atomic():
        _lock()
        loaded = _write(list(terms), is_whole=True)
        _sign(OFFICIAL, credit, digest)
        Vocabulary.objects.filter(name=SHIPPED).delete()
    return loaded


def load_shipped() -> None:
    """Load the part of PaNET that is shipped, unless the official list has been loaded."""
    with transaction.atomic():
        if _is_settled():
            return
        _lock()
        if _is_settled():  # by whoever held the lock
            return
        _write(list(TERMS), is_whole=False)
        _sign(SHIPPED, CREDIT, DIGEST)


def _is_settled() -> bool:
    known = dict(Vocabulary.objects.values_list("name", "digest"))
    return OFFICIAL in known or known.get(SHIPPED) == DIGEST


def _lock() -> None:
    """Let one loader in at a time; readers do not wait."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE catalogue_technique IN SHARE ROW EXCLUSIVE MODE")


def _sign(name: str, credit: str, digest: str) -> None:
    Vocabulary.objects.update_or_create(name=name, defaults={"credit": credit, "digest": digest})


def _write(terms: list[Term], *, is_whole: bool) -> Loaded:
    known = {row.pid: row for row in Technique.objects.filter(pid__startswith="PaNET")}
    rows = [_row(term) for term in terms]
    created = [row for row in rows if row.pid not in known]
    changed = [row for row in rows if row.pid in known and _facts(known[row.pid]) != _facts(row)]
    renamed = [row.pid for row in changed if known[row.pid].name != row.name]
    Technique.objects.bulk_create(
        created + changed,
        update_conflicts=True,
        unique_fields=["pid"],
        update_fields=["name", "synonyms", "is_concept", "is_obsolete"],
    )
    gone = known.keys() - {term.pid for term in terms} if is_whole else set()
    obsolete = Technique.objects.filter(pid__in=gone, is_obsolete=False).update(is_obsolete=True)
    _write_closure({term.pid: term.ancestors for term in terms})
    # Their listings hold the old names as words.
    tagged = Technique.objects.filter(pid__in=renamed, datasets__isnull=False)
    reindex(set(tagged.values_list("datasets", flat=True)))
    concepts = sum(term.is_concept for term in terms)
    return Loaded(len(terms) - concepts, concepts, len(created), len(changed), obsolete)


def _row(term: Term) -> Technique:
    return Technique(
        pid=term.pid, name=term.name, synonyms=list(term.synonyms), is_concept=term.is_concept
    )


def _facts(row: Technique) -> tuple[object, ...]:
    return row.name, row.synonyms, row.is_concept, row.is_obsolete


def _write_closure(given: Ancestors) -> None:
    """Write the ancestors of all terms; those not given hang on what was nearest above them."""
    through = Technique.ancestors.through
    keys = dict(Technique.objects.values_list("pid", "pk"))
    names = {pk: pid for pid, pk in keys.items()}
    present = {
        (lower, upper): pk
        for pk, lower, upper in through.objects.values_list(
            "pk", "from_technique_id", "to_technique_id"
        )
    }
    above: dict[str, set[str]] = {pid: {pid} for pid in keys}
    for lower, upper in present:
        above[names[lower]].add(names[upper])
    old = {pid: frozenset(found) for pid, found in above.items()}
    kept = {pid: nearest(pid, old) for pid in old.keys() - given.keys()}
    wanted = {
        (keys[pid], keys[upper]) for pid, found in close(kept | given).items() for upper in found
    }
    gone = [pk for pair, pk in present.items() if pair not in wanted]
    through.objects.filter(pk__in=gone).delete()
    through.objects.bulk_create(
        through(from_technique_id=lower, to_technique_id=upper)
        for lower, upper in sorted(wanted - present.keys())
    )


def resolve(text: str) -> list[Technique]:
    """
    Find the terms that people mean by an identifier or a name.

    Parameters
    ----------
    text : str
        An IRI, ``PaNET:PaNET01022``, ``PaNET01022``, the identifier of a local technique,
        a label or a synonym; case, accents and hyphens do not count.

    Returns
    -------
    list of Technique
        Empty if there is none. Techniques go before concepts of the same name, labels
        before synonyms; "x-ray probe" also finds "x-ray probe technique". Several only
        where they carry the same name.
    """
    identifier = _IDENTIFIER.fullmatch(text.strip())
    pid = identifier[1] if identifier else text.strip()
    if exact := list(Technique.objects.filter(pid__iexact=pid)):
        return exact
    wanted = fold(text)
    best: dict[int, list[Technique]] = {}
    for term in Technique.objects.order_by("is_obsolete", "pid"):
        if (rank := _rank(term, wanted)) is not None:
            best.setdefault(rank, []).append(term)
    return best[min(best)] if best else []


def _rank(term: Technique, wanted: str) -> int | None:
    """Say how well a name fits, 0 the best; None if it does not."""
    label = fold(term.name)
    fits = (
        label == wanted,
        wanted in map(fold, term.synonyms),
        label == f"{wanted} technique",
    )
    return fits.index(True) + len(fits) * term.is_concept if any(fits) else None


def descendants(techniques: Iterable[Technique]) -> set[int]:
    """Return the primary keys of the terms and of all that stands below them."""
    below = Technique.ancestors.through.objects.filter(to_technique__in=list(techniques))
    return set(below.values_list("from_technique_id", flat=True))
