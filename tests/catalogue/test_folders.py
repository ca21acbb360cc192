"""The files of a dataset, folder by folder."""

import re
from collections.abc import Callable, Sequence
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalogue.models import DataFile, Dataset
from tests.builders import World, a_dataset

ClientOf = Callable[[str | None], Client]


def with_files(world: World, paths: Sequence[str], size: int = 1000) -> Dataset:
    """A dataset of the files named, each of some bytes; none of them is opened."""
    dataset = a_dataset(world)
    file = dataset.files.get()
    file.delete()
    DataFile.objects.bulk_create(
        (
            DataFile(
                dataset=dataset, position=place, path=path, size=size, sha256=f"{place:064x}",
                media_type="image/tiff", store=file.store, key=f"x/{path}",
            )
            for place, path in enumerate(paths)
        ),
        batch_size=5000,
    )  # fmt: skip
    Dataset.objects.filter(pk=dataset.pk).update(file_count=len(paths), size=size * len(paths))
    return dataset


def section_of(client: Client, dataset: Dataset, query: str = "") -> str:
    """The words of the section of files on the page of a dataset."""
    html = client.get(f"/datasets/{dataset.pid}/{query}").content.decode()
    found = re.search(r'<section id="files".*?</section>', html, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()).replace("\u202f", " ")


def test_folders_stand_first_with_their_count_and_sum(client_of: ClientOf, world: World) -> None:
    paths = ["master.h5", "raw/a/1.tif", "raw/a/2.tif", "raw/b/1.tif", "logs/x.txt"]
    dataset = with_files(world, paths)
    words = section_of(client_of("ines"), dataset)
    assert "5 files, 5.0 kB" in words
    assert words.index("logs / 1.0 kB 1 file") < words.index("raw / 3.0 kB 3 files")
    assert words.index("raw /") < words.index("master.h5")
    assert "1.tif" not in words


def test_a_folder_lists_what_stands_in_it_and_the_way_back(
    client_of: ClientOf, world: World
) -> None:
    dataset = with_files(world, ["raw/a/1.tif", "raw/a/2.tif", "raw/ab/1.tif", "raw/note.txt"])
    client = client_of("ines")
    words = section_of(client, dataset, "?folder=raw")
    assert "All files raw 4 files, 4.0 kB in this folder" in words
    assert "note.txt" in words
    assert "raw/note.txt" not in words, "names are those in the folder"
    inside = section_of(client, dataset, "?folder=raw/a")
    assert "2 files, 2.0 kB in this folder" in inside, "a is not ab"


@pytest.mark.parametrize(
    "query", ["?folder=nowhere", "?folder=%00", "?folder=../..", "?folder=%25", "?files=x"]
)
def test_what_is_no_folder_shows_the_top(client_of: ClientOf, world: World, query: str) -> None:
    dataset = with_files(world, ["raw/1.tif", "top.h5"])
    assert "top.h5" in section_of(client_of("ines"), dataset, query)


def test_signs_that_mean_something_to_sql_are_only_letters(
    client_of: ClientOf, world: World
) -> None:
    dataset = with_files(world, ["100%_raw/1.tif", "100x-raw/2.tif", "a\\b/3.tif", "q'q/4.tif"])
    client = client_of("ines")
    for folder, file in (("100%25_raw", "1.tif"), ("a\\b", "3.tif"), ("q'q", "4.tif")):
        words = section_of(client, dataset, f"?folder={folder}")
        assert "1 file, 1.0 kB in this folder" in words
        assert file in words


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", "f_000", "f_094"),  # after five folders
        ("?files=2", "f_095", "f_194"),
        ("?files=3", "f_195", "f_239"),
        ("?files=99", "f_195", "f_239"),  # past the end: the last page
        ("?files=0", "f_195", "f_239"),
        ("?files=-1", "f_195", "f_239"),
    ],
)
def test_folders_and_files_come_a_hundred_to_a_page(
    client_of: ClientOf, world: World, query: str, first: str, last: str
) -> None:
    paths = [f"d_{number}/x" for number in range(5)] + [f"f_{n:03d}" for n in range(240)]
    words = section_of(client_of("ines"), with_files(world, paths), query)
    found = re.findall(r"f_\d{3}", words)
    assert (found[0], found[-1]) == (first, last)
    assert ("d_0" in words) == (query == "")


def test_every_page_of_many_folders_shows_others(client_of: ClientOf, world: World) -> None:
    dataset = with_files(world, [f"d_{number:03d}/x" for number in range(250)])
    client = client_of("ines")
    seen = [
        name
        for page in (1, 2, 3)
        for name in re.findall(r"d_\d{3}", section_of(client, dataset, f"?files={page}"))
    ]
    assert seen == [f"d_{number:03d}" for number in range(250)]


def test_who_may_not_read_the_files_is_told_no_name(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world, opens_on=date(2100, 1, 1), listed_on=date(2020, 1, 1))
    name = dataset.files.get().path
    for person in (None, "sten"):
        page = client_of(person).get(f"/datasets/{dataset.pid}/").content.decode()
        assert name not in page
        assert dataset.files.get().sha256 not in page
        assert "They open on 1 January 2100" in section_of(client_of(person), dataset)
    assert name in section_of(client_of("ines"), dataset)


def test_ten_thousand_files_cost_as_many_statements_as_ten(
    client_of: ClientOf, world: World
) -> None:
    client = client_of("ines")

    def statements(dataset: Dataset, query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/datasets/{dataset.pid}/{query}")
        return len(captured)

    few = with_files(world, [f"p/{number}.tif" for number in range(10)])
    many = with_files(world, [f"p{n % 7}/{n:05d}.tif" for n in range(10_000)])
    client.get(f"/datasets/{few.pid}/")
    assert statements(many, "") == statements(few, "")
    assert statements(many, "?folder=p1&files=7") == statements(few, "?folder=p")
    words = section_of(client, many, "?folder=p1&files=7")
    assert "10 000 files, 10.0 MB" in words
    assert len(re.findall(r"\d{5}\.tif", words)) == 100
