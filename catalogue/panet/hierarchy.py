"""
Who stands below whom in PaNET.

The parent columns of its table are not the hierarchy: the upper terms exist only as
definitions, "a technique with some process that is a diffraction". What the columns say
is *told*; the rest is inferred, as far as this ontology needs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ROOT = "PaNET00001"  # photon and neutron technique
_FIRST_CONCEPT = 2_000_000

Ancestors = dict[str, frozenset[str]]
"""Of each identifier all that it stands below, itself included."""


@dataclass(frozen=True)
class Term:
    """A term with its place: ``ancestors`` is the closure and holds the term itself."""

    pid: str
    name: str
    synonyms: tuple[str, ...]
    ancestors: frozenset[str]

    @property
    def is_concept(self) -> bool:
        """Whether it is a process, probe or purpose, which techniques are defined by."""
        return is_concept(self.pid)


@dataclass(frozen=True)
class TermClass:
    """
    One class as its editors wrote it.

    The class is what is below all ``members`` and meets all ``restrictions``, which are
    pairs of a property and a concept: ("definedbyprocess", "PaNET2020018").
    """

    pid: str
    name: str
    synonyms: tuple[str, ...] = ()
    parents: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    restrictions: frozenset[tuple[str, str]] = frozenset()


def is_concept(pid: str) -> bool:
    """Say by its number whether an identifier names a concept."""
    return int(pid.removeprefix("PaNET")) >= _FIRST_CONCEPT


def close(parents: Mapping[str, frozenset[str]]) -> Ancestors:
    """
    Return the ancestors of all terms.

    Sets are handed down until none grows: some terms are equivalent, so that the parents
    go in circles and a recursion would not end.
    """
    ancestors = {pid: above | {pid} for pid, above in parents.items()}
    grows = True
    while grows:
        grows = False
        for pid, above in ancestors.items():
            further = above.union(*(ancestors[one] for one in above))
            if further != above:
                ancestors[pid] = further
                grows = True
    return ancestors


def told_parents(classes: Mapping[str, TermClass]) -> dict[str, frozenset[str]]:
    """Return what the table says outright: parents, and plain members of definitions."""
    return {pid: one.parents | one.members for pid, one in classes.items()}


def infer(classes: Mapping[str, TermClass]) -> Ancestors:
    """
    Return the ancestors of all classes, told and inferred, to a fixpoint.

    A class is below a definition if each member of the definition is its ancestor, and
    each restriction (p some c) is met by one that it has or inherits, (p some e), where
    e is c or below c.
    """
    parents = told_parents(classes)
    definitions = {pid: one for pid, one in classes.items() if one.members or one.restrictions}
    while True:
        ancestors = close(parents)
        found = _find_new_parents(definitions, ancestors)
        if not found:
            return ancestors
        for pid, above in found.items():
            parents[pid] |= above


def _find_new_parents(
    definitions: Mapping[str, TermClass], ancestors: Ancestors
) -> dict[str, frozenset[str]]:
    found = {}
    for pid, above in ancestors.items():
        definers = above & definitions.keys()
        inherited = {pair for one in definers for pair in definitions[one].restrictions}
        met = {(name, wider) for name, concept in inherited for wider in ancestors[concept]}
        fitting = frozenset(
            other
            for other, definition in definitions.items()
            if other not in above and definition.members <= above and definition.restrictions <= met
        )
        if fitting:
            found[pid] = fitting
    return found


def nearest(pid: str, ancestors: Ancestors) -> frozenset[str]:
    """
    Return the lowest ancestors of a term, from which the others follow.

    Of terms that are equivalent all are kept.
    """
    above = ancestors[pid] - {pid}
    return frozenset(
        one
        for one in above
        if not any(one in ancestors[other] and other not in ancestors[one] for other in above)
    )
