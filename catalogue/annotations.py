"""What people put beside a dataset: notes, judgements on its quality, attachments."""

import hashlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from catalogue import audit
from catalogue.access import Person, get_readable, readable_datasets
from catalogue.delivery.names import plain
from catalogue.errors import DescriptionError, Fault, TransitionError, UnknownAttachmentError
from catalogue.models import Attachment, Dataset, Note, QualityFlag, Tombstone, User
from catalogue.permissions import Act, require, require_account
from catalogue.places import keep_picture

_LONGEST_NOTE = 10_000
_LONGEST_REASON = 1000
_LONGEST_CAPTION = 500
_LONGEST_NAME = 200

# What begins like this is that, whatever its name says; nothing that a browser would run.
_BEGINNINGS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("application/pdf", lambda head: head.startswith(b"%PDF-")),
)
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_ALLOWED = "pictures (PNG, JPEG, GIF, WebP), PDF and plain text"
# A file ends as what it is; the first ending is added to one that does not.
_ENDINGS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "text/plain": (".txt", ".log", ".md", ".dat"),
    "text/csv": (".csv",),
}


@transaction.atomic
def add_note(person: Person, dataset: Dataset, text: str) -> Note:
    """
    Write into the logbook of a dataset; what is written stays.

    Raises
    ------
    NotPermittedError
        If it is not theirs to edit.
    DescriptionError
        If the note is empty, too long, or cannot be kept.
    """
    author = _require_editor(person, dataset)
    note = Note.objects.create(
        dataset=dataset, person=author, text=_say("text", text, _LONGEST_NOTE)
    )
    audit.record("note.written", dataset, person=author, new={"note": str(note.uuid)})
    return note


@transaction.atomic
def flag_quality(person: Person, dataset: Dataset, verdict: str, reason: str) -> QualityFlag:
    """
    Judge the data; the latest judgement counts, the others are its history.

    Raises
    ------
    NotPermittedError
        If it is not theirs to edit.
    DescriptionError
        If the verdict is none of the three, or no reason is given.
    """
    judge = _require_editor(person, dataset)
    if verdict not in QualityFlag.Verdict.values:
        known = ", ".join(QualityFlag.Verdict.values)
        raise DescriptionError([Fault("#/verdict", f"must be one of {known}")])
    old = dataset.quality_flags.first()
    given = QualityFlag.objects.create(
        dataset=dataset,
        verdict=verdict,
        reason=_say("reason", reason, _LONGEST_REASON),
        person=judge,
    )
    audit.record(
        "quality.judged",
        dataset,
        person=judge,
        old=old.verdict if old else None,
        new=given.verdict,
        reason=given.reason,
    )
    return given


@transaction.atomic
def attach(
    person: Person, dataset: Dataset, file: BinaryIO, name: str, caption: str = ""
) -> Attachment:
    """
    Keep a picture, plot or document beside a dataset.

    Parameters
    ----------
    person : User or AnonymousUser
        Whoever may edit the dataset.
    dataset : Dataset
        Beside which it is put.
    file : BinaryIO
        Its bytes; read up to the limit that ``PALIMPSEST_ATTACHMENT_MIB`` sets.
    name, caption : str
        How it is called, and what it shows.

    Raises
    ------
    NotPermittedError
        If it is not theirs to edit.
    DescriptionError
        If it is too large, or of a kind that is not kept here.
    StoreError
        If it cannot be written just now.
    """
    author = _require_editor(person, dataset)
    caption = _say("caption", caption, _LONGEST_CAPTION) if caption.strip() else ""
    content = _read(file)
    media_type = _recognise(content, name)
    kept = Attachment.objects.create(
        dataset=dataset,
        name=_clean(name, media_type),
        caption=caption,
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        person=author,
    )
    keep_picture(content, kept.sha256)
    audit.record("attachment.added", dataset, person=author, new=_facts(kept))
    return kept


@transaction.atomic
def detach(person: Person, uuid: object) -> None:
    """
    Take an attachment away; its bytes stay until nothing names them.

    Raises
    ------
    UnknownAttachmentError, NotPermittedError
        If there is none, or its dataset is not theirs to edit.
    """
    kept = get_attachment(person, uuid)
    author = _require_editor(person, kept.dataset)
    audit.record("attachment.removed", kept.dataset, person=author, old=_facts(kept))
    kept.delete()


def get_attachment(person: Person, uuid: object) -> Attachment:
    """
    Return an attachment of a dataset that the person may read.

    Raises
    ------
    UnknownAttachmentError
        If there is none, or its dataset is not open to them: a plot shows what it is of.
    """
    seen = Attachment.objects.filter(dataset__in=readable_datasets(person))
    try:
        return seen.select_related("dataset__facility", "person").get(uuid=str(uuid))
    except (Attachment.DoesNotExist, ValidationError) as error:
        raise UnknownAttachmentError(str(uuid)) from error


def get_annotated(person: Person, pid: object) -> Dataset:
    """
    Return a dataset whose notes, judgements and attachments the person may read.

    Raises
    ------
    UnknownDatasetError, EmbargoError, RetractedError
        As ``catalogue.access.get_readable``: notes speak of the data themselves.
    """
    return get_readable(person, str(pid))


def _require_editor(person: Person, dataset: Dataset) -> User:
    editor = require_account(person)
    require(editor, Act.EDIT, dataset)
    if Tombstone.objects.filter(dataset=dataset).exists():
        reason = "it was taken back. Its page stays as a record."
        raise TransitionError("add to this dataset", reason)
    return editor


def _say(name: str, text: str, longest: int) -> str:
    said = text.replace("\r\n", "\n").strip()
    if not said or len(said) > longest or "\x00" in said:
        raise DescriptionError([Fault(f"#/{name}", f"must be text of 1 to {longest} characters")])
    return said


def _read(file: BinaryIO) -> bytes:
    most = settings.PALIMPSEST_ATTACHMENT_MIB << 20
    content = file.read(most + 1)
    if not content:
        raise DescriptionError([Fault("#/file", "is empty")])
    if len(content) > most:
        limit = f"is larger than {settings.PALIMPSEST_ATTACHMENT_MIB} MiB"
        raise DescriptionError([Fault("#/file", f"{limit}; register it as data instead")])
    return content


def _recognise(content: bytes, name: str) -> str:
    """Return the media type by the bytes; a name may say anything."""
    for media_type, fits in _BEGINNINGS:
        if fits(content[:16]):
            return media_type
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if any(sign < " " and sign not in "\t\n\r\f" for sign in text):
        raise DescriptionError([Fault("#/file", f"is of a kind that is not kept: only {_ALLOWED}")])
    return "text/csv" if name.lower().endswith(".csv") else "text/plain"


def _clean(name: str, media_type: str) -> str:
    """Return a name without folders and signs that mislead, with the ending of its type."""
    last = plain(name).replace("\\", "/").rpartition("/")[2].strip(". ") or "file"
    path, endings = PurePosixPath(last), _ENDINGS[media_type]
    is_known = path.suffix.lower() in endings
    stem, ending = (path.stem, path.suffix) if is_known else (last, endings[0])
    return stem[: _LONGEST_NAME - len(ending)] + ending


def _facts(kept: Attachment) -> dict[str, object]:
    # Without its name: a dataset's owner reads the log, and may have lost access to the data.
    return {"attachment": str(kept.uuid), "media_type": kept.media_type, "sha256": kept.sha256}
