"""Pictures that are missing are drawn later, of the registered bytes only."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image

from catalogue.ingest import register_path
from catalogue.models import Dataset
from catalogue.places import picture_path
from demo.makers.euxfel import write_euxfel_run
from tests.builders import World
from tests.makers.nexus import write_nexus_scan


def make(**options: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("make_thumbnails", stdout=out, stderr=err, **options)
    return out.getvalue().strip(), err.getvalue().strip()


def a_scan(folder: Path) -> Path:
    return write_nexus_scan(folder / "scan.h5", instrument="id13", proposal="hg-172")


def an_image(folder: Path) -> Path:
    path = folder / "frame.tif"
    Image.fromarray(np.arange(64, dtype="u2").reshape(8, 8)).save(path)
    return path


def a_series(folder: Path) -> Path:
    series = folder / "series"
    series.mkdir()
    for number in (1, 2, 10):
        picture = Image.fromarray(np.full((8, 8), number, "u2"))
        picture.save(series / f"frame_{number}.tif")
    return series


def a_run(folder: Path) -> Path:
    write_euxfel_run(folder)
    return folder / "r0149"


def lose_picture(dataset: Dataset) -> str:
    """As if the store of results had been full when the dataset came in."""
    sha256 = dataset.thumbnail
    picture_path(sha256).unlink()
    dataset.thumbnail = ""
    dataset.save()
    return sha256


@pytest.mark.parametrize("write", [a_scan, an_image, a_series, a_run], ids=lambda it: it.__name__)
def test_every_kind_of_measurement_gets_its_picture_back(
    world: World, write: Callable[[Path], Path]
) -> None:
    path = write(Path(world.raw.root))
    dataset = register_path(path, person=None, instrument="id13", proposal="hg-172").dataset
    lost = lose_picture(dataset)
    assert make() == ("1 made", "")
    dataset.refresh_from_db()
    assert dataset.thumbnail == lost, "the same bytes give the same picture"
    assert picture_path(lost).is_file()
    assert make() == ("No picture is missing.", "")


def test_a_picture_that_is_gone_from_the_store_is_drawn_again(world: World) -> None:
    dataset = register_path(a_scan(Path(world.raw.root)), person=None).dataset
    picture_path(dataset.thumbnail).unlink()
    assert make() == ("1 made", "")
    assert picture_path(dataset.thumbnail).is_file()


def test_no_picture_is_drawn_of_other_bytes(world: World) -> None:
    path = a_scan(Path(world.raw.root))
    dataset = register_path(path, person=None).dataset
    lose_picture(dataset)
    write_nexus_scan(path, instrument="id13", proposal="hg-172", seed=5)
    told, complaint = make()
    assert told == "1 refused"
    assert complaint == f"{dataset.pid}: Its files have changed since it was registered."
    dataset.refresh_from_db()
    assert dataset.thumbnail == ""


def test_large_datasets_are_left_alone(world: World) -> None:
    dataset = register_path(a_scan(Path(world.raw.root)), person=None).dataset
    lose_picture(dataset)
    assert make(largest=1e-9) == ("1 too large", "")


def test_a_geometry_has_nothing_to_see(world: World) -> None:
    path = Path(world.raw.root, "lab6.poni")
    path.write_text("Distance: 0.12\nWavelength: 1e-10\n")
    register_path(path, person=None, instrument="id13", proposal="hg-172")
    assert make() == ("No picture is missing.", "")
