"""
Read a delivery: tables and JSON become rows that know their places.

A table is one file per kind of row, named for it: ``people.csv``, ``proposals-2026.csv``.
JSON holds any of the kinds as lists under their names.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from catalogue.user_office.faults import UserOfficeError, UserOfficeFault
from catalogue.user_office.rows import MembershipRow, PersonRow, ProposalRow, Row, SampleRow

_KIND = re.compile(r"(people|proposals|memberships|samples)(?![a-z])", re.IGNORECASE)
_MODELS: dict[str, type[Row]] = {
    "people": PersonRow,
    "proposals": ProposalRow,
    "memberships": MembershipRow,
    "samples": SampleRow,
}
# The columns of a person's affiliation, and what they are called in JSON.
_AFFILIATION = {
    "affiliation": "name",
    "ror": "ror",
    "address": "address",
    "city": "city",
    "country": "country",
}
_SEPARATORS = ",;\t"

R_co = TypeVar("R_co", bound=Row, covariant=True)


@dataclass(frozen=True)
class Document:
    """
    A parsed file of a delivery.

    ``content`` is as JSON gives it; ``lines`` says on which lines the rows of a table
    stood.
    """

    name: str
    content: Any
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Placed(Generic[R_co]):
    """A row, and where it stood."""

    row: R_co
    file: str
    place: str

    def fault(self, name: str, reason: str) -> UserOfficeFault:
        return UserOfficeFault(self.file, self.place, name, reason)

    def __str__(self) -> str:
        return ", ".join(part for part in (self.file, self.place) if part)


@dataclass
class Delivery:
    """All rows of a delivery that are good by themselves, and the faults of the others."""

    people: list[Placed[PersonRow]] = field(default_factory=list)
    proposals: list[Placed[ProposalRow]] = field(default_factory=list)
    memberships: list[Placed[MembershipRow]] = field(default_factory=list)
    samples: list[Placed[SampleRow]] = field(default_factory=list)
    faults: list[UserOfficeFault] = field(default_factory=list)


def parse(name: str, content: bytes, *, encoding: str = "utf-8-sig") -> Document:
    """
    Parse a file by its name: ``….json``, or a table named for what it holds.

    Parameters
    ----------
    name : str
        Of the file, as it is to be told in faults.
    content : bytes
        Its bytes, with or without a byte order mark.
    encoding : str, optional
        Of its text; nothing is guessed, since a wrong guess would misspell names.

    Returns
    -------
    Document
        Parsed, but not checked.

    Raises
    ------
    UserOfficeError
        If it is not what its name says.
    """
    text = _decode(name, content, encoding)
    if name.lower().endswith(".json"):
        return Document(name, _read_json(name, text))
    kind = _KIND.match(name)
    if kind is None or not name.lower().endswith((".csv", ".tsv")):
        kinds = ", ".join(f"{kind}.csv" for kind in _MODELS)
        raise _refusal(name, "", f"its name does not say what it holds; call it {kinds} or *.json")
    return _read_table(name, kind[1].lower(), text)


def _decode(name: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise _refusal(name, "", f"{encoding} is no encoding that is known here") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = (
            f"is not text in {error.encoding}; save it as UTF-8, or give --encoding, for "
            "example latin-1"
        )
        raise _refusal(name, f"line {line}", reason) from error


def _read_json(name: str, text: str) -> Any:
    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _refusal(name, "", f"the key {twice!r} stands twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=refuse_repeated)
    except json.JSONDecodeError as error:
        raise _refusal(name, f"line {error.lineno}", f"is no JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        reason = "is nested too deeply, or holds a number too long, to be a delivery"
        raise _refusal(name, "", reason) from error


def _read_table(name: str, kind: str, text: str) -> Document:
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    try:
        header = _read_header(name, kind, next(reader, []))
        start = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if any(cell.strip() for cell in cells[len(header) :]):
                    reason = f"has {len(cells)} cells, but the table {len(header)} columns"
                    raise _refusal(name, f"line {start}", reason)
                rows.append(_row_of(kind, dict(zip(header, cells, strict=False))))
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        reason = f"is no row of a table: {error}"
        raise _refusal(name, f"line {reader.line_num}", reason) from error
    return Document(name, {kind: rows}, tuple(lines))


def _read_header(name: str, kind: str, cells: list[str]) -> list[str]:
    header = [cell.strip().lower().replace(" ", "_") for cell in cells]
    while header and not header[-1]:  # a spreadsheet's empty columns
        header.pop()
    known = columns_of(kind)
    faults = [
        UserOfficeFault(
            name, "line 1", column, f"is no column of {kind}; they are {', '.join(known)}"
        )
        for column in header
        if column not in known
    ]
    faults += [
        UserOfficeFault(name, "line 1", column, "is there twice")
        for column in sorted({one for one in header if header.count(one) > 1})
    ]
    faults += [
        UserOfficeFault(name, "line 1", column, "is missing; every row needs it")
        for column, about in _MODELS[kind].model_fields.items()
        if about.is_required() and column not in header
    ]
    if faults:
        raise UserOfficeError(faults)
    return header


def columns_of(kind: str) -> list[str]:
    """Return the columns that a table of a kind may have."""
    names = list(_MODELS[kind].model_fields)
    return [*names[:-1], *_AFFILIATION] if kind == "people" else names


def _row_of(kind: str, cells: dict[str, str]) -> dict[str, Any]:
    """Bring the cells of a row into the shape that JSON has."""
    row: dict[str, Any] = dict(cells)
    if kind == "people":
        place = {_AFFILIATION[name]: row.pop(name) for name in _AFFILIATION if name in row}
        if any(cell.strip() for cell in place.values()):
            row["affiliations"] = [place]
    if row.get("keywords", "").strip():
        row["keywords"] = [part for part in row["keywords"].split("|") if part.strip()]
    return row


def collect(documents: Iterable[Document]) -> Delivery:
    """Check every row of some documents by itself; faults are kept, not raised."""
    delivery = Delivery()
    for document in documents:
        for kind, position, content in _list_rows(document, delivery.faults):
            place = _place(document, kind, position)
            try:
                row = _MODELS[kind].model_validate(content)
            except ValidationError as error:
                delivery.faults += _faults(document, kind, place, error)
            else:
                getattr(delivery, kind).append(Placed(row, document.name, place))
    return delivery


def _place(document: Document, kind: str, position: int) -> str:
    return f"line {document.lines[position]}" if document.lines else f"#/{kind}/{position}"


def _list_rows(document: Document, faults: list[UserOfficeFault]) -> Iterator[tuple[str, int, Any]]:
    if not isinstance(document.content, dict):
        reason = f"must be an object with any of {', '.join(_MODELS)}"
        faults.append(UserOfficeFault(document.name, "#", "", reason))
        return
    for kind, rows in document.content.items():
        if kind not in _MODELS:
            reason = f"is not known here; known are {', '.join(_MODELS)}"
            faults.append(UserOfficeFault(document.name, "#", kind, reason))
        elif not isinstance(rows, list):
            faults.append(UserOfficeFault(document.name, "#", kind, "must be a list"))
        else:
            for position, row in enumerate(rows):
                yield kind, position, row


def _faults(
    document: Document, kind: str, place: str, error: ValidationError
) -> Iterator[UserOfficeFault]:
    for item in error.errors(include_url=False):
        name = "/".join(str(part) for part in item["loc"])
        if document.lines:
            name = _column_of(kind, item["loc"])
        yield UserOfficeFault(document.name, place, name, _reason(item))


def _column_of(kind: str, location: tuple[int | str, ...]) -> str:
    if kind == "people" and location[0] == "affiliations":
        names = {value: key for key, value in _AFFILIATION.items()}
        return names[str(location[-1])]
    return str(location[0])


def _reason(item: Any) -> str:
    context = item.get("ctx", {})
    too_long = f"is longer than {context.get('max_length')} characters"
    texts = {
        "missing": "is missing",
        "extra_forbidden": "is not known here",
        "string_type": "must be text",
        "string_unicode": "holds half of a character; remove it",
        "string_too_long": too_long,
        "too_long": too_long,
        "tuple_type": "must be a list",
        "model_type": "must be an object",
        "value_error": str(context.get("error")),
    }
    return texts.get(item["type"]) or str(item["msg"])


def _refusal(name: str, place: str, reason: str) -> UserOfficeError:
    return UserOfficeError([UserOfficeFault(name, place, "", reason)])
