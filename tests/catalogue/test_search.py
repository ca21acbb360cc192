"""Words and facets find what a person may see, and betray nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from catalogue.access import Person
from catalogue.indexing import reindex
from catalogue.models import Dataset, Instrument, Sample
from catalogue.search import Query, count, find, in_order, read_query
from catalogue.words import fold
from tests.builders import World, a_dataset, a_technique

Titles = Callable[..., list[str]]


@pytest.fixture
def titles(world: World) -> Titles:
    """List the titles that a person finds by words and facets."""

    def look(text: str = "", person: Person = world.ines, **chosen: list[str]) -> list[str]:
        found = find(person, Query(text, chosen), 100)
        return [dataset.title for dataset in in_order(person, found)]

    return look


def total(person: Person, text: str = "", **chosen: list[str]) -> int:
    return count(person, Query(text, chosen)).total


def counts(person: Person, text: str = "", **chosen: list[str]) -> dict[str, dict[str, int]]:
    return {
        facet.name: {value.value: value.count for value in facet.values}
        for facet in count(person, Query(text, chosen)).facets
    }


@pytest.mark.parametrize(
    ("written", "asked", "is_found"),
    [
        ("Ceria on a grid", "ceria grid", "yes"),
        ("Ceria on a grid", "GRID ceria", "yes"),
        ("Ceria on a grid", "ceria oxide", "no"),
        ("Ceria on a grid", "cer", "yes"),  # the last word may be unfinished
        ("Ceria on a grid", "cer grid", "no"),  # another may not
        ("Ceria on a grid", "eria", "no"),
        ("Émail bleu de Sèvres", "email sevres", "yes"),
        ("Email bleu", "émail", "yes"),
        ("Größe in Ångström", "grosse angstrom", "no"),  # ß is no accent
        ("Größe in Ångström", "größe angstrom", "yes"),
        ("panosc-file1.hdf", "file1", "yes"),
        ("panosc-file1.hdf", "panosc-file1.hdf", "yes"),
        ("panosc_file1.hdf", "file1", "yes"),
        ("scan/2026/a+b", "a b", "yes"),
        ("Fe2O3 (hematite)", "hematite)", "yes"),
        ("12.7 keV", "12.7", "yes"),
        ("it's", "it's", "yes"),
        ("the and of", "of the", "yes"),  # no stop words: a title may consist of them
        ("сканирование", "скан", "yes"),
    ],
)
def test_words_find_a_title(
    world: World, titles: Titles, written: str, asked: str, is_found: str
) -> None:
    a_dataset(world, title=written)
    assert titles(asked) == ([written] if is_found == "yes" else [])


@pytest.mark.parametrize(
    "asked",
    ["lazurite", "powder diffraction", "hg-172", "pigments", "micro-xrd", "operator anna", "nexus",
     "fragment anna lazurite"],
)  # fmt: skip
def test_words_find_all_that_is_known_of_a_dataset(
    world: World, titles: Titles, asked: str
) -> None:
    a_dataset(
        world,
        sample="Lazurite",
        technique=a_technique().pid,
        parameters={"operator": ("Anna", "")},
    )
    assert len(titles(asked)) == 1


def test_files_are_found_by_their_names(world: World, titles: Titles) -> None:
    dataset = a_dataset(world)
    assert titles(dataset.files.get().path) == [dataset.title]


def test_the_best_comes_first_and_then_the_newest(world: World, titles: Titles) -> None:
    a_dataset(world, title="Old", start_time=datetime(2024, 1, 1, tzinfo=UTC))
    a_dataset(world, title="Gold", start_time=datetime(2020, 1, 1, tzinfo=UTC))
    a_dataset(world, title="New", start_time=datetime(2026, 1, 1, tzinfo=UTC),
              parameters={"mask": ("gold", "")})  # fmt: skip
    a_dataset(world, title="Undated")
    undated = Dataset.objects.get(title="Undated")
    Dataset.objects.filter(pk=undated.pk).update(start_time=None)
    reindex([undated.pk])
    assert titles("gold") == ["Gold", "New"]
    assert titles() == ["New", "Old", "Gold", "Undated"]


@pytest.fixture
def four(world: World) -> None:
    """Two instruments, three samples and two techniques in four datasets."""
    powder = a_technique().pid
    id22 = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    a_dataset(world, title="a", sample="gold", technique=powder,
              start_time=datetime(2024, 5, 1, tzinfo=UTC))  # fmt: skip
    a_dataset(world, title="b", sample="silver", technique=powder,
              start_time=datetime(2025, 5, 1, tzinfo=UTC))  # fmt: skip
    a_dataset(world, title="c", sample="gold", instrument=id22,
              start_time=datetime(2025, 6, 1, tzinfo=UTC))  # fmt: skip
    a_dataset(world, title="d", content="poni", instrument=id22,
              start_time=datetime(2026, 5, 1, tzinfo=UTC))  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"sample": ["gold"]}, "ca"),
        ({"sample": ["gold", "silver"]}, "cba"),
        ({"sample": ["gold", "silver"], "instrument": ["id13"]}, "ba"),
        ({"sample": ["gold"], "instrument": ["id13"], "year": ["2024"]}, "a"),
        ({"sample": ["gold"], "instrument": ["id22"], "year": ["2024"]}, ""),
        ({"year": ["2025", "2026"]}, "dcb"),
        ({"technique": ["PaNET01101"]}, "ba"),
        ({"content": ["poni"]}, "d"),
        ({"kind": ["derived"]}, ""),
        ({"sample": ["platinum"]}, ""),
        ({"year": ["soon"]}, ""),
        ({"year": ["soon", "2024"]}, "a"),
        ({"sample": []}, "dcba"),
    ],
)
@pytest.mark.usefixtures("four")
def test_facets_are_any_of_inside_and_all_of_between(
    titles: Titles, chosen: dict[str, list[str]], found: str
) -> None:
    assert "".join(titles(**{name: values for name, values in chosen.items() if values})) == found


@pytest.mark.usefixtures("four")
def test_a_facet_counts_under_all_other_filters_but_not_its_own(world: World) -> None:
    found = counts(world.dana, sample=["gold"], year=["2025"])
    assert found["sample"] == {"gold": 1, "silver": 1}  # of 2025
    assert found["year"] == {"2024": 1, "2025": 1}  # of gold
    assert found["instrument"] == {"id22": 1}  # of gold in 2025
    assert "technique" not in found
    assert counts(world.dana)["instrument"] == {"id13": 2, "id22": 2}


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("name", ["id13", "ID13", "Id13"])
def test_a_value_is_chosen_by_whatever_name_an_address_gives_it(world: World, name: str) -> None:
    (facet,) = (
        facet
        for facet in count(world.dana, Query("", {"instrument": [name]})).facets
        if facet.name == "instrument"
    )
    assert [(it.value, it.count, it.is_chosen) for it in facet.values] == [
        ("id13", 2, True),
        ("id22", 2, False),
    ]


@pytest.mark.usefixtures("four")
def test_words_count_as_a_filter_too(world: World) -> None:
    assert counts(world.dana, "gold")["year"] == {"2024": 1, "2025": 1}


def test_a_dataset_counts_once_for_each_of_its_values(world: World) -> None:
    dataset = a_dataset(world, sample="gold", technique=a_technique().pid)
    dataset.samples.add(
        *(Sample.objects.create(proposal=world.proposal, name=name) for name in ("lead", "tin")),
        Sample.objects.create(proposal=None, name="gold"),  # the same name, another sample
    )
    dataset.techniques.add(a_technique("PaNET01207", "x-ray tomography"))
    reindex([dataset.pk])
    found = counts(world.ines)
    assert found["sample"] == {"gold": 1, "lead": 1, "tin": 1}
    assert found["technique"] == {"PaNET01101": 1, "PaNET01207": 1}
    assert counts(world.ines, sample=["gold", "tin"])["instrument"] == {"id13": 1}
    assert total(world.ines, sample=["gold", "tin"]) == 1


def test_the_most_frequent_values_come_first_and_a_chosen_one_is_never_lost(
    world: World,
) -> None:
    for number in range(22):
        a_dataset(world, sample=f"sample {number:02d}")
    a_dataset(world, sample="sample 05")
    found = counts(world.ines, sample=["sample 21"])["sample"]
    assert list(found)[:2] == ["sample 05", "sample 00"]
    assert len(found) == 21
    assert found["sample 21"] == 1


def test_a_chosen_technique_keeps_its_name(world: World) -> None:
    for number in range(21):
        technique = a_technique(f"PaNET{number:05d}", f"technique {number:02d}")
        a_dataset(world, technique=technique.pid)
    facets = {
        it.name: it for it in count(world.ines, Query("", {"technique": ["PaNET00020"]})).facets
    }
    (chosen,) = [value for value in facets["technique"].values if value.is_chosen]
    assert (chosen.label, chosen.count) == ("technique 20", 1)
    assert facets["technique"].chosen == 1


def test_nothing_of_closed_data_shows_in_values_or_counts(world: World) -> None:
    a_dataset(world, title="open", is_open=True, sample="gold",
              start_time=datetime(2020, 1, 1, tzinfo=UTC))  # fmt: skip
    secret = {"sample": "unobtainium", "technique": a_technique().pid, "content": "euxfel-run"}
    a_dataset(world, title="closed", **secret)  # type: ignore[arg-type]  # three texts
    a_dataset(world, title="closed too", sample="gold")
    for person in (AnonymousUser(), world.sten, world.rea):
        assert counts(person) == {
            "instrument": {"id13": 1}, "sample": {"gold": 1}, "access": {"open": 1},
            "kind": {"raw": 1}, "content": {"nexus-scan": 1}, "year": {"2020": 1},
        }  # fmt: skip
        for name, value in (*secret.items(), ("sample", "no such sample")):
            (chosen,) = [
                value
                for facet in count(person, Query("", {name: [value]})).facets
                for value in facet.values
                if value.is_chosen
            ]
            assert (chosen.label, chosen.count) == (value, 0)  # as if there were none
        for words in ("closed", "unobtainium", "powder", "euxfel"):
            assert total(person, words) == 0
    assert counts(world.ines)["sample"] == {"gold": 2, "unobtainium": 1}


HOSTILE = [
    "'", '"', "\\", "\\'", "''''", "&|!:*", "zz & y", "!zz", "zz:*", "<->", "(((", "%", "_",
    "'); DROP TABLE x --", "\x00", "zz\x00b", "\ud800", "a" * 10_000, "zz " * 5_000, "' " * 5_000,
    "ﷺ" * 10_000, "é" * 3_000, "\u200b", "\u202e", "²", "१२", "क्षि", "!!!", "   ", "\n\t", "🦆",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_query_gives_results_not_errors(world: World, text: str) -> None:
    a_dataset(world)
    asks_for_something = not Query(text).search.is_empty
    assert total(world.ines, text) == (0 if asks_for_something else 1)
    assert len(find(world.ines, Query(text), 10).pks) == total(world.ines, text)
    for name in ("instrument", "technique", "sample", "kind", "content", "year", "access"):
        assert total(world.ines, **{name: [text]}) == 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some.text(max_size=60), some.lists(some.text(max_size=12), max_size=3))
def test_so_does_any_query(world: World, text: str, values: list[str]) -> None:
    query = read_query({"q": [text], "sample": values, "year": values, "cursor": ["2"]})
    find(world.ines, query, 10)
    count(world.ines, query)


@settings(max_examples=300, deadline=None)
@given(some.text(max_size=80))
def test_folded_text_is_plain_words_and_stays_so(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert all(word.isalnum() for word in folded.split())


def test_an_address_is_read_into_a_query(db: None) -> None:
    query = read_query({"q": ["gold", "leaf"], "sample": ["a", "b"], "page": ["2"], "year": []})
    assert (query.text, query.chosen) == ("gold leaf", {"sample": ("a", "b")})
    assert read_query({"q": [" "], "page": ["2"]}).chosen == {}


def test_the_number_of_queries_does_not_grow_with_the_catalogue(world: World) -> None:
    def queries() -> int:
        query = Query("fragment energy:9..12keV", {"sample": ["gold"], "year": ["2025"]})
        with CaptureQueriesContext(connection) as captured:
            in_order(world.carlo, find(world.carlo, query, 20))
            count(world.carlo, query)
        return len(captured)

    when = datetime(2025, 1, 1, tzinfo=UTC)
    beam = {"photon_energy": (10.0, "keV")}
    a_dataset(world, sample="gold", technique=a_technique().pid, start_time=when, parameters=beam)
    before = queries()
    for name in ("gold", "silver", "tin"):
        a_dataset(world, sample=name, technique=a_technique().pid, start_time=when, parameters=beam)
    assert queries() == before
