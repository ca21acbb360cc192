"""Lists in pages: every row once, whatever happens between two pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from rest_framework.test import APIClient

from catalogue.indexing import reindex
from catalogue.models import Dataset
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DATASETS = "/api/v1/datasets/"


def walk(client: APIClient, address: str | None, direction: str = "next") -> list[list[str]]:
    """Return the pids of each page, from an address to the end."""
    pages = []
    while address:
        body = client.get(address).json()
        pages.append([row["pid"] for row in body["results"]])
        address = body[direction]
    return pages


def flat(pages: list[list[str]]) -> list[str]:
    return [pid for page in pages for pid in page]


@pytest.fixture
def awkward(world: World) -> list[Dataset]:
    """Three datasets of one instant, two that nobody dated, two others: the worst order."""
    times = [NOON, NOON, NOON, NOON - timedelta(microseconds=1), NOON + timedelta(days=1)]
    rows = [a_dataset(world, is_open=True, start_time=time) for time in times]
    undated = [a_dataset(world, is_open=True) for _ in range(2)]
    Dataset.objects.filter(pk__in=[row.pk for row in undated]).update(start_time=None)
    reindex([row.pk for row in undated])
    return rows + undated


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8])
def test_every_dataset_comes_once_newest_first_and_undated_ones_last(
    machine_of: MachineOf, awkward: list[Dataset], size: int
) -> None:
    pages = walk(machine_of(None), f"{DATASETS}?page_size={size}")
    assert all(len(page) == size for page in pages[:-1])
    rows = Dataset.objects.in_bulk(flat(pages), field_name="pid")
    assert sorted(flat(pages)) == sorted(str(row.pid) for row in awkward)
    times = [Dataset.objects.get(pid=pid).start_time for pid in flat(pages)]
    assert len(rows) == 7
    assert times[-2:] == [None, None]
    assert all(a >= b for a, b in pairwise(times[:-2]) if a and b)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_way_back_shows_the_same_rows(
    machine_of: MachineOf, awkward: list[Dataset], size: int
) -> None:
    client = machine_of(None)
    there = walk(client, f"{DATASETS}?page_size={size}")
    last = client.get(f"{DATASETS}?page_size={size}").json()
    while last["next"]:
        last = client.get(last["next"]).json()
    back = walk(client, last["previous"], "previous")
    assert flat(back[::-1]) == flat(there[:-1])


def test_a_dataset_that_comes_in_while_paging_moves_nothing(
    machine_of: MachineOf, world: World, awkward: list[Dataset]
) -> None:
    client = machine_of(None)
    first = client.get(f"{DATASETS}?page_size=3").json()
    newest = a_dataset(world, is_open=True, start_time=NOON + timedelta(days=2))
    rest = flat(walk(client, first["next"]))
    seen = [row["pid"] for row in first["results"]] + rest
    assert sorted(seen) == sorted(str(row.pid) for row in awkward)
    assert str(newest.pid) not in seen


def test_a_page_keeps_the_query_it_came_from(machine_of: MachineOf, world: World) -> None:
    for title in ("Azurite", "Azurite", "Ochre"):
        a_dataset(world, is_open=True, title=title)
    pages = walk(machine_of(None), f"{DATASETS}?q=azurite&page_size=1")
    assert [len(page) for page in pages] == [1, 1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("page_size=0", "page_size"),
        ("page_size=501", "page_size"),
        ("page_size=many", "page_size"),
        ("cursor=made-up", "cursor"),
        ("year=recently", "year"),
        ("kind=cooked", "kind"),
        ("instrument=%00", "instrument"),
        ("instrumnet=id13", "instrumnet"),
    ],
)
def test_a_wrong_or_misspelt_parameter_is_named(
    machine_of: MachineOf, query: str, name: str
) -> None:
    response = machine_of(None).get(f"{DATASETS}?{query}")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"].startswith(f"#/{name}")


def test_a_cursor_of_another_list_is_refused(machine_of: MachineOf, awkward: list[Dataset]) -> None:
    client = machine_of(None)
    link = client.get(f"{DATASETS}?page_size=1").json()["next"]
    response = client.get("/api/v1/products/?" + link.partition("?")[2])
    assert response.status_code == 400


@pytest.mark.parametrize("name", ["dana", "ines", None])
def test_the_number_of_queries_does_not_grow_with_the_page(
    machine_of: MachineOf,
    world: World,
    count_queries: Callable[[Callable[[], object]], int],
    name: str | None,
) -> None:
    for number in range(12):
        a_dataset(world, is_open=True, sample=f"sample {number}")
    client = machine_of(name)
    small = count_queries(lambda: client.get(f"{DATASETS}?page_size=1"))
    assert count_queries(lambda: client.get(f"{DATASETS}?page_size=12")) == small <= 11
