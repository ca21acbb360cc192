"""Dark constants and gains, made ready for the kernels: P, s, bits and integer thresholds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.constants_file import DarkConstants, read_constants
from processing.science.errors import GainsError, MissingFieldError, ShapeError, UnreadableFileError
from processing.science.euxfel.detectors import PIXELS
from processing.science.euxfel.soundness import refuse_foreign

Unit = Literal["ADU", "keV", "photon"]

VALUE_IS_NAN = 1 << 11
GAIN_THRESHOLDING_ERROR = 1 << 13
WRONG_GAIN_VALUE = 1 << 21
NEVER = 65_536  # above every 16-bit gain level
GAIN_UNITS = "ADU/keV"


@dataclass(frozen=True)
class Scaling:
    """
    How ADU above the offset become signal.

    Attributes
    ----------
    unit : str
        "ADU", "keV" or "photon".
    nominal : tuple of float, optional
        Gain of the three stages in ADU/keV, negative where values fall as charge grows; used
        where no gains per pixel are given.
    photon_kev : float
        Energy of a photon.
    relative : bool
        In ADU, bring medium and low gain to the scale of high gain.
    """

    unit: Unit = "ADU"
    nominal: tuple[float, float, float] | None = None
    photon_kev: float = 0.0
    relative: bool = False

    @property
    def needs_gains(self) -> bool:
        return self.unit != "ADU" or self.relative


@dataclass(frozen=True)
class Planes:
    """
    What the kernels take, for some memory cells of a module.

    Attributes
    ----------
    offset, scale : ndarray of float32 of shape (cells, planes, pixels)
        P in ADU; s in units of the signal per ADU, NaN where the pixel is bad.
    bits : ndarray of uint32 of shape (cells, planes, pixels)
        Why a pixel is bad.
    thresholds : ndarray of int32 of shape (cells, 2, pixels) or None
        Lowest gain level of stages 1 and 2; AGIPD only.
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    bits: NDArray[np.uint32]
    thresholds: NDArray[np.int32] | None


def make_planes(
    constants: DarkConstants, gains: NDArray[np.float32] | None, scaling: Scaling
) -> Planes:
    """
    Make constants ready for the kernels.

    s = 1 in ADU, 1 / G in keV and 1 / (G E) in photons of energy E; relative to high gain,
    s = G[0] / G[stage]. A pixel with any bit, or any constant that is not finite, or
    thresholds that do not increase, has s = NaN.

    Parameters
    ----------
    constants : DarkConstants
        Of some memory cells.
    gains : ndarray of float32 of shape (3, cells or 1, y, x), optional
        G in ADU/keV; NaN or 0 where the pixel has none.
    scaling : Scaling
        Unit and nominal gains.

    Returns
    -------
    Planes
        By stage for AGIPD; by gain code for JUNGFRAU, plane 2 being the invalid code.

    Raises
    ------
    GainsError
        If the unit needs gains and there are none.
    ShapeError
        If the gains are of other pixels or cells than the constants.
    """
    shape = constants.offset.shape
    if gains is not None and gains.shape not in {shape, (shape[0], 1, *shape[2:])}:
        raise ShapeError("gain", expected=shape, found=gains.shape)
    bits = constants.bad_pixels.copy()
    scale = np.broadcast_to(_scale(gains, scaling), shape).astype(np.float32)
    unknown = ~(np.isfinite(constants.offset) & np.isfinite(scale))
    bits[unknown] |= VALUE_IS_NAN
    thresholds = None
    if constants.thresholds is not None:
        is_bad = ~(constants.thresholds[1] > constants.thresholds[0])  # also where one is NaN
        bits |= np.where(is_bad, np.uint32(GAIN_THRESHOLDING_ERROR), np.uint32(0))
        thresholds = _by_cell(as_integers(constants.thresholds))
    scale[bits != 0] = np.nan
    offset = np.nan_to_num(constants.offset, nan=0.0, posinf=0.0, neginf=0.0)
    if constants.detector == "JUNGFRAU":
        offset, scale, bits = (
            _by_code(offset, 0),
            _by_code(scale, np.nan),
            _by_code(bits, WRONG_GAIN_VALUE),
        )
    return Planes(_by_cell(offset), _by_cell(scale), _by_cell(bits), thresholds)


