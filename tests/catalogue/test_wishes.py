"""Requests: who asks for what, who decides, and what they are told."""

import threading
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from catalogue.access import State, access_state, get_readable, may_read
from catalogue.embargo import decisions, wishes
from catalogue.embargo.dates import add_months
from catalogue.embargo.decisions import carry_out_release, end_visit, grant, object_to, refuse
from catalogue.embargo.wishes import (
    ask_access,
    ask_extension,
    ask_release,
    get_request,
    take_back,
    visible_requests,
)
from catalogue.errors import (
    EmbargoError,
    NotPermittedError,
    TransitionError,
    UnknownDatasetError,
    UnknownRequestError,
)
from catalogue.models import (
    AuditEvent,
    Dataset,
    EmbargoPolicy,
    Guest,
    Notice,
    Request,
    Tombstone,
    User,
)
from tests.builders import World, a_world
from tests.catalogue.closing import (
    a_product,
    a_proposal,
    closed_for,
    day_of,
    guarded,
    in_days,
    today,
)


def told(person: User) -> list[str]:
    return list(Notice.objects.filter(person=person).values_list("text", flat=True))


@pytest.fixture
def shown(world: World) -> Dataset:
    """Closed data whose page is public."""
    return closed_for(world, 100, listed_in=-1)


def test_who_sees_a_page_asks_for_access_and_its_leader_is_told(
    world: World, shown: Dataset
) -> None:
    request = ask_access(world.rea, shown, "to compare with ours")
    assert request.state == Request.State.OPEN
    assert told(world.ines) == [f"Rea asks for access to “{shown.title}”: to compare with ours"]
    assert told(world.carlo) == told(world.dana) == []


def test_nobody_asks_for_what_they_do_not_see_or_may_read(world: World, shown: Dataset) -> None:
    hidden = closed_for(world, 100)
    with pytest.raises(UnknownDatasetError):
        ask_access(world.rea, hidden, "why")
    with pytest.raises(TransitionError, match="may read these data already"):
        ask_access(world.carlo, shown, "why")
    with pytest.raises(NotPermittedError):
        ask_access(AnonymousUser(), shown, "why")  # type: ignore[arg-type]  # as a view could
    assert not Request.objects.exists()


def test_the_same_is_not_asked_twice_until_it_is_decided(world: World, shown: Dataset) -> None:
    first = ask_access(world.rea, shown, "why")
    with pytest.raises(TransitionError, match="asked already"):
        ask_access(world.rea, shown, "please")
    refuse(world.ines, first, "not yet")
    assert ask_access(world.rea, shown, "the paper is out now").pk != first.pk


@pytest.mark.parametrize("name", ["ines", "dana"])
def test_a_guest_reads_until_their_last_day(world: World, shown: Dataset, name: str) -> None:
    request = ask_access(world.rea, shown, "why")
    with pytest.raises(EmbargoError):
        get_readable(world.rea, shown.pid)
    grant(getattr(world, name), request, "welcome", in_days(world, 5))
    assert get_readable(world.rea, shown.pid) == shown
    assert "granted until" in told(world.rea)[0]
    Guest.objects.update(valid_to=in_days(world, -1))
    with pytest.raises(EmbargoError):
        get_readable(world.rea, shown.pid)


@pytest.mark.parametrize("day", [None, -1])
def test_a_visit_needs_a_last_day(world: World, shown: Dataset, day: int | None) -> None:
    request = ask_access(world.rea, shown, "why")
    with pytest.raises(TransitionError, match="last day"):
        grant(world.ines, request, "ok", in_days(world, day) if day else None)
    assert not Guest.objects.exists()


@pytest.mark.parametrize("name", ["carlo", "ivo", "rea", "sten"])
def test_access_is_given_by_the_leader_or_a_steward_only(
    world: World, shown: Dataset, name: str
) -> None:
    request = ask_access(world.rea, shown, "why")
    with pytest.raises(NotPermittedError):
        grant(getattr(world, name), request, "ok", in_days(world, 5))
    with pytest.raises(NotPermittedError):
        refuse(getattr(world, name), request, "no")


def test_a_visit_can_be_ended_before_its_day(world: World) -> None:
    dataset = closed_for(world, 100)
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=in_days(world, 50))
    assert may_read(world.rea, dataset)
    with pytest.raises(NotPermittedError):
        end_visit(world.carlo, dataset, world.rea, "why")
    end_visit(world.ines, dataset, world.rea, "the work is done")
    assert not may_read(world.rea, dataset)
    assert "has ended: the work is done" in told(world.rea)[0]
    assert dataset.title not in told(world.rea)[0], "they may not see its page any more"
    with pytest.raises(TransitionError, match="no guest"):
        end_visit(world.ines, dataset, world.rea, "again")


