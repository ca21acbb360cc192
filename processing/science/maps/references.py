"""Reference patterns: what a map of one pure phase would look like on the axis of a map."""

import difflib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.science.errors import PhaseError
from processing.science.maps.radial import RadialAxis

Values = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True)
class LineReference:
    """
    A phase of which places and heights of reflections are known.

    Attributes
    ----------
    name : str
        Of the phase.
    q_nm : ndarray of shape (lines,)
        In 1/nm.
    heights : ndarray of shape (lines,)
        Relative to each other.
    """

    name: str
    q_nm: Values
    heights: Values

    def draw(self, axis: RadialAxis, fwhm_deg: float) -> Values:
        """
        Draw Gaussian lines of one width in 2θ.

        Parameters
        ----------
        axis : RadialAxis
            Of the map, with its wavelength.
        fwhm_deg : float
            Full width at half maximum, in degrees; a bin widens it, as it averages.

        Returns
        -------
        ndarray of shape (bins,)
            1 at the highest place.

        Raises
        ------
        PhaseError
            If no line lies on the axis.
        """
        angle = axis.two_theta_deg
        centres = RadialAxis(self.q_nm, "1/nm", axis.wavelength_m).two_theta_deg
        seen = (centres >= np.nanmin(angle)) & (centres <= np.nanmax(angle)) & (self.heights > 0)
        if not seen.any():
            raise PhaseError(
                f"{self.name} has no reflection between {axis.values[0]:g} and "
                f"{axis.values[-1]:g} {axis.units}. Leave it out, or widen the range of the map."
            )
        bins = np.abs(np.gradient(angle))
        sigma = np.hypot(fwhm_deg / FWHM_PER_SIGMA, np.interp(centres[seen], angle, bins) / 3.46)
        pattern = np.zeros_like(angle)
        for centre, width, height in zip(centres[seen], sigma, self.heights[seen], strict=True):
            pattern += height / width * np.exp(-(((angle - centre) / width) ** 2) / 2)
        return np.asarray(pattern / np.nanmax(pattern))


@dataclass(frozen=True)
class MeasuredReference:
    """
    A phase of which somebody has measured, or calculated, the pattern.

    Attributes
    ----------
    name : str
        Of the phase.
    q_nm : ndarray of shape (n,)
        Ascending, in 1/nm.
    intensity : ndarray of shape (n,)
        In any unit; the pattern should have no background.
    """

    name: str
    q_nm: Values
    intensity: Values

    def draw(self, axis: RadialAxis, fwhm_deg: float) -> Values:  # noqa: ARG002 - it has its own width
        """
        Draw the pattern on the axis of a map.

        Parameters
        ----------
        axis : RadialAxis
            Of the map.
        fwhm_deg : float
            Not used: what was measured has its width.

        Returns
        -------
        ndarray of shape (bins,)
            1 at the highest place; NaN where the pattern does not reach.

        Raises
        ------
        PhaseError
            If it is nowhere above 0 on the axis.
        """
        pattern = np.interp(axis.q_nm, self.q_nm, self.intensity, left=np.nan, right=np.nan)
        highest = np.nanmax(pattern, initial=0.0)
        if not highest > 0:
            raise PhaseError(
                f"The reference {self.name} reaches from {self.q_nm[0]:g} to {self.q_nm[-1]:g} "
                "1/nm and is nowhere above 0 on the axis of the map. Check its unit and wavelength."
            )
        return np.asarray(pattern / highest)


Reference = LineReference | MeasuredReference


def read_calibrant(name: str) -> LineReference:
    """
    Take the reflections of a phase from pyFAI.

    Parameters
    ----------
    name : str
        As pyFAI calls it, "Cr2O3".

    Returns
    -------
    LineReference
        With the intensities that pyFAI knows, else all lines equally high.

    Raises
    ------
    PhaseError
        If pyFAI does not know it; the text names the nearest.
    """
    from pyFAI.calibrant import get_calibrant, names  # noqa: PLC0415 - it takes half a second

    known = sorted(names())
    if name not in known:  # anything else would be taken for a path
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known
        raise PhaseError(
            f"pyFAI has no calibrant “{name}”. Near are {', '.join(near)}; other phases can be "
            "given as patterns of your own, in the role references."
        )
    calibrant = get_calibrant(name)
    spacing_a = np.asarray(calibrant.dspacing, np.float64)
    heights = np.array([line.intensity or 0.0 for line in calibrant.config.reflections])
    if not heights.any():
        heights = np.ones_like(spacing_a)
    return LineReference(name, 20 * math.pi / spacing_a, heights)
