"""
A run of European XFEL: what its files are, when it was taken and what it states of itself.

EXtra-data knows every layout since 2017; it finds sources and reads what is slow. Whoever
reads frames takes the files from ``Run.accesses`` and goes on with h5py.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from processing.science.errors import (
    EmptyRunError,
    EmptySourceError,
    MissingSourceError,
    MixedRunError,
    NotARunError,
    RunIndexError,
    UnreadableFileError,
)
from processing.science.euxfel.soundness import BROKEN, refuse_foreign, refusing_malformed

_NAME = re.compile(r"(RAW|CORR)-R(\d+)-([A-Z][A-Z0-9]*)-S(\d+)\.h5")
_SHOWN = 5


class Run:
    """
    The files of one run, open; see ``open_run``.

    Attributes
    ----------
    name : str
        "RAW-R0149".
    proposal : str
        Its number; empty where the files do not state it.
    accesses : list
        EXtra-data's ``FileAccess`` of each file, in the order of their names.
    warnings : list of str
        What is odd, but does no harm.
    """

    def __init__(self, name: str, proposal: str, accesses: list[Any], warnings: list[str]) -> None:
        from extra_data import DataCollection  # noqa: PLC0415 - it takes a second to import

        self.name = name
        self.proposal = proposal
        self.accesses = accesses
        self.warnings = warnings
        with refusing_malformed(name):
            self._data = DataCollection(accesses, is_single_run=True)

    @property
    def is_raw(self) -> bool:
        return self.name.startswith("RAW")

    @property
    def control_sources(self) -> list[str]:
        return sorted(self._data.control_sources)

    @property
    def instrument_sources(self) -> list[str]:
        return sorted(self._data.instrument_sources)

    @property
    def start(self) -> datetime | None:
        """Time of the first train in UTC, or that of the first file; None if none states it."""
        with refusing_malformed(self.name):
            stamps = self._data.train_timestamps()
            known = stamps[~np.isnat(stamps)]
            if len(known):
                first = int(known.min().astype("M8[us]").astype(int))
                return datetime.fromtimestamp(first / 1e6, UTC)
            text = str(self._data.run_metadata().get("creationDate", ""))
        try:
            return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None

    def has(self, source: str, key: str) -> bool:
        """Say whether a source records a key, "pulseEnergy.photonFlux.value"."""
        return source in self._data.all_sources and key in self._data.keys_for_source(source)

    def require(self, source: str, key: str) -> None:
        """
        See that there are data of a key.

        Raises
        ------
        MissingSourceError
            If there is no such source or key.
        EmptySourceError
            If nothing was recorded.
        """
        if source not in self._data.all_sources:
            existing = [*self.instrument_sources, *self.control_sources]
            raise MissingSourceError(f"{self.name} has no source {source}. {_list(existing)}")
        if key not in self._data.keys_for_source(source):
            existing = sorted(self._data.keys_for_source(source))
            raise MissingSourceError(f"{source} of {self.name} has no key {key}. {_list(existing)}")
        if not self._data[source, key].data_counts(labelled=False).any():
            raise EmptySourceError(
                f"{source} of {self.name} has no data of {key} in any train. Was it switched on?"
            )

    def typical(self, source: str, key: str) -> float | None:
        """Return the median of a slow number through the run, its first one if it is a list."""
        try:
            values = np.asarray(self._data[source, f"{key}.value"].ndarray(), np.float64)
        except OSError as error:
            raise UnreadableFileError(self.name, f"{key} of {source} is damaged.") from error
        except BROKEN:  # words, or nothing that could have a median
            return None
        if values.size == 0:
            return None
        return float(np.median(values.reshape(len(values), -1)[:, 0]))

    def text(self, source: str, key: str) -> str | None:
        """Return a word that was noted when the run began."""
        try:
            value = self._data.get_run_value(source, key)
        except (OSError, *BROKEN):
            return None
        return value if isinstance(value, str) else None


@contextmanager
def open_run(files: Sequence[Path]) -> Iterator[Run]:
    """
    Open the files of one run and see that they are sound.

    Parameters
    ----------
    files : sequence of Path
        Named RAW-R0149-DA01-S00000.h5; others are left out.

    Yields
    ------
    Run
        Until the block ends.

    Raises
    ------
    RunError
        A subclass of it: no run, empty, several runs, a faulty index.
    UnreadableFileError
        If a file is not HDF5.
    ForeignFileError
        If bytes of it lie in another file.
    """
    named = sorted((match[0], path) for path in files if (match := _NAME.fullmatch(path.name)))
    if not named:
        raise NotARunError(
            f"None of {_list([path.name for path in files])} is named like a file of a run, "
            "RAW-R0149-DA01-S00000.h5. Choose the folder of one run."
        )
    heads = sorted({"-".join(name.split("-")[:2]) for name, _ in named})
    if len(heads) > 1:
        raise MixedRunError(f"The files are of {', '.join(heads)}. Choose the files of one run.")
    with ExitStack() as stack:
        accesses = [_open_file(path, stack) for _, path in named]
        if not any(len(access.train_ids) for access in accesses):
            raise EmptyRunError(f"{heads[0]} holds no train. Was the data acquisition running?")
        stated = [_metadata(access) for access in accesses]
        _only("runNumber", stated)
        proposal = _only("proposalNumber", stated)
        yield Run(heads[0], proposal, accesses, _gaps([name for name, _ in named]))


def _open_file(path: Path, stack: ExitStack) -> Any:
    from extra_data.file_access import FileAccess  # noqa: PLC0415 - a second to import
    from extra_data.validation import FileValidator  # noqa: PLC0415 - as above

    with refusing_malformed(path.name):
        with h5py.File(path, "r") as file:  # as EXtra-data opens it: HDF5 wants all alike
            refuse_foreign(file)
        access = FileAccess(path)
        stack.callback(_close, access)
        with np.errstate(all="ignore"):  # of an index that is none
            problems = FileValidator(access).run_checks()
    if problems:
        told = "; ".join(f"{it['msg']} ({it.get('dataset', '')})" for it in problems[:_SHOWN])
        raise RunIndexError(
            f"{path.name} has a faulty index: {told}. Ask the facility to write it again."
        )
    return access


def _close(access: Any) -> None:
    """Close and forget a file even where an error holds it: it may be mended and come again."""
    from extra_data.file_access import file_access_registry  # noqa: PLC0415 - as above

    file = access.file
    access.close()
    file.close()
    file_access_registry.pop(access.filename, None)


def _only(what: str, stated: list[dict[str, Any]]) -> str:
    """Return the number that all files state, as far as they do."""
    found = sorted({str(it.get(what, "")) for it in stated} - {""})
    if len(found) > 1:
        raise MixedRunError(
            f"The files state several numbers as {what}: {', '.join(found[:_SHOWN])}. "
            "Choose the files of one run."
        )
    return found[0] if found else ""


def _metadata(access: Any) -> dict[str, Any]:
    with refusing_malformed(Path(access.filename).name):
        told: dict[str, Any] = access.metadata()
        return told


def _gaps(names: list[str]) -> list[str]:
    """Tell of sequence files that lie between others and are not there."""
    found: dict[str, set[int]] = {}
    for name in names:
        _, _, aggregator, sequence = name.removesuffix(".h5").split("-")
        found.setdefault(aggregator, set()).add(int(sequence[1:]))
    return [
        f"{aggregator} lacks {lacking} of its files, the first is sequence "
        f"{min(set(range(len(there))) - there):05d}: their trains are missing."
        for aggregator, there in found.items()
        if (lacking := max(there) + 1 - len(there))
    ]


def _list(names: Sequence[str]) -> str:
    return f"It has: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}."
