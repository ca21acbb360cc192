"""What a reader finds in files, before anything is registered."""

from collections.abc import Callable
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Content = Literal["nexus-scan", "nexus", "euxfel-run", "poni", "image-series", "image", "files"]
"""What the files contain, in the words that a recipe's input slots use."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class _Found(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class FoundParameter(_Found):
    """
    A catalogued quantity as the file states it.

    ``name`` is dotted snake case (``photon_energy``, ``sample.temperature``),
    ``unit`` as written in the file, None for a pure number or text. Integers stay such:
    beyond 2**53 a float would not be exact.
    """

    name: str
    value: int | float | str
    unit: str | None = None


class FoundFile(_Found):
    """One file: ``path`` relative to the root with ``/``, ``size`` in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str
    media_type: str
    modified_ns: int | None = None


class Description(_Found):
    """
    What registration needs to know, read from the files themselves.

    The first of ``files`` is the one to open. Times are aware and UTC. ``techniques``
    holds PaNET identifiers (``PaNET01216``). ``proposal`` and ``instrument`` are names as
    the file gives them. ``thumbnail`` is a PNG, at most 320 pixels wide. ``warnings``
    are sentences for the person who registers.
    """

    content: Content
    root: str
    title: str
    files: tuple[FoundFile, ...]
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None
    instrument: str | None = None
    proposal: str | None = None
    run_number: int | None = None
    sample: str | None = None
    sample_formula: str | None = None
    techniques: tuple[str, ...] = ()
    parameters: tuple[FoundParameter, ...] = ()
    warnings: tuple[str, ...] = ()
    thumbnail: bytes | None = None
