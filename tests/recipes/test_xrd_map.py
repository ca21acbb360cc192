"""The diffraction map on made scans, and on one real frame of silver behenate."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest
from PIL import Image

from demo.makers.xrd import Geometry, Scan, Truth, write_image_series, write_poni, write_xrd_scan
from processing.checking import check_recipe
from processing.recipes.base import Input, RecipeError, Workspace, working_in
from processing.recipes.xrd_map import estimate, xrd_map
from processing.recipes.xrd_map_example import write_example
from processing.ticket import Progress

SMALL = Geometry(detector="Pilatus100k")
REAL = Path(__file__).parents[3] / "shared" / "data" / "nexus" / "AgBehenate_228.hdf5"
KEY_DOCUMENT = '{"recipe":["xrd-map","1.0"],"v":1}'


def a_scan(**options: Any) -> Scan:
    return Scan(**{"shape": (4, 5), "geometry": SMALL, "compression": "none", **options})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A scan of 4 by 5 positions with rings of 200 photons per pixel on average."""
    return write_xrd_scan(tmp_path_factory.mktemp("scan"), a_scan(mean_counts=200.0))


@pytest.fixture
def poni(tmp_path: Path) -> Path:
    return write_poni(tmp_path / "a.poni", SMALL)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "outputs"
    folder.mkdir()
    work = Workspace(
        folder,
        recipe="xrd-map",
        version="1.0.0",
        run_key="5" * 64,
        key_document=KEY_DOCUMENT,
    )
    with working_in(work):
        yield work


def run(scan: Any, poni: Path, **parameters: Any) -> dict[str, np.ndarray]:
    """Run the recipe and read back what it wrote."""
    with h5py.File(xrd_map(scan, poni, **{"bins": 300, **parameters})) as file:
        found: dict[str, np.ndarray] = {
            name: file["entry/map"][name][()] for name in file["entry/map"]
        }
    return found


def refusal_of(scan: Any, poni: Path, **parameters: Any) -> RecipeError:
    with pytest.raises(RecipeError) as refusal:
        xrd_map(scan, poni, **{"bins": 300, **parameters})
    return refusal.value


def ring_map(found: dict[str, np.ndarray], q: float, half_width: float = 0.5) -> np.ndarray:
    """Sum a ring above a straight line between its two feet, as the map viewer does."""
    low, high = np.searchsorted(found["q"], [q - half_width, q + half_width])
    total = found["cumulative"]
    left = (total[low] - total[low - 5]) / 5
    right = (total[high + 5] - total[high]) / 5
    return total[high] - total[low] - (high - low) * (left + right) / 2


def test_the_map_shows_the_painting(made: Truth, poni: Path, work: Workspace) -> None:
    found = run(made.files[0], poni, monitor="monitor")

    # Cr2O3 (104): d = 0.2665 nm; no ring of lead white within 0.5 / nm.
    painted = ring_map(found, 2 * math.pi / 0.2665)
    r = np.corrcoef(painted.ravel(), made.fraction.ravel())[0, 1]
    assert r > 0.999


def test_every_frame_equals_what_pyfai_makes_of_it(
    made: Truth, poni: Path, work: Workspace
) -> None:
    found = run(made.files[0], poni)

    integrator = SMALL.integrator()
    with h5py.File(made.files[0]) as file:
        frames = file["1.1/measurement/pilatus"][()]
    for number, frame in enumerate(frames):
        expected = integrator.integrate1d(
            np.where(frame < 0, np.nan, frame),
            300,
            unit="q_nm^-1",
            polarization_factor=0.95,
            error_model="poisson",
            method=("full", "csr", "cython"),
        )
        cell = divmod(number, 5)
        reached = expected.count > 0
        np.testing.assert_allclose(
            found["intensity"][cell][reached], expected.intensity[reached], rtol=1e-5
        )
        np.testing.assert_allclose(
            found["errors"][cell][reached], expected.sigma[reached], rtol=1e-5
        )
        assert np.isnan(found["intensity"][cell][~reached]).all()


