"""
Read the table of PaNET as its editors publish it, ``source/PaNET.csv``.

It is a template for the program ROBOT: two rows of headers, then one row per term, with
columns of equal names, so that they count by position. A label may be carried by a
technique and by a concept; where it stands decides which is meant.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalogue.panet.hierarchy import ROOT, Term, TermClass, infer, is_concept

CREDIT = "PaNET, by the PaNET contributors, CC-BY-4.0, DOI 10.5281/zenodo.4806026"
WHERE = (
    "Download source/PaNET.csv from the repository ExPaNDS-eu/ExPaNDS-experimental-techniques-"
    "ontology, as it is, not the page around it."
)

_IRI, _LABEL, _TYPE = 1, 2, 7
_SYNONYMS, _PARENTS, _DEFINITION = slice(3, 5), slice(8, 15), slice(15, 18)
_HEADERS = {
    _IRI: "ID",
    _LABEL: "Label",
    **dict.fromkeys((3, 4), "Alt Label"),
    _TYPE: "RDF Type",
    **dict.fromkeys(range(8, 15), "Parent IRI"),
    **dict.fromkeys(range(15, 18), "Equivalent"),
}
_ADDRESS = re.compile(r"https?://purl\.org/pan-science/PaNET/(PaNET\d{5}(?:\d\d)?)")
_NAMED = re.compile(r"PaNET:(PaNET\d{5}(?:\d\d)?)")
_RESTRICTION = re.compile(r"\((.+?) some (.+)\)", re.DOTALL)
_EVERYTHING = "owl:thing"
_LONGEST_NAME = 200  # what a technique's name may be in the catalogue


class NotPanetError(ValueError):
    """A file that is not PaNET's table, or that contradicts itself; it says where."""


@dataclass(frozen=True)
class Official:
    """The whole of PaNET, inferred, and which edition it is: the sha256 of its file."""

    terms: tuple[Term, ...]
    digest: str


@dataclass(frozen=True)
class _Row:
    line: int
    pid: str
    cells: list[str]


@dataclass
class _Names:
    """Which identifier a label means, in the columns of a technique and of a concept."""

    techniques: dict[str, str] = field(default_factory=dict)
    concepts: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    # Named as parents, but declared no class: they stand above nothing.
    undeclared: set[str] = field(default_factory=set)

    def add(self, row: _Row) -> None:
        table = self.concepts if is_concept(row.pid) else self.techniques
        label = row.cells[_LABEL]
        self.known.add(row.pid)
        if not label.strip():
            raise NotPanetError(f"Line {row.line} gives {row.pid} no label.")
        if (other := table.setdefault(_plain(label), row.pid)) != row.pid:
            raise NotPanetError(f"Line {row.line} gives {row.pid} the label of {other}: {label!r}.")

    def find(self, cell: str, *, among_concepts: bool) -> str | None:
        if named := _NAMED.fullmatch(_unquoted(cell)):
            return named[1] if named[1] in self.known else None
        first, second = self.techniques, self.concepts
        if among_concepts:
            first, second = second, first
        label = _plain(cell)
        return first.get(label) or second.get(label)


def read_official(content: bytes) -> Official:
    """
    Read the whole table and infer its hierarchy.

    Every technique stands below the root by rule, said or not.

    Raises
    ------
    NotPanetError
        With the line and column at fault, and where to find the file.
    """
    classes = read_classes(content)
    ancestors = infer(classes)
    terms = tuple(
        Term(
            pid=pid,
            name=one.name,
            synonyms=one.synonyms,
            ancestors=ancestors[pid] if is_concept(pid) else ancestors[pid] | {ROOT},
        )
        for pid, one in classes.items()
    )
    return Official(terms, hashlib.sha256(content).hexdigest())


def read_classes(content: bytes) -> dict[str, TermClass]:
    """
    Read the classes of the table as they are told.

    Raises
    ------
    NotPanetError
        As of ``read_official``.
    """
    declared, others = _read_rows(content)
    if ROOT not in declared:
        raise NotPanetError(f"The table lacks its root, {ROOT}. {WHERE}")
    names = _name(declared, others)
    return {pid: _read_class(row, names) for pid, row in declared.items()}


