"""Where a list goes on, as a text that nobody can forge and that tells no secret."""

from dataclasses import dataclass

from django.core import signing

from catalogue.search.finding import Found, Position

_SALT = "a place in a list of datasets"


@dataclass(frozen=True)
class Cursor:
    """The page that lies beside a position."""

    beside: Position | None = None
    is_backward: bool = False


def write_cursor(position: Position, *, is_backward: bool) -> str:
    """Write the page beside a position as a text for an address."""
    return signing.dumps([is_backward, *position.as_list()], salt=_SALT)


def read_cursor(text: str) -> Cursor:
    """
    Read what ``write_cursor`` has written; an empty text is the first page.

    Raises
    ------
    ValueError
        If nobody here has written it.
    """
    if not text:
        return Cursor()
    try:
        is_backward, *values = signing.loads(text, salt=_SALT)
    except signing.BadSignature as error:
        raise ValueError("This is no cursor of this list.") from error
    return Cursor(Position.from_list(values), is_backward)


def neighbours(found: Found, at: Cursor) -> tuple[str, str]:
    """Return the cursors of the previous and the next page, "" where there is none."""
    if not found.positions:
        return "", ""
    has_next = found.has_more or at.is_backward
    has_previous = found.has_more if at.is_backward else at.beside is not None
    first, last = found.positions[0], found.positions[-1]
    return (
        write_cursor(first, is_backward=True) if has_previous else "",
        write_cursor(last, is_backward=False) if has_next else "",
    )
