"""NeXus/HDF5 files: any file with an NXentry."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalogue.description import Description, Progress
from catalogue.errors import RefusedFileError
from catalogue.hdf5 import Finding, Manifest, OpenFiles, guard, read
from catalogue.hdf5.findings import refused, shown, shown_path
from catalogue.readers.completeness import (
    has_end_marker,
    refuse_absent,
    refuse_incomplete,
    refuse_unlinked,
    written_share,
)
from catalogue.readers.hashing import hash_files, take_stamps
from catalogue.readers.quantities import read_parameters
from catalogue.readers.signals import Signal, find_signals
from catalogue.readers.thumbnail import draw_curve, draw_image
from catalogue.readers.times import parse_time
from catalogue.readers.tree import Group

# Application definition -> PaNET technique for x-rays, for neutrons; "" if there is none.
TECHNIQUES = {
    "NXsas": ("PaNET01188", "PaNET01189"),
    "NXcanSAS": ("PaNET01188", "PaNET01189"),
    "NXtomo": ("PaNET01207", "PaNET01129"),
    "NXtomophase": ("PaNET01207", "PaNET01129"),
    "NXxas": ("PaNET01196", ""),
    "NXmx": ("PaNET01164", "PaNET01164"),
    "NXstxm": ("PaNET01219", ""),
    "NXarpes": ("PaNET01089", ""),
    "NXmonopd": ("PaNET01101", "PaNET01100"),
    "NXtofnpd": ("", "PaNET01100"),
    "NXtofsingle": ("", "PaNET01236"),
    "NXrefscan": ("PaNET01149", "PaNET01239"),
    "NXreftof": ("", "PaNET01239"),
    "NXfluo": ("PaNET01095", ""),
    "NXptycho": ("PaNET01212", ""),
    "NXxrot": ("PaNET01102", ""),
}

_PROPOSAL = ("experiment_identifier", "proposal_id", "proposal_identifier", "proposal_number",
             "proposal")  # fmt: skip


def read_nexus(
    path: Path, progress: Progress, required: tuple[str, ...] = (), *, whole: bool = False
) -> Description:
    """
    Describe a NeXus file and the files of its folder that it links to.

    Parameters
    ----------
    path : Path
        The file.
    progress : callable
        Called with bytes done and bytes in all.
    required : tuple of str
        Paths that must exist in a whole file, "/entry/end_time".
    whole : bool
        Refuse the file while one that it links to is not there.

    Returns
    -------
    Description
        The file itself stands first among the files.

    Raises
    ------
    RefusedFileError
        If the file is hostile, incomplete, still changing, or holds no NXentry.
    """
    name = path.name
    manifest = Manifest.of_folder(path.parent, name)
    stamps = take_stamps(manifest.places)
    with OpenFiles(manifest) as files:
        dangling = _accept(guard(files, name))
        if whole:
            refuse_unlinked(dangling)
        stamps = take_stamps(manifest.places) | stamps
        root = Group(files, files.root(name), "")
        refuse_absent(root, required)
        warnings = _tell_dangling(dangling)
        entry = _choose_entry(root, warnings)
        signals = find_signals(entry)
        refuse_incomplete(entry, signals, links_dangle=bool(dangling))
        _warn(entry, signals, warnings)
        found = _describe(root, entry, signals, warnings)
    found["start_time"] = found["start_time"] or _modified(path, warnings)
    hashed = hash_files(manifest.places, stamps, progress)
    return Description(root=str(path.parent), files=hashed, warnings=tuple(warnings), **found)


def _accept(findings: list[Finding]) -> list[Finding]:
    for finding in findings:
        if not finding.harmless:
            raise finding.error()
    return findings


def _tell_dangling(findings: list[Finding]) -> list[str]:
    count = Counter(finding.reason for finding in findings)
    where = {finding.reason: finding.path for finding in reversed(findings)}
    return [
        f"{where[reason]}: {reason}." if times == 1 else f"{times} links: {reason}."
        for reason, times in count.items()
    ]


def _choose_entry(root: Group, warnings: list[str]) -> Group:
    entries = [group for group in root.groups() if group.kind == "NXentry"]
    if not entries:
        reason = (
            "The file holds no NXentry, so nothing tells what was measured. Register a NeXus file, "
            "the folder of a European XFEL run, a PONI file or images."
        )
        raise refused("file-no-entry", reason, root.place.file)
    default = root.attribute("default")
    entry = next((it for it in entries if it.name == default), entries[0])
    # BLISS gives its entries a second name: the same group by two links is one entry.
    number = len({it.place.object for it in entries})
    if number > 1:
        warnings.append(f"Of {number} entries, {shown(entry.name)} is described here.")
    return entry


def _warn(entry: Group, signals: list[Signal], warnings: list[str]) -> None:
    """Say what a reader of the catalogue would miss."""
    if not signals:
        warnings.append("The file holds no measured data that could be shown.")
    elif not has_end_marker(entry):
        warnings.append("The file states no end_time; whether it is whole cannot be known.")
    for signal in signals:
        share = written_share(signal.field)
        if share < 1:
            warnings.append(
                f"Only {share:.0%} of {shown_path(str(signal.field.name))} was written."
            )


def _describe(
    root: Group, entry: Group, signals: list[Signal], warnings: list[str]
) -> dict[str, Any]:
    setup = next(entry.below("NXinstrument"), None)
    sample = next(entry.below("NXsample"), None)
    begin, end = _read_times(root, entry, warnings)
    image = next((signal for signal in signals if signal.is_image), None)
    title = entry.text("title") or Path(root.place.file).stem
    return {
        "content": "nexus-scan" if image else "nexus",
        "title": " ".join(title.split()),
        "start_time": begin,
        "end_time": end,
        "instrument": _name_instrument(setup) if setup else None,
        "proposal": _name_proposal(entry),
        "sample": (sample.text("name") or None) if sample else None,
        "sample_formula": (sample.text("chemical_formula") or None) if sample else None,
        "techniques": _hint_techniques(entry),
        "parameters": read_parameters(entry, signals, warnings),
        "thumbnail": _draw(image or next(iter(signals), None)),
    }


def _read_times(
    root: Group, entry: Group, warnings: list[str]
) -> tuple[datetime | None, datetime | None]:
    begin = parse_time(entry.text("start_time"), "start_time", warnings)
    end = parse_time(entry.text("end_time"), "end_time", warnings)
    if begin is None:
        begin = parse_time(root.attribute("file_time"), "file_time", warnings)
        if begin:
            warnings.append("The file states no start_time; the time it was written stands for it.")
    if begin and end and end < begin:
        warnings.append("end_time lies before start_time; it is left out.")
        end = None
    return begin, end


def _modified(path: Path, warnings: list[str]) -> datetime:
    warnings.append("The file states no start_time; the date of the file itself stands for it.")
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)


def _name_instrument(setup: Group) -> str | None:
    field = setup.field("name")
    short = str(field.attrs.get("short_name", "")) if field is not None else ""
    return setup.text("name") or short or None


def _name_proposal(entry: Group) -> str | None:
    for group in (entry, *entry.below("NXuser")):
        if proposal := group.text(*_PROPOSAL):
            return proposal
    return None


def _hint_techniques(entry: Group) -> tuple[str, ...]:
    probes = " ".join(source.text("probe") for source in entry.below("NXsource"))
    pair = TECHNIQUES.get(entry.text("definition"), ("", ""))
    technique = pair["neutron" in probes]
    return (technique,) if technique else ()


def _draw(signal: Signal | None) -> bytes | None:
    """Draw the middle frame, the map or the curve; nothing if it cannot be read."""
    if signal is None or signal.field.dtype.kind == "b":
        return None
    field = signal.field
    try:
        if field.ndim >= 2:
            return draw_image(read(field, *(length // 2 for length in field.shape[:-2])))
        axis = signal.axis()
        return draw_curve(read(field).reshape(-1), read(axis) if axis is not None else None)
    except RefusedFileError:
        return None