def test_a_leader_asks_for_an_extension_and_a_steward_grants_it(world: World) -> None:
    dataset = closed_for(world, 30)
    request = ask_extension(world.ines, dataset, "the thesis is late")
    assert access_state(dataset).opens_on == in_days(world, 30), "asking alone changes nothing"
    assert "asks for a longer embargo" in told(world.dana)[0]
    grant(world.dana, request, "agreed")
    assert access_state(dataset).state == State.EXTENDED
    assert day_of(dataset) == add_months(in_days(world, 30), 12)
    request.refresh_from_db()
    assert (request.state, request.decided_by) == (Request.State.GRANTED, world.dana)
    acts = AuditEvent.objects.order_by("id").values_list("act", "who")
    assert list(acts) == [
        ("request.filed", "Ines"),
        ("embargo.extended", "Dana"),
        ("request.granted", "Dana"),
    ]


@pytest.mark.parametrize(("days", "is_early_enough"), [(14, True), (13, False)])
def test_an_extension_is_asked_for_in_good_time(
    world: World, days: int, *, is_early_enough: bool
) -> None:
    dataset = closed_for(world, days)
    if is_early_enough:
        assert ask_extension(world.ines, dataset, "why").state == Request.State.OPEN
    else:
        with pytest.raises(TransitionError, match="14 days before"):
            ask_extension(world.ines, dataset, "why")


def test_a_second_leader_does_not_ask_for_the_same_extension(world: World) -> None:
    world.proposal.memberships.filter(person=world.carlo).update(role="pi")
    dataset = closed_for(world, 30)
    ask_extension(world.ines, dataset, "why")
    with pytest.raises(TransitionError, match="asked already"):
        ask_extension(world.carlo, dataset, "why")


@pytest.mark.parametrize("name", ["carlo", "ivo", "dana"])
def test_only_who_leads_a_proposal_asks_for_its_extension(world: World, name: str) -> None:
    with pytest.raises(NotPermittedError):
        ask_extension(getattr(world, name), closed_for(world, 30), "why")


def test_an_extension_that_is_refused_changes_nothing(world: World) -> None:
    dataset = closed_for(world, 30)
    request = ask_extension(world.ines, dataset, "why")
    refuse(world.dana, request, "it was long enough")
    assert day_of(dataset) == in_days(world, 30)
    assert "was refused. it was long enough" in told(world.ines)[0]
    with pytest.raises(TransitionError, match="it is decided: refused"):
        grant(world.dana, request, "on second thought")


def test_an_embargo_that_has_ended_is_not_extended_by_a_late_decision(world: World) -> None:
    dataset = closed_for(world, 30)
    request = ask_extension(world.ines, dataset, "why")
    guarded(dataset, opens_on=today(world), listed_on=today(world))
    with pytest.raises(TransitionError, match="open data never close"):
        grant(world.dana, request, "late")
    request.refresh_from_db()
    assert request.state == Request.State.OPEN, "nothing was written; upkeep closes it"


def test_who_alone_decides_opens_data_by_asking(world: World) -> None:
    dataset = closed_for(world, 30)
    assert ask_release(world.ines, dataset, "published") is None
    assert get_readable(world.sten, dataset.pid) == dataset
    assert "was opened to all by Ines" in told(world.carlo)[0]