def _read_rows(content: bytes) -> tuple[dict[str, _Row], dict[str, _Row]]:
    """Return the rows that declare a class, and others that carry an identifier."""
    declared: dict[str, _Row] = {}
    others: dict[str, _Row] = {}
    for line, cells in _read_cells(content):
        address, kind = _ADDRESS.fullmatch(cells[_IRI].strip()), cells[_TYPE].strip()
        if kind == "owl:Class":
            if address is None:
                raise NotPanetError(f"Line {line} declares a class that is none of PaNET's.")
            row = _Row(line, address[1], cells)
            if (first := declared.setdefault(row.pid, row)) is not row:
                raise NotPanetError(f"Line {line} declares {row.pid} again, after {first.line}.")
        elif address and not kind:
            others.setdefault(address[1], _Row(line, address[1], cells))
    return declared, others


def _name(declared: dict[str, _Row], others: dict[str, _Row]) -> _Names:
    names = _Names()
    for row in declared.values():
        names.add(row)
    for row in others.values():
        # The second row of a class holds links to other vocabularies only.
        if row.pid not in declared:
            names.undeclared.add(row.pid)
            names.add(row)
    return names


def _read_cells(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells below the headers, padded to the full width."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotPanetError(
            f"The file is not text in UTF-8, from byte {error.start}. {WHERE}"
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    width = max(_HEADERS) + 1
    try:
        for number, cells in enumerate(reader):
            if number == 0:
                _check_headers(cells)
            elif number > 1:
                yield reader.line_num, cells + [""] * (width - len(cells))
    except csv.Error as error:
        raise NotPanetError(f"Line {reader.line_num} is no row of a table: {error}.") from error
    if reader.line_num == 0:
        raise NotPanetError(f"The file is empty. {WHERE}")


def _check_headers(cells: list[str]) -> None:
    for position, header in _HEADERS.items():
        found = cells[position].strip() if position < len(cells) else ""
        if not found.startswith(header):
            says = f"it says {found[:40]!r}" if found else "it is missing or empty"
            raise NotPanetError(
                f"This is not the table of PaNET: column {position + 1} should be {header!r}, "
                f"{says}. {WHERE}"
            )


def _read_class(row: _Row, names: _Names) -> TermClass:
    parents = {
        _find(row, cell, names) for cell in _filled(row, _PARENTS) if _plain(cell) != _EVERYTHING
    }
    members, restrictions = _read_definition(row, names)
    if lost := names.undeclared & (members | {concept for _, concept in restrictions}):
        raise NotPanetError(
            f"Line {row.line}, {row.pid}, is defined by {min(lost)}, which is declared no class."
        )
    name, *synonyms = [row.cells[_LABEL].strip(), *map(str.strip, _filled(row, _SYNONYMS))]
    if max(map(len, (name, *synonyms))) > _LONGEST_NAME:
        raise NotPanetError(
            f"Line {row.line}, {row.pid}, holds a name of more than {_LONGEST_NAME} letters."
        )
    return TermClass(
        pid=row.pid,
        name=name,
        synonyms=tuple(synonyms),
        parents=frozenset(parents - names.undeclared),
        members=frozenset(members),
        restrictions=frozenset(restrictions),
    )


def _read_definition(row: _Row, names: _Names) -> tuple[set[str], set[tuple[str, str]]]:
    """Read cells such as ``label``, ``(a and b)`` and ``('property' some 'concept')``."""
    members, restrictions = set(), set()
    for cell in _filled(row, _DEFINITION):
        if found := _RESTRICTION.fullmatch(cell.strip()):
            concept = _find(row, found[2], names, among_concepts=True)
            restrictions.add((_plain(found[1]), concept))
        elif cell.strip().startswith("("):
            members |= {_find(row, part, names) for part in cell.strip()[1:-1].split(" and ")}
        else:
            members.add(_find(row, cell, names))
    return members, restrictions


def _find(row: _Row, cell: str, names: _Names, *, among_concepts: bool = False) -> str:
    pid = names.find(cell, among_concepts=among_concepts or is_concept(row.pid))
    if pid is None:
        raise NotPanetError(
            f"Line {row.line}, {row.pid}, names {cell.strip()!r}, which is no term of the table."
        )
    return pid


def _filled(row: _Row, columns: slice) -> Iterator[str]:
    return (cell for cell in row.cells[columns] if cell.strip())


def _plain(label: str) -> str:
    """Labels are equal without regard to case, outer spaces and quotes."""
    return _unquoted(label).casefold()


def _unquoted(cell: str) -> str:
    return cell.strip().strip("'").strip()
