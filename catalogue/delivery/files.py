"""
One file on its way to a person: whole, in part, or only what is known about it.

Whoever calls has asked ``catalogue.access`` first; preconditions come next, the range
last. What leaves is what was registered, or the transfer breaks off.
"""

import hashlib
from base64 import b64encode
from collections.abc import Generator, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

from catalogue.delivery.names import attachment
from catalogue.delivery.ranges import read_range
from catalogue.errors import NoPictureError, PreconditionError, StoreError
from catalogue.models import DataFile, Dataset
from catalogue.places import open_file, picture_path, require_unchanged
from catalogue.takers import note_taken

BLOCK = 1 << 20

# More than a socket and an ordinary line swallow at once, in bytes.
_LONG = 8 << 20

_PICTURE = "image/png"

PRIVATE = {"Cache-Control": "private, no-transform", "Vary": "Cookie, Authorization"}
"""What a person may have is for them only, and byte for byte."""


def answer_file(request: HttpRequest, file: DataFile) -> HttpResponseBase:
    """
    Answer a GET or HEAD of a file that the person may read.

    Parameters
    ----------
    request : HttpRequest
        With If-Match, If-None-Match, Range and If-Range, as the client likes.
    file : DataFile
        From ``catalogue.access``.

    Raises
    ------
    PreconditionError
        If the client asks for another version.
    RangeError
        If it asks for a part behind the end.
    ChecksumError
        If the file has changed since it was registered; nothing has been sent.
    StoreError
        If the file is not there just now.
    """
    name, etag = PurePosixPath(file.path).name, f'"{file.sha256}"'
    changed_at = _changed_at(file)
    if unchanged := _settle(request, name, etag, changed_at):
        return unchanged
    span = _span(request, file, etag)
    headers = PRIVATE | {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": http_date(changed_at),
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Content-Disposition": attachment(name),
        "Content-Type": file.media_type,
        "Content-Length": str(file.size if span is None else len(span)),
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
    reader = open_file(file)
    if request.method == "HEAD":
        reader.close()
        return HttpResponse(headers=headers)
    if file.media_type != _PICTURE:  # pages show those, nobody takes them home
        note_taken(request.user, {file.dataset.pid})
    is_long = int(headers["Content-Length"]) > _LONG
    body = _Body(read_blocks(file, reader, span), is_long=is_long)
    return StreamingHttpResponse(body, headers=headers, status=200 if span is None else 206)


def _settle(request: HttpRequest, name: str, etag: str, changed_at: float) -> HttpResponse | None:
    """Answer by the preconditions alone, where they say enough."""
    settled = get_conditional_response(request, etag, int(changed_at))
    if settled is None:
        return None
    if settled.status_code == 412:
        raise PreconditionError(name, etag)
    for header, value in (PRIVATE | {"ETag": etag}).items():
        settled.headers[header] = value
    return settled


def _span(request: HttpRequest, file: DataFile, etag: str) -> range | None:
    """Read the range that is wanted, if it is one of this very version."""
    # Ranges are defined for GET alone. A weak etag or a date may stand for other bytes.
    is_same = request.headers.get("If-Range", etag) == etag
    if request.method != "GET" or not is_same:
        return None
    return read_range(request.headers.get("Range", ""), file.path, file.size)


def _changed_at(file: DataFile) -> float:
    """Return since when the file has these bytes, in seconds since 1970."""
    registered_at = file.dataset.registered_at.timestamp()
    if file.modified_ns is None:
        return registered_at
    return min(file.modified_ns / 1e9, registered_at)


def read_blocks(file: DataFile, reader: BinaryIO, span: range | None = None) -> Generator[bytes]:
    """
    Read a registered file, or a part of it, block by block.

    The last block leaves only if the bytes are still those that were registered: by
    their sha256 if all of them were read, else by size and time of change.

    Parameters
    ----------
    file : DataFile
        What is registered.
    reader : BinaryIO
        From ``open_file``; it is closed in the end.
    span : range, optional
        Bytes wanted; by default all.

    Raises
    ------
    ChecksumError
        If they are not.
    StoreError
        If the store fails.
    """
    digest, left = hashlib.sha256(), file.size if span is None else len(span)
    block = b""
    with reader:
        try:
            reader.seek(span.start if span else 0)
            while left:
                block = reader.read(min(BLOCK, left))
                left -= len(block)
                if span is None:
                    digest.update(block)
                if not left or not block:
                    require_unchanged(file, reader, digest.hexdigest() if span is None else "")
                    break
                yield block
        except OSError as error:
            reason = f"{file.path} cannot be read: {error.strerror}. Try again later."
            raise StoreError(file.store.slug, reason) from error
    # The file is closed by now: a client that never comes back for this holds none open.
    yield block


class _Body:
    """Blocks of which the first is read at once: what is wrong with it is told as a problem."""

    def __init__(self, blocks: Generator[bytes], *, is_long: bool) -> None:
        self._blocks, self._is_long = blocks, is_long
        self._first = next(blocks, b"")

    def __iter__(self) -> Iterator[bytes]:
        if self._is_long:
            release_database()
        yield self._first
        yield from self._blocks

    def close(self) -> None:
        self._blocks.close()


def release_database() -> None:
    """
    Give back the database connection of this thread: bytes may flow for hours.

    The next question opens another one. Inside a transaction, as in tests, it is kept.
    """
    if not connection.in_atomic_block:
        connection.close()


def answer_picture(request: HttpRequest, dataset: Dataset) -> HttpResponseBase:
    """
    Answer a GET or HEAD of the thumbnail of a dataset that the person may read.

    Raises
    ------
    NoPictureError
        If there is none.
    """
    if not dataset.thumbnail or not picture_path(dataset.thumbnail).is_file():
        raise NoPictureError(str(dataset.pid))
    etag = f'"{dataset.thumbnail}"'
    if settled := get_conditional_response(request, etag):
        return settled
    headers = {"ETag": etag, "Content-Type": "image/png"}
    path = picture_path(dataset.thumbnail)
    if request.method == "HEAD":
        return HttpResponse(headers=headers | {"Content-Length": str(path.stat().st_size)})
    return FileResponse(path.open("rb"), content_type="image/png", headers={"ETag": etag})
