"""Bytes on their way to a person, by page and by REST alike."""

from catalogue.delivery.archives import (
    Bundle,
    Member,
    answer_archive,
    answer_zip,
    bundle,
    pack,
    select,
    trouble,
)
from catalogue.delivery.checksums import answer_checksums
from catalogue.delivery.files import PRIVATE, answer_file, answer_picture

__all__ = [
    "PRIVATE",
    "Bundle",
    "Member",
    "answer_archive",
    "answer_checksums",
    "answer_file",
    "answer_picture",
    "answer_zip",
    "bundle",
    "pack",
    "select",
    "trouble",
]
