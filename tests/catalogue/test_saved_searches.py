"""A saved search tells its owner of what is new, once, and only of what they may see."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, connections, transaction
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from catalogue import saved_searches
from catalogue.embargo.dates import settle
from catalogue.embargo.retraction import take_back
from catalogue.embargo.rulings import release
from catalogue.embargo.upkeep import note_openings
from catalogue.errors import NotPermittedError
from catalogue.models import (
    Dataset,
    Guard,
    Membership,
    Notice,
    Proposal,
    SavedSearch,
    SearchMatch,
    Tombstone,
    User,
)
from catalogue.notices import notices_of
from catalogue.saved_searches import run_due, save
from catalogue.search import Query
from tests.builders import World, a_dataset

ClientOf = Callable[[str | None], Client]


def a_search(person: User, query: str = "q=gold", **changes: Any) -> SavedSearch:
    return save(person, "Gold", query, **changes)[0]


def told(person: User) -> list[str]:
    """What a person is told and may still hear, the first first."""
    matches = notices_of(person).filter(kind=Notice.Kind.MATCH)
    return [notice.text for notice in matches.order_by("pk")]


def matched(search: SavedSearch) -> set[tuple[str, str]]:
    news = SearchMatch.objects.filter(search=search, found_at__gt=search.made_at)
    return set(news.values_list("dataset__title", "kind"))


NEW = "A dataset that matches your saved search “Gold” is new."
OPENED = "A dataset that matches your saved search “Gold” has opened."


def open_since_today(dataset: Dataset) -> None:
    """Let the day come on which a dataset opens; it was registered before."""
    today = datetime.now(UTC).date()
    Dataset.objects.filter(pk=dataset.pk).update(registered_at=datetime(2020, 1, 1, tzinfo=UTC))
    Guard.objects.filter(dataset=dataset).update(
        opens_on=today - timedelta(days=1), listed_on=today - timedelta(days=1)
    )
    settle([dataset.pk])
    note_openings()


# --- What is news -------------------------------------------------------------------------


def test_what_was_there_before_is_no_news(world: World) -> None:
    a_dataset(world, title="gold before")
    search = a_search(world.ines)
    assert run_due() == 0
    assert told(world.ines) == []
    assert matched(search) == set()


def test_a_new_match_is_told_once(world: World) -> None:
    search = a_search(world.ines)
    dataset = a_dataset(world, title="gold leaf")
    a_dataset(world, title="silver leaf")
    assert [run_due(), run_due()] == [1, 0]
    assert told(world.ines) == [NEW]
    assert matched(search) == {("gold leaf", "new")}
    assert Notice.objects.get().dataset == dataset


def test_many_matches_are_told_in_one_notice(world: World) -> None:
    a_search(world.ines)
    for number in range(3):
        a_dataset(world, title=f"gold {number}")
    run_due()
    assert told(world.ines) == [
        "Datasets that match your saved search “Gold” are new, this one among them."
    ]


def test_the_whole_language_and_the_facets_are_run(world: World) -> None:
    asked = "q=energy%3A9..12keV+-lead&sample=gold&kind=raw"
    search = a_search(world.ines, asked)
    for energy, title, sample in ((10, "yes", "gold"), (13, "no", "gold"), (10, "lead", "gold"),
                                  (10, "no", "tin")):  # fmt: skip
        a_dataset(world, title=title, sample=sample, parameters={"photon_energy": (energy, "keV")})
    run_due()
    assert matched(search) == {("yes", "new")}


def test_days_move_on_with_the_calendar(world: World) -> None:
    search = a_search(world.ines, "q=date%3Alast-7-days")
    a_dataset(world, title="fresh")
    a_dataset(world, title="old", start_time=datetime(2020, 1, 1, tzinfo=UTC))
    run_due()
    assert matched(search) == {("fresh", "new")}
    assert "last-7-days" in search.query


def test_data_that_open_are_news_to_strangers_and_to_the_team(world: World) -> None:
    dataset = a_dataset(world, title="gold leaf")
    searches = [a_search(person) for person in (world.sten, world.ines)]
    assert run_due() == 0
    open_since_today(dataset)
    assert [run_due(), run_due()] == [2, 0]
    for search in searches:
        assert matched(search) == {("gold leaf", "opened")}
        assert told(search.owner) == [OPENED]


def test_an_early_release_is_told_though_its_day_began_before_the_last_look(
    world: World,
) -> None:
    dataset = a_dataset(world, title="gold leaf")
    Dataset.objects.filter(pk=dataset.pk).update(registered_at=datetime(2020, 1, 1, tzinfo=UTC))
    search = a_search(world.sten)
    run_due()
    release(world.ines, dataset, "The paper is out.")
    note_openings()
    run_due()
    assert matched(search) == {("gold leaf", "opened")}


def test_what_comes_in_open_is_new_and_not_opened_too(world: World) -> None:
    search = a_search(world.sten)
    a_dataset(world, title="gold leaf", is_open=True)
    note_openings()
    run_due()
    assert matched(search) == {("gold leaf", "new")}


def test_new_and_opened_at_once_is_one_notice(world: World) -> None:
    a_search(world.ines)
    opening = a_dataset(world, title="gold leaf")
    open_since_today(opening)
    a_dataset(world, title="gold coin")
    run_due()
    assert told(world.ines) == [
        "Datasets that match your saved search “Gold” are new or have opened, this one among them."
    ]


# --- Whose rights -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hears"),
    [
        ("ines", True),
        ("carlo", True),
        ("ivo", True),
        ("dana", True),
        ("sten", False),
        ("rea", False),
    ],
)
def test_only_those_who_see_a_dataset_hear_of_it(world: World, name: str, *, hears: bool) -> None:
    search = a_search(getattr(world, name))
    a_dataset(world, title="gold leaf")
    run_due()
    assert bool(told(search.owner)) == hears
    assert SearchMatch.objects.exists() == hears


def leave(world: World) -> None:
    Membership.objects.filter(person=world.carlo).delete()


def time_out(world: World) -> None:
    Membership.objects.filter(person=world.carlo).update(
        valid_to=datetime.now(UTC).date() - timedelta(days=2)
    )


def deactivate(world: World) -> None:
    User.objects.filter(pk=world.carlo.pk).update(is_active=False)


@pytest.mark.parametrize("change", [leave, time_out, deactivate])
def test_whoever_left_the_team_meanwhile_hears_nothing(
    world: World, change: Callable[[World], None]
) -> None:
    search = a_search(world.carlo)
    a_dataset(world, title="gold leaf")
    change(world)
    assert run_due() == 0
    assert not Notice.objects.exists()
    assert matched(search) == set()


def test_whoever_leaves_between_the_look_and_the_mail_hears_nothing(world: World) -> None:
    a_search(world.carlo)
    a_dataset(world, title="gold, open", is_open=True)
    a_dataset(world, title="gold, closed")
    run_due()
    assert len(told(world.carlo)) == 1
    leave(world)
    assert told(world.carlo) == []
    (search,) = SavedSearch.objects.all()
    shown = saved_searches.latest_matches([search], world.carlo)[search.pk]
    assert [match.dataset.title for match in shown] == ["gold, open"]


def test_what_was_taken_back_before_the_look_is_not_told(world: World) -> None:
    search = a_search(world.ines)
    dataset = a_dataset(world, title="gold leaf")
    take_back(world.dana, dataset, Tombstone.Kind.RETRACTED, "Wrong sample.")
    run_due()
    assert matched(search) == set()


def test_a_dataset_that_becomes_visible_by_joining_a_team_is_no_news(world: World) -> None:
    search = a_search(world.sten)
    dataset = a_dataset(world, title="gold leaf")
    run_due()
    Dataset.objects.filter(pk=dataset.pk).update(
        registered_at=datetime.now(UTC) - timedelta(hours=1)
    )
    Membership.objects.create(person=world.sten, proposal=world.proposal)
    run_due()
    assert matched(search) == set()


# --- Without gap or double ----------------------------------------------------------------


def test_a_pass_tells_of_two_hundred_and_the_next_of_the_rest(world: World) -> None:
    search = a_search(world.ines, "")
    first = a_dataset(world, title="0")
    pks = [first.pk, *(_copy(first, number) for number in range(1, 205))]
    seen_up_to = search.seen_up_to
    assert run_due() == 1
    search.refresh_from_db()
    assert len(matched(search)) == 200
    assert search.seen_up_to == seen_up_to
    assert [run_due(), run_due()] == [1, 0]
    assert len(matched(search)) == len(pks)
    search.refresh_from_db()
    assert search.seen_up_to > seen_up_to


def _copy(dataset: Dataset, number: int) -> int:
    guard = dataset.guards.get()
    row = Dataset.objects.get(pk=dataset.pk)
    row.pk, row.pid, row.title, row.source_id = None, None, f"{number}", ""  # type: ignore[assignment]  # a new row
    row.pid = Dataset._meta.get_field("pid").get_default()
    row.save()
    Guard.objects.create(dataset=row, proposal=guard.proposal, instrument=guard.instrument)
    settle([row.pk])
    return row.pk


def test_a_registration_that_ends_late_is_not_missed(world: World) -> None:
    """Its row is older than the last look, and was not to be seen then."""
    search = a_search(world.ines)
    run_due()
    dataset = a_dataset(world, title="gold leaf")
    search.refresh_from_db()
    early = search.seen_up_to - timedelta(minutes=5)
    Dataset.objects.filter(pk=dataset.pk).update(registered_at=early)
    assert [run_due(), run_due()] == [1, 0]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_of_hours_is_not_missed_either(world: World) -> None:
    search = a_search(world.ines)
    begun, may_end = threading.Event(), threading.Event()

    def register_slowly() -> None:
        with transaction.atomic():
            dataset = a_dataset(world, title="gold leaf")
            with connection.cursor() as cursor:
                cursor.execute("SELECT least(now(), xact_start) FROM pg_stat_activity "
                               "WHERE pid = pg_backend_pid()")  # fmt: skip
                Dataset.objects.filter(pk=dataset.pk).update(registered_at=cursor.fetchone()[0])
            begun.set()
            assert may_end.wait(30)
        connections.close_all()

    slow = threading.Thread(target=register_slowly)
    slow.start()
    try:
        assert begun.wait(30)
        assert run_due() == 0
        search.refresh_from_db()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT min(xact_start) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            (oldest,) = cursor.fetchone()
        # However long it takes: the next look begins before it did.
        assert search.seen_up_to <= oldest
    finally:
        may_end.set()
        slow.join()
    assert [run_due(), run_due()] == [1, 0]
    assert matched(search) == {("gold leaf", "new")}


@pytest.mark.django_db(transaction=True)
def test_two_stewards_at_once_tell_once(world: World) -> None:
    for person in (world.ines, world.carlo, world.dana):
        a_search(person)
    a_dataset(world, title="gold leaf")
    start = threading.Barrier(2)
    counts: list[int] = []

    def look() -> None:
        start.wait(30)
        counts.append(run_due())
        connections.close_all()

    stewards = [threading.Thread(target=look) for _ in range(2)]
    for steward in stewards:
        steward.start()
    for steward in stewards:
        steward.join()
    assert sum(counts) <= 3
    run_due()  # whatever one held while the other passed by
    assert Notice.objects.count() == SearchMatch.objects.count() == 3


# --- Saving -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("q=gold", "q=gold"),
        ("?q=gold"[1:], "q=gold"),
        ("q=++gold++leaf&cursor=abc&sort=x", "q=gold+leaf"),
        ("sample=b&q=x&sample=a&sample=b&kind=raw", "q=x&kind=raw&sample=a&sample=b"),
        ("", ""),
        ("q=%C3%A9mail", "q=%C3%A9mail"),
        ("q=a%00b", "q=ab"),
    ],
)
def test_the_same_search_is_always_written_alike(given: str, kept: str) -> None:
    assert saved_searches.write_address(saved_searches.read_address(given)) == kept


def test_the_same_search_is_kept_once_under_its_new_name(world: World) -> None:
    first, is_new = save(world.ines, "One", "q=gold&sample=a")
    again, is_new_again = save(world.ines, "Two", "sample=a&q=gold", wants_mail=False)
    assert (is_new, is_new_again) == (True, False)
    assert first == again
    assert (again.name, again.wants_mail) == ("Two", False)
    assert save(world.carlo, "One", "q=gold&sample=a")[1]


def test_nobody_saves_a_search_without_an_account(db: None) -> None:
    with pytest.raises(NotPermittedError):
        save(AnonymousUser(), "One", "q=gold")
    assert not saved_searches.saved_searches_of(AnonymousUser()).exists()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("q=kind%3Acooked", "kind:cooked"),
        ("q=" + "x+" * 200, "100 words"),
        ("q=ok" + "".join(f"&sample={'s' * 90}{n}" for n in range(30)), "2000 characters"),
        ("q=temperature%3A100..10K", ""),  # mended, as the page says
    ],
)
def test_what_is_not_understood_is_not_saved(world: World, query: str, reason: str) -> None:
    found = saved_searches.why_not(world.ines, query)
    assert reason in found
    assert bool(found) == bool(reason)


def test_a_person_keeps_a_hundred_searches(world: World) -> None:
    SavedSearch.objects.bulk_create(
        SavedSearch(owner=world.ines, name="x", query=f"q={n}", seen_up_to=datetime.now(UTC))
        for n in range(saved_searches.MOST)
    )
    assert "Delete one" in saved_searches.why_not(world.ines, "q=gold")
    assert saved_searches.why_not(world.ines, "q=5") == ""
    assert saved_searches.why_not(world.carlo, "q=gold") == ""


# --- Pausing and mail ---------------------------------------------------------------------


def test_a_search_that_is_no_longer_understood_is_paused_and_its_owner_told(
    world: World,
) -> None:
    search = a_search(world.ines)
    SavedSearch.objects.filter(pk=search.pk).update(query="q=kind%3Acooked")
    a_dataset(world, title="gold leaf")
    assert [run_due(), run_due()] == [1, 0]
    search.refresh_from_db()
    assert search.paused.startswith("kind:cooked: cooked is no value of kind.")
    (text,) = told(world.ines)
    assert text.startswith("Your saved search “Gold” is paused. kind:cooked")
    assert matched(search) == set()


@pytest.mark.parametrize("wanted", [True, False])
def test_mail_goes_out_only_where_it_is_wanted(world: World, *, wanted: bool) -> None:
    User.objects.filter(pk=world.ines.pk).update(email="ines@example.org")
    a_search(User.objects.get(pk=world.ines.pk), wants_mail=wanted)
    a_dataset(world, title="gold leaf")
    run_due()
    assert Notice.objects.get().mail_wanted is wanted


# --- The page -----------------------------------------------------------------------------


def test_a_search_is_saved_run_renamed_and_deleted_on_a_page(
    world: World, client_of: ClientOf
) -> None:
    ines = client_of("ines")
    page = ines.post("/me/searches/", {"name": "Gold leaf", "query": "q=gold"}, follow=True)
    assert "“Gold leaf” is saved. You hear of new matches." in page.content.decode()
    search = SavedSearch.objects.get()
    a_dataset(world, title="gold coin")
    run_due()
    text = ines.get("/me/searches/").content.decode()
    assert 'href="/?q=gold"' in text
    assert "gold coin" in text

    change = {"name": "Coins"}
    page = ines.post(f"/me/searches/{search.uuid}/", change, follow=True)
    search.refresh_from_db()
    assert (search.name, search.wants_mail) == ("Coins", False)
    ines.post(f"/me/searches/{search.uuid}/", {"name": "Coins", "wants_mail": "on"})
    search.refresh_from_db()
    assert search.wants_mail

    page = ines.post(f"/me/searches/{search.uuid}/delete/", follow=True)
    assert "“Coins” is deleted." in page.content.decode()
    assert not SavedSearch.objects.exists()


def test_the_form_beside_the_results_saves_what_they_show(
    world: World, client_of: ClientOf, rf: RequestFactory
) -> None:
    request = rf.get("/", {"q": "gold leaf", "sample": ["a", "b"]})
    context = {"user": world.ines, "chips": [1], "query": Query("gold leaf"), "request": request}
    fields = render_to_string("components/_save_search.html#fields", context)
    form = render_to_string("components/_save_search.html#form", context, request)
    values = dict(re.findall(r'name="(\w+)"[^>]*?value="([^"]*)"', fields))
    assert 'action="/me/searches/"' in form
    assert fields.count('form="save-search"') == 3
    client_of("ines").post("/me/searches/", {k: unescape(v) for k, v in values.items()})
    search = SavedSearch.objects.get()
    assert (search.name, search.query) == ("gold leaf", "q=gold+leaf&sample=a&sample=b")


@pytest.mark.parametrize("lacking", ["user", "chips"])
def test_nothing_is_offered_to_be_saved_without_an_account_or_a_search(
    world: World, rf: RequestFactory, lacking: str
) -> None:
    context = {"user": world.ines, "chips": [1], "query": Query(""), "request": rf.get("/")}
    context[lacking] = {"user": AnonymousUser(), "chips": []}[lacking]
    assert render_to_string("components/_save_search.html#fields", context).strip() == ""


def test_a_search_that_cannot_be_saved_is_shown_with_the_reason(client_of: ClientOf) -> None:
    page = client_of("ines").post("/me/searches/", {"name": "", "query": "q=kind:cooked"})
    text = page.content.decode()
    assert page.status_code == 422
    assert "cooked is no value of kind" in text
    assert "This field is required." in text
    assert 'href="/?q=kind:cooked"' in text
    assert not SavedSearch.objects.exists()


def test_nobody_touches_anothers_searches(world: World, client_of: ClientOf) -> None:
    search = a_search(world.ines)
    carlo = client_of("carlo")
    assert "Gold" not in carlo.get("/me/searches/").content.decode()
    for address in (f"/me/searches/{search.uuid}/", f"/me/searches/{search.uuid}/delete/"):
        assert carlo.post(address, {"name": "Mine"}).status_code == 404
        assert carlo.get(address).status_code == 405
        assert client_of(None).post(address, {"name": "Mine"}).status_code == 302
    assert client_of(None).get("/me/searches/").status_code == 302
    search.refresh_from_db()
    assert search.name == "Gold"


def test_a_name_must_stay(world: World, client_of: ClientOf) -> None:
    search = a_search(world.ines)
    page = client_of("ines").post(f"/me/searches/{search.uuid}/", {"name": " "}, follow=True)
    assert "needs a name of 1 to 200 characters" in page.content.decode()
    search.refresh_from_db()
    assert search.name == "Gold"


def test_the_page_shows_the_last_five_matches_of_each_search(world: World) -> None:
    searches = [a_search(world.ines), a_search(world.ines, "q=gold+-coin")]
    for number in range(7):
        a_dataset(world, title=f"gold {number}")
    run_due()
    found = saved_searches.latest_matches(searches, world.ines)
    assert [len(found[search.pk]) for search in searches] == [5, 5]
    assert saved_searches.latest_matches(searches, world.sten) == {}


def test_other_proposals_data_of_the_same_words_stay_silent(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="hg-300", title="Other")
    search = a_search(world.ines)
    a_dataset(world, title="gold theirs", proposal=other)
    a_dataset(world, title="gold ours")
    a_dataset(world, title="gold listed", proposal=other, listed_on=date(2020, 1, 1))
    run_due()
    assert matched(search) == {("gold ours", "new"), ("gold listed", "new")}
