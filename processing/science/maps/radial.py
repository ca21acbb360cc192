"""Radial axes: scattering vector and scattering angle, and the way from one to the other."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from processing.science.errors import DataError, WavelengthError

Values = NDArray[np.float64]

_SPELLINGS = {
    "1/nm": ("q_nm^-1", "nm^-1", "nm-1", "1/nm"),
    "1/angstrom": ("q_a^-1", "1/angstrom", "angstrom^-1", "1/a", "a^-1", "å^-1", "1/å"),
    "deg": ("2th_deg", "deg", "degree", "degrees", "°"),
    "rad": ("2th_rad", "rad", "radian", "radians"),
}


@dataclass(frozen=True)
class RadialAxis:
    """
    Where the bins of a pattern lie, and how to compare them with those of another.

    Attributes
    ----------
    values : ndarray of shape (bins,)
        Centres of the bins, ascending.
    units : str
        "1/nm" or "1/angstrom" of q, "deg" or "rad" of the scattering angle 2θ.
    wavelength_m : float or None
        Without it q and 2θ cannot be compared.
    """

    values: Values
    units: str
    wavelength_m: float | None = None

    @cached_property
    def q_nm(self) -> Values:
        """The same places as q, in 1/nm."""
        return to_q(self.values, self.units, self.wavelength_m)

    @cached_property
    def two_theta_deg(self) -> Values:
        """The same places as 2θ, in degrees; NaN beyond backscattering."""
        wavelength_nm = _needed(self.wavelength_m) * 1e9
        with np.errstate(invalid="ignore"):
            half = np.arcsin(self.q_nm * wavelength_nm / (4 * math.pi))
        return np.asarray(np.degrees(2 * half))

    def place(self, values: Values, units: str) -> Values:
        """
        Say where places in another unit lie on this axis.

        Parameters
        ----------
        values : ndarray of shape (n,)
            In ``units``.
        units : str
            As of the axis.

        Returns
        -------
        ndarray of shape (n,)
            In the unit of this axis; NaN beyond backscattering.

        Raises
        ------
        WavelengthError
            If q meets 2θ and the wavelength is not known.
        """
        if units == self.units:
            return values
        q = to_q(values, units, self.wavelength_m)
        if self.units.startswith("1/"):
            return q / (10 if self.units == "1/angstrom" else 1)
        angle = RadialAxis(q, "1/nm", self.wavelength_m).two_theta_deg
        return np.radians(angle) if self.units == "rad" else angle


def to_q(values: Values, units: str, wavelength_m: float | None) -> Values:
    """
    Turn a radial axis into q = 4π sin(θ) / λ, in 1/nm.

    Parameters
    ----------
    values : ndarray of shape (n,)
        In ``units``.
    units : str
        "1/nm", "1/angstrom", "deg" or "rad".
    wavelength_m : float or None
        In metres; not needed for q.

    Returns
    -------
    ndarray of shape (n,)
        In 1/nm; NaN stays NaN.

    Raises
    ------
    WavelengthError
        If an angle is given without wavelength.
    """
    if units.startswith("1/"):
        return values * (10.0 if units == "1/angstrom" else 1.0)
    angle = np.radians(values) if units == "deg" else values
    return np.asarray(4 * math.pi / (_needed(wavelength_m) * 1e9) * np.sin(angle / 2))


def name_units(spelling: str) -> str:
    """
    Recognise a unit of q or 2θ however it is spelt.

    Parameters
    ----------
    spelling : str
        "q_nm^-1", "1/nm", "nm-1", "2th_deg", "degrees", ...

    Returns
    -------
    str
        "1/nm", "1/angstrom", "deg" or "rad".

    Raises
    ------
    DataError
        If it is none of them.
    """
    wanted = spelling.strip().casefold()
    for units, spellings in _SPELLINGS.items():
        if wanted in spellings:
            return units
    raise DataError(
        f"“{spelling}” is no unit of q or 2θ. Expected q_nm^-1, q_A^-1, 2th_deg or 2th_rad."
    )


def _needed(wavelength_m: float | None) -> float:
    if wavelength_m is None:
        raise WavelengthError(
            "The geometry states no wavelength, so q and 2θ cannot be compared. "
            "Add the wavelength to the PONI file."
        )
    return wavelength_m
