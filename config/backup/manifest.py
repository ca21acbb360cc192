"""What a backup says about itself."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from config.backup.errors import BackupError

MANIFEST = "manifest.json"
DATABASE = "database.dump"
FILES = "files.jsonl"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Part):
    """A file of the backup; ``size`` in bytes."""

    sha256: str
    size: int


class StoreSummary(_Part):
    """What the database knew of a store; only those we write to are copied."""

    slug: str
    root: str
    read_only: bool
    files: int
    size: int


class Missing(_Part):
    """A file that a row names and that could not be copied."""

    store: str
    key: str
    reason: str


class Entry(_Part):
    """One line of files.jsonl; ``size`` in bytes."""

    store: str
    key: str
    sha256: str
    size: int


class Manifest(_Part):
    format: int = 1
    made_at: datetime
    server_major: int
    clients_major: int
    migrations: list[str]
    parts: dict[str, Part]
    stores: list[StoreSummary]
    missing: list[Missing]


def content_path(folder: Path, sha256: str) -> Path:
    """Return where a file lies in a backup."""
    return folder / "content" / sha256[:2] / sha256


def read_manifest(folder: Path) -> Manifest:
    """
    Read what a backup says about itself.

    Raises
    ------
    BackupError
        If there is no manifest, or one that this version does not understand.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BackupError(
            f"{folder.name} holds no {MANIFEST}: it is no backup, or was not finished. "
            "Name the folder that manage.py backup has written."
        )
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BackupError(
            f"{MANIFEST} is damaged or of another version of Palimpsest. Take another backup."
        ) from error


def read_entries(folder: Path) -> Iterator[Entry]:
    """Yield the lines of files.jsonl, in flat memory."""
    with (folder / FILES).open(encoding="utf-8") as lines:
        for line in lines:
            yield Entry.model_validate(json.loads(line))