def test_the_file_is_laid_out_as_the_viewer_reads_it(
    made: Truth, poni: Path, work: Workspace
) -> None:
    with h5py.File(xrd_map(made.files[0], poni, bins=300, monitor="monitor")) as file:
        shown = file[f"{file.attrs['default']}/{file['entry'].attrs['default']}"]
        assert shown.name == "/entry/map"
        assert shown.attrs["signal"] == "intensity"
        assert list(shown.attrs["axes"]) == ["y", "x", "q"]
        assert shown["intensity"].shape == (4, 5, 300)
        assert shown["intensity"].chunks == (1, 5, 300)
        assert shown["cumulative"].chunks == (1, 4, 5)
        assert shown["intensity"].dtype == shown["errors"].dtype == np.float32
        assert shown["intensity_errors"] == shown["errors"]
        assert [shown[axis].attrs["units"] for axis in "yxq"] == ["mm", "mm", "1/nm"]
        np.testing.assert_allclose(shown["x"], np.arange(5) * 0.05, atol=1e-12)
        np.testing.assert_allclose(shown["y"], np.arange(4) * 0.05, atol=1e-12)
        assert shown["valid"][()].all()
        assert shown["i0"].attrs["long_name"] == "monitor"
        assert shown["i0"].attrs["units"] == "counts"
        pattern = file["entry/pattern"]
        np.testing.assert_allclose(pattern["q"], shown["q"])
        np.testing.assert_allclose(
            pattern["sum"], shown["intensity"][()].sum(axis=(0, 1)), rtol=1e-5
        )
        np.testing.assert_allclose(
            pattern["maximum"], shown["intensity"][()].max(axis=(0, 1)), rtol=1e-5
        )
        errors = np.sqrt((shown["errors"][()] ** 2).sum(axis=(0, 1)))
        np.testing.assert_allclose(pattern["sum_errors"], errors, rtol=1e-5)


def test_running_sums_give_the_map_of_any_range(made: Truth, poni: Path, work: Workspace) -> None:
    found = run(made.files[0], poni)

    sums = np.nan_to_num(found["intensity"].astype(np.float64)).cumsum(axis=2)
    assert not found["cumulative"][0].any()
    np.testing.assert_allclose(found["cumulative"][1:], np.moveaxis(sums, 2, 0), rtol=1e-6)


def test_the_file_says_how_it_was_made(made: Truth, poni: Path, work: Workspace) -> None:
    scan = Input(made.files, "a" * 64)
    result = xrd_map(scan, Input([poni], "b" * 64), bins=300, radial_range=(5.0, 40.0))

    with h5py.File(result) as file:
        process = file["entry/process"]
        assert process.attrs["NX_class"] == "NXprocess"
        assert process["program"].asstr()[()] == "xrd-map"
        assert process["date"].asstr()[()] == work.date
        assert process["identifier_run_key"].asstr()[()] == "5" * 64
        assert process["identifier_input_scan"].asstr()[()] == "a" * 64
        assert process["identifier_input_geometry"].asstr()[()] == "b" * 64
        assert "identifier_input_mask" not in process
        assert process["key_document/data"].asstr()[()] == KEY_DOCUMENT
        assert process["geometry/data"].asstr()[()] == poni.read_text()
        parameters = process["parameters"]
        assert set(parameters) == set(xrd_map.manifest.parameters["properties"])
        assert parameters["bins"][()] == 300
        assert list(parameters["radial_range"]) == [5.0, 40.0]
        assert parameters["radial_range"].attrs["units"] == "1/nm"
        configuration = json.loads(process["configuration/data"].asstr()[()])
        assert configuration["shape"] == [4, 5]
        assert configuration["orientation"] == 3


def test_twice_the_same_gives_the_same_bytes(
    made: Truth, poni: Path, work: Workspace, tmp_path: Path
) -> None:
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        again = Workspace(tmp_path / name, run_key=work.run_key)
        with working_in(again):
            result = xrd_map(made.files[0], poni, bins=300)
        written.append((result.read_bytes(), (tmp_path / name / "preview.png").read_bytes()))

    assert written[0] == written[1]


def test_headline_numbers_and_progress_reach_the_reader(
    made: Truth, poni: Path, work: Workspace
) -> None:
    events: list[Any] = []
    work.emit = events.append
    run(made.files[0], poni)

    numbers = {quantity.name: (quantity.value, quantity.unit) for quantity in work.quantities}
    assert numbers["frames"] == (20, None)
    assert numbers["valid_fraction"] == (1.0, None)
    assert numbers["q_min"][1] == numbers["strongest_reflection_q"][1] == "1/nm"
    assert work.warnings == []
    progress = [(e.done, e.total) for e in events if isinstance(e, Progress)]
    assert (20, 20) in progress
    assert progress[-1] == (300, 300)


