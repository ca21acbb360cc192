"""Azimuthal integration: detector frames to intensity against scattering vector or angle."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.poni import Poni, build_integrator
from processing.science.errors import ShapeError, WavelengthError
from processing.science.markers import Frame, blank_invalid

if TYPE_CHECKING:  # importing it takes a second, which whoever lists recipes need not wait
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

Unit = Literal["q_nm^-1", "q_A^-1", "2th_deg", "2th_rad"]
Splitting = Literal["full", "bbox", "no"]
ErrorModel = Literal["poisson", "azimuthal", "none"]

AXIS_UNITS: dict[Unit, str] = {
    "q_nm^-1": "1/nm",
    "q_A^-1": "1/angstrom",
    "2th_deg": "deg",
    "2th_rad": "rad",
}
MIN_ORIENTATION_GAIN = 0.03

SparseMatrix: TypeAlias = tuple[
    NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]
]


@dataclass(frozen=True)
class Reduction:
    """
    What to do to every frame of a scan.

    Attributes
    ----------
    bins : int
        Number of bins along the radial axis.
    unit : str
        Radial axis as pyFAI names it: q in 1/nm or 1/angstrom, 2 theta in deg or rad.
    radial_range : tuple of float, optional
        Edges of the radial axis, in ``unit``; by default all that the detector sees.
    azimuth_range : tuple of float, optional
        Sector to take part, in degrees; by default the whole ring.
    polarization : float or None
        From -1 (vertical) to 1 (horizontal); None leaves frames uncorrected.
    solid_angle : bool
        Whether to divide by the solid angle of each pixel, relative to normal incidence.
    splitting : str
        How a pixel is shared among bins: by its outline, its bounding box, or not at all.
    error_model : str
        "poisson": the variance of a pixel is its count; "azimuthal": that of the pixels of
        a ring among each other; "none": no errors.
    clip : float, optional
        Leave out pixels further from the mean of their bin than this many standard
        deviations, again and again; by default none. Pixels are then not split.
    azimuth_bins : int, optional
        Also reduce each frame to intensity against radius and azimuth, in this many
        sectors; by default not.
    by_pyfai : bool
        Whether pyFAI itself integrates each frame, whatever else could.
    """

    bins: int = 1000
    unit: Unit = "q_nm^-1"
    radial_range: tuple[float, float] | None = None
    azimuth_range: tuple[float, float] | None = None
    polarization: float | None = 0.95
    solid_angle: bool = True
    splitting: Splitting = "full"
    error_model: ErrorModel = "poisson"
    clip: float | None = None
    azimuth_bins: int | None = None
    by_pyfai: bool = False

    @property
    def has_errors(self) -> bool:
        return self.error_model != "none"

    @property
    def split(self) -> Splitting:
        """How pixels are really split: parts of pixels cannot be judged one by one."""
        return self.splitting if self.clip is None else "no"


@dataclass(frozen=True, eq=False)
class Corrections:
    """
    Images of the detector itself; a pixel that one of them does not know takes no part.

    Attributes
    ----------
    dark : ndarray of shape (slow, fast), optional
        Counts without beam, in the frames' unit, subtracted from each frame. NaN: unknown.
    flat : ndarray of shape (slow, fast), optional
        Response of each pixel relative to the others; frames are divided by it. Not above
        0, or NaN: unknown.
    """

    dark: NDArray[np.float32] | None = None
    flat: NDArray[np.float32] | None = None

    @property
    def are_none(self) -> bool:
        return self.dark is None and self.flat is None

    def unknown(self) -> NDArray[np.bool_] | None:
        """Return True where a pixel cannot be corrected; None without any image."""
        parts = []
        if self.dark is not None:
            parts.append(~np.isfinite(self.dark))
        if self.flat is not None:
            parts.append(~(np.isfinite(self.flat) & (self.flat > 0)))
        return np.logical_or.reduce(parts) if parts else None


@dataclass(frozen=True)
class Pattern:
    """
    One frame reduced to a curve.

    Attributes
    ----------
    intensity : ndarray of shape (bins,)
        In photons per pixel at normal incidence and reference monitor.
    sigma : ndarray of shape (bins,) or None
        Standard error of ``intensity``, in the same unit; None without an error model.
    pixels : ndarray of shape (bins,)
        How many pixels took part, parts of split ones included.
    cake : ndarray of shape (azimuth_bins, bins) or None
        Like ``intensity`` for each sector; None if it is not asked for.
    """

    intensity: NDArray[np.float64]
    sigma: NDArray[np.float64] | None
    pixels: NDArray[np.float64]
    cake: NDArray[np.float64] | None = None

    @property
    def is_valid(self) -> bool:
        """Whether any bin was reached."""
        return bool(np.isfinite(self.intensity).any())


class FrameIntegrator:
    """
    One geometry and one way to reduce, set up once and used for every frame.

    Parameters
    ----------
    poni : Poni
        Geometry and wavelength, in metres.
    choices : Reduction
        What to do to every frame.
    frame_shape : tuple of int
        Pixels of a frame, (slow, fast).
    orientation : int
        Corner of the detector where the first pixel lies, 1 to 4.
    mask : ndarray of bool of shape (slow, fast), optional
        True where a pixel is to be ignored, besides those the detector itself lacks.
    corrections : Corrections
        Dark and flat of the detector; by default none.

    Raises
    ------
    ShapeError
        If frames, mask, dark or flat are not those of the detector.
    WavelengthError
        If q is asked for and the geometry has no wavelength.
    GeometryError
        If pyFAI cannot make the detector.
    """

    def __init__(
        self,
        poni: Poni,
        choices: Reduction,
        *,
        frame_shape: tuple[int, int],
        orientation: int,
        mask: NDArray[np.bool_] | None = None,
        corrections: Corrections | None = None,
    ) -> None:
        if poni.wavelength_m is None and choices.unit.startswith("q"):
            raise WavelengthError(
                f"The geometry has no wavelength, so {choices.unit} cannot be computed. "
                "Add a Wavelength (in m) to the PONI file, or choose 2th_deg."
            )
        self.poni = poni
        self.orientation = orientation
        self.choices = choices
        self.corrections = corrections or Corrections()
        self.frame_shape = frame_shape
        given = {"mask": mask, "dark": self.corrections.dark, "flat": self.corrections.flat}
        for name, image in given.items():
            if image is not None and image.shape != frame_shape:
                raise ShapeError(name, expected=frame_shape, found=image.shape)
        self.excluded = mask
        self.integrator = build_integrator(poni, frame_shape, orientation)
        self.mask = join_masks(self.integrator, mask, self.corrections.unknown())

    @cached_property
    def radial(self) -> NDArray[np.float64]:
        """Centres of the bins along the radial axis, in its unit."""
        return np.asarray(self._call_pyfai(self._ones, 1.0).radial, np.float64)

    @cached_property
    def azimuth(self) -> NDArray[np.float64] | None:
        """Centres of the sectors of a cake, in degrees; None if none is asked for."""
        if self.choices.azimuth_bins is None:
            return None
        return np.asarray(self._call_pyfai_cake(self._ones, 1.0).azimuthal, np.float64)

    def sparse_matrix(self) -> SparseMatrix:
        """
        Return the matrix by which pyFAI sums pixels into bins.

        Returns
        -------
        weights : ndarray of float32 of shape (n_elements,)
            Part of a pixel in a bin.
        pixels : ndarray of int32 of shape (n_elements,)
            Number of the pixel.
        starts : ndarray of int32 of shape (bins + 1,)
            First element of each bin.
        normalisation : ndarray of float64 of shape (bins,)
            Sum of the parts times solid angle and polarisation.
        """
        result = self._call_pyfai(self._ones, 1.0)
        (engine,) = [kept.engine for kept in self.integrator.engines.values()]
        normalisation = np.asarray(result.sum_normalization, np.float64)
        return engine.data, engine.indices, engine.indptr, normalisation

    @property
    def _ones(self) -> NDArray[np.float32]:
        return np.ones(self.frame_shape, np.float32)

    def integrate(self, frame: Frame, normalization: float = 1.0) -> Pattern:
        """
        Reduce one frame to intensity against the radial axis.

        Pixels that are masked, NaN, negative (gap markers) or hold the largest number
        of their integer type (dead or overloaded) take no part. A bin that no pixel
        reaches is NaN: pyFAI answers 0, which would read as "dark here".

        Parameters
        ----------
        frame : ndarray of shape (slow, fast)
            Counts, in photons.
        normalization : float
            Monitor relative to its reference: intensities are divided by it.

        Returns
        -------
        Pattern
            Intensity and its standard error, and the cake if one is asked for.

        Raises
        ------
        ShapeError
            If the frame has another shape than the first.
        """
        if frame.shape != self.frame_shape:
            raise ShapeError("frame", expected=self.frame_shape, found=frame.shape)
        counts = blank_invalid(frame)
        result = self._call_pyfai(counts, normalization)
        pixels = np.asarray(result.count, np.float64)
        intensity = _where_reached(result, result.intensity)
        sigma = _where_reached(result, result.sigma) if self.choices.has_errors else None
        if self.choices.azimuth_bins is None:
            return Pattern(intensity, sigma, pixels)
        cake = self._call_pyfai_cake(counts, normalization)
        return Pattern(intensity, sigma, pixels, _where_reached(cake, cake.intensity))

    def _call_pyfai(self, counts: NDArray[np.float32], normalization: float) -> Any:
        # The first call also builds pyFAI's sparse matrix, which all frames share.
        choices, settings = self.choices, self._settings(normalization)
        if choices.clip is None:
            return self.integrator.integrate1d(counts, choices.bins, **settings)
        return self.integrator.sigma_clip(counts, choices.bins, thres=choices.clip, **settings)

    def _call_pyfai_cake(self, counts: NDArray[np.float32], normalization: float) -> Any:
        settings = self._settings(normalization) | {"error_model": None}
        return self.integrator.integrate2d(
            counts, self.choices.bins, self.choices.azimuth_bins, **settings
        )

    def _settings(self, normalization: float) -> dict[str, Any]:
        choices = self.choices
        # Clipping needs a spread to judge by, also where nobody asks for errors.
        without = None if choices.clip is None else "poisson"
        return {
            "unit": choices.unit,
            "radial_range": choices.radial_range,
            "azimuth_range": choices.azimuth_range,
            "mask": self.mask,
            "polarization_factor": choices.polarization,
            "correctSolidAngle": choices.solid_angle,
            "error_model": choices.error_model if choices.has_errors else without,
            "method": (choices.split, "csr", "cython"),
            "normalization_factor": normalization,
            "dark": self.corrections.dark,
            "flat": self.corrections.flat,
        }


def _where_reached(result: Any, values: Any) -> NDArray[np.float64]:
    return np.where(np.asarray(result.count) > 0, values, np.nan)


def join_masks(
    integrator: "AzimuthalIntegrator", *masks: NDArray[np.bool_] | None
) -> NDArray[np.int8] | None:
    """
    Join the pixels that the detector lacks and those to be left out for other reasons.

    Parameters
    ----------
    integrator : AzimuthalIntegrator
        Its detector knows its gaps.
    *masks : ndarray of bool of shape (slow, fast) or None
        True where a pixel is to be ignored.

    Returns
    -------
    ndarray of int8 of shape (slow, fast) or None
        1 where a pixel is ignored; None if none is.
    """
    own = integrator.detector.mask
    parts = [np.asarray(part) != 0 for part in (own, *masks) if part is not None]
    if not parts:
        return None
    joined: NDArray[np.int8] = np.logical_or.reduce(parts).astype(np.int8)
    return joined


def find_better_orientation(
    frame: Frame,
    poni: Poni,
    orientation: int,
    mask: NDArray[np.bool_] | None = None,
) -> int | None:
    """
    Find an orientation in which rings come out sharper than in the declared one.

    A wrong flip smears rings: pixels of one bin differ more, bins differ less. Of the
    variance of all pixels, the part between bins is compared, each bin weighing as much
    as it has pixels.

    Parameters
    ----------
    frame : ndarray of shape (slow, fast)
        A typical frame, in photons.
    poni : Poni
        Geometry.
    orientation : int
        The declared one, 1 to 4.
    mask : ndarray of bool of shape (slow, fast), optional
        True where a pixel is to be ignored.

    Returns
    -------
    int or None
        The orientation with the largest variance between bins, if it has over 3 % more
        than the declared one.
    """
    counts = blank_invalid(frame).astype(np.float64)
    variances = {}
    for candidate in (1, 2, 3, 4):
        integrator = build_integrator(poni, frame.shape, candidate)
        ignored = join_masks(integrator, mask)
        is_count = np.isfinite(counts) if ignored is None else np.isfinite(counts) & (ignored == 0)
        angles = integrator.center_array(frame.shape, unit="2th_rad")
        variances[candidate] = _variance_between_rings(counts[is_count], angles[is_count], frame)
    best = max(variances, key=lambda candidate: variances[candidate])
    gain = variances[best] - variances[orientation]
    return best if gain > MIN_ORIENTATION_GAIN * variances[orientation] else None


def _variance_between_rings(
    counts: NDArray[np.float64], angles: NDArray[np.float64], frame: Frame
) -> float:
    """Return the variance of the mean counts of rings two pixels wide, each pixel counting."""
    if len(counts) == 0:
        return 0.0
    rings = max(10, max(frame.shape) // 2)
    span = (angles - angles.min()) / max(float(np.ptp(angles)), np.finfo(float).tiny)
    ring = np.minimum((span * rings).astype(np.int64), rings - 1)
    pixels = np.bincount(ring, minlength=rings)
    total = np.bincount(ring, counts, minlength=rings)
    level = np.divide(total, pixels, out=np.zeros(rings), where=pixels > 0)
    return float(np.average((level - counts.mean()) ** 2, weights=pixels))
