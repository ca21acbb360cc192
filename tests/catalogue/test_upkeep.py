"""What the steward process sees to: openings, reminders, requests nobody decided, mail."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from catalogue.access import get_readable
from catalogue.embargo.reminders import endings, remind
from catalogue.embargo.rulings import extend, release
from catalogue.embargo.upkeep import carry_out_releases, keep_up, lapse_requests, note_openings
from catalogue.embargo.wishes import ask_access, ask_extension, ask_release
from catalogue.mailing import read_unsubscription, send_digests, unsubscription
from catalogue.models import (
    AuditEvent,
    Dataset,
    EmbargoPolicy,
    Listing,
    Notice,
    Request,
    Tombstone,
    User,
)
from catalogue.notices import mark_read, notices_of, resume_mail, stop_mail, tell, wants_mail
from tests.builders import World, a_dataset, a_world
from tests.catalogue.closing import a_product, a_proposal, closed_for, guarded, in_days, today


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def texts(person: User, kind: Notice.Kind) -> list[str]:
    return [notice.text for notice in Notice.objects.filter(person=person, kind=kind)]


def arrive(world: World, dataset: Dataset) -> Dataset:
    """Let the day of a dataset that came in last week be today."""
    Dataset.objects.filter(pk=dataset.pk).update(registered_at=F("registered_at") - timedelta(9))
    day = today(world)
    return guarded(dataset, opens_on=day, listed_on=day)


def test_an_opening_is_noted_once_and_the_team_is_told_once_for_all_data(world: World) -> None:
    for _ in range(3):
        arrive(world, closed_for(world, 30))
    assert note_openings() == 3
    assert note_openings() == 0
    assert AuditEvent.objects.filter(act="embargo.opened").count() == 3
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.who, event.new) == ("the steward process", {"opens_on": str(today(world))})
    for person in (world.ines, world.carlo):
        (text,) = texts(person, Notice.Kind.OPENED)
        assert text == f"Data of hg-172 have opened: since {today(world)} everybody may read them."
    assert not Notice.objects.filter(person=world.sten).exists()


def test_data_are_open_before_anybody_has_noted_it(world: World) -> None:
    dataset = arrive(world, closed_for(world, 30))
    assert get_readable(world.sten, dataset.pid) == dataset
    assert not dataset.opening_noted


def test_names_of_files_become_words_when_data_open(world: World) -> None:
    dataset = closed_for(world, 30, listed_in=-1)
    name = dataset.files.get().path.split(".")[0].split("_")[1]
    words = Listing.objects.filter(dataset=dataset, words=name)
    assert not words.exists()
    # Its day has come, and nobody has written its listing since.
    Dataset.objects.filter(pk=dataset.pk).update(opens_at=F("listed_at"))
    assert not words.exists()
    note_openings()
    assert words.exists()


def test_nobody_is_told_of_data_that_came_in_open_or_were_taken_back(world: World) -> None:
    a_product(world, a_dataset(world, is_open=True))
    gone = arrive(world, closed_for(world, 30))
    call_back(gone)
    note_openings()
    assert not Dataset.objects.filter(opening_noted=False).exists()
    assert not AuditEvent.objects.filter(act="embargo.opened").exists()
    assert not Notice.objects.exists()


def call_back(dataset: Dataset) -> None:
    Tombstone.objects.create(dataset=dataset, kind="retracted", reason="wrong")


def test_an_extension_before_the_day_leaves_nothing_to_note(world: World) -> None:
    dataset = closed_for(world, 30)
    extend(world.dana, dataset, "why")
    assert note_openings() == 0


def test_a_release_is_noted_like_any_opening(world: World) -> None:
    dataset = closed_for(world, 30)
    Dataset.objects.update(registered_at=F("registered_at") - timedelta(9))
    release(world.ines, dataset, "published")
    assert note_openings() == 1


@pytest.mark.django_db(transaction=True)
def test_two_stewards_at_once_note_each_opening_once(tmp_path: object) -> None:
    world = a_world(tmp_path)  # type: ignore[arg-type]  # pytest's own Path
    for _ in range(20):
        arrive(world, closed_for(world, 30))
    start = threading.Barrier(2)
    noted = []

    def look() -> None:
        start.wait()
        noted.append(note_openings())
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(noted) == 20
    assert AuditEvent.objects.filter(act="embargo.opened").count() == 20
    assert Notice.objects.filter(person=world.ines).count() == 1


def remind_in(*days: int) -> None:
    EmbargoPolicy.objects.update(remind_days=sorted(days, reverse=True))


@pytest.mark.parametrize(
    ("left", "reminded"), [(91, False), (90, True), (30, True), (8, True), (1, True)]
)
def test_leaders_are_reminded_from_the_first_distance_on(
    world: World, left: int, *, reminded: bool
) -> None:
    remind_in(90, 30, 7)
    closed_for(world, left)
    remind()
    assert bool(texts(world.ines, Notice.Kind.REMINDER)) is reminded
    assert not texts(world.carlo, Notice.Kind.REMINDER)


def test_a_reminder_comes_once_per_proposal_day_and_distance(world: World) -> None:
    remind_in(90, 30)
    for _ in range(3):
        closed_for(world, 60)
    remind()
    remind()
    (text,) = texts(world.ines, Notice.Kind.REMINDER)
    assert text == (
        f"The embargo of 3 datasets of hg-172 ends in 60 days: on {in_days(world, 60)} they "
        f"open to all. A longer one can be asked for until {in_days(world, 46)}."
    )
    for dataset in Dataset.objects.all():
        guarded(dataset, opens_on=in_days(world, 20), listed_on=in_days(world, 20))
    remind()
    assert len(texts(world.ines, Notice.Kind.REMINDER)) == 2


def test_a_late_reminder_names_no_date_that_has_passed(world: World) -> None:
    remind_in(7)
    closed_for(world, 5)
    remind()
    assert "A longer one" not in texts(world.ines, Notice.Kind.REMINDER)[0]


def test_endings_are_listed_by_proposal_and_day_and_without_what_was_taken_back(
    world: World,
) -> None:
    other = a_proposal(world, "hg-200", rea="pi")
    closed_for(world, 40)
    closed_for(world, 10, proposal=other)
    closed_for(world, 10, proposal=other)
    closed_for(world, 400)
    call_back(closed_for(world, 10))
    found = [(ending.proposal.number, ending.days, ending.datasets) for ending in endings(90)]
    assert found == [("hg-200", 10, 2), ("hg-172", 40, 1)]
    assert [ending.proposal.number for ending in endings(30)] == ["hg-200"]
    assert [ending.proposal.number for ending in endings(9)] == []


def test_requests_that_nobody_decided_in_time_lapse(world: World) -> None:
    asked = closed_for(world, 30, listed_in=-1)
    ask_extension(world.ines, asked, "why")
    ask_access(world.rea, asked, "why")
    waiting = closed_for(world, 60)
    ask_extension(world.ines, waiting, "why")
    assert lapse_requests() == 0
    arrive(world, asked)
    assert lapse_requests() == 2
    assert lapse_requests() == 0
    answers = set(Request.objects.filter(state="lapsed").values_list("kind", "answer"))
    assert answers == {
        ("extension", "The embargo ended before it was decided."),
        ("access", "The data are open to all now."),
    }
    assert Request.objects.get(state="open").dataset == waiting
    assert "was not decided in time" in texts(world.rea, Notice.Kind.DECISION)[0]


def test_early_releases_that_are_due_are_carried_out(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    dataset = closed_for(world, 100)
    ask_release(world.ines, dataset, "published")
    assert carry_out_releases() == 0
    Request.objects.update(due_on=today(world))
    assert carry_out_releases() == 1
    assert carry_out_releases() == 0
    assert get_readable(world.sten, dataset.pid) == dataset


def with_address(*people: User) -> None:
    for person in people:
        person.email = f"{person.username}@example.org"
        person.save()


def say(person: User, text: str, dataset: Dataset | None = None) -> None:
    tell(person, Notice.Kind.DECISION, text, once=text, dataset=dataset)


def test_nobody_is_told_the_same_twice(world: World) -> None:
    say(world.ines, "It is done.")
    say(world.ines, "It is done.")
    assert notices_of(world.ines).count() == 1


def test_the_mail_of_the_day_holds_all_notices_and_goes_out_once(world: World) -> None:
    with_address(world.ines, world.carlo)
    dataset = a_dataset(world)
    say(world.ines, "First.", dataset)
    say(world.ines, "Second.")
    say(world.carlo, "Third.")
    assert send_digests() == 2
    assert send_digests() == 0
    message = next(m for m in mail.outbox if m.to == ["ines@example.org"])
    assert message.subject == "Palimpsest: 2 notices"
    assert "* First." in message.body
    assert f"/datasets/{dataset.pid}/" in message.body
    assert "* Second." in message.body
    assert "Third" not in message.body
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_second_mail_waits_for_the_next_day(world: World) -> None:
    with_address(world.ines)
    say(world.ines, "First.")
    send_digests()
    say(world.ines, "Second.")
    assert send_digests() == 0
    Notice.objects.update(mailed_at=F("mailed_at") - timedelta(days=1))
    assert send_digests() == 1
    assert "First" not in mail.outbox[-1].body


def test_who_has_left_the_team_gets_nothing_of_it(world: World) -> None:
    with_address(world.carlo)
    closed, page = closed_for(world, 100), closed_for(world, 100, listed_in=-1)
    say(world.carlo, "About what is hidden.", closed)
    tell(world.carlo, Notice.Kind.REMINDER, "The team's own matter.", once="b", dataset=page)
    world.proposal.memberships.filter(person=world.carlo).delete()
    assert not notices_of(world.carlo).exists()
    assert send_digests() == 0
    assert mail.outbox == []
    say(world.carlo, "About a public page.", page)
    assert send_digests() == 1
    assert "hidden" not in mail.outbox[0].body
    assert "own matter" not in mail.outbox[0].body


def test_without_an_address_or_against_their_will_nobody_gets_mail(world: World) -> None:
    with_address(world.carlo)
    say(world.ines, "Nowhere to send it.")
    say(world.carlo, "Before.")
    stop_mail(world.carlo)
    say(world.carlo, "After.")
    assert send_digests() == 0
    assert not wants_mail(world.carlo)
    resume_mail(world.carlo)
    say(world.carlo, "Again.")
    assert send_digests() == 1
    assert "After" not in mail.outbox[0].body


def test_the_link_in_a_mail_stops_the_mail_of_its_reader_alone(world: World) -> None:
    sign = unsubscription(world.carlo)
    assert read_unsubscription(sign) == world.carlo
    assert read_unsubscription(sign[:-1] + "x") is None
    assert read_unsubscription("") is None


def test_mail_that_cannot_be_sent_is_kept(world: World, settings: object) -> None:
    with_address(world.ines)
    say(world.ines, "Patience.")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]  # pytest-django's
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # type: ignore[attr-defined]  # nobody listens there
    assert send_digests() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]  # the same
    assert send_digests() == 1


def test_a_long_day_makes_a_mail_of_bearable_length(world: World) -> None:
    with_address(world.ines)
    for number in range(60):
        say(world.ines, f"Notice {number}.")
    send_digests()
    assert "* and 10 more" in mail.outbox[0].body


def test_notices_are_marked_as_read_one_by_one_or_all(world: World) -> None:
    for text in ("First.", "Second.", "Third."):
        say(world.ines, text)
    say(world.carlo, "Not hers.")
    first = Notice.objects.get(text="First.")
    mark_read(world.ines, first.uuid)
    assert Notice.objects.filter(read_at__isnull=False).get() == first
    mark_read(world.ines)
    assert Notice.objects.get(read_at__isnull=True).text == "Not hers."


def test_one_pass_does_all_of_it_and_a_second_one_nothing(world: World) -> None:
    with_address(world.ines, world.carlo)
    remind_in(90)
    closed_for(world, 60)
    opened = arrive(world, closed_for(world, 30))
    ask = closed_for(world, 30)
    ask_extension(world.ines, ask, "why")
    arrive(world, ask)
    done = keep_up()
    assert (done.opened, done.lapsed, done.mailed) == (2, 1, 2)
    assert get_readable(world.sten, opened.pid) == opened
    done = keep_up()
    assert (done.opened, done.lapsed, done.mailed) == (0, 0, 0)


def test_the_steward_process_keeps_up(world: World) -> None:
    arrive(world, closed_for(world, 30))
    call_command("steward", "--once")
    assert AuditEvent.objects.filter(act="embargo.opened").exists()
