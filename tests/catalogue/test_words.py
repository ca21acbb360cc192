"""What is said of a dataset becomes words, each whole and in its own place."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from catalogue.access import Person, readable_datasets, visible_datasets
from catalogue.models import Dataset, Guard
from catalogue.search import Query, count
from catalogue.words import fold, vector
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_product, a_proposal, closed_for, guarded, in_days

Found = Callable[..., bool]


@pytest.fixture
def finds(world: World) -> Found:
    """Say whether a person finds anything by a query."""

    def ask(text: str, person: Person = world.ines) -> bool:
        return count(person, Query(text)).total > 0

    return ask


def read_back(text: str) -> str:
    """The text form of a tsvector, as PostgreSQL understood it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s::tsvector)::text", [text])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize("word", ["3e8a91bc", "1e5x", "7e2e3", "4.5e3a", "12e3b", "1e5", "2e-3b"])
def test_a_word_that_begins_like_a_number_stays_one(world: World, finds: Found, word: str) -> None:
    a_dataset(world, title=f"run {word} again", is_open=True)
    for text in (word, f'"run {word} again"', f"title:{word}", f"{fold(word)[:-1]}*"):
        assert finds(text), text


def test_a_phrase_stays_within_one_text(world: World, finds: Found) -> None:
    told = {"mask": ("tungsten", "")}
    a_dataset(world, title="Layers of gold", sample="film twice", parameters=told)  # type: ignore[arg-type]  # a text for a number or text
    assert all(map(finds, ['"layers of gold"', '"film twice"', "gold film", "mask tungsten"]))
    # Between texts of one weight, and between the last of a weight and the next.
    assert not any(map(finds, ['"gold film"', '"twice nexus"', '"mask tungsten"']))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some.lists(some.text(max_size=30), max_size=4), some.text(max_size=30))
def test_any_text_becomes_a_vector_of_its_words(db: None, texts: list[str], other: str) -> None:
    with connection.cursor() as cursor:
        written = vector({"A": texts, "D": [other]})
        cursor.execute("SELECT tsvector_to_array(%s::tsvector)", [written])
        (words,) = cursor.fetchone()
    assert set(words) == set(fold(" ".join([*texts, "-", other])).split())


def test_words_bear_their_place_and_weight_and_the_longest_are_cut(db: None) -> None:
    assert read_back(vector({"A": ["a b", "a"], "D": ["b"]})) == "'a':2A,5A 'b':3A,7"
    assert vector({"C": ["x" * 501]}) == f"'{'x' * 500}':2C"


@pytest.mark.parametrize("letter", ["x", "я", "語", "𐐨"])
@pytest.mark.parametrize(("times", "most"), [(1, 40_000), (490, 2_000)])
def test_the_longest_texts_fit_into_a_vector(db: None, letter: str, times: int, most: int) -> None:
    texts = {
        weight: [f"{weight}{number}{letter * times}" for number in range(most)] for weight in "ABCD"
    }
    kept = read_back(vector({weight: [" ".join(words)] for weight, words in texts.items()}))
    assert len(kept.split()) > 400
    assert all(f"'{fold(words[0])}':" in kept for words in texts.values())


def test_no_phrase_is_found_among_words_that_share_the_last_place(db: None) -> None:
    written = vector({"A": [" ".join(f"w{number}" for number in range(20_000))]})
    not_neighbours = [f"w{number} <-> w19000" for number in range(16_370, 16_390)]
    asked = ["w16000 <-> w16001", "w16000 & w19000", *not_neighbours]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query FROM unnest(%s::text[]) AS query WHERE %s::tsvector @@ query::tsquery",
            [asked, written],
        )
        assert [query for (query,) in cursor.fetchall()] == asked[:2]


def long_parameters() -> list[dict[str, str]]:
    """As many and as long as a call takes, of words that are all different."""
    return [
        {"name": f"note {number}", "value": " ".join(f"{number}x{at}" for at in range(120))[:990]}
        for number in range(1000)
    ]


def test_a_dataset_of_more_words_than_fit_is_edited_and_found_by_its_title(
    client_of: Callable[[str | None], Client], world: World, finds: Found
) -> None:
    answer = client_of("ines").patch(
        f"/api/v1/datasets/{a_dataset(world).pid}/",
        {"title": "Azurite", "parameters": {"set": long_parameters()}},
        content_type="application/json",
        headers={"If-Match": "*"},
    )
    assert answer.status_code == 200, answer.content[:500]
    assert finds("title:azurite person:ines")
    assert finds("0x7")  # of the first of them


def a_page_for_more_people_than_its_files(world: World) -> Dataset:
    """
    A product of two proposals, both dates of which are in 30 days.

    Until then the one hides it from all but Rea, and the other its files from Rea too.
    """
    theirs = a_dataset(world, proposal=a_proposal(world, "p2", rea="member"))
    day = in_days(world, 30)
    guarded(theirs, listed_on=day, opens_on=day)
    product = a_product(world, theirs, closed_for(world, 30, listed_in=-30))
    assert product.listed_at == product.opens_at
    return product


def test_who_may_only_see_the_page_finds_nothing_by_the_names_of_files(
    world: World, finds: Found
) -> None:
    product = a_page_for_more_people_than_its_files(world)
    assert product in visible_datasets(world.rea)
    assert product not in readable_datasets(world.rea)
    assert finds("title:map", world.rea)
    for person in (world.rea, world.dana, world.ines, AnonymousUser()):
        assert not finds("file:map.nxs", person)
    # As soon as whoever sees the page may read the files, their names are words.
    for dates in ({"listed_on": F("opens_on")}, {"listed_on": None, "opens_on": None}):
        guarded(product, **dates)
        assert finds("file:map.nxs", world.dana)


def test_names_of_files_are_words_once_all_guards_have_opened(world: World, finds: Found) -> None:
    product = a_page_for_more_people_than_its_files(world)
    yesterday = in_days(world, -1)
    Guard.objects.filter(dataset=product, listed_on__gt=yesterday).update(listed_on=yesterday)
    guarded(product, opens_on=yesterday)
    assert Guard.objects.filter(dataset=product, listed_on__lt=yesterday).exists()
    assert finds("file:map.nxs", AnonymousUser())


_AS_BEFORE = """
UPDATE catalogue_listing AS l SET words = setweight(to_tsvector('simple', d.title), 'A')
FROM catalogue_dataset AS d WHERE d.id = l.dataset_id
"""


def test_a_command_writes_words_of_before_anew(world: World, finds: Found) -> None:
    for title in ("3e8a91bc", "plain"):
        a_dataset(world, title=title, is_open=True)
    with connection.cursor() as cursor:
        cursor.execute(_AS_BEFORE)
    assert not finds("title:3e8a91bc")
    call_command("reindex", stdout=(said := StringIO()))
    assert said.getvalue() == "2 datasets listed anew\n"
    assert finds("title:3e8a91bc")
    assert finds("title:plain")
