"""From text to a declaration of sound form; every fault with its line."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from catalogue.declaration.comparing import Locator
from catalogue.errors import DeclarationError, DeclarationFault
from processing.declaration.sections import Declaration, PageRules

_AT_LINE = re.compile(r"\(at line (\d+)")
_MOST_DOTS = 50
_SECRET = re.compile(r"secret|token|password|passwd|api_?key", re.IGNORECASE)

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True)
class Read:
    """
    A declaration of sound form, and where it stands.

    ``base`` is the folder from which relative roots of stores count, None for a text
    that came without one.
    """

    declaration: Declaration
    locator: Locator
    text: str
    base: Path | None = None


def read_declaration(path: Path) -> Read:
    """
    Read a facility.toml and check its form.

    Raises
    ------
    DeclarationError
        With every fault, each with its line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        fault = DeclarationFault("file", 0, f"cannot be read: {error.strerror}")
        raise DeclarationError([fault]) from error
    except UnicodeDecodeError as error:
        raise DeclarationError([DeclarationFault("file", 0, "must be UTF-8 text")]) from error
    return read_text(text, base=path.resolve().parent)


def read_text(text: str, *, base: Path | None = None) -> Read:
    """
    Read the text of a facility.toml; see ``read_declaration``.

    Raises
    ------
    DeclarationError
        With every fault.
    """
    locator = Locator(text)
    return Read(_read(text, Declaration, locator), locator, text, base)


def read_rules(text: str) -> tuple[PageRules, Locator]:
    """
    Read the product rules that a page holds: [product.<id>] tables and nothing else.

    Raises
    ------
    DeclarationError
        With every fault.
    """
    locator = Locator(text)
    return _read(text, PageRules, locator), locator


def _read(text: str, model: type[Document], locator: Locator) -> Document:
    for number, line in enumerate(locator.lines, start=1):
        # The parser takes minutes for a key of ten thousand parts.
        if line.partition("=")[0].count(".") > _MOST_DOTS:
            raise DeclarationError([DeclarationFault("syntax", number, "a key of too many parts")])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        fault = DeclarationFault("syntax", int(found.group(1)) if found else 1, str(error))
        raise DeclarationError([fault]) from error
    except (RecursionError, ValueError) as error:  # neither is an error of syntax to tomllib
        reason = "nests too deeply, or has a number of thousands of digits"
        raise DeclarationError([DeclarationFault("syntax", 1, reason)]) from error
    faults = [
        DeclarationFault(
            ".".join(path), locator.line_of(path), 'is a secret in clear: write { env = "NAME" }'
        )
        for path in _clear_secrets(document, ())
    ]
    if faults:
        raise DeclarationError(faults)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise DeclarationError([_fault(locator, item) for item in error.errors()]) from error


def _clear_secrets(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _clear_secrets(value, (*path, key))
        elif isinstance(value, str) and _SECRET.search(key):
            yield (*path, key)


def _fault(locator: Locator, item: Any) -> DeclarationFault:
    path = [str(part) for part in item["loc"] if part != "[key]"]  # pydantic's word
    texts = {"extra_forbidden": "is no key of facility.toml", "missing": "is missing"}
    reason = texts.get(item["type"], item["msg"].removeprefix("Value error, "))
    # Of a missing key only its table stands in the file.
    where = path[:-1] if item["type"] == "missing" else path
    return DeclarationFault(".".join(path), locator.line_of(where), reason)
