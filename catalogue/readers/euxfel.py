"""Runs of European XFEL: a folder of files of several aggregators, joined by train."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from extra_data.exceptions import FileStructureError
from extra_data.file_access import FileAccess
from extra_data.validation import FileValidator
from numpy.typing import NDArray

from catalogue.description import Description, FoundParameter, Progress
from catalogue.hdf5 import Finding, Manifest, OpenFiles, first, guard, read, refuse_unsafe
from catalogue.hdf5.findings import refused
from catalogue.readers.hashing import hash_files, take_stamps
from catalogue.readers.quantities import photon_pair
from catalogue.readers.thumbnail import draw_curve
from catalogue.readers.times import parse_time
from catalogue.readers.tree import Group

TRAIN = timedelta(seconds=0.1)  # ten trains a second
INSTRUMENTS = ("SPB", "FXE", "SQS", "SCS", "MID", "HED", "SXP")

_NAME = re.compile(r"(RAW|CORR)-R(\d+)-([A-Z][A-Z0-9]*)-S(\d+)\.h5")
# Modules of a JUNGFRAU were called MODULE_1 or RECEIVER-1 before 2021, as those of others are.
_DETECTOR = re.compile(
    r".+/DET/(?:\d+CH0:xtdf|JNGFR\d+:daqOutput)"
    r"|[^/]*(?:JNGFR|JF|JUNGF)[^/]*/DET/(?:MODULE_|RECEIVER-)\d+:daqOutput"
)
# What product rules compare of a run and of the constants for it.
_STATED = {
    "detector.bias_voltage": (("channels/U0/measurementSenseVoltage", "vHighVoltage"), "V"),
    "detector.repetition_rate": (("bunchStructure/repetitionRate",), "MHz"),
    "detector.integration_time": (("exposureTime",), "s"),
}
_BROKEN = (FileStructureError, OSError, KeyError, ValueError, IndexError, TypeError, AttributeError)


@dataclass(frozen=True)
class _Index:
    """What the name and the index of one file say."""

    file: str
    aggregator: str
    sequence: int
    trains: NDArray[np.uint64]
    slow: frozenset[str]
    fast: frozenset[str]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One file of a run."""

    root: Group
    index: _Index

    def number(self, name: str) -> int | None:
        field = self.root.field(f"METADATA/{name}") or self.root.field(name)
        value = first(field) if field is not None and field.dtype.kind in "iu" else None
        return None if value is None else int(value)


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds a file named like one of a run."""
    return any(_NAME.fullmatch(it.name) for it in folder.iterdir())


def read_run(folder: Path, progress: Progress) -> Description:
    """
    Describe the folder of one run.

    Parameters
    ----------
    folder : Path
        With files named RAW-R0001-DA01-S00000.h5.
    progress : callable
        Called with bytes done and bytes in all.

    Returns
    -------
    Description
        All files of the run, in the order of their names.

    Raises
    ------
    RefusedFileError
        ``euxfel-mixed``, ``euxfel-empty``, ``euxfel-index``,
        ``euxfel-no-common-trains``, or what the guard finds.
    """
    names = sorted(it.name for it in folder.iterdir() if _NAME.fullmatch(it.name))
    warnings = _tell_others(folder, names)
    for name in names:
        refuse_unsafe(folder, name)
    _refuse_mixed_names(names)
    manifest = Manifest.of_folder(folder, *names)
    stamps = take_stamps(manifest.places)
    with OpenFiles(manifest) as files:
        warnings += _accept(guard(files, *names))
    stamps = take_stamps(manifest.places) | stamps
    # EXtra-data opens each file in its own way, which HDF5 forbids while it is open here.
    indexes = [_check_index(folder / name, name) for name in names]
    _refuse_unusable(indexes)
    warnings += _missing_sequences(indexes)
    with OpenFiles(manifest) as files:
        parts = [
            _Part(Group(files, files.root(name), ""), index)
            for name, index in zip(names, indexes, strict=True)
        ]
        _refuse_mixed_numbers(parts)
        found = _describe(parts, warnings)
    hashed = hash_files(manifest.places, stamps, progress)
    return found.model_copy(
        update={"root": str(folder), "files": hashed, "warnings": tuple(warnings)}
    )


def _tell_others(folder: Path, names: list[str]) -> list[str]:
    others = sum(it.name not in names for it in folder.iterdir())
    return [f"{others} other files were left out of the run."] if others else []


def _refuse_mixed_names(names: list[str]) -> None:
    heads = sorted({name.split("-")[0] + "-" + name.split("-")[1] for name in names})
    if len(heads) > 1:
        reason = (
            f"The folder mixes {', '.join(heads[:5])}. "
            "Register one run, raw or corrected, per folder."
        )
        raise refused("euxfel-mixed", reason, "")


def _accept(findings: list[Finding]) -> list[str]:
    for finding in findings:
        if not finding.harmless:
            raise finding.error()
    return [f"{it.file}, {it.path}: {it.reason}." for it in findings]


def _check_index(place: Path, name: str) -> _Index:
    """Check the index of one file as European XFEL does."""
    match = _NAME.fullmatch(name)
    aggregator, sequence = (match[3], int(match[4])) if match else ("", 0)
    try:
        access = FileAccess(str(place))
        try:
            problems = FileValidator(access).run_checks()
            faults = tuple(f"{it['msg']} ({it.get('dataset', name)})" for it in problems)
            sources = access.control_sources, access.instrument_sources
            return _Index(name, aggregator, sequence, access.train_ids, *sources, faults)
        finally:
            access.close()
    except _BROKEN as error:
        kind = type(error).__name__
        reason = f"The file has no index that can be read ({kind}). Copy the run again."
        raise refused("euxfel-index", reason, name) from None


def _refuse_mixed_numbers(parts: list[_Part]) -> None:
    for what in ("runNumber", "proposalNumber"):
        numbers = sorted({number for part in parts if (number := part.number(what))})
        if len(numbers) > 1:
            listed = ", ".join(map(str, numbers[:5]))
            reason = f"The files state several numbers as {what}: {listed}. Sort them out."
            raise refused("euxfel-mixed", reason, "")


def _refuse_unusable(indexes: list[_Index]) -> None:
    if not any(index.trains.size for index in indexes):
        reason = "No file of the run holds a train. Was the data acquisition running?"
        raise refused("euxfel-empty", reason, "")
    for index in indexes:
        if index.faults:
            listed = "; ".join(index.faults[:5])
            reason = f"The file has a faulty index: {listed}. Ask the facility to write it again."
            raise refused("euxfel-index", reason, index.file)
    _refuse_strays(_by_aggregator(indexes))


def _by_aggregator(indexes: list[_Index]) -> dict[str, NDArray[np.uint64]]:
    grouped: dict[str, list[NDArray[np.uint64]]] = defaultdict(list)
    for index in indexes:
        if index.trains.size:
            grouped[index.aggregator].append(index.trains)
    return {name: np.concatenate(trains) for name, trains in grouped.items()}


def _refuse_strays(trains: dict[str, NDArray[np.uint64]]) -> None:
    """Refuse an aggregator that shares no train with the rest: it is from another run."""
    for name, own in trains.items():
        others = [it for other, it in trains.items() if other != name]
        if others and not np.isin(own, np.concatenate(others)).any():
            reason = (
                f"{name} has the trains {_range([own])}, the rest of the run {_range(others)}: "
                "they have none in common. Remove what belongs to another run."
            )
            raise refused("euxfel-no-common-trains", reason, "")


def _range(trains: Iterable[NDArray[np.uint64]]) -> str:
    every = np.concatenate(list(trains))
    return f"{every.min()} to {every.max()}"


def _missing_sequences(indexes: list[_Index]) -> list[str]:
    grouped: dict[str, dict[int, _Index]] = defaultdict(dict)
    for index in indexes:
        grouped[index.aggregator][index.sequence] = index
    return [
        f"{name} lacks sequence {number:05d}; {_gap(found, number)}"
        for name, found in grouped.items()
        for number in range(max(found))
        if number not in found
    ]


def _gap(found: dict[int, _Index], number: int) -> str:
    before = [it.trains.max() for seq, it in found.items() if seq < number and it.trains.size]
    after = [it.trains.min() for seq, it in found.items() if seq > number and it.trains.size]
    if before and after:
        return f"no trains between {max(before)} and {min(after)}."
    return f"no trains before {min(after)}." if after else "its trains are unknown."


def _describe(parts: list[_Part], warnings: list[str]) -> Description:
    first_name = parts[0].root.place.file
    run = int(first_name.split("-")[1].removeprefix("R"))
    proposal = next((number for part in parts if (number := part.number("proposalNumber"))), None)
    begin, end = _read_times(parts, warnings)
    sources = frozenset().union(*(part.index.slow | part.index.fast for part in parts))
    energies, parameters = _read_monitor(parts)
    kind = "Corrected run" if first_name.startswith("CORR") else "Run"
    sample = next((text for part in parts if (text := part.root.text("METADATA/sample"))), "")
    return Description(
        content="euxfel-run",
        root="",
        title=f"{kind} {run}" + (f" of proposal {proposal}" if proposal else ""),
        files=(),
        start_time=begin,
        end_time=end,
        instrument=_guess_instrument(sources),
        proposal=str(proposal) if proposal else None,
        run_number=run,
        sample=sample if sample not in {"", "No Sample"} else None,
        parameters=(*_count(parts, sources), *parameters, *_read_detector(parts)),
        thumbnail=draw_curve(energies) if energies.size else None,
    )


def _count(parts: list[_Part], sources: frozenset[str]) -> list[FoundParameter]:
    trains = np.unique(np.concatenate([part.index.trains for part in parts]))
    names = ", ".join(sorted({part.index.aggregator for part in parts}))
    return [
        FoundParameter(name="trains", value=trains.size),
        FoundParameter(name="train.first", value=int(trains.min())),
        FoundParameter(name="train.last", value=int(trains.max())),
        FoundParameter(name="sources", value=len(sources)),
        FoundParameter(name="aggregators", value=names[:500]),
    ]


def _read_times(parts: list[_Part], warnings: list[str]) -> tuple[datetime | None, datetime | None]:
    """Return begin of the first and end of the last train, in UTC."""
    stamps: list[int] = []
    for part in parts:
        field = part.root.field("INDEX/timestamp")
        known = read(field) if field is not None else np.empty(0)
        known = known[known > 0]
        stamps += [int(known.min()), int(known.max())] if known.size else []
    if stamps:
        return _moment(min(stamps)), _moment(max(stamps)) + TRAIN
    dates = [
        [parse_time(part.root.text(f"METADATA/{name}"), name, warnings) for part in parts]
        for name in ("creationDate", "updateDate")
    ]
    begins, ends = ([date for date in column if date] for column in dates)
    return min(begins, default=None), max(ends, default=None)


def _moment(nanoseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)


def _read_monitor(parts: list[_Part]) -> tuple[NDArray[np.float64], list[FoundParameter]]:
    """
    Read the first gas monitor of the run.

    Returns
    -------
    energies : ndarray of shape (n_trains,)
        Slow pulse energy in microjoule, empty without a monitor.
    parameters : list of FoundParameter
        Its mean, and photon energy and wavelength.
    """
    monitors = sorted(
        {it for part in parts for it in part.index.slow if "XGM" in it or "GMD" in it}
    )
    for monitor in monitors:
        energies = _series(parts, f"CONTROL/{monitor}/pulseEnergy/photonFlux/value")
        if not energies.size:
            continue
        mean = float(f"{energies.mean():.6g}")
        parameters = [FoundParameter(name="pulse_energy", value=mean, unit="µJ")]
        wavelengths = _series(parts, f"CONTROL/{monitor}/pulseEnergy/wavelengthUsed/value")
        if wavelengths.size and np.median(wavelengths) > 0:
            typical = float(f"{np.median(wavelengths):.7g}")  # stored in single precision
            parameters += photon_pair("photon_wavelength", typical, "nm")
        return energies, parameters
    return np.empty(0), []


def _read_detector(parts: list[_Part]) -> list[FoundParameter]:
    """Read name and settings of the run's detector, if it has one AGIPD or JUNGFRAU."""
    fast = sorted({it for part in parts for it in part.index.fast if _DETECTOR.fullmatch(it)})
    names = {it.split("/DET/")[0] for it in fast}
    if len(names) != 1:
        return []
    name = names.pop()
    found = [FoundParameter(name="detector.name", value=name)]
    if cells := _count_cells(parts, fast[0]):
        found.append(FoundParameter(name="detector.memory_cells", value=cells))
    slow = sorted({it for part in parts for it in part.index.slow})
    # The control devices of AGIPD bear another prefix than its modules.
    mine = [it for it in slow if it.startswith(f"{name}/") or ("AGIPD" in name and "AGIPD" in it)]
    for parameter, (keys, unit) in _STATED.items():
        stated = (_series(parts, f"CONTROL/{it}/{key}/value") for it in mine for key in keys)
        values = next((it for it in stated if it.size), None)
        if values is not None:
            typical = float(f"{np.median(values):.6g}")
            found.append(FoundParameter(name=parameter, value=typical, unit=unit))
    return found


