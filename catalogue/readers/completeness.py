"""
Is a NeXus file whole? That it opens proves nothing.

A writer that stops, or whose disk is full, leaves a file that opens cleanly and lacks the
rest. What cannot be known from the file alone (that its size is stable for a while, that
its place has an end marker) an ingest rule asks for.
"""

import math

import h5py

from catalogue.hdf5 import first
from catalogue.hdf5.findings import Finding, refused, shown_path
from catalogue.readers.signals import Signal, has_values
from catalogue.readers.tree import Group

_HEADER = ("title", "definition", "start_time", "end_time", "entry_identifier",
           "experiment_identifier", "run", "program_name")  # fmt: skip


def refuse_incomplete(entry: Group, signals: list[Signal], *, links_dangle: bool) -> None:
    """
    Refuse an entry whose writer visibly did not come to its end.

    Parameters
    ----------
    entry : Group
        An NXentry.
    signals : list of Signal
        What was measured.
    links_dangle : bool
        True if linked files are absent: what was measured may be in them.

    Raises
    ------
    RefusedFileError
        ``file-incomplete``, saying what is missing.
    """
    found = (
        _not_finished(entry)
        or _nothing_measured(entry, signals, links_dangle=links_dangle)
        or _never_written(entry, signals)
        or _not_filled_in(entry, signals)
    )
    if found:
        reason = f"{found} Wait until it is written to the end, or repair its writer."
        raise refused("file-incomplete", reason, entry.place.file)


def refuse_absent(root: Group, required: tuple[str, ...]) -> None:
    """
    Refuse a file without the fields that an ingest rule asks for.

    Parameters
    ----------
    root : Group
        The root of the file.
    required : tuple of str
        Paths that must exist, and not be blank.

    Raises
    ------
    RefusedFileError
        ``file-incomplete``, naming the first that is absent.
    """
    for path in required:
        field = root.field(path)
        blank = field is not None and field.dtype.kind in "OSU" and not root.text(path)
        if blank or (field is None and root.group(path) is None):
            reason = (
                f"The file has no {shown_path(path)}, which its ingest rule requires of a whole "
                "file. Wait for its writer, or change the rule."
            )
            raise refused("file-incomplete", reason, root.place.file)


def refuse_unlinked(findings: list[Finding]) -> None:
    """
    Refuse a file while a file that it links to is not there.

    Raises
    ------
    RefusedFileError
        ``file-incomplete``, naming the first that is absent.
    """
    for finding in findings:
        if finding.code == "link-file-absent":
            reason = (
                f"In {finding.path} {finding.reason}. Wait until it is copied, or register the "
                "data by hand if they are meant to be without it."
            )
            raise refused("file-incomplete", reason, finding.file)


def written_share(field: h5py.Dataset) -> float:
    """
    Return how much of a field was ever written, from 0 to 1.

    Only fields in chunks know; a field with a fill value of its own may be sparse on
    purpose and counts as written.
    """
    plan = field.id.get_create_plist()
    if plan.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED or field.is_virtual:
        return 1.0
    if field.chunks is None:
        return 1.0 if field.id.get_storage_size() or not field.size else 0.0
    axes = zip(field.shape, field.chunks, strict=True)
    wanted = math.prod(-(-length // size) for length, size in axes)
    return float(field.id.get_num_chunks() / wanted) if wanted else 1.0


def has_end_marker(entry: Group) -> bool:
    """Tell whether the writer stated that it came to its end."""
    return bool(entry.text("end_time")) or _finished(entry) == 1


def _finished(entry: Group) -> int | None:
    """Return the flag that Diamond's scans set as their last act, None without it."""
    for group in (entry, *entry.groups()):
        field = group.field("scan_finished")
        if field is not None and field.dtype.kind in "iub" and field.size:
            return int(first(field))
    return None


def _not_finished(entry: Group) -> str:
    if _finished(entry) == 0:
        return "The file says itself that the scan is not finished (scan_finished is 0)."
    return ""


def _nothing_measured(entry: Group, signals: list[Signal], *, links_dangle: bool) -> str:
    if entry.text("start_time") and not signals and not links_dangle and not has_values(entry):
        return f"The file has a start_time, but {entry.name} holds nothing that was measured."
    return ""


def _never_written(entry: Group, signals: list[Signal]) -> str:
    for signal in signals:
        share, name = written_share(signal.field), shown_path(str(signal.field.name))
        if share == 0:
            shape = " x ".join(map(str, signal.field.shape))
            return f"The file announces {shape} values in {name}, but none of them is written."
        if share < 1 and not has_end_marker(entry):
            return f"The file holds {share:.0%} of {name} and no end_time: it stopped half-way."
    return ""


def _not_filled_in(entry: Group, signals: list[Signal]) -> str:
    """Refuse a measurement whose writer laid out groups and did not come to fill them."""
    if any(entry.text(name) for name in _HEADER) or _finished(entry) == 1 or not signals:
        return ""
    empty = [shown_path(str(group.place.object.name)) for group in _empty_groups(entry)]
    if not empty:
        return ""
    return (
        f"The file was prepared but not filled in: nothing stands in {', '.join(empty[:3])}, "
        "and it does not say what was measured or when (no title, definition, start_time "
        "or end_time)."
    )


def _empty_groups(entry: Group, levels: int = 3) -> list[Group]:
    found = []
    for group in entry.groups():
        if len(group.place.object) == 0:
            found.append(group)
        elif levels > 1:
            found += _empty_groups(group, levels - 1)
    return found