def as_integers(thresholds: NDArray[np.float32]) -> NDArray[np.int32]:
    """
    Turn thresholds t into the lowest integer level above them.

    level > t is level >= floor(t) + 1 for whole levels. A plain cast would wrap.

    Parameters
    ----------
    thresholds : ndarray of float32
        In ADU; NaN becomes 65536, never reached.

    Returns
    -------
    ndarray of int32
        From 0 to 65536.
    """
    lowest = np.floor(np.nan_to_num(thresholds.astype(np.float64), nan=NEVER)) + 1
    return np.asarray(np.clip(lowest, 0, NEVER), np.int32)


def read_gains(path: Path, module: str, cells: slice = slice(None)) -> NDArray[np.float32]:
    """
    Read the gains of a module's pixels.

    Parameters
    ----------
    path : Path
        ``/entry/gain`` of shape (3, cells or 1, y, x), in ADU/keV.
    module : str
        Whose file it should be, "JNGFR01".
    cells : slice
        Of which memory cells, where each has gains of its own.

    Returns
    -------
    ndarray of float32 of shape (3, cells or 1, y, x)
        G in ADU/keV.

    Raises
    ------
    UnreadableFileError
        If it is not HDF5.
    MissingFieldError
        If there are no gains of that module in that unit.
    ShapeError
        If they have other axes.
    ForeignFileError
        If their bytes lie in another file.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            refuse_foreign(file)
            gain = file.get("entry/gain")
            if not isinstance(gain, h5py.Dataset) or gain.dtype.kind not in "fiu":
                raise MissingFieldError(path.name, "field /entry/gain", sorted(file))
            units = str(gain.attrs.get("units"))
            if units != GAIN_UNITS:
                raise MissingFieldError(path.name, f"gains in {GAIN_UNITS}", [units])
            if gain.ndim != 4 or gain.shape[0] != 3 or gain.shape[2:] not in PIXELS.values():
                expected = (3, "cells", "y", "x")
                raise ShapeError(f"gain of {module}", expected=expected, found=gain.shape)
            return np.asarray(gain[:, cells if gain.shape[1] > 1 else slice(None)], np.float32)
    except OSError as error:
        raise UnreadableFileError(path.name, "it is not HDF5, or cut short.") from error


def read_planes(
    constants: Path, gains: Path | None, cells: tuple[int, int], scaling: Scaling, module: str
) -> Planes:
    """
    Read constants and gains of some memory cells and make them ready.

    Parameters
    ----------
    constants : Path
        ``dark-AGIPD00.h5``.
    gains : Path, optional
        Gains of the same module.
    cells : tuple of int
        First memory cell, and the one after the last.
    scaling : Scaling
        Unit and nominal gains.
    module : str
        "AGIPD00".

    Returns
    -------
    Planes
        Of these cells.
    """
    read = read_constants(constants, slice(*cells))
    found = None
    if gains is not None:
        found = read_gains(gains, module, slice(*cells))
    return make_planes(read, found, scaling)


def _scale(gains: NDArray[np.float32] | None, scaling: Scaling) -> NDArray[Any]:
    if not scaling.needs_gains:
        return np.ones((3, 1, 1, 1))
    if gains is not None:
        found = gains.astype(np.float64)
    elif scaling.nominal is not None:
        found = np.array(scaling.nominal).reshape(3, 1, 1, 1)
    else:
        raise GainsError(
            f"Signals in {scaling.unit} need the gain of each stage. Give a dataset of gains, or "
            "nominal gains in ADU/keV; or leave the signal in ADU."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        if scaling.unit == "ADU":
            return np.asarray(found[:1] / found)
        return np.asarray(1.0 / (found * (scaling.photon_kev if scaling.unit == "photon" else 1.0)))


def _by_cell(planes: NDArray[Any]) -> NDArray[Any]:
    """Bring a cell's planes together, pixels in one row."""
    return np.ascontiguousarray(np.swapaxes(planes, 0, 1)).reshape(*planes.shape[1::-1], -1)


def _by_code(planes: NDArray[Any], invalid: float) -> NDArray[Any]:
    return np.stack([planes[0], planes[1], np.full_like(planes[0], invalid), planes[2]])
