"""Phase maps: how much of each reference pattern is in the pattern of each position."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import PhaseError
from processing.science.maps.map_file import MapFile, create_plane
from processing.science.maps.non_negative import solve_non_negative
from processing.science.maps.radial import RadialAxis
from processing.science.maps.references import LineReference, Reference

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK_BINS = 4096
MIN_BINS = 10
TOO_ALIKE = 0.999  # cosine between two references on the axis of the map
WIDTHS = 16  # that are tried, twice


@dataclass(frozen=True)
class Fitted:
    """
    What the fit of some positions found.

    Attributes
    ----------
    amounts : ndarray of shape (positions, phases)
        Height of the highest place of each reference, in the unit of the map. NaN where no
        valid bin tells it.
    errors : ndarray of shape (positions, phases)
        Standard errors, in the same unit.
    chi2 : ndarray of shape (positions,)
        Mean squared residual per degree of freedom, in units of the variance.
    """

    amounts: Values
    errors: Values
    chi2: Values


@dataclass(frozen=True)
class PhaseModel:
    """
    Reference patterns and a smooth background, none of them negative.

    Attributes
    ----------
    names : tuple of str
        Of the phases.
    references : ndarray of shape (bins, phases)
        Highest place 1; NaN in bins that take no part.
    background : ndarray of shape (bins, splines)
        Cubic B-splines.
    fwhm_deg : float
        Width of the lines of calibrants, in 2θ.
    """

    names: tuple[str, ...]
    references: Values
    background: Values
    fwhm_deg: float

    def fit(self, intensity: Values, errors: Values | None) -> Fitted:
        """
        Fit Σ_k a_k r_k(q) + Σ_j b_j B_j(q), a, b ≥ 0, to each pattern.

        Parameters
        ----------
        intensity : ndarray of shape (positions, bins)
            In the unit of the map; NaN bins take no part.
        errors : ndarray of shape (positions, bins), optional
            Standard errors, by whose square residuals are weighted. Without them all bins
            weigh the same, and the scatter of the residuals gives the errors.

        Returns
        -------
        Fitted
            Amounts, errors and what is left.
        """
        columns = np.hstack([self.references, self.background])
        usable: Flags = np.asarray(np.isfinite(columns).all(axis=1))
        design = np.where(usable[:, None], columns, 0.0)
        weights = _weigh(intensity, errors) * usable
        counts = np.where(weights > 0, intensity, 0.0)
        gram, moment = _normal_equations(design, counts, weights)
        found, variance = solve_non_negative(gram, moment)
        residual = counts - np.nan_to_num(found) @ design.T
        freedom = (weights > 0).sum(axis=1) - (found > 0).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = (weights * residual**2).sum(axis=1)
            chi2 = np.asarray(np.where(freedom > 0, squares / freedom, np.nan))
        if errors is None:
            variance = variance * chi2[:, None]
        phases = len(self.names)
        return Fitted(found[:, :phases], np.sqrt(variance[:, :phases]), chi2)


def _weigh(intensity: Values, errors: Values | None) -> Values:
    if errors is None:
        return np.isfinite(intensity).astype(np.float64)
    with np.errstate(divide="ignore"):
        weights = np.where(np.isfinite(intensity), errors**-2.0, 0.0)
    return np.where(np.isfinite(weights), weights, 0.0)


def _normal_equations(design: Values, counts: Values, weights: Values) -> tuple[Values, Values]:
    """Return AᵀWA and AᵀWy of each position; one matrix product does all of them."""
    bins, k = design.shape
    upper = np.triu_indices(k)
    packed = np.zeros((len(weights), len(upper[0])))
    for low in range(0, bins, BLOCK_BINS):
        part = design[low : low + BLOCK_BINS]
        packed += weights[:, low : low + BLOCK_BINS] @ (part[:, upper[0]] * part[:, upper[1]])
    gram = np.zeros((len(weights), k, k))
    gram[:, upper[0], upper[1]] = packed
    gram[:, upper[1], upper[0]] = packed
    return gram, (weights * counts) @ design


def build_model(
    references: Sequence[Reference],
    axis: RadialAxis,
    mean: Values,
    *,
    fwhm_deg: float | None = None,
    splines: int = 8,
) -> PhaseModel:
    """
    Draw references and background on the axis of a map.

    Parameters
    ----------
    references : sequence of Reference
        Of different names.
    axis : RadialAxis
        Of the map, with wavelength.
    mean : ndarray of shape (bins,)
        Mean pattern of the map, to find the width of lines.
    fwhm_deg : float, optional
        Width of the lines of calibrants in 2θ, in degrees; by default the one that fits
        ``mean`` best.
    splines : int
        Of the background, at least 4.

    Returns
    -------
    PhaseModel
        Ready to fit.

    Raises
    ------
    PhaseError
        If two references have one name, or cannot be told apart on this axis, or one does
        not lie on it.
    """
    names = tuple(reference.name for reference in references)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PhaseError(f"Two references are called {twice}. Give each phase once.")
    background = draw_background(len(axis.values), splines)
    if fwhm_deg is None:
        fwhm_deg = _find_width(references, axis, mean, background)
    drawn = np.stack([reference.draw(axis, fwhm_deg) for reference in references], axis=1)
    _refuse_alike(names, drawn)
    return PhaseModel(names, drawn, background, fwhm_deg)


def draw_background(bins: int, splines: int) -> Values:
    """
    Draw the cubic B-splines of a smooth background, which add up to 1 everywhere.

    Parameters
    ----------
    bins : int
        Of the axis.
    splines : int
        At least 4; the more, the narrower.

    Returns
    -------
    ndarray of shape (bins, splines)
        Not negative.
    """
    from scipy.interpolate import BSpline  # noqa: PLC0415 - it takes half a second

    inner = np.linspace(0, bins - 1, splines - 2)
    knots = np.concatenate([[0.0] * 3, inner, [bins - 1.0] * 3])
    places = np.arange(bins, dtype=np.float64)
    return np.asarray(BSpline.design_matrix(places, knots, 3).toarray())


def _find_width(
    references: Sequence[Reference], axis: RadialAxis, mean: Values, background: Values
) -> float:
    """Try widths from a bin to some degrees, then finer ones about the best."""
    bin_deg = float(np.nanmedian(np.abs(np.diff(axis.two_theta_deg))))
    low, high = bin_deg, max(3.0, 4 * bin_deg)
    if not any(isinstance(reference, LineReference) for reference in references):
        return bin_deg
    best = low
    for _ in range(2):
        tried = np.geomspace(low, high, WIDTHS)
        misfits = [_misfit(references, axis, mean, background, width) for width in tried]
        best = float(tried[int(np.argmin(misfits))])
        step = (high / low) ** (1 / (WIDTHS - 1))
        low, high = best / step, best * step
    return best


def _misfit(
    references: Sequence[Reference],
    axis: RadialAxis,
    mean: Values,
    background: Values,
    width: float,
) -> float:
    drawn = np.stack([reference.draw(axis, width) for reference in references], axis=1)
    model = PhaseModel(tuple(r.name for r in references), drawn, background, width)
    # As if counted: strong reflections would otherwise decide alone.
    spread = np.sqrt(np.maximum(mean, np.nanmax(mean) * 1e-3))
    chi2 = model.fit(mean[None], spread[None]).chi2[0]
    return float(chi2) if np.isfinite(chi2) else np.inf


def _refuse_alike(names: Sequence[str], drawn: Values) -> None:
    usable = drawn[np.isfinite(drawn).all(axis=1)]
    if len(usable) < MIN_BINS:
        raise PhaseError(
            f"The references have only {len(usable)} bins of the map in common. "
            "Choose references that reach over the same range."
        )
    lengths = np.linalg.norm(usable, axis=0)
    for number, name in enumerate(names):
        if lengths[number] == 0:
            raise PhaseError(f"The reference {name} is 0 where all others reach. Leave it out.")
    cosine = (usable / lengths).T @ (usable / lengths)
    pairs = np.argwhere(np.triu(cosine, 1) > TOO_ALIKE)
    if len(pairs):
        first, second = pairs[0]
        raise PhaseError(
            f"{names[first]} and {names[second]} cannot be told apart on this axis. Leave one out."
        )


def write_phases(written: MapFile, model: PhaseModel) -> Iterator[int]:
    """
    Fit every position and write ``/entry/phases`` and ``/entry/references``.

    Parameters
    ----------
    written : MapFile
        With all rows.
    model : PhaseModel
        On the axis of the map.

    Yields
    ------
    int
        How many positions are finished.
    """
    units = written.axes.signal_units
    group = written.add_planes("phases", model.names)
    amounts = [create_plane(group, name, written.shape, units) for name in model.names]
    errors = [create_plane(group, f"{name}_errors", written.shape, units) for name in model.names]
    chi2 = create_plane(group, "chi2", written.shape, "")
    chi2.attrs["long_name"] = "mean squared residual per degree of freedom"
    _write_references(written.entry, model)
    done = 0
    for tile in written.tiles():
        found = model.fit(tile.intensity, tile.errors)
        for number in range(len(model.names)):
            amounts[number][tile.rows, tile.columns] = tile.arrange(found.amounts[:, number])
            errors[number][tile.rows, tile.columns] = tile.arrange(found.errors[:, number])
        chi2[tile.rows, tile.columns] = tile.arrange(found.chi2)
        done += len(tile.intensity)
        yield done


def _write_references(entry: h5py.Group, model: PhaseModel) -> None:
    group = entry.create_group("references")
    group.attrs.update({"NX_class": "NXdata", "signal": model.names[0], "axes": ["q"]})
    if model.names[1:]:
        group.attrs["auxiliary_signals"] = list(model.names[1:])
    group["q"] = h5py.SoftLink("/entry/map/q")
    for name, pattern in zip(model.names, model.references.T, strict=True):
        group.create_dataset(name, data=pattern.astype(np.float32)).attrs["units"] = ""
    group.create_dataset("line_width", data=model.fwhm_deg).attrs["units"] = "deg"
