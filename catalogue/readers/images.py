"""Images without a container (TIFF, EDF, CBF), and the PONI files that belong to them."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fabio
import numpy as np
from numpy.typing import NDArray

from catalogue.description import Description, FoundParameter, Progress
from catalogue.hdf5 import refuse_unsafe
from catalogue.hdf5.findings import refused
from catalogue.hdf5.guard import LARGEST_TEXT
from catalogue.hdf5.reading import LARGEST_READ
from catalogue.readers.hashing import hash_files, take_stamps
from catalogue.readers.quantities import photon_pair
from catalogue.readers.thumbnail import draw_image

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".edf", ".cbf"})

_PONI_LINE = re.compile(r"(?m)^\s*(Distance|Wavelength|Detector)\s*:\s*(\S.*?)\s*$")
_CALIBRATED = re.compile(r"^# Calibration done on (.+)$", re.MULTILINE)


def read_image(path: Path, progress: Progress) -> Description:
    """
    Describe a single image.

    Raises
    ------
    RefusedFileError
        If it cannot be decoded.
    """
    return _read(path.parent, [path.name], path.stem, progress)


def read_image_folder(folder: Path, progress: Progress) -> Description:
    """
    Describe the images of a folder as one series, in natural order (1, 2, 10).

    Raises
    ------
    RefusedFileError
        If one is a symbolic link, or the first cannot be decoded.
    """
    names = sorted((it.name for it in folder.iterdir() if is_image(it)), key=_natural)
    others = sum(not is_image(it) for it in folder.iterdir())
    found = _read(folder, names, folder.name, progress)
    if not others:
        return found
    left_out = f"{others} other files or folders were left out; only the images are registered."
    return found.model_copy(update={"warnings": (*found.warnings, left_out)})


def read_poni(path: Path, progress: Progress) -> Description:
    """
    Describe a detector geometry in pyFAI's format.

    Raises
    ------
    RefusedFileError
        If it is larger than 1 MiB or states no distance.
    """
    name = path.name
    refuse_unsafe(path.parent, name)
    stamps = take_stamps({name: path})
    if stamps[name].size > LARGEST_TEXT:
        raise refused("file-too-large", "The file is larger than 1 MiB: no geometry is.", name)
    text = path.read_text(errors="replace")
    stated = dict(_PONI_LINE.findall(text))
    distance, wavelength = (_number(stated.get(key, "")) for key in ("Distance", "Wavelength"))
    if distance is None:
        reason = "The file states no Distance, so it is no PONI file. Save the geometry with pyFAI."
        raise refused("file-unreadable", reason, name)
    parameters = [FoundParameter(name="detector.distance", value=distance, unit="m")]
    calibrated = _calibrated(text)
    warnings = [] if calibrated else [_dated_by_file()]
    if wavelength:
        parameters += photon_pair("photon_wavelength", wavelength, "m")
    else:
        warnings.append("The geometry states no wavelength; momentum transfer needs one.")
    if detector := stated.get("Detector", ""):
        parameters.append(FoundParameter(name="detector.name", value=detector[:100]))
    return Description(
        content="poni",
        root=str(path.parent),
        title=path.stem,
        files=hash_files({name: path}, stamps, progress),
        start_time=calibrated or _modified(path),
        parameters=tuple(parameters),
        warnings=tuple(warnings),
    )


def is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _read(root: Path, names: list[str], title: str, progress: Progress) -> Description:
    for name in names:
        refuse_unsafe(root, name)
    places = {name: root / name for name in names}
    stamps = take_stamps(places)
    middle = names[len(names) // 2]
    frame = _decode(places[middle], middle)
    parameters: list[Any] = [
        FoundParameter(name="frames", value=len(names)),
        FoundParameter(name="frame.rows", value=frame.shape[0], unit="pixel"),
        FoundParameter(name="frame.columns", value=frame.shape[1], unit="pixel"),
    ]
    return Description(
        content="image" if len(names) == 1 else "image-series",
        root=str(root),
        title=title,
        files=hash_files(places, stamps, progress),
        start_time=min(map(_modified, places.values())),
        parameters=tuple(parameters),
        warnings=(_dated_by_file(),),
        thumbnail=draw_image(frame),
    )


def _decode(place: Path, name: str) -> NDArray[np.number]:
    size = place.stat().st_size
    if size == 0:
        raise refused("file-unreadable", "The file is empty (0 bytes). Copy it again.", name)
    if size > LARGEST_READ:
        reason = "The file is larger than 128 MiB: too large for one image."
        raise refused("file-too-large", reason, name)
    try:
        with fabio.open(str(place)) as image:
            values = np.asarray(image.data)
    except Exception as error:  # noqa: BLE001  # fabio's readers raise what their parsers stumble on
        reason = f"The file cannot be decoded as an image ({type(error).__name__}). Copy it again."
        raise refused("file-unreadable", reason, name) from None
    if values.ndim != 2 or not values.size or values.dtype.kind not in "iuf":
        reason = f"The file holds values of shape {values.shape}; an image has rows and columns."
        raise refused("file-unreadable", reason, name)
    return values


def _natural(name: str) -> list[tuple[int, str]]:
    """Order frame_2 before frame_10: the order of the alphabet would mix a map."""
    return [(int(part or 0), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", name)]  # fmt: skip


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _calibrated(text: str) -> datetime | None:
    """
    Read when pyFAI saved the last geometry of a PONI file, taken as UTC.

    pyFAI appends one block per calibration, each headed by C's ctime in local time.
    """
    for stamp in reversed(_CALIBRATED.findall(text)):
        with suppress(ValueError):
            return datetime.strptime(" ".join(stamp.split()), "%a %b %d %H:%M:%S %Y").replace(
                tzinfo=UTC
            )
    return None


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)


def _dated_by_file() -> str:
    return "The files state no time; the date of the files themselves stands for it."
