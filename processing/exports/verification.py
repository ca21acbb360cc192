"""
Recognise a file: by its sha256, else by the run key inside it; and tell its story.

For whoever sits at the machine: what is told here is cut for nobody.
"""

import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from catalogue.models import Activity, DataFile, Dataset
from catalogue.storage.local import hash_file
from processing.errors import UnsignedError
from processing.exports.envelope import EnvelopeError, unseal
from processing.exports.history import history_of, operator
from processing.exports.keys import public_keys
from processing.exports.peek import read_run_key
from processing.exports.record import Record, RecordedActivity, RecordedDataset
from processing.exports.statements import find_statement

_MOST_TOLD = 5  # datasets that hold the same bytes


class Recognised(IntEnum):
    """How a file is known; the value is the exit code of ``manage.py verify``."""

    KNOWN = 0
    UNKNOWN = 1
    CHANGED = 2


@dataclass(frozen=True)
class Verdict:
    recognised: Recognised
    sentences: tuple[str, ...]


def verify_file(path: Path) -> Verdict:
    """
    Tell what is known of a file, in sentences.

    Parameters
    ----------
    path : Path
        A file on this machine, of whatever kind and origin.

    Raises
    ------
    OSError
        If it cannot be read, or is a folder, a pipe or a device.
    """
    # Of a pipe or a device, reading would wait for ever, or never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is no regular file")
    sha256, size = hash_file(path), path.stat().st_size
    known = DataFile.objects.filter(sha256=sha256).select_related("dataset").order_by("pk")
    if found := list(known[:_MOST_TOLD]):
        told = [line for file in found for line in _tell(file)]
        return Verdict(Recognised.KNOWN, (f"{path.name} is known, byte for byte.", *told))
    run_key = read_run_key(path)
    made = Activity.objects.filter(run_key=run_key).order_by("-pk").first() if run_key else None
    if made is None:
        return Verdict(Recognised.UNKNOWN, tuple(_tell_unknown(path, sha256, run_key)))
    return Verdict(Recognised.CHANGED, tuple(_tell_change(path, made, sha256, size)))


def _tell_unknown(path: Path, sha256: str, run_key: str) -> Iterator[str]:
    yield f"{path.name} is not known here: no file with sha256 {sha256} was ever registered."
    if run_key:
        yield f"It says that it was made under run key {run_key}, which is not known here either."
    else:
        yield "It names no run key of ours inside."


def _tell_change(path: Path, made: Activity, sha256: str, size: int) -> Iterator[str]:
    files = DataFile.objects.filter(dataset__generated_by__activity=made).order_by("position")
    files = files.select_related("dataset")
    expected = files.filter(path__endswith=path.name).first() or files.first()
    yield f"{path.name} was made here under run key {made.run_key}, and was changed since."
    if expected is None:
        yield "Nothing of what was made then is registered any more."
        return
    how_many = "as many as" if size == expected.size else f"where {expected.size}"
    yield f"It has {size} bytes, {how_many} were registered as {expected.path}."
    yield f"Its sha256 is {sha256}, and should be {expected.sha256}."
    yield "What follows is the story of the file as it was registered."
    yield from _tell(expected)


def _tell(file: DataFile) -> Iterator[str]:
    record = history_of(operator(), file.dataset)
    dataset = record.datasets[str(file.dataset.pid)]
    yield (
        f"It is {file.path} ({file.size} bytes) of the {dataset.kind} dataset {dataset.pid}, "
        f"{dataset.title!r} ({dataset.content})."
    )
    yield from _tell_making(record, dataset)
    yield from _tell_retractions(record, dataset)
    yield tell_signature(file.dataset, file.sha256)


def _tell_making(record: Record, dataset: RecordedDataset) -> Iterator[str]:
    made = next((link.activity for link in record.generated if link.dataset == dataset.key), "")
    if not made or record.activities[made].kind == Activity.Kind.ACQUISITION:
        yield "It is raw: nothing was computed to get it."
        return
    activity = record.activities[made]
    yield _tell_activity(activity)
    inputs = [
        f"{link.role}: {record.datasets[link.dataset].title!r} ({link.dataset})"
        for link in record.used
        if link.activity == made
    ]
    yield f"It was made from {'; '.join(inputs) or 'nothing that was recorded'}."
    raw = [row for row in record.datasets.values() if row.kind == Dataset.Kind.RAW]
    names = "; ".join(f"{row.title!r} ({row.pid})" for row in raw[:_MOST_TOLD])
    more = f"; and {len(raw) - _MOST_TOLD} more" if len(raw) > _MOST_TOLD else ""
    yield f"In the end it goes back to raw data: {names or 'none are recorded'}{more}."


def _tell_activity(made: RecordedActivity) -> str:
    who = made.person.name if made.person else "The facility itself"
    recipe = f"{made.recipe} {made.version}".strip() or "software that is not named"
    when = f" on {made.ended_at:%Y-%m-%d %H:%M} UTC" if made.ended_at else ""
    key = f", under run key {made.run_key}" if made.run_key else ""
    return f"{who} made it with {recipe}{when}{key}."


def _tell_retractions(record: Record, dataset: RecordedDataset) -> Iterator[str]:
    for row in record.datasets.values():
        if taken := row.taken_back:
            what = "It" if row.key == dataset.key else f"{row.title!r} ({row.pid}), in its history,"
            reason = taken.reason.rstrip(".")
            yield f"{what} was {taken.kind} on {taken.since:%Y-%m-%d}: {reason}. Do not use it."


def tell_signature(dataset: Dataset, sha256: str) -> str:
    """Say in a sentence whether the facility has signed how a file came to be."""
    try:
        statement = unseal(find_statement(operator(), dataset).envelope, public_keys())
    except UnsignedError:
        return "How it came to be is unsigned."
    except EnvelopeError as error:
        return f"WARNING: the statement on how it came to be {error}."
    if sha256 not in {row["digest"]["sha256"] for row in statement["subject"]}:
        return "WARNING: what the facility has signed names other bytes."
    return "The facility has signed how it came to be, and the signature is right."