def test_the_preview_is_small_and_upright(made: Truth, poni: Path, work: Workspace) -> None:
    xrd_map(made.files[0], poni, bins=300)

    with Image.open(work.folder / "preview.png") as picture:
        assert picture.size == (640, 512)  # 5 by 4 squares
    assert work.declared == ["map.nxs", "preview.png"]


@pytest.mark.parametrize("compression", ["bitshuffle", "gzip"])
def test_compressed_scans_give_the_same_map(
    poni: Path, work: Workspace, tmp_path: Path, compression: str
) -> None:
    maps = []
    for kind in ("none", compression):
        folder = tmp_path / kind
        folder.mkdir()
        truth = write_xrd_scan(folder, a_scan(shape=(2, 2), compression=kind))
        maps.append(run(truth.files[0], poni)["intensity"])

    np.testing.assert_array_equal(maps[0], maps[1])


def test_a_snake_scan_equals_a_raster_scan(poni: Path, work: Workspace, tmp_path: Path) -> None:
    """Frames of one cell differ in their noise only, which 1 % of 200 photons covers."""
    straight = run(
        write_xrd_scan(tmp_path, a_scan(mean_counts=200.0, beam_decay=0.0), name="a.h5").files[0],
        poni,
    )
    snake_scan = write_xrd_scan(
        tmp_path, a_scan(mean_counts=200.0, beam_decay=0.0, zigzag=True), name="b.h5"
    )
    snake = run(snake_scan.files[0], poni, zigzag=True)

    ring = 2 * math.pi / 0.2665
    np.testing.assert_allclose(ring_map(snake, ring), ring_map(straight, ring), atol=30)
    np.testing.assert_allclose(snake["x"], straight["x"], atol=1e-12)
    assert work.warnings == []


def test_an_undeclared_snake_is_noticed(poni: Path, work: Workspace, tmp_path: Path) -> None:
    truth = write_xrd_scan(tmp_path, a_scan(zigzag=True))

    run(truth.files[0], poni)

    assert any("sampx runs back and forth" in warning for warning in work.warnings)


def test_a_scan_that_stopped_is_padded(poni: Path, work: Workspace, tmp_path: Path) -> None:
    truth = write_xrd_scan(tmp_path, a_scan(n_frames=13))

    found = run(truth.files[0], poni)

    assert found["valid"].tolist() == [[1] * 5, [1] * 5, [1, 1, 1, 0, 0], [0] * 5]
    assert np.isnan(found["intensity"][3]).all()
    assert np.isnan(found["cumulative"][:, 3]).all()
    np.testing.assert_allclose(found["y"], [0, 0.05, 0.1, 0.15], atol=1e-12)
    assert "stopped early: 13 frames for 20 positions" in work.warnings[0]


def test_more_frames_than_positions_are_refused(made: Truth, poni: Path, work: Workspace) -> None:
    refusal = refusal_of(made.files[0], poni, shape=(3, 5))

    assert refusal.code == "xrd-too-many-frames"
    assert "4 x 5" in refusal.message
    assert not (work.folder / "map.nxs").exists()


@pytest.mark.parametrize("suffix", ["edf", "tif"])
def test_images_are_taken_in_natural_order(
    poni: Path, work: Workspace, tmp_path: Path, suffix: Any
) -> None:
    scan = a_scan(shape=(2, 6))
    series = write_image_series(tmp_path, scan, suffix=suffix)
    in_one_file = write_xrd_scan(tmp_path, scan)

    # A directory lists fragment_10 before fragment_2.
    found = run(sorted(series.files), poni, shape=(2, 6))

    np.testing.assert_allclose(
        found["intensity"], run(in_one_file.files[0], poni)["intensity"], rtol=1e-6
    )


