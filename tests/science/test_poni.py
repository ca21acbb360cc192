from pathlib import Path

import pytest

from processing.science.diffraction.poni import build_integrator, detector_shape, read_poni
from processing.science.errors import GeometryError, PoniPathError, ShapeError

PLACE = "Distance: 0.1\nPoni1: 0.02\nPoni2: 0.03\nRot1: 0\nRot2: 0\nRot3: 0\nWavelength: 1e-10\n"


def a_poni(folder: Path, head: str, place: str = PLACE) -> Path:
    path = folder / "a.poni"
    path.write_text(head + place)
    return path


@pytest.mark.parametrize(
    ("head", "orientation"),
    [
        ("Detector: Pilatus100k\n", None),
        ("PixelSize1: 0.000172\nPixelSize2: 0.000172\nDetector: Pilatus100k\n", None),
        ("poni_version: 2\nDetector: Pilatus100k\nDetector_config: {}\n", None),
        ('poni_version: 2.1\nDetector: Pilatus100k\nDetector_config: {"orientation": 2}\n', 2),
        ('poni_version: 3\nDetector: Pilatus 100k\nDetector_config: {"orientation": 1}\n', 1),
    ],
)
def test_every_version_of_poni_gives_the_same_geometry(
    tmp_path: Path, head: str, orientation: int | None
) -> None:
    poni = read_poni(a_poni(tmp_path, head))

    integrator = build_integrator(poni, (195, 487), poni.orientation or 3)

    assert poni.orientation == orientation
    assert (integrator.dist, integrator.poni1, integrator.poni2) == (0.1, 0.02, 0.03)
    assert integrator.detector.pixel1 == pytest.approx(172e-6)  # Dectris' Pilatus
    assert poni.wavelength_m == 1e-10


def test_the_last_calibration_in_a_file_counts(tmp_path: Path) -> None:
    poni = read_poni(a_poni(tmp_path, "Detector: Pilatus100k\n", PLACE + "Distance: 0.2\n"))

    assert poni.config["distance"] == 0.2


def test_a_detector_without_size_takes_that_of_the_frames(tmp_path: Path) -> None:
    poni = read_poni(a_poni(tmp_path, "PixelSize1: 1e-4\nPixelSize2: 1e-4\n"))

    assert detector_shape(poni) is None
    assert build_integrator(poni, (30, 40), 3).detector.shape == (30, 40)


def test_frames_of_another_detector_are_refused_with_a_hint(tmp_path: Path) -> None:
    poni = read_poni(a_poni(tmp_path, "Detector: Pilatus100k\n"))

    with pytest.raises(ShapeError, match=r"487 x 195, expected 195 x 487\. Is it transposed"):
        build_integrator(poni, (487, 195), 3)


@pytest.mark.parametrize(
    "head",
    [
        "Detector: {folder}/detector.h5\n",
        "Detector: detector.h5\n",
        "Detector: NexusDetector\n",
        'poni_version: 2\nDetector: NexusDetector\nDetector_config: {"filename": "d.h5"}\n',
        'poni_version: 2\nDetector: Pilatus\nDetector_config: {"x_offset_file": "a.npy"}\n',
        'poni_version: 2\nDetector: Detector\nDetector_config: {"pixel1": "../../a.h5"}\n',
        "Detector: Pilatus100k\nSplineFile: frelon.spline\n",
    ],
)
def test_a_file_named_in_a_poni_is_never_read(tmp_path: Path, head: str) -> None:
    (tmp_path / "detector.h5").write_bytes(b"another user's file")
    path = a_poni(tmp_path, head.replace("{folder}", str(tmp_path)))

    with pytest.raises(PoniPathError) as refusal:
        read_poni(path)

    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(
    ("head", "place", "what"),
    [
        ("", "hello\n", "no Distance"),
        ("", PLACE.replace("Distance: 0.1", "Distance: far"), "distance is 'far'"),
        ("", PLACE.replace("Distance: 0.1", "Distance: nan"), "distance is 'nan'"),
        ("", PLACE.replace("Wavelength: 1e-10", "Wavelength: -1"), "wavelength"),
        ("Detector_config: {oops\n", PLACE, "not JSON"),
        ("Detector_config: [1]\n", PLACE, "no JSON object"),
        ('Detector_config: {"orientation": 7}\n', PLACE, "orientation is 7"),
        ("", PLACE + "#" * 2**20, "larger than 1 MiB"),
    ],
)
def test_a_broken_poni_is_refused_with_its_fault(
    tmp_path: Path, head: str, place: str, what: str
) -> None:
    with pytest.raises(GeometryError, match=what):
        read_poni(a_poni(tmp_path, head, place))


def test_a_detector_without_pixel_size_is_refused(tmp_path: Path) -> None:
    poni = read_poni(a_poni(tmp_path, "Detector: Detector\n"))

    with pytest.raises(GeometryError, match="no pixel size"):
        build_integrator(poni, (30, 40), 3)


def test_a_poni_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.poni"
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff\xfe")

    with pytest.raises(GeometryError, match="not text"):
        read_poni(path)
