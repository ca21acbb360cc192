"""A search answers nothing that its pages would not."""

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.annotations import flag_quality
from catalogue.embargo.retraction import take_back
from catalogue.models import Tombstone
from catalogue.saved_searches import run_due, save
from catalogue.search import Query, count, find
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_product, closed_for


@pytest.mark.parametrize("text", ["quality:bad", "has:flag"])
def test_a_verdict_is_found_by_those_who_may_read_it(world: World, text: str) -> None:
    dataset = closed_for(world, 100, listed_in=-5)
    flag_quality(world.ines, dataset, "bad", "The shutter stuck.")
    assert find(world.ines, Query(text), 10).pks == [dataset.pk]
    for person in (AnonymousUser(), world.sten):
        assert find(person, Query("-kind:derived"), 10).pks == [dataset.pk], "its page is public"
        assert find(person, Query(text), 10).pks == []
        assert count(person, Query(text)).total == 0
        assert find(person, Query(f"-{text}"), 10).pks == [dataset.pk]


def test_what_stems_from_withdrawn_data_is_nothing_that_can_be_asked_for(world: World) -> None:
    source = a_dataset(world, is_open=True)
    a_product(world, source)
    take_back(world.dana, source, Tombstone.Kind.WITHDRAWN, "personal data")
    for person in (AnonymousUser(), world.ines):
        assert find(person, Query(f"from:{source.pid}"), 10).pks == []


def test_a_saved_search_from_withdrawn_data_holds_up_no_other(world: World) -> None:
    source = a_dataset(world, is_open=True)
    save(world.ines, "what stems from it", f"q=from:{source.pid}")
    save(world.sten, "gold", "q=gold")
    take_back(world.dana, source, Tombstone.Kind.WITHDRAWN, "personal data")
    a_dataset(world, title="gold", is_open=True)
    assert run_due() == 1
