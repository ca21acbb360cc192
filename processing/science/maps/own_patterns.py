"""Reference patterns of the user's own: two columns of text, or the plot of a NeXus file."""

import math
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import DataError, PhaseError, UnreadableFileError
from processing.science.maps.radial import name_units, to_q
from processing.science.maps.references import MeasuredReference
from processing.science.nexus import as_text

Values = NDArray[np.float64]

MAX_BYTES = 2**24
MAX_NAME = 60  # characters, as of the names of calibrants
MAX_DEPTH = 8  # of default plots that lead to others
MAX_POINTS = 1_000_000
_COMMENT = re.compile(r"^\s*[#;!%@]")
_UNIT = re.compile(r"q_nm\^-1|q_A\^-1|2th_deg|2th_rad")
# No two runs of spaces beside each other: in a long one they would be tried in all ways.
_WAVELENGTH = re.compile(
    r"wavelength\s*(?:[:=]\s*)?([0-9.]+(?:e[+-]?[0-9]+)?)\s*(m|nm|Å|A)\b", re.IGNORECASE
)
_METRES = {"m": 1.0, "nm": 1e-9, "å": 1e-10, "a": 1e-10}
# What a map of phases has besides them.
_TAKEN = re.compile(r"[0-9].*|x|y|q|chi2|line_width")
_OF_ANOTHER = "_errors"
_NO_NAME = re.compile(r"\W+", re.ASCII)


def read_pattern(path: Path, units: str | None, wavelength_m: float | None) -> MeasuredReference:
    """
    Read the pattern of one phase.

    Parameters
    ----------
    path : Path
        A NeXus file whose default plot is a curve, or text of two columns (q or 2θ,
        intensity; more columns are not looked at). Its name becomes that of the phase.
    units : str, optional
        Of the first column, as pyFAI names it, where the file does not state it.
    wavelength_m : float, optional
        For an axis of 2θ, where the file does not state its own, in metres.

    Returns
    -------
    MeasuredReference
        Ascending in q; points that are not finite are left out.

    Raises
    ------
    UnreadableFileError
        If it is neither, or larger than 16 MiB or a million lines of text.
    PhaseError
        If it does not say what its axis is, states no wavelength where it says so, or has too
        few points.
    WavelengthError
        If its axis is 2θ and nobody knows the wavelength.
    """
    read = _read_nexus if h5py.is_hdf5(path) else _read_text
    places, intensity, stated, wavelength = read(path)
    spelling = stated or units
    if not spelling:
        raise PhaseError(
            f"{path.name} does not say whether its axis is q or 2θ, and in which unit. Write "
            "# q_nm^-1 (or q_A^-1, 2th_deg, 2th_rad) into its first line, or state reference_unit."
        )
    try:
        axis = name_units(spelling)
    except DataError as error:
        raise PhaseError(f"{path.name}: {error}") from error
    q = to_q(places, axis, wavelength or wavelength_m)
    kept = np.isfinite(q) & np.isfinite(intensity)
    q, order = np.unique(q[kept], return_index=True)
    if len(q) < 2:
        raise PhaseError(f"{path.name} has fewer than two points of a pattern.")
    return MeasuredReference(_name(path.stem), q, intensity[kept][order])


def _name(stem: str) -> str:
    """Make the name of a file one that no other map of the product has."""
    name = _NO_NAME.sub("_", stem)[:MAX_NAME].strip("_") or "reference"
    if name.endswith(_OF_ANOTHER):
        name += "_pattern"
    return f"phase_{name}" if _TAKEN.fullmatch(name) else name


def _read_text(path: Path) -> tuple[Values, Values, str, float | None]:
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFileError(path.name, "as text of two columns it may have 16 MiB.")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) > MAX_POINTS:
        raise UnreadableFileError(path.name, f"as text it may have {MAX_POINTS} lines.")
    head = " ".join(line for line in lines if _COMMENT.match(line))
    rows = [line.replace(",", " ").split(maxsplit=2) for line in lines if not _COMMENT.match(line)]
    try:
        table = np.array([row[:2] for row in rows if row], np.float64)
    except ValueError as error:
        raise UnreadableFileError(path.name, "expected are two columns of numbers.") from error
    if table.ndim != 2 or table.shape[1] != 2:
        raise UnreadableFileError(path.name, "expected are two columns of numbers.")
    unit = _UNIT.search(head)
    return table[:, 0], table[:, 1], unit[0] if unit else "", _find_wavelength(path, head)


def _find_wavelength(path: Path, head: str) -> float | None:
    """Return the wavelength that comments state, in metres."""
    stated = _WAVELENGTH.search(head)
    if stated is None:
        return None
    try:
        metres = float(stated[1]) * _METRES[stated[2].casefold()]
    except ValueError:
        metres = 0.0
    if not 0 < metres < math.inf:
        raise PhaseError(
            f"{path.name} states a wavelength of {stated[1][:20]} {stated[2]}. Write one above 0."
        )
    return metres


def _read_nexus(path: Path) -> tuple[Values, Values, str, float | None]:
    try:
        with h5py.File(path, "r", locking=False) as file:
            return _read_plot(file, path.name)
    except OSError as error:
        raise UnreadableFileError(path.name, "it is damaged, or cut short.") from error


def _read_plot(file: h5py.File, name: str) -> tuple[Values, Values, str, float | None]:
    shown: h5py.Group = file
    for _ in range(MAX_DEPTH):
        found = shown.get(as_text(shown.attrs.get("default", "")) or ".")
        shown = found if isinstance(found, h5py.Group) else shown
    axes = np.atleast_1d(shown.attrs.get("axes", ""))
    places = shown.get(as_text(axes) or ".")
    values = shown.get(as_text(shown.attrs.get("signal", "")) or ".")
    if not (_is_curve(places) and _is_curve(values) and len(places) == len(values)):
        raise UnreadableFileError(
            name, "its default plot is no curve with one axis. Save one pattern alone."
        )
    unit = as_text(places.attrs.get("units", ""))
    return np.asarray(places[()], np.float64), np.asarray(values[()], np.float64), unit, None


def _is_curve(field: Any) -> bool:
    is_list = isinstance(field, h5py.Dataset) and field.ndim == 1 and field.dtype.kind in "fiu"
    return bool(is_list and 2 <= len(field) <= MAX_POINTS)