def test_where_the_team_has_a_say_two_weeks_pass_without_objection(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    dataset = closed_for(world, 100)
    request = ask_release(world.ines, dataset, "published")
    assert request is not None
    assert request.due_on == in_days(world, 14)
    assert "unless a member of the team objects" in told(world.carlo)[0]
    assert not carry_out_release(request), "not before its day"
    Request.objects.update(due_on=today(world))
    assert carry_out_release(request)
    assert get_readable(world.sten, dataset.pid) == dataset
    assert not carry_out_release(request), "once is enough"
    assert AuditEvent.objects.get(act="embargo.released").who == "the steward process"


def test_one_objection_stops_an_early_release(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    dataset = closed_for(world, 100)
    request = ask_release(world.ines, dataset, "published")
    assert request is not None
    for name in ("ivo", "rea"):
        with pytest.raises((NotPermittedError, UnknownDatasetError)):
            object_to(getattr(world, name), request, "no")
    object_to(world.carlo, request, "my part is not published")
    Request.objects.update(due_on=today(world))
    assert not carry_out_release(request)
    assert not access_state(dataset).is_open
    assert "my part is not published" in told(world.ines)[0]


def test_a_release_that_has_become_impossible_lapses_with_its_reason(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    dataset = closed_for(world, 100)
    request = ask_release(world.ines, dataset, "published")
    assert request is not None
    guarded(dataset, is_proprietary=True, opens_on=None, listed_on=None)
    Request.objects.update(due_on=today(world))
    assert not carry_out_release(request)
    request.refresh_from_db()
    assert request.state == Request.State.LAPSED
    assert "proprietary" in request.answer


def test_a_product_of_two_proposals_opens_when_both_leaders_have_asked(world: World) -> None:
    EmbargoPolicy.objects.update(products="releasable")
    other = a_proposal(world, "hg-200", rea="pi", ines="member")
    world.proposal.memberships.create(person=world.rea, role="member")
    product = a_product(world, closed_for(world, 30), closed_for(world, 60, proposal=other))
    request = ask_release(world.ines, product, "for the paper")
    assert request is not None
    assert not access_state(product).is_open
    assert "asks to open" in told(world.rea)[0]
    assert ask_release(world.rea, product, "agreed") is None
    assert get_readable(world.sten, product.pid) == product
    request.refresh_from_db()
    assert request.state == Request.State.GRANTED


def test_proprietary_data_open_when_leader_and_steward_agree_on_a_day(world: World) -> None:
    dataset = guarded(closed_for(world, None), is_proprietary=True)
    request = ask_release(world.ines, dataset, "the customer agrees")
    assert request is not None
    assert "asks to open" in told(world.dana)[0]
    with pytest.raises(NotPermittedError):
        grant(world.ines, request, "myself", in_days(world, 10))
    with pytest.raises(TransitionError, match="has to be named"):
        grant(world.dana, request, "ok")
    grant(world.dana, request, "ok", in_days(world, 10))
    assert access_state(dataset).opens_on == in_days(world, 10)


def test_a_steward_does_not_decide_an_early_release_of_other_data(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    request = ask_release(world.ines, closed_for(world, 100), "published")
    assert request is not None
    with pytest.raises(TransitionError, match="all who decide agree"):
        grant(world.dana, request, "ok", in_days(world, 10))
    refuse(world.dana, request, "the patent office objects")


def test_a_request_is_taken_back_by_who_made_it_only(world: World, shown: Dataset) -> None:
    request = ask_access(world.rea, shown, "why")
    with pytest.raises(TransitionError):
        take_back(world.sten, request)
    take_back(world.rea, request)
    with pytest.raises(TransitionError):
        take_back(world.rea, request)
    with pytest.raises(TransitionError, match="taken back"):
        grant(world.ines, request, "ok", in_days(world, 5))


def test_a_request_is_seen_by_who_asks_and_who_decides(world: World, shown: Dataset) -> None:
    request = ask_access(world.rea, shown, "why")
    for name in ("rea", "ines", "dana"):
        assert list(visible_requests(getattr(world, name))) == [request], name
    for name in ("carlo", "ivo", "sten"):
        assert not visible_requests(getattr(world, name)).exists(), name
        with pytest.raises(UnknownRequestError):
            get_request(getattr(world, name), str(request.uuid))
    for person, uuid in ((AnonymousUser(), str(request.uuid)), (world.dana, "x")):
        with pytest.raises(UnknownRequestError):
            get_request(person, uuid)


def test_the_team_sees_that_somebody_wants_to_open_its_data(world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    request = ask_release(world.ines, closed_for(world, 100), "published")
    assert list(visible_requests(world.carlo)) == [request]
    assert not visible_requests(world.sten).exists()


def test_what_was_taken_back_is_not_asked_for(world: World, shown: Dataset) -> None:
    Tombstone.objects.create(dataset=shown, kind="retracted", reason="wrong sample")
    for ask in (ask_extension, ask_release):
        with pytest.raises(TransitionError, match="was retracted"):
            ask(world.ines, shown, "why")
    with pytest.raises(TransitionError, match="was retracted"):
        ask_access(world.rea, shown, "why")


def test_data_without_a_proposal_are_in_the_hands_of_the_staff(world: World) -> None:
    dataset = guarded(closed_for(world, 100, listed_in=-1), proposal=None)
    request = ask_access(world.rea, dataset, "why")
    assert told(world.ivo) != []
    assert told(world.ines) == []
    grant(world.ivo, request, "ok", in_days(world, 5))
    assert may_read(world.rea, dataset)


@pytest.mark.django_db(transaction=True)
def test_two_stewards_at_once_decide_a_request_once(tmp_path: object) -> None:
    world = a_world(tmp_path)  # type: ignore[arg-type]  # pytest's own Path
    world.carlo.is_data_steward = True
    world.carlo.save()
    request = ask_extension(world.ines, closed_for(world, 30), "why")
    start, outcomes = threading.Barrier(2), []

    def act(decide: object, person: User) -> None:
        start.wait()
        try:
            decide(person, request, "at once")  # type: ignore[operator]  # grant or refuse
            outcomes.append("decided")
        except TransitionError:
            outcomes.append("too late")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=act, args=each)
        for each in ((grant, world.dana), (refuse, world.carlo))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["decided", "too late"]


def test_everything_that_can_be_decided_names_who_decides() -> None:
    assert set(decisions.ACTS) == set(wishes.Kind)
    assert timedelta(days=wishes.OBJECTION_DAYS) == date(2027, 1, 15) - date(2027, 1, 1)