def _count_cells(parts: list[_Part], source: str) -> int:
    """Count the memory cells of a train: rows of AGIPD, columns of JUNGFRAU; 0 if unknown."""
    counts = _series(parts, f"INDEX/{source}/image/count")
    numbers = (part.root.field(f"INSTRUMENT/{source}/data/memoryCell") for part in parts)
    widths = [it.shape[1] for it in numbers if it is not None and it.ndim > 1]
    return int(max(counts.max(initial=0), *widths, 0))


def _series(parts: list[_Part], path: str) -> NDArray[np.float64]:
    """Return the finite values of a slow field through all sequences."""
    blocks = []
    for part in sorted(parts, key=lambda it: it.index.sequence):
        field = part.root.field(path)
        if field is None or field.dtype.kind not in "iuf":
            continue
        if field.ndim == 1:
            blocks.append(read(field)[: part.index.trains.size].astype("f8"))
        elif field.ndim == 2 and field.size:
            # A list for each train, of which the first number counts: all may be too many.
            blocks.append(read(field, 0)[:1].astype("f8"))
    values = np.concatenate(blocks) if blocks else np.empty(0)
    return np.asarray(values[np.isfinite(values)])


def _guess_instrument(sources: frozenset[str]) -> str | None:
    """Return the instrument whose name most sources carry; tunnels name none."""
    votes = {name: sum(it.startswith(f"{name}_") for it in sources) for name in INSTRUMENTS}
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] else None
