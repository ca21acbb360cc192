"""PONI files: the geometry of an experiment as pyFAI's calibration wrote it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processing.science.errors import GeometryError, PoniPathError, ShapeError

if TYPE_CHECKING:
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

# pyFAI is imported where it is used: that takes a second, and whoever lists recipes for a
# plan imports this module and does not compute.

MAX_BYTES = 2**20
NATIVE_ORIENTATION = 3
"""What pyFAI meant before PONI 2.1 let a file say it: origin at the bottom right."""

REQUIRED = ("distance", "poni1", "poni2")
NUMBERS = (*REQUIRED, "rot1", "rot2", "rot3", "wavelength")


@dataclass(frozen=True)
class Poni:
    """
    A geometry: where the detector stands, and what the radiation is.

    Attributes
    ----------
    text : str
        The file as it was read.
    config : dict
        Its entries, lower case, as pyFAI takes them; lengths in m, angles in rad.
    orientation : int or None
        Corner of the detector where its first pixel lies, as pyFAI numbers them: 1 top
        left, 2 top right, 3 bottom right, 4 bottom left, seen from behind the camera.
        None if the file does not say.
    """

    text: str
    config: dict[str, Any]
    orientation: int | None

    @property
    def wavelength_m(self) -> float | None:
        value = self.config.get("wavelength")
        return None if value is None else float(value)


def read_poni(path: Path) -> Poni:
    """
    Read a PONI file of version 1, 2, 2.1 or 3 without following what it names.

    pyFAI opens any file that stands in place of a detector's name. Such entries are
    refused here, before pyFAI sees them. Of an entry given twice, the last counts.

    Raises
    ------
    GeometryError
        If it is larger than 1 MiB, is no text, lacks an entry or holds a bad number.
    PoniPathError
        If it names a file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise GeometryError(f"{path.name} is larger than 1 MiB. A PONI file has a few lines.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise GeometryError(f"{path.name} is not text. Give the PONI file of pyFAI.") from error
    entries = _entries(text)
    config: dict[str, Any] = entries | {
        name: _number(path.name, name, entries.get(name)) for name in NUMBERS
    }
    for name in REQUIRED:
        if config[name] is None:
            raise GeometryError(
                f"{path.name} has no {name.capitalize()}. Save the geometry with pyFAI-calib2."
            )
    config |= {name: config[name] or 0.0 for name in ("rot1", "rot2", "rot3")}
    detector = _detector_config(path.name, entries)
    if detector is not None:
        config["detector_config"] = detector
    orientation = (detector or {}).get("orientation")
    if orientation not in {None, 1, 2, 3, 4}:
        raise GeometryError(f"{path.name}: orientation is {orientation}, expected 1, 2, 3 or 4.")
    return Poni(text, config, orientation)


def build_integrator(
    poni: Poni, frame_shape: tuple[int, int], orientation: int
) -> "AzimuthalIntegrator":
    """
    Make pyFAI's integrator for frames of one shape and a declared orientation.

    A detector that has no size of its own takes that of the frames.

    Raises
    ------
    GeometryError
        If pyFAI does not know the detector or its configuration.
    ShapeError
        If the frames are not those of the detector.
    """
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator  # noqa: PLC0415 - takes a second

    config = poni.config
    detector = _build_detector(config, frame_shape, orientation)
    if tuple(detector.shape) != tuple(frame_shape):
        raise ShapeError("frame", expected=tuple(detector.shape), found=tuple(frame_shape))
    integrator = AzimuthalIntegrator(
        dist=config["distance"],
        poni1=config["poni1"],
        poni2=config["poni2"],
        rot1=config["rot1"],
        rot2=config["rot2"],
        rot3=config["rot3"],
        detector=detector,
        wavelength=config["wavelength"],
    )
    if str(config.get("parallax", "")).lower() == "true":
        integrator.enable_parallax()
    return integrator


def detector_shape(poni: Poni) -> tuple[int, int] | None:
    """
    Return the pixels of the detector, if the geometry says them.

    Returns
    -------
    tuple of int or None
        (slow, fast); None for a detector known by its pixel size only.

    Raises
    ------
    GeometryError
        If pyFAI does not know the detector or its configuration.
    """
    shape = _build_detector(poni.config, None, poni.orientation or NATIVE_ORIENTATION).shape
    return None if shape is None else (int(shape[0]), int(shape[1]))


def _entries(text: str) -> dict[str, str]:
    lines = (line.split(":", 1) for line in text.splitlines() if not line.startswith("#"))
    return {parts[0].strip().lower(): parts[1].strip() for parts in lines if len(parts) == 2}


def _number(file: str, name: str, text: str | None) -> float | None:
    if text is None or text.lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (name in {"distance", "wavelength"} and value <= 0):
        raise GeometryError(f"{file}: {name} is {text[:40]!r}, expected a number in m or rad.")
    return value


def _detector_config(file: str, entries: dict[str, str]) -> dict[str, Any] | None:
    name = entries.get("detector", "Detector")
    if _detector_class(name) is None:
        raise PoniPathError(
            f"{file}: the detector {Path(name).name[:80]!r} is none that pyFAI knows by name. "
            "A file in its place is not read: save the geometry with a named detector, "
            "or with Detector and its pixel sizes."
        )
    if entries.get("splinefile", "none").lower() != "none":
        raise PoniPathError(f"{file}: splinefile names a file, which is not read. Remove it.")
    if "detector_config" not in entries:
        return None
    try:
        config = json.loads(entries["detector_config"])
    except json.JSONDecodeError as error:
        raise GeometryError(f"{file}: Detector_config is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise GeometryError(f"{file}: Detector_config is no JSON object.")
    for key, value in config.items():
        named = "file" in key.lower() and value is not None
        if named or (isinstance(value, str) and ("/" in value or "\\" in value)):
            raise PoniPathError(
                f"{file}: {key} in Detector_config names a file, which is not read. Remove it."
            )
    return config


def _detector_class(name: str) -> Any:
    from pyFAI import detectors  # noqa: PLC0415 - takes a second

    # pyFAI's registry holds classes by lower-case names; files are not among them.
    registry = detectors.Detector.registry
    plain = name.lower()
    return registry.get(plain) or registry.get(plain.replace(" ", "_"))


def _build_detector(
    config: dict[str, Any], frame_shape: tuple[int, int] | None, orientation: int
) -> "Detector":
    name = config.get("detector", "Detector")
    kind = _detector_class(name)
    settings = {key.lower(): value for key, value in config.get("detector_config", {}).items()}
    settings |= {
        f"pixel{axis}": config[f"pixelsize{axis}"] for axis in "12" if f"pixelsize{axis}" in config
    }
    settings["orientation"] = orientation
    if not hasattr(kind, "MAX_SHAPE") and not settings.get("max_shape"):
        settings["max_shape"] = frame_shape
    binning = settings.pop("binning", None)
    try:
        # The class itself is called: pyFAI's factory would look for a file of that name first.
        detector = kind(**{key: value for key, value in settings.items() if value is not None})
        if binning:
            detector.binning = tuple(binning)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise GeometryError(f"pyFAI cannot make the detector {name}: {error}") from error
    if not (detector.pixel1 and detector.pixel2):
        raise GeometryError(f"The detector {name} has no pixel size. Save the geometry again.")
    return detector
