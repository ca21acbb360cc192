"""
A crate as one ZIP that is made while it is sent, with or without the data.

Only files that the reader may fetch travel along; the others are named by their address.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from zipstream import ZipStream  # type: ignore[import-untyped]  # it has no types

from catalogue.access import Person, readable_datasets
from catalogue.delivery import Member, answer_zip, bundle, pack
from catalogue.delivery.files import read_blocks, release_database
from catalogue.places import open_file
from processing.exports.crate import METADATA, README, Crate
from processing.exports.record import Record
from processing.exports.workflow import WORKFLOW, add_workflow


class Profile(StrEnum):
    """Which kind of Workflow Run RO-Crate; the value is what a request names."""

    PROCESS = "process"
    PROVENANCE = "provenance"


@dataclass(frozen=True)
class PackedCrate:
    """What a ZIP holds: texts of ours by name, and registered files."""

    name: str
    texts: dict[str, str]
    members: Sequence[Member]

    @property
    def length(self) -> int:
        """Bytes of the archive."""
        return len(self.archive())

    def archive(self) -> ZipStream:
        archive = ZipStream(sized=True)  # stored, not deflated: its length is known beforehand
        for name, text in self.texts.items():
            archive.add(text.encode(), name)
        for member in self.members:
            archive.add(_content(member), member.name, size=member.size)
        return archive


def pack_crate(
    person: Person, record: Record, *, profile: Profile, with_data: bool = False
) -> PackedCrate:
    """
    Make the crate of a record.

    Parameters
    ----------
    person : User or AnonymousUser
        The one whom the record was made for.
    record : Record
        What is told.
    profile : Profile
        Where no software has done anything, as with raw data, it is a plain RO-Crate.
    with_data : bool
        Whether files travel along, those that the person may read.
    """
    members = _payload(person, record) if with_data else []
    crate = Crate(record, {member.uuid: member.name for member in members})
    texts = {README: _write_readme(crate, members)}
    if profile is Profile.PROVENANCE and crate.actions:
        texts[WORKFLOW] = add_workflow(crate)
    texts = {METADATA: crate.write(), **texts}
    title = slugify(crate.root["name"], allow_unicode=True)[:60].strip("-_") or "history"
    return PackedCrate(f"{title}.crate.zip", texts, members)


def answer_crate(request: HttpRequest, packed: PackedCrate) -> HttpResponseBase:
    """
    Answer a GET or HEAD of a crate.

    Raises
    ------
    StoreError, ChecksumError
        If a file is missing or has changed; nothing has been sent.
    """
    return answer_zip(request, packed.name, packed.length, packed.members, _stream(packed))


def _stream(packed: PackedCrate) -> Iterator[bytes]:
    release_database()
    yield from pack(packed.archive())


def _content(member: Member) -> Iterator[bytes]:
    """Open a member when its turn comes."""
    file = member.file
    yield from read_blocks(file, open_file(file))


def _payload(person: Person, record: Record) -> list[Member]:
    """List the files of the record that the person may read, under names for a disk."""
    pids = [row.pid for row in record.datasets.values() if row.pid and row.is_readable]
    told: set[UUID] = {file.uuid for row in record.datasets.values() for file in row.files}
    datasets = list(readable_datasets(person).filter(pid__in=pids).order_by("pid"))
    if not datasets:
        return []
    return [member for member in bundle(datasets).members if member.uuid in told]


def _write_readme(crate: Crate, members: Sequence[Member]) -> str:
    record = crate.record
    lines = [f"# {crate.root['name']}", "", f"{crate.root['description']}.", ""]
    for place, row in enumerate(crate.actions, start=1):
        step = "a step that is hidden from you" if row.is_hidden else f"{row.recipe} {row.version}"
        by = f" for {row.person.name}" if row.person else ""
        ending = f"; it failed: {row.error}" if row.error else ""
        lines.append(f"{place}. {step}{by}{ending}")
    along = "1 file travels" if len(members) == 1 else f"{len(members)} files travel"
    lines += ["", f"{along} along; the others are named by their address at {record.base}."]
    if record.is_cut:
        lines += ["", "The history goes on beyond what is told here; the catalogue has the rest."]
    return "\n".join([*lines, ""])
