"""Teams of proposals: who sees them, who changes them, and what becomes of it."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalogue.access import valid_memberships, visible_datasets
from catalogue.errors import (
    DescriptionError,
    NotPermittedError,
    TransitionError,
    UnknownMembershipError,
    UnknownProposalError,
)
from catalogue.models import AuditEvent, Guest, Membership, Proposal, User
from catalogue.team import Stay, add_member, end_membership, get_membership, list_members
from tests.builders import World, a_dataset
from tests.catalogue.closing import closed_for, in_days

ClientOf = Callable[[str | None], Client]
ORCID = "0000-0002-1825-0097"
REA = Stay("rea")


def page_of(proposal: Proposal) -> str:
    return f"/proposals/{proposal.pid}/members/"


def membership(world: World, name: str, source: str = "hand", **told: Any) -> Membership:
    """What a source says of somebody and the proposal of Ines; by hand it may be said already."""
    named = {"person": getattr(world, name), "proposal": world.proposal, "source": source}
    return Membership.objects.update_or_create(**named, defaults=told)[0]


def faults_of(error: pytest.ExceptionInfo[DescriptionError]) -> list[str]:
    return [fault.pointer for fault in error.value.errors]


@pytest.mark.parametrize("name", ["ines", "dana"])
def test_a_leader_and_a_data_steward_add_and_end_members(world: World, name: str) -> None:
    person = getattr(world, name)
    added = add_member(person, world.proposal, REA, "Helps with the fit")
    assert (added.person, added.role, added.source) == (world.rea, "member", "hand")
    end_membership(person, added, "Is done")
    added.refresh_from_db()
    assert added.valid_to == in_days(world, -1)


def test_others_of_the_team_see_it_and_change_nothing(world: World) -> None:
    rows = list_members(world.carlo, world.proposal)
    assert {row.person for row in rows} == {world.ines, world.carlo}
    with pytest.raises(NotPermittedError, match="principal investigator of it or a data steward"):
        add_member(world.carlo, world.proposal, REA, "why")
    with pytest.raises(NotPermittedError):
        end_membership(world.carlo, membership(world, "carlo"), "why")


@pytest.mark.parametrize("name", ["nobody", "sten", "rea", "ivo"])
def test_for_strangers_guests_and_staff_there_is_no_team(world: World, name: str) -> None:
    dataset = closed_for(world, 100)
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=in_days(world, 9))
    person = AnonymousUser() if name == "nobody" else getattr(world, name)
    with pytest.raises(UnknownProposalError):
        list_members(person, world.proposal)
    with pytest.raises(UnknownProposalError):
        add_member(person, world.proposal, REA, "why")
    with pytest.raises(UnknownProposalError):
        end_membership(person, membership(world, "carlo"), "why")


@pytest.mark.parametrize(("first", "last", "status"), [(-9, -1, 404), (1, 9, 404), (0, 0, 200)])
def test_who_leads_on_other_days_is_a_stranger_today(
    client_of: ClientOf, world: World, first: int, last: int, status: int
) -> None:
    first_day, last_day = in_days(world, first), in_days(world, last)
    membership(world, "sten", role="pi", valid_from=first_day, valid_to=last_day)
    page = client_of("sten").get(page_of(world.proposal))
    assert page.status_code == status
    assert (b"Add a member" in page.content) == (status == 200)


@pytest.mark.parametrize(
    ("first", "last", "sees"), [(None, None, True), (0, 0, True), (1, 2, False)]
)
def test_who_is_added_sees_closed_data_on_the_days_that_were_said(
    world: World, first: int | None, last: int | None, *, sees: bool
) -> None:
    closed_for(world, 100)
    assert not visible_datasets(world.rea).exists()
    days = [in_days(world, day) if day is not None else None for day in (first, last)]
    added = add_member(world.ines, world.proposal, Stay("rea", "member", *days), "why")
    assert visible_datasets(world.rea).exists() == sees
    end_membership(world.ines, added, "why")
    assert not visible_datasets(world.rea).exists()


@pytest.mark.parametrize("said", [ORCID, f"https://orcid.org/{ORCID}", f" {ORCID} ", "rea"])
def test_people_are_found_by_account_or_orcid(world: World, said: str) -> None:
    User.objects.filter(pk=world.rea.pk).update(orcid=ORCID)
    assert add_member(world.ines, world.proposal, Stay(said), "why").person == world.rea


def test_an_account_goes_before_the_orcid_of_another(world: World) -> None:
    User.objects.filter(pk=world.rea.pk).update(orcid=ORCID)
    User.objects.filter(pk=world.sten.pk).update(username=ORCID)
    assert add_member(world.ines, world.proposal, Stay(ORCID), "why").person == world.sten


def test_nobody_is_guessed_at(world: World) -> None:
    User.objects.filter(username__in=["rea", "sten"]).update(orcid=ORCID)
    User.objects.filter(pk=world.ivo.pk).update(is_active=False)
    for said in (ORCID, "re", "REA", "", "ivo", "Rea\x00"):
        with pytest.raises(DescriptionError) as refused:
            add_member(world.ines, world.proposal, Stay(said), "why")
        assert faults_of(refused) == ["#/person"]


def test_every_fault_is_named_at_once_and_nothing_is_written(world: World) -> None:
    past = Stay("nobody", "boss", valid_to=in_days(world, -1))
    with pytest.raises(DescriptionError) as refused:
        add_member(world.ines, world.proposal, past, " ")
    assert faults_of(refused) == ["#/reason", "#/person", "#/role", "#/valid_to"]
    reversed_days = replace(REA, valid_from=in_days(world, 9), valid_to=in_days(world, 8))
    with pytest.raises(DescriptionError) as refused:
        add_member(world.ines, world.proposal, reversed_days, "x" * 2001)
    assert faults_of(refused) == ["#/reason", "#/valid_to"]
    with pytest.raises(DescriptionError):
        end_membership(world.ines, membership(world, "carlo"), "\x00")
    assert Membership.objects.count() == 2
    assert not AuditEvent.objects.exists()


def test_a_member_is_not_added_twice_but_may_come_back(world: World) -> None:
    first = add_member(world.ines, world.proposal, REA, "why")
    with pytest.raises(TransitionError, match="End that stay first"):
        add_member(world.ines, world.proposal, Stay("rea", "pi"), "why")
    end_membership(world.ines, first, "why")
    with pytest.raises(TransitionError, match="ended already"):
        end_membership(world.ines, first, "why")
    again = add_member(world.ines, world.proposal, Stay("rea", "co_proposer"), "why")
    assert (again.pk, again.role, again.valid_to) == (first.pk, "co_proposer", None)


@pytest.mark.parametrize(("first", "is_kept"), [(None, True), (-1, True), (0, False), (5, False)])
def test_what_would_end_before_it_begins_is_taken_away(
    world: World, first: int | None, *, is_kept: bool
) -> None:
    begins = in_days(world, first) if first is not None else None
    row = membership(world, "carlo", valid_from=begins)
    end_membership(world.ines, row, "why")
    assert Membership.objects.filter(pk=row.pk).exists() == is_kept
    with pytest.raises(TransitionError, match="ended already"):
        end_membership(world.ines, row, "why")


@pytest.mark.parametrize(
    ("source", "name"), [("user_office", "user office"), ("entitlement", "sign-in")]
)
def test_what_another_source_says_is_ended_there(world: World, source: str, name: str) -> None:
    row = membership(world, "rea", source)
    with pytest.raises(TransitionError, match=f"comes from the {name}"):
        end_membership(world.dana, row, "why")
    by_hand = add_member(world.ines, world.proposal, REA, "Stays longer")
    assert get_membership(world.ines, world.proposal, world.rea.pid) == by_hand
    end_membership(world.ines, by_hand, "why")
    assert Membership.objects.get(pk=row.pk).valid_to is None


@pytest.mark.parametrize("pid", [uuid4(), "no-uuid", "\x00"])
def test_who_is_not_on_the_team_is_not_found_there(world: World, pid: object) -> None:
    with pytest.raises(UnknownMembershipError):
        get_membership(world.ines, world.proposal, pid)


def test_a_leader_does_not_leave_a_proposal_without_one(world: World) -> None:
    own = membership(world, "ines")
    membership(world, "rea", role="pi", valid_to=in_days(world, -1))  # does not lead any more
    with pytest.raises(TransitionError, match="Add another principal investigator first"):
        end_membership(world.ines, own, "why")
    membership(world, "rea", role="pi", valid_to=None)
    end_membership(world.ines, own, "why")
    with pytest.raises(UnknownProposalError):
        list_members(world.ines, world.proposal)


def test_a_steward_may_end_the_last_leader(world: World) -> None:
    end_membership(world.dana, membership(world, "ines"), "Has left the field")
    assert not valid_memberships().filter(proposal=world.proposal, role="pi").exists()


def test_the_log_tells_who_let_whom_in_until_when_and_why(world: World) -> None:
    last = in_days(world, 9)
    added = add_member(world.ines, world.proposal, replace(REA, valid_to=last), " Fits ")
    end_membership(world.dana, added, "Asked to go")
    ended, begun = AuditEvent.objects.all()
    told = {
        "person": "rea", "source": "hand", "role": "member",
        "valid_from": None, "valid_to": last.isoformat(),
    }  # fmt: skip
    assert (begun.act, begun.who, begun.reason) == ("member.added", "Ines", "Fits")
    assert (begun.subject, begun.old, begun.new) == (str(world.proposal.pid), None, told)
    assert (ended.act, ended.who, ended.reason) == ("member.ended", "Dana", "Asked to go")
    assert (ended.old, ended.new) == (told, told | {"valid_to": str(in_days(world, -1))})


def test_data_are_found_by_the_name_of_whoever_came_to_lead(
    client_of: ClientOf, world: World
) -> None:
    a_dataset(world)
    found = "/api/v1/datasets/?q=rea"
    first_day = in_days(world, 0)
    assert client_of("dana").get(found).json()["results"] == []
    leader = add_member(world.ines, world.proposal, Stay("rea", "pi", first_day), "why")
    assert len(client_of("dana").get(found).json()["results"]) == 1
    end_membership(world.ines, leader, "A mistake")
    assert client_of("dana").get(found).json()["results"] == []


def test_the_page_offers_changes_only_to_who_may_make_them(
    client_of: ClientOf, world: World
) -> None:
    membership(world, "rea", "user_office")
    membership(world, "sten", valid_to=date(2020, 2, 3))
    pages = {
        n: client_of(n).get(page_of(world.proposal)).content.decode() for n in ("ines", "carlo")
    }
    for page in pages.values():
        for text in ("Pigments of a painting", "user office", "3 Feb 2020", "(ended)"):
            assert text in page
    assert "<form class" not in pages["carlo"]
    # Not what was imported, and not what is over.
    ends = {world.ines: True, world.carlo: True, world.rea: False, world.sten: False}
    for person, is_offered in ends.items():
        assert (f"/{person.pid}/end/" in pages["ines"]) == is_offered


def test_a_hidden_team_and_an_absent_one_are_the_same_page(
    client_of: ClientOf, world: World
) -> None:
    for name in (None, "sten"):
        client, absent = client_of(name), uuid4()
        hidden = client.get(page_of(world.proposal))
        other = client.get(f"/proposals/{absent}/members/")
        assert (hidden.status_code, other.status_code) == (404, 404)
        found = hidden.content.decode().replace(str(world.proposal.pid), str(absent))
        assert found.split("csrf")[0] == other.content.decode().split("csrf")[0]
        assert client.post(page_of(world.proposal), {"person": "rea"}).status_code == 404


def test_a_leader_adds_a_member_by_the_form(client_of: ClientOf, world: World) -> None:
    wish = {"person": "rea", "role": "member", "valid_to": "2199-12-31", "reason": "Helps"}
    answer = client_of("ines").post(page_of(world.proposal), wish, follow=True)
    assert "Rea is on the team." in answer.content.decode()
    assert membership(world, "rea").valid_to == date(2199, 12, 31)


@pytest.mark.parametrize(
    ("said", "status", "shown"),
    [
        ({"person": "nobody"}, 422, "No account has this name"),
        ({"reason": ""}, 422, "This field is required"),
        ({"valid_to": "2001-01-01"}, 422, "The last day must not be past"),
        ({"valid_to": "soon"}, 422, "Enter a valid date"),
        ({"person": "carlo"}, 409, "End that stay first"),
    ],
)
def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(
    client_of: ClientOf, world: World, said: dict[str, str], status: int, shown: str
) -> None:
    wish = {"person": "rea", "role": "member", "reason": "Because of the glaze"} | said
    answer = client_of("ines").post(page_of(world.proposal), wish)
    assert answer.status_code == status
    page = answer.content.decode()
    assert shown in page
    assert f'value="{wish["person"]}"' in page
    assert not Membership.objects.filter(person=world.rea).exists()


def test_a_member_who_posts_the_form_is_refused(client_of: ClientOf, world: World) -> None:
    wish = {"person": "rea", "role": "member", "reason": "why"}
    assert client_of("carlo").post(page_of(world.proposal), wish).status_code == 403


def test_ending_on_the_page_needs_a_reason_and_another_leader(
    client_of: ClientOf, world: World
) -> None:
    client = client_of("ines")
    address = f"{page_of(world.proposal)}{{}}/end/"
    silent = client.post(address.format(world.carlo.pid), {})
    assert silent.status_code == 422
    assert "Say why the membership of Carlo ends." in silent.content.decode()
    last = client.post(address.format(world.ines.pid), {"reason": "why"})
    assert last.status_code == 409
    assert "Add another principal investigator first." in last.content.decode()
    assert "Table of members" in last.content.decode()  # one can do it at once
    ended = client.post(address.format(world.carlo.pid), {"reason": "why"}, follow=True)
    assert "The membership of Carlo has ended." in ended.content.decode()
    membership(world, "carlo", role="pi", valid_to=None)
    gone = client.post(address.format(world.ines.pid), {"reason": "why"})
    assert gone.headers["Location"] == "/"  # a page that is still hers to see
    assert client.post(address.format(world.rea.pid), {"reason": "why"}).status_code == 404


def test_the_page_asks_as_often_for_many_members(
    client_of: ClientOf, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        person = User.objects.create(username=f"p{number}", full_name=f"Person {number}")
        Membership.objects.create(person=person, proposal=world.proposal)
    client = client_of("ines")
    with django_assert_max_num_queries(9):
        assert b"Person 29" in client.get(page_of(world.proposal)).content


def test_the_page_of_a_dataset_leads_its_team_to_the_list(
    client_of: ClientOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True)
    for name, leads in ((None, 0), ("sten", 0), ("ivo", 0), ("carlo", 1), ("dana", 1)):
        page = client_of(name).get(f"/datasets/{dataset.pid}/").content.decode()
        assert "hg-172, Pigments of a painting" in page
        assert page.count(page_of(world.proposal)) == leads


def test_a_proposal_from_the_command_line_is_in_the_log(world: World) -> None:
    call_command(
        "add_proposal", "ch-9", "--title", "Glazes", "--member", "ines:pi", stdout=io.StringIO()
    )
    added, proposal = AuditEvent.objects.all()
    assert (proposal.act, added.act) == ("proposal.added", "member.added")
    assert proposal.new == {"number": "ch-9", "title": "Glazes", "policy": "default"}
    assert {event.subject for event in (added, proposal)} == {
        str(Proposal.objects.get(number="ch-9").pid)
    }
    assert {(e.person, e.reason) for e in (added, proposal)} == {(None, "manage.py add_proposal")}


def test_a_role_from_the_command_line_is_in_the_log_once(world: World) -> None:
    membership(world, "carlo", "user_office", role="member")
    for _ in range(2):
        call_command("add_proposal", "hg-172", "--member", "carlo:pi", stdout=io.StringIO())
    event = AuditEvent.objects.get()
    assert event.act == "member.changed"
    roles = [dict(said or {})["role"] for said in (event.old, event.new)]
    assert roles == ["member", "pi"]
    assert membership(world, "carlo", "user_office").role == "member"


def test_the_command_line_leaves_alone_what_the_user_office_says(world: World) -> None:
    imported = membership(world, "rea", "user_office", role="co_proposer")
    call_command("add_proposal", "hg-172", "--member", "rea:pi", stdout=io.StringIO())
    imported.refresh_from_db()
    assert (imported.role, membership(world, "rea").role) == ("co_proposer", "pi")


def test_whom_the_command_line_makes_a_steward_is_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("--data-steward", "--data-steward", "--no-data-steward"):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
        call_command("add_person", "sten", option, stdout=io.StringIO())
    dismissed, appointed = AuditEvent.objects.all()
    assert (appointed.act, dismissed.act) == ("steward.appointed", "steward.dismissed")
    for event in (appointed, dismissed):
        assert (event.subject, event.person) == (str(world.sten.pid), None)
        assert event.reason == "manage.py add_person"


def test_days_are_those_of_the_facility(world: World) -> None:
    """Kiritimati is a day ahead of Pago Pago, at every hour."""
    days = {}
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        world.facility.timezone = zone
        world.facility.save()
        row = membership(world, "carlo", valid_to=None)
        end_membership(world.ines, row, "why")
        row.refresh_from_db()
        days[zone] = row.valid_to
    ahead, behind = days.values()
    assert ahead is not None
    assert behind is not None
    assert ahead - behind >= timedelta(days=1)
