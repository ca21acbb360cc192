"""The matrix of a geometry: pyFAI's, cut into tiles, and kept for whoever comes next."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processing.science.diffraction import matrix as module
from processing.science.diffraction.integrator import FrameIntegrator, Reduction
from processing.science.diffraction.matrix import MAX_BINS, TiledMatrix, find_matrix
from processing.science.diffraction.poni import read_poni
from processing.science.kernels.fused import TILE
from tests.makers.layouts import PONI, SIDES, static_mask, write_geometry

SHAPE = (SIDES[0] * 5, SIDES[1])  # more than two tiles
BINS = 60


def an_integrator(
    folder: Path, *, poni: str = PONI, mask: Any = None, orientation: int = 3, **choices: Any
) -> FrameIntegrator:
    path = write_geometry(folder)
    path.write_text(poni.replace(str(list(SIDES)), str(list(SHAPE))))
    settings = {"bins": BINS, "splitting": "bbox", **choices}
    return FrameIntegrator(
        read_poni(path),
        Reduction(**settings),
        frame_shape=SHAPE,
        orientation=orientation,
        mask=mask,
    )


def a_mask(first: int = 0) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[first : first + SIDES[0]] = static_mask() != 0
    return mask


def to_dense(tiled: TiledMatrix) -> np.ndarray:
    """Write the matrix out, element by element."""
    dense = np.zeros((BINS, SHAPE[0] * SHAPE[1]))
    for tile in range(len(tiled.limits) - 1):
        for row in range(tiled.limits[tile], tiled.limits[tile + 1]):
            for k in range(tiled.starts[row], tiled.starts[row + 1]):
                dense[tiled.bins[row], tile * TILE + tiled.places[k]] += tiled.weights[k]
    return dense


def is_same(one: TiledMatrix, other: TiledMatrix) -> bool:
    return all(
        np.array_equal(part, vars(other)[name]) and part.dtype == vars(other)[name].dtype
        for name, part in vars(one).items()
    )


def kept_in(cache: Path) -> set[str]:
    return {path.name for path in (cache / "matrices").iterdir()}


@pytest.mark.parametrize("splitting", ["no", "bbox", "full"])
def test_the_tiles_hold_what_the_matrix_of_pyfai_holds(tmp_path: Path, splitting: str) -> None:
    integrator = an_integrator(tmp_path, mask=a_mask(), splitting=splitting)
    weights, pixels, starts, normalisation = integrator.sparse_matrix()
    expected = np.zeros((BINS, SHAPE[0] * SHAPE[1]))
    np.add.at(expected, (np.repeat(np.arange(BINS), np.diff(starts)), pixels), weights)

    tiled = find_matrix(integrator)

    assert tiled is not None
    assert len(tiled.limits) - 1 == -(-SHAPE[0] * SHAPE[1] // TILE)
    np.testing.assert_array_equal(to_dense(tiled), expected)
    np.testing.assert_array_equal(tiled.squares, tiled.weights * tiled.weights)
    np.testing.assert_array_equal(tiled.normalisation, normalisation)
    ignored = np.unpackbits(tiled.ignored, bitorder="little").astype(bool)[: expected.shape[1]]
    np.testing.assert_array_equal(ignored, ~expected.any(axis=0))
    assert ignored[a_mask().ravel()].all()


def test_too_many_bins_have_no_matrix(tmp_path: Path) -> None:
    assert find_matrix(an_integrator(tmp_path, bins=MAX_BINS + 1)) is None


def test_a_kept_matrix_is_the_one_that_was_made(tmp_path: Path) -> None:
    made = find_matrix(an_integrator(tmp_path, mask=a_mask()), tmp_path)
    names = kept_in(tmp_path)
    again = find_matrix(an_integrator(tmp_path, mask=a_mask()), tmp_path)
    assert made is not None
    assert again is not None
    assert is_same(made, again)
    assert kept_in(tmp_path) == names
    assert len(names) == 1


OTHERS: dict[str, dict[str, Any]] = {
    "a mask": {"mask": a_mask()},
    "another distance": {"poni": PONI.replace("Distance: 0.06", "Distance: 0.07")},
    "another wavelength": {"poni": PONI.replace("1e-10", "1.1e-10")},
    "another orientation": {"orientation": 1},
    "more bins": {"bins": BINS + 1},
    "another unit": {"unit": "2th_deg"},
    "a range": {"radial_range": (5.0, 20.0)},
    "another splitting": {"splitting": "no"},
    "another polarisation": {"polarization": 0.5},
    "no solid angle": {"solid_angle": False},
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_decides_about_the_matrix_is_in_its_name(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    cache = tmp_path / "cache"
    one = find_matrix(an_integrator(tmp_path), cache)
    other = find_matrix(an_integrator(tmp_path, **changed), cache)
    plain = find_matrix(an_integrator(tmp_path, **changed))
    assert one is not None
    assert other is not None
    assert plain is not None
    assert is_same(other, plain)
    assert not is_same(one, other)
    assert len(kept_in(cache)) == 2


def test_masks_of_as_many_pixels_are_told_apart(tmp_path: Path) -> None:
    for first in (0, 60):
        find_matrix(an_integrator(tmp_path, mask=a_mask(first)), tmp_path)
    assert len(kept_in(tmp_path)) == 2


def test_another_release_of_pyfai_makes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_matrix(an_integrator(tmp_path), tmp_path)
    monkeypatch.setattr(module, "version", lambda name: f"another {name}")
    find_matrix(an_integrator(tmp_path), tmp_path)
    assert len(kept_in(tmp_path)) == 2


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def flip(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[-1] ^= 0x80
    file.write_bytes(body)


def spoil_the_header(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"{'descr'", b"{{{'desc", 1))


def exchange(file: Path) -> None:
    np.save(file, np.full(10, 60_000, np.uint16))  # beyond any tile


SPOILT = [
    (part, spoil)
    for part in ("places.npy", "limits.npy", "normalisation.npy", "crc32")
    for spoil in (cut, empty, flip, Path.unlink)
]


@pytest.fixture(scope="module")
def integrator(tmp_path_factory: pytest.TempPathFactory) -> FrameIntegrator:
    return an_integrator(tmp_path_factory.mktemp("geometry"))


@pytest.mark.parametrize(
    ("part", "spoil"),
    [*SPOILT, ("places.npy", spoil_the_header), ("places.npy", exchange)],
)
def test_a_spoilt_matrix_is_made_again(
    integrator: FrameIntegrator, tmp_path: Path, part: str, spoil: Callable[[Path], None]
) -> None:
    made = find_matrix(integrator, tmp_path)
    (name,) = kept_in(tmp_path)
    file = tmp_path / "matrices" / name / part
    whole = file.read_bytes()
    spoil(file)

    again = find_matrix(integrator, tmp_path)

    assert made is not None
    assert again is not None
    assert is_same(made, again)
    assert file.read_bytes() == whole
    assert kept_in(tmp_path) == {name}


def test_a_cache_that_cannot_be_written_is_no_cache(
    integrator: FrameIntegrator, tmp_path: Path
) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    assert find_matrix(integrator, nowhere) is not None


def test_the_oldest_are_forgotten(integrator: FrameIntegrator, tmp_path: Path) -> None:
    home = tmp_path / "matrices"
    for age in range(40):
        (home / f"old-{age}").mkdir(parents=True)
        (home / f"old-{age}" / "places.npy").write_bytes(b"")
        os.utime(home / f"old-{age}", (age, age))
    (home / "part-of-one-that-was-killed" / "whole").mkdir(parents=True)
    os.utime(home / "part-of-one-that-was-killed", (1, 1))
    find_matrix(integrator, tmp_path)
    old = {f"old-{age}" for age in range(17, 40)}
    assert {name for name in kept_in(tmp_path) if name.startswith(("old", "part"))} == old
    assert len(kept_in(tmp_path)) == 24


def test_processes_that_make_the_same_at_once_keep_one(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; "
        "from tests.science.test_tiled_matrix import an_integrator, find_matrix; "
        "folder = Path(sys.argv[1]); (folder / sys.argv[2]).mkdir(); "
        "integrator = an_integrator(folder / sys.argv[2]); integrator.sparse_matrix(); "
        "print(flush=True); input(); print(find_matrix(integrator, folder).weights.sum())"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # it is ready
    answers = [child.communicate("\n", timeout=60)[0] for child in children]
    expected = find_matrix(an_integrator(tmp_path))
    assert expected is not None
    assert answers == [f"{expected.weights.sum()}\n"] * 2
    assert len(kept_in(tmp_path)) == 1