def test_a_series_without_a_shape_is_refused_with_suggestions(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    series = write_image_series(tmp_path, a_scan(shape=(2, 3)))

    refusal = refusal_of(series.files, poni)

    assert refusal.code == "xrd-no-shape"
    assert "2 x 3" in refusal.message


def test_the_monitor_takes_the_decay_of_the_beam_out(
    made: Truth, poni: Path, work: Workspace, tmp_path: Path
) -> None:
    series = write_image_series(tmp_path, a_scan(shape=(1, 4), beam_decay=0.5, mean_counts=200.0))
    plain = run(series.files, poni, shape=(1, 4))["intensity"].sum(axis=2)[0]
    found = run(series.files, poni, shape=(1, 4), monitor="monitor")

    assert plain[3] / plain[0] == pytest.approx(0.5, abs=0.05)
    level = found["intensity"].sum(axis=2)[0]
    assert level[3] / level[0] == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(found["i0"], [[100_000, 83_333, 66_667, 50_000]])


def test_frames_without_beam_are_left_empty(poni: Path, work: Workspace, tmp_path: Path) -> None:
    truth = write_xrd_scan(tmp_path, a_scan(shape=(2, 3)))
    with h5py.File(truth.files[0], "r+") as file:
        file["entry/monitor/data"][1] = 0
        file["entry/instrument/pilatus/data"][4] = 0

    found = run(truth.files[0], poni, monitor="/entry/monitor/data")

    assert found["valid"].tolist() == [[1, 0, 1], [1, 0, 1]]
    assert any("monitor" in warning and "1 of 6" in warning for warning in work.warnings)
    assert any("2 of 6 frames" in warning for warning in work.warnings)


def test_an_unknown_monitor_is_refused_with_those_that_exist(
    made: Truth, poni: Path, work: Workspace
) -> None:
    refusal = refusal_of(made.files[0], poni, monitor="i1")

    assert refusal.code == "xrd-no-field"
    assert "/entry/monitor/data" in refusal.message


def test_a_monitor_that_never_counted_is_refused(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    truth = write_xrd_scan(tmp_path, a_scan(shape=(1, 2)))
    with h5py.File(truth.files[0], "r+") as file:
        file["entry/monitor/data"][:] = 0

    assert refusal_of(truth.files[0], poni, monitor="monitor").code == "xrd-monitor"


def test_a_few_damaged_frames_are_left_empty_and_many_refused(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    series = write_image_series(tmp_path, a_scan(shape=(2, 6)))
    with series.files[3].open("r+b") as file:
        file.truncate(2000)

    found = run(series.files, poni, shape=(2, 6))
    assert found["valid"].sum() == 11
    assert any("1 frames cannot be read (3)" in warning for warning in work.warnings)

    for path in series.files[4:6]:
        path.write_bytes(b"")
    assert refusal_of(series.files, poni, shape=(2, 6)).code == "xrd-unreadable"


def test_a_cut_cbf_is_damaged_and_not_read_for_ever(
    poni: Path, work: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "a.cbf"
    fabio.cbfimage.CbfImage(data=np.ones((195, 487), np.int32)).write(str(path))
    path.write_bytes(path.read_bytes()[:400])

    assert refusal_of(path, poni).code == "file-unreadable"


def test_masked_pixels_take_no_part(
    made: Truth, poni: Path, work: Workspace, tmp_path: Path
) -> None:
    mask = np.zeros((195, 487), np.uint8)
    mask[:, 200:] = 1
    path = tmp_path / "mask.edf"
    fabio.edfimage.EdfImage(data=mask).write(str(path))

    with h5py.File(xrd_map(made.files[0], poni, path, bins=300)) as file:
        reached = np.isfinite(file["entry/map/intensity"][0, 0])
        q = file["entry/map/q"][()]

    # Column 200 ends at q = 4 pi / lambda sin(atan(r / L) / 2), r from the beam's corner.
    far = 2 * math.pi / 0.09 * 2 * math.sin(math.atan(0.0445 / 0.12) / 2)
    assert q[reached].max() < far


@pytest.mark.parametrize("given", ["mask", "detector"])
def test_a_shape_that_does_not_fit_is_refused(
    made: Truth, poni: Path, work: Workspace, tmp_path: Path, given: str
) -> None:
    path = tmp_path / "mask.edf"
    fabio.edfimage.EdfImage(data=np.zeros((487, 195), np.uint8)).write(str(path))
    other = write_poni(tmp_path / "b.poni", Geometry(detector="Pilatus300k"))
    arguments = (made.files[0], poni, path) if given == "mask" else (made.files[0], other)

    with pytest.raises(RecipeError) as refusal:
        xrd_map(*arguments, bins=300)

    assert refusal.value.code == "xrd-shape"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (("Wavelength: 9e-11\n", ""), "xrd-no-wavelength"),
        (("Detector: Pilatus100k", "Detector: somewhere/detector.h5"), "xrd-poni-path"),
        (("Distance: 0.12", "Distance: near"), "xrd-poni"),
    ],
)
def test_a_poni_that_cannot_be_used_is_refused(
    made: Truth, poni: Path, work: Workspace, spoil: tuple[str, str], code: str
) -> None:
    text = poni.read_text()
    assert spoil[0] in text
    poni.write_text(text.replace(*spoil))

    assert refusal_of(made.files[0], poni).code == code


def test_an_undeclared_orientation_is_assumed_and_said(
    made: Truth, work: Workspace, tmp_path: Path
) -> None:
    old = write_poni(tmp_path / "old.poni", SMALL, version="1")

    undeclared = run(made.files[0], old)

    assert ["orientation: 3" in warning for warning in work.warnings] == [True]
    declared = run(made.files[0], old, orientation=3)
    assert len(work.warnings) == 1
    np.testing.assert_array_equal(undeclared["intensity"], declared["intensity"])


def test_a_wrong_orientation_is_noticed(made: Truth, poni: Path, work: Workspace) -> None:
    run(made.files[0], poni, orientation=1)

    assert any("sharper with orientation 3 than with 1" in warning for warning in work.warnings)


def test_an_empty_range_is_refused(made: Truth, poni: Path, work: Workspace) -> None:
    assert refusal_of(made.files[0], poni, radial_range=(9.0, 9.0)).code == "xrd-range"


def test_a_cake_too_fine_for_memory_is_refused(made: Truth, poni: Path, work: Workspace) -> None:
    asked = {"bins": 100_000, "azimuth_bins": 3600}
    assert refusal_of(made.files[0], poni, **asked).code == "xrd-cake"


def test_no_errors_are_written_without_an_error_model(
    made: Truth, poni: Path, work: Workspace
) -> None:
    found = run(made.files[0], poni, error_model="none", unit="2th_deg", polarization=None)

    assert "errors" not in found
    assert {q.name: q.unit for q in work.quantities}["two_theta_max"] == "deg"


def test_text_named_h5_is_refused(poni: Path, work: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    path.write_text("this is no HDF5")

    refusal = refusal_of(path, poni)

    assert refusal.code == "file-unreadable"
    assert str(tmp_path) not in refusal.message


@pytest.mark.skipif(
    not REAL.is_file(), reason="the shared real NeXus files are not beside the checkout"
)
def test_rings_of_real_silver_behenate_lie_where_they_should(
    work: Workspace, tmp_path: Path
) -> None:
    """
    One frame of a Pilatus 100K at APS 15ID-D, as areaDetector wrote it.

    Its metadata give 513.8 mm, 0.7336 angstrom and the beam at 14.768 and -0.932 mm,
    with x and y exchanged: the rings are centred on row 86, left of the first column.
    """
    real = Geometry("Pilatus100k", 0.5138, 14.76792e-3, -0.93224e-3, 0.73362836e-10)

    found = run(REAL, write_poni(tmp_path / "real.poni", real), bins=1000)

    assert found["intensity"].shape == (1, 1, 1000)
    pattern = found["intensity"][0, 0]
    for order in range(2, 8):
        expected = order * 1.0763  # 2 pi / 5.838 nm, doi 10.1107/S0021889892010744
        near = np.abs(found["q"] - expected) < 0.3
        assert found["q"][near][np.argmax(pattern[near])] == pytest.approx(expected, rel=0.01)
    assert work.warnings == []
    with Image.open(work.folder / "preview.png") as picture:
        assert picture.size == (640, 320)


def test_the_recipe_holds_on_its_own_example(tmp_path: Path) -> None:
    said: list[str] = []
    assert check_recipe(xrd_map.manifest, tmp_path, said.append), said
    assert said[-1] == "Replay of map.nxs: identical bytes."


def test_the_example_shows_its_ring_where_the_geometry_says(
    tmp_path: Path, work: Workspace
) -> None:
    write_example(tmp_path)
    found = run(tmp_path / "scan.h5", tmp_path / "geometry.poni", bins=100, shape=(2, 3))
    # 40 pixels of 0.2 mm at 0.1 m: 2θ = atan(0.08), q = 4π sin(θ) / 0.1 nm.
    expected = 4 * math.pi * math.sin(math.atan(0.08) / 2) / 0.1
    strongest = found["q"][np.nanargmax(found["intensity"][1, 2])]
    assert strongest == pytest.approx(expected, abs=0.1)


def test_a_larger_scan_costs_more() -> None:
    sizes = [{"scan": [size], "geometry": [500]} for size in (10**8, 10**10)]
    plain = {"bins": 1000, "clip": None, "azimuth_bins": None, "by_pyfai": False}
    (cheap, small), (dear, large) = [estimate(given, plain) for given in sizes]
    assert 0 < cheap < dear
    assert 0 < small < large
    dearer, larger = estimate(sizes[1], plain | {"azimuth_bins": 36})
    assert dearer > dear
    assert larger > 10 * large
