"""
Many files as one ZIP that is made while it is sent.

Its members stand in a fixed order, so that a transfer that broke off is continued by a
second archive of what comes after the last whole member. A member that is not what was
registered breaks the transfer: a ZIP that opens is right.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from zipstream import ZipStream  # type: ignore[import-untyped]  # it has no types

from catalogue.access import Person, get_readable, readable_datasets
from catalogue.delivery.files import PRIVATE, read_blocks, release_database
from catalogue.delivery.names import attachment, distinct, member_path
from catalogue.errors import StoreError, UnknownMemberError
from catalogue.models import DataFile, Dataset, Store
from catalogue.places import open_file, store_behind
from catalogue.takers import note_taken

_COLUMNS = (
    "dataset_id",
    "dataset__pid",
    "uuid",
    "path",
    "size",
    "sha256",
    "modified_ns",
    "key",
    "store_id",
)
_PACKET = 1 << 16


class Member(NamedTuple):
    """A file in an archive. There may be 100,000: no rows of the database, only values."""

    name: str
    dataset: UUID
    uuid: UUID
    path: str
    size: int
    sha256: str
    modified_ns: int | None
    key: str
    store: Store

    @property
    def file(self) -> DataFile:
        return DataFile(
            path=self.path,
            size=self.size,
            sha256=self.sha256,
            modified_ns=self.modified_ns,
            key=self.key,
            store=self.store,
        )


@dataclass(frozen=True)
class Bundle:
    """What one archive holds, and the name under which it is saved."""

    name: str
    members: Sequence[Member]

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(member.size for member in self.members)

    @property
    def length(self) -> int:
        """Bytes of the archive itself."""
        return len(_archive(self.members))

    def after(self, name: str) -> "Bundle":
        """
        Return what is left once a member has come; all of it for an empty name.

        Raises
        ------
        UnknownMemberError
            If there is no such member.
        """
        if not name:
            return self
        for place, member in enumerate(self.members, start=1):
            if member.name == name:
                return replace(self, members=self.members[place:])
        raise UnknownMemberError(name)


def bundle(datasets: Sequence[Dataset]) -> Bundle:
    """
    List what an archive of some datasets holds.

    Parameters
    ----------
    datasets : sequence of Dataset
        That the person may read; their files follow in this order.
    """
    pks = [row.pk for row in datasets]
    folders = dict(zip(pks, distinct(_folders(datasets)), strict=True))
    files = DataFile.objects.filter(dataset__in=pks).order_by("position", "uuid")
    rows = sorted(files.values_list(*_COLUMNS), key=lambda row: pks.index(row[0]))
    names = distinct(f"{folders[row[0]]}/{member_path(row[3])}" for row in rows)
    stores = Store.objects.in_bulk()
    members = [
        Member(name, pid, uuid, path, size, sha256, modified_ns, key, stores[store])
        for name, (_, pid, uuid, path, size, sha256, modified_ns, key, store) in zip(
            names, rows, strict=True
        )
    ]
    many = f"{len(datasets)}-datasets"
    return Bundle(f"{folders[pks[0]] if len(pks) == 1 else many}.zip", members)


def select(person: Person, pids: Sequence[UUID]) -> list[Dataset]:
    """
    Return datasets in the order in which they are named, each once.

    Raises
    ------
    UnknownDatasetError, EmbargoError, RetractedError
        Of the first that the person may not read.
    """
    found = {row.pid: row for row in readable_datasets(person).filter(pid__in=pids)}
    return [found.get(pid) or get_readable(person, pid) for pid in dict.fromkeys(pids)]


def _folders(datasets: Sequence[Dataset]) -> Iterator[str]:
    """Name a folder for each dataset, so that people know it again."""
    for dataset in datasets:
        title = slugify(dataset.title, allow_unicode=True)[:60].strip("-_") or "dataset"
        yield f"{title}-{str(dataset.pid)[:8]}"


def trouble(member: Member) -> str:
    """Say why a member cannot be sent as things are; empty if it can."""
    try:
        open_file(member.file).close()
    except StoreError as error:
        return str(error)
    return ""


def answer_archive(request: HttpRequest, wanted: Bundle) -> HttpResponseBase:
    """
    Answer a GET or HEAD of an archive.

    Raises
    ------
    StoreError, ChecksumError
        If a member is missing or has changed; nothing has been sent.
    """
    blocks = _stream(wanted.members)
    return answer_zip(request, wanted.name, wanted.length, wanted.members, blocks)


def answer_zip(
    request: HttpRequest,
    name: str,
    length: int,
    members: Sequence[Member],
    blocks: Iterator[bytes],
) -> HttpResponseBase:
    """
    Answer a GET or HEAD of any ZIP that holds registered files.

    Parameters
    ----------
    request : HttpRequest
        Of the person who takes the files home.
    name : str
        Under which it is saved.
    length : int
        Bytes of the whole.
    members : sequence of Member
        Its registered files.
    blocks : iterator of bytes
        The ZIP itself; nothing is asked of it before the members were looked at.

    Raises
    ------
    StoreError, ChecksumError
        If a member is missing or has changed; nothing has been sent.
    """
    for member in members:
        # Only its size: opening 100,000 files would take longer than a client waits.
        if store_behind(member.store).size(member.key) != member.size:
            open_file(member.file).close()  # says what is wrong
    headers = PRIVATE | {
        "Accept-Ranges": "none",
        "Content-Disposition": attachment(name),
        "Content-Length": str(length),
        "Content-Type": "application/zip",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    note_taken(request.user, {member.dataset for member in members})
    return StreamingHttpResponse(blocks, headers=headers)


def _stream(members: Sequence[Member]) -> Iterator[bytes]:
    release_database()
    yield from pack(_archive(members))


def pack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces of a few bytes until they are worth a packet."""
    packet = bytearray()
    for piece in pieces:
        packet += piece
        if len(packet) >= _PACKET:
            yield bytes(packet)
            packet.clear()
    yield bytes(packet)


def _archive(members: Sequence[Member]) -> ZipStream:
    archive = ZipStream(sized=True)  # stored, not deflated: its length is known beforehand
    for member in members:
        archive.add(_content(member), member.name, size=member.size)
    return archive


def _content(member: Member) -> Iterator[bytes]:
    """Open a member when its turn comes."""
    file = member.file
    yield from read_blocks(file, open_file(file))
