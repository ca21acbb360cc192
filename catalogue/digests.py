"""Names for content: equal documents and equal files give equal digests."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def canonical_json(document: Any) -> str:
    """
    Write a document so that equal documents give equal text.

    Raises
    ------
    ValueError
        If a number is NaN or infinite.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def dataset_digest(files: Iterable[tuple[str, str]]) -> str:
    """
    Name the content of a dataset: pairs of relative path and sha256.

    Of one file its own sha256, of several the sha256 of the sorted list, since a NeXus
    master links to its neighbours by name.
    """
    pairs = sorted(files)
    if len(pairs) == 1:
        return pairs[0][1]
    return sha256_of_text(canonical_json([list(pair) for pair in pairs]))
