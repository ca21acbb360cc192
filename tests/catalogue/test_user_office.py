"""What the user office delivers: taken in whole or not at all, nothing else touched."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.access import readable_datasets
from catalogue.models import (
    Affiliation,
    AuditEvent,
    EmbargoPolicy,
    Facility,
    Guard,
    Listing,
    Membership,
    Proposal,
    Sample,
    User,
)
from catalogue.user_office import (
    Document,
    UserOfficeError,
    import_documents,
    plan_import,
)
from tests.builders import World, a_dataset, a_world

Rows = list[dict[str, Any]]
EMIL = {"account": "emil@uni.example", "full_name": "Emil Roth"}
PIGMENTS = {"number": "hg-172", "title": "Pigments of a painting"}
SHORT = {"account": "sten", "proposal": "hg-172"}


def deliver(*, is_complete: bool = False, **rows: Rows) -> list[str]:
    """Import and return what was done, in words."""
    document = Document("office.json", rows)
    changes = import_documents([document], is_complete=is_complete)
    return [" ".join(str(change).split()) for change in changes]


def refused(*, is_complete: bool = False, **rows: Rows) -> list[str]:
    with pytest.raises(UserOfficeError) as error:
        deliver(is_complete=is_complete, **rows)
    return [str(fault) for fault in error.value.faults]


def on_team(number: str) -> set[tuple[str, str, str]]:
    rows = Membership.objects.filter(proposal__number=number)
    return set(rows.values_list("person__username", "role", "source"))


def test_people_come_with_their_orcid_and_affiliation(world: World) -> None:
    said = deliver(
        people=[
            EMIL
            | {
                "orcid": "https://orcid.org/0000-0002-1825-0097",
                "email": "emil@uni.example",
                "affiliations": [{"name": "ESRF", "ror": "https://ror.org/02550n020"}],
            }
        ]
    )
    emil = User.objects.get(username="emil@uni.example")
    assert (emil.full_name, emil.orcid) == ("Emil Roth", "0000-0002-1825-0097")
    assert emil.affiliations.get().ror == "https://ror.org/02550n020"
    assert said[0] == "create person emil@uni.example (Emil Roth)"


def test_nobody_signs_in_to_a_new_account_by_a_password(world: World) -> None:
    deliver(people=[EMIL])
    emil = User.objects.get(username="emil@uni.example")
    assert not emil.has_usable_password()
    assert (emil.is_staff, emil.is_superuser, emil.is_data_steward) == (False, False, False)


def test_a_known_account_keeps_its_password_and_what_is_not_said(world: World) -> None:
    User.objects.filter(username="ines").update(orcid="0000-0002-1825-0097")
    deliver(people=[{"account": "ines", "full_name": "Ines Alvarez", "orcid": ""}])
    ines = User.objects.get(username="ines")
    assert (ines.full_name, ines.orcid) == ("Ines Alvarez", "0000-0002-1825-0097")
    assert ines.check_password("ines-password")


def test_an_e_mail_address_makes_nobody_the_same_person(world: World) -> None:
    User.objects.filter(username="dana").update(email="office@uni.example")
    deliver(people=[EMIL | {"email": "office@uni.example"}])
    assert User.objects.filter(email="office@uni.example").count() == 2
    assert User.objects.get(username="dana").full_name == "Dana"


def test_new_affiliations_take_the_place_of_the_old(world: World) -> None:
    both = [{"name": "ESRF", "city": "Grenoble"}, {"name": "ILL", "city": "Grenoble"}]
    deliver(people=[EMIL | {"affiliations": both}])
    deliver(people=[EMIL])
    emil = User.objects.get(username=EMIL["account"])
    assert emil.affiliations.count() == 2
    moved = deliver(people=[EMIL | {"affiliations": [{"name": "ILL", "city": "Grenoble"}]}])
    assert moved == ["change person emil@uni.example (affiliations)"]
    assert [one.name for one in emil.affiliations.all()] == ["ILL"]
    assert Affiliation.objects.count() == 2


def test_a_proposal_comes_with_its_team(world: World) -> None:
    deliver(
        people=[EMIL],
        proposals=[
            {
                "number": "ch-9",
                "title": "Glazes",
                "abstract": "Lead in glass.",
                "keywords": ["glass", "lead", "glass"],
                "start_date": "2026-03-02",
                "end_date": "2026-03-06",
                "pi": "ines",
            }
        ],
        memberships=[
            {"account": EMIL["account"], "proposal": "ch-9", "valid_to": "2026-12-31"},
            {"account": "carlo", "proposal": "ch-9", "role": "local_contact"},
        ],
        samples=[{"proposal": "ch-9", "name": "Glaze 3", "chemical_formula": "PbO"}],
    )
    proposal = Proposal.objects.get(number="ch-9")
    assert (proposal.facility, proposal.policy) == (world.facility, world.policy)
    assert proposal.keywords == ["glass", "lead"]
    assert proposal.end_date == date(2026, 3, 6)
    assert on_team("ch-9") == {
        ("ines", "pi", "user_office"),
        (EMIL["account"], "member", "user_office"),
        ("carlo", "local_contact", "user_office"),
    }
    assert proposal.samples.get().chemical_formula == "PbO"


def test_the_same_delivery_twice_changes_nothing(world: World) -> None:
    rows: dict[str, Rows] = {
        "people": [EMIL | {"affiliations": [{"name": "ESRF"}]}],
        "proposals": [{"number": "ch-9", "title": "Glazes", "keywords": ["glass"], "pi": "ines"}],
        "memberships": [{"account": EMIL["account"], "proposal": "ch-9", "role": "member"}],
        "samples": [{"proposal": "ch-9", "name": "Glaze 3"}],
    }
    assert len(deliver(**rows)) == 6
    assert deliver(**rows) == []
    assert deliver(is_complete=True, **rows) == []


def test_a_membership_lasts_from_its_first_to_its_last_day(world: World) -> None:
    dataset = a_dataset(world)
    today = date.today()  # noqa: DTZ011 - the days around it are left out
    for first, last, may_read in ((-9, 9, True), (2, 9, False), (-9, -2, False)):
        days = {"valid_from": today + timedelta(first), "valid_to": today + timedelta(last)}
        said = {name: day.isoformat() for name, day in days.items()}
        deliver(memberships=[{"account": "sten", "proposal": "hg-172"} | said])
        assert (dataset in readable_datasets(world.sten)) is may_read


def test_a_complete_delivery_ends_what_it_lacks_and_deletes_nothing(world: World) -> None:
    both = [
        {"account": "sten", "proposal": "hg-172"},
        {"account": "rea", "proposal": "hg-172", "role": "co_proposer"},
    ]
    dataset = a_dataset(world)
    deliver(memberships=both)
    assert dataset in readable_datasets(world.sten)
    said = deliver(is_complete=True, memberships=both[1:])
    ended = Membership.objects.get(person=world.sten)
    assert ended.valid_to is not None
    assert date.today() - ended.valid_to <= timedelta(days=2)  # noqa: DTZ011 - zones differ by a day
    assert said == [f"end membership sten in hg-172 (valid_to: None -> {ended.valid_to})"]
    assert dataset not in readable_datasets(world.sten)
    assert dataset in readable_datasets(world.rea)
    assert deliver(is_complete=True, memberships=both[1:]) == []
    deliver(memberships=both)
    assert dataset in readable_datasets(world.sten)


def test_what_ended_before_keeps_its_last_day(world: World) -> None:
    deliver(memberships=[SHORT | {"valid_to": "2020-01-31"}])
    deliver(is_complete=True, memberships=[{"account": "rea", "proposal": "hg-172"}])
    assert Membership.objects.get(person=world.sten).valid_to == date(2020, 1, 31)


def test_the_days_of_a_leader_may_be_given_without_the_role(world: World) -> None:
    deliver(
        proposals=[PIGMENTS | {"pi": "sten"}], memberships=[SHORT | {"valid_from": "2026-03-01"}]
    )
    leader = Membership.objects.get(person=world.sten)
    assert (leader.role, leader.valid_from) == ("pi", date(2026, 3, 1))
    deliver(proposals=[PIGMENTS | {"pi": "sten"}])
    leader.refresh_from_db()
    assert leader.valid_from == date(2026, 3, 1)


def test_an_incomplete_delivery_ends_nothing(world: World) -> None:
    deliver(memberships=[{"account": "sten", "proposal": "hg-172"}])
    deliver(memberships=[{"account": "rea", "proposal": "hg-172"}])
    assert not Membership.objects.filter(valid_to__isnull=False).exists()


@pytest.mark.parametrize("source", ["hand", "entitlement"])
def test_what_other_sources_gave_is_never_touched(world: World, source: str) -> None:
    Membership.objects.create(person=world.sten, proposal=world.proposal, source=source)
    deliver(memberships=[{"account": "sten", "proposal": "hg-172", "valid_to": "2020-01-31"}])
    deliver(is_complete=True, memberships=[{"account": "rea", "proposal": "hg-172"}])
    kept = Membership.objects.get(person=world.sten, source=source)
    assert (kept.role, kept.valid_to) == ("member", None)
    # One source that still names a person is enough.
    assert a_dataset(world) in readable_datasets(world.sten)
    assert on_team("hg-172") >= {("ines", "pi", "hand"), ("sten", "member", "user_office")}


def test_a_complete_delivery_without_memberships_is_a_mistake(world: World) -> None:
    deliver(memberships=[{"account": "sten", "proposal": "hg-172"}])
    faults = refused(is_complete=True, people=[EMIL])
    assert faults == [
        "memberships: a complete delivery without memberships would end them all; add them"
    ]
    assert Membership.objects.get(person=world.sten).valid_to is None


def test_who_led_before_stays_on_the_team(world: World) -> None:
    deliver(proposals=[{"number": "ch-9", "title": "Glazes", "pi": "ines"}])
    deliver(proposals=[{"number": "ch-9", "title": "Glazes", "pi": "carlo"}])
    assert on_team("ch-9") == {("ines", "member", "user_office"), ("carlo", "pi", "user_office")}
    # By hand Ines leads hg-172 all the same.
    deliver(proposals=[PIGMENTS | {"pi": "carlo"}])
    assert ("ines", "pi", "hand") in on_team("hg-172")


def test_a_leader_whom_a_complete_delivery_drops_is_off_the_team(world: World) -> None:
    deliver(proposals=[{"number": "ch-9", "title": "Glazes", "pi": "ines"}])
    deliver(
        is_complete=True,
        proposals=[{"number": "ch-9", "title": "Glazes", "pi": "carlo"}],
        memberships=[{"account": "rea", "proposal": "ch-9"}],
    )
    lasting = Membership.objects.filter(proposal__number="ch-9", valid_to=None)
    assert set(lasting.values_list("person__username", flat=True)) == {"carlo", "rea"}


def test_each_change_of_a_membership_is_in_the_audit_log(world: World) -> None:
    one = {"account": "sten", "proposal": "hg-172"}
    import_documents([Document("", {"memberships": [one]})], person=world.dana)
    deliver(memberships=[one | {"role": "co_proposer"}])
    deliver(is_complete=True, memberships=[{"account": "rea", "proposal": "hg-172"}])
    events = AuditEvent.objects.filter(subject=str(world.proposal.pid), subject_kind="proposal")
    acts = [event.act for event in events.order_by("id")]
    assert acts == [
        "membership.added", "membership.changed", "membership.added", "membership.ended"
    ]  # fmt: skip
    added, changed = events.order_by("id")[:2]
    assert (added.who, added.old, added.reason) == ("Dana", None, "user office import")
    assert added.new == {
        "person": "sten", "source": "user_office", "role": "member",
        "valid_from": None, "valid_to": None,
    }  # fmt: skip
    assert (changed.old["role"], changed.new["role"]) == ("member", "co_proposer")
    assert changed.who == "the steward process"


def test_an_embargo_follows_the_policy_of_its_proposal(world: World) -> None:
    for slug, months in (("long", 60), ("none", 0)):
        EmbargoPolicy.objects.create(
            slug=slug, months=months, starts_with="proposal.end_time", licence="CC-BY-4.0"
        )
    closed, opened = a_dataset(world), a_dataset(world, is_open=True)
    said = deliver(proposals=[PIGMENTS | {"embargo": "long", "end_date": "2026-01-31"}])
    assert said == [
        "change proposal hg-172 (end_date: None -> 2026-01-31, policy: default -> long)"
    ]
    assert Guard.objects.get(dataset=closed).opens_on == date(2031, 1, 31)
    deliver(proposals=[PIGMENTS | {"end_date": "2026-02-28"}])
    closed.refresh_from_db()
    assert Guard.objects.get(dataset=closed).opens_on == date(2031, 2, 28)
    assert closed.opens_at is not None
    assert closed.opens_at.isoformat() == "2031-02-27T23:00:00+00:00"  # midnight in Paris
    assert Guard.objects.get(dataset=opened).opens_on == date(2020, 1, 1)  # never closes
    event = AuditEvent.objects.filter(act="proposal.edited").latest("id")
    assert (event.old, event.new) == ({"end_date": "2026-01-31"}, {"end_date": "2026-02-28"})


def found_by(word: str) -> list[int]:
    found = Listing.objects.filter(words=SearchQuery(word, config="simple"))
    return list(found.values_list("dataset", flat=True))


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ({"proposals": [{"number": "hg-172", "title": "Vermilion"}]}, "vermilion"),
        ({"proposals": [PIGMENTS | {"keywords": ["cinnabar"]}]}, "cinnabar"),
        ({"proposals": [PIGMENTS | {"pi": "rea"}]}, "rea"),
        ({"people": [{"account": "ines", "full_name": "Ines Alvarez"}]}, "alvarez"),
        ({"samples": [{"proposal": "hg-172", "name": "F7", "chemical_formula": "HgS"}]}, "hgs"),
    ],
    ids=["title", "keywords", "pi", "name", "formula"],
)
def test_datasets_are_found_by_what_was_delivered(
    world: World, rows: dict[str, Rows], word: str
) -> None:
    dataset = a_dataset(world, sample="F7")
    assert found_by(word) == []
    deliver(**rows)
    assert found_by(word) == [dataset.pk]


def test_a_plan_tells_all_and_changes_nothing(world: World) -> None:
    rows = {
        "people": [EMIL],
        "proposals": [{"number": "ch-9", "title": "Glazes", "pi": EMIL["account"]}],
    }
    document = Document("office.json", rows)
    planned = plan_import([document])
    assert (User.objects.count(), Proposal.objects.count()) == (6, 1)
    assert not AuditEvent.objects.exists()
    assert planned == import_documents([document])
    assert len(planned) == 3


AS_BEFORE = "in other letters; write it the same way"
TWO_RORS = [
    {"name": "ESRF", "ror": "https://ror.org/02550n020"},
    {"name": "ESRF", "ror": "https://ror.org/00vtgdb53"},
]


@pytest.mark.parametrize(
    ("kind", "rows", "faults"),
    [
        (
            "people",
            [{"account": "emil"}],
            ["0, full_name: is missing; or give given_name and family_name"],
        ),
        (
            "people",
            [EMIL, EMIL | {"full_name": "Emil Rot"}],
            ["1, full_name: Emil Rot contradicts office.json, #/people/0, which says Emil Roth"],
        ),
        (
            "people",
            [EMIL, EMIL | {"account": "Emil@uni.example"}],
            [f"1, account: Emil@uni.example is the account emil@uni.example {AS_BEFORE}"],
        ),
        (
            "people",
            [{"account": "INES", "full_name": "Ines"}],
            [f"0, account: INES is the account ines {AS_BEFORE}"],
        ),
        (
            "people",
            [EMIL | {"affiliations": TWO_RORS}],
            ["0, ror: https://ror.org/00vtgdb53 contradicts office.json, #/people/0, which says"],
        ),
        (
            "proposals",
            [{"number": "ch-9", "title": "Glazes", "embargo": "forever", "pi": "nobody"}],
            [
                "0, pi: there is no account nobody; deliver it in people",
                "0, embargo: there is no policy forever; declared are default",
            ],
        ),
        (
            "proposals",
            [{"number": "HG-172", "title": "Pigments"}],
            [f"0, number: HG-172 is the proposal hg-172 {AS_BEFORE}"],
        ),
        (
            "proposals",
            [{"number": "c", "title": "G", "start_date": "2026-03-06", "end_date": "2026-03-02"}],
            ["0, end_date: 2026-03-02 is before the start, 2026-03-06"],
        ),
        (
            "memberships",
            [{"account": "ines", "proposal": "ch-9"}, {"account": "emil", "proposal": "hg-172"}],
            [
                "1, account: there is no account emil; deliver it in people",
                "0, proposal: there is no proposal ch-9; deliver it in proposals",
            ],
        ),
        (
            "memberships",
            [SHORT | {"valid_from": "2026-03-06", "valid_to": "2026-03-05"}],
            ["0, valid_to: 2026-03-05 is before 2026-03-06"],
        ),
        (
            "memberships",
            [{"account": "good", "proposal": "hg-172", "role": "member"}],
            ["0, role: contradicts office.json, #/proposals/0, where good is the pi"],
        ),
        (
            "samples",
            [{"proposal": "ch-9", "name": "Glaze"}],
            ["0, proposal: there is no proposal ch-9; deliver it in proposals"],
        ),
    ],
    ids=range(12),
)
def test_a_delivery_that_cannot_be_true_is_refused_whole(
    world: World, kind: str, rows: Rows, faults: list[str]
) -> None:
    good: dict[str, Rows] = {
        "people": [{"account": "good", "full_name": "Good"}],
        "proposals": [{"number": "hg-172", "title": "Pigments", "pi": "good"}],
    }
    good[kind] = rows + ([] if kind == "proposals" else good.get(kind, []))
    said = refused(**good)
    assert len(said) == len(faults)
    for one, expected in zip(said, faults, strict=True):
        assert one.startswith(f"office.json, #/{kind}/{expected}")
    assert not User.objects.filter(username="good").exists()
    assert (Proposal.objects.get().title, Membership.objects.count()) == (world.proposal.title, 2)


def test_an_end_before_the_start_that_is_known_is_refused(world: World) -> None:
    row = {"number": "hg-172", "title": "Pigments"}
    deliver(proposals=[row | {"start_date": "2026-03-02"}])
    faults = refused(proposals=[row | {"end_date": "2026-03-01"}])
    assert faults[0].endswith("end_date: 2026-03-01 is before the start, 2026-03-02")


def test_a_new_proposal_needs_a_policy(world: World) -> None:
    EmbargoPolicy.objects.update(slug="ours")
    ch_9 = {"number": "ch-9", "title": "Glazes"}
    assert refused(proposals=[ch_9]) == [
        "office.json, #/proposals/0, embargo: there is no policy default; declared are ours"
    ]
    deliver(proposals=[ch_9 | {"embargo": "ours"}])
    assert Proposal.objects.get(number="ch-9").policy == world.policy
    assert deliver(proposals=[ch_9]) == []


def test_rows_that_say_the_same_are_taken_once(world: World) -> None:
    deliver(
        people=[EMIL, EMIL | {"email": "emil@uni.example"}],
        memberships=[{"account": EMIL["account"], "proposal": "hg-172", "role": "Member"}] * 2,
    )
    assert User.objects.get(username=EMIL["account"]).email == "emil@uni.example"
    assert Membership.objects.filter(source="user_office").count() == 1


def test_two_accounts_that_exist_in_two_spellings_are_both_known(world: World) -> None:
    User.objects.create_user("INES", full_name="Another Ines")
    accounts = ("ines", "INES")
    deliver(
        people=[{"account": one, "full_name": f"{one} A."} for one in accounts],
        memberships=[{"account": one, "proposal": "hg-172"} for one in accounts],
    )
    assert {person for person, _, source in on_team("hg-172") if source == "user_office"} == {
        "ines",
        "INES",
    }


def test_without_a_facility_nothing_can_be_imported(db: None) -> None:
    assert not Facility.objects.exists()
    assert refused(people=[EMIL]) == [
        "there is no facility yet; declare it first: manage.py apply facility.toml"
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_imports_at_once_one_waits_for_the_other(tmp_path: Path) -> None:
    a_world(tmp_path)
    together = threading.Barrier(3)
    done: list[list[str]] = []

    def work() -> None:
        together.wait(30)
        try:
            membership = {"account": EMIL["account"], "proposal": "hg-172"}
            done.append(deliver(people=[EMIL], memberships=[membership]))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(len, done)) == [0, 0, 2]


def many(count: int, *, role: str = "member") -> dict[str, Rows]:
    return {
        "people": [
            {
                "account": f"user{n}",
                "full_name": f"User {n} {role}",
                "affiliations": [{"name": f"Institute {n % 50}"}],
            }
            for n in range(count)
        ],
        "proposals": [
            {"number": f"p-{n}", "title": f"Proposal {n} {role}", "pi": f"user{n}"}
            for n in range(count)
        ],
        "memberships": [
            {"account": f"user{n}", "proposal": f"p-{(n + 1) % count}", "role": role}
            for n in range(count)
        ],
        "samples": [
            {"proposal": f"p-{n}", "name": "one", "description": role} for n in range(count)
        ],
    }


@pytest.fixture
def statements() -> Callable[..., int]:
    def count(rows: dict[str, Rows], *, is_complete: bool = False) -> int:
        with CaptureQueriesContext(connection) as captured:
            deliver(is_complete=is_complete, **rows)
        return len(captured)

    return count


def test_a_thousand_rows_take_no_more_statements_than_ten(
    world: World, statements: Callable[..., int]
) -> None:
    few = [
        statements(many(10)),
        statements(many(10, role="co_proposer")),
        statements(many(5, role="co_proposer"), is_complete=True),
    ]
    Sample.objects.all().delete()
    Membership.objects.filter(source="user_office").delete()
    Proposal.objects.exclude(number="hg-172").delete()
    User.objects.filter(username__startswith="user").delete()
    Affiliation.objects.all().delete()
    assert [
        statements(many(1000)),
        statements(many(1000, role="co_proposer")),
        statements(many(500, role="co_proposer"), is_complete=True),
    ] == few
    assert max(few) <= 45
    assert Sample.objects.filter(description="co_proposer").count() == 1000
