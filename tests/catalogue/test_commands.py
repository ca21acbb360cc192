"""What an operator types: manage.py register, add_person, add_proposal."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalogue.models import Dataset, EmbargoPolicy, Membership, Proposal, User
from tests.builders import World
from tests.makers import hostile
from tests.makers.nexus import write_nexus_scan

Type = Callable[[str], None]


@pytest.fixture
def type_password(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Put a line on standard input."""

    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))

    return type_in


def run(name: str, *arguments: object, **options: object) -> tuple[str, str]:
    """Run a command and return what it said, and what it complained about."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        err.write(f"CommandError: {error}")
    return out.getvalue(), err.getvalue()


def a_scan(world: World, name: str, **changes: object) -> Path:
    said = {"instrument": "id13", "proposal": "hg-172"} | changes
    return write_nexus_scan(Path(world.raw.root, name), **said)  # type: ignore[arg-type]  # as the maker takes them


def test_registering_tells_what_became_of_each_file(world: World) -> None:
    path = a_scan(world, "scan.h5", proposal="HC-4821")
    said, complaints = run("register", path)
    dataset = Dataset.objects.get()
    assert said.splitlines() == [
        f"registered  {dataset.pid}  nexus-scan   Ceria on a grid",
        "            note: The file names proposal HC-4821, which is not known here.",
    ]
    assert complaints == ""
    assert run("register", path)[0].startswith(f"known       {dataset.pid}")
    assert Dataset.objects.count() == 1


def test_instrument_and_proposal_may_be_named(world: World) -> None:
    path = a_scan(world, "scan.h5", instrument="", proposal="")
    assert "Name the instrument." in run("register", path)[1]
    run("register", path, "--instrument", "id13", "--proposal", "hg-172")
    guard = Dataset.objects.get().guards.get()
    assert (guard.instrument, guard.proposal) == (world.instrument, world.proposal)


def test_a_refused_file_does_not_keep_the_others_out(world: World) -> None:
    visit = Path(world.raw.root, "visit")
    visit.mkdir()
    first, last = a_scan(world, "first.h5"), a_scan(world, "last.h5", title="The last")
    bad = hostile.upward_external_link(visit)
    said, complaints = run(
        "register", first, bad, world.folder / "raw" / "absent.h5", "/etc/hostname", last
    )
    assert [line.split()[0] for line in said.splitlines()] == ["registered", "registered"]
    assert [line.split()[:2] for line in complaints.splitlines()] == [
        ["refused", "scan.nxs:"],
        ["refused", "absent.h5:"],
        ["refused", "hostname:"],
        ["CommandError:", "3"],
    ]
    assert complaints.endswith("3 of 5 refused; nothing of them is registered")
    assert str(world.folder) not in said + complaints
    assert {dataset.title for dataset in Dataset.objects.all()} == {"Ceria on a grid", "The last"}


def test_a_store_out_of_order_is_told_without_a_traceback(world: World) -> None:
    path = a_scan(world, "scan.h5")
    Path(world.products.root, "staging").touch()
    complaints = run("register", path)[1]
    assert complaints.startswith("refused     scan.h5: Store products: ")
    assert str(world.folder) not in complaints
    assert not Dataset.objects.exists()


def test_a_person_is_added_and_may_sign_in(db: None, type_password: Type) -> None:
    type_password("madder lake")
    assert run("add_person", "emil", "--name", "Emil") == ("added  emil  Emil\n", "")
    emil = User.objects.get(username="emil")
    assert emil.check_password("madder lake")
    assert (emil.is_data_steward, emil.is_staff, emil.is_superuser) == (False, False, False)


def test_an_account_without_password_is_not_added(db: None, type_password: Type) -> None:
    type_password("")
    assert "give it on standard input" in run("add_person", "emil")[1]
    assert not User.objects.exists()


def test_what_is_not_said_about_a_known_person_stays(world: World, type_password: Type) -> None:
    type_password("")
    assert run("add_person", "dana")[0] == "known  dana  Dana\n"
    world.dana.refresh_from_db()
    assert world.dana.is_data_steward
    assert world.dana.check_password("dana-password")
    type_password("weld yellow")
    run("add_person", "dana", "--name", "Dana D.", "--no-data-steward")
    world.dana.refresh_from_db()
    assert (world.dana.full_name, world.dana.is_data_steward) == ("Dana D.", False)
    assert world.dana.check_password("weld yellow")


@pytest.mark.parametrize("name", ["", "ines mauve", "ines:pi", "x" * 200])
def test_a_name_that_nobody_could_sign_in_with_is_refused(
    db: None, type_password: Type, name: str
) -> None:
    type_password("madder lake")
    assert "CommandError: username: " in run("add_person", name)[1]
    assert not User.objects.exists()


def test_a_proposal_is_added_with_its_members(world: World) -> None:
    free = EmbargoPolicy.objects.create(
        slug="free", months=0, starts_with="dataset.end_time", licence="CC0-1.0"
    )
    said = run(
        "add_proposal", "ch-9", "--title", "Glazes", "--embargo", "free",
        "--member", "ines:pi", "--member", "sten",
    )  # fmt: skip
    assert said == ("added  ch-9  Glazes\n", "")
    proposal = Proposal.objects.get(number="ch-9")
    assert (proposal.facility, proposal.policy) == (world.facility, free)
    assert set(proposal.memberships.values_list("person__username", "role")) == {
        ("ines", "pi"),
        ("sten", "member"),
    }


def test_a_known_proposal_gets_more_members_and_other_roles(world: World) -> None:
    said = run("add_proposal", "hg-172", "--member", "rea", "--member", "carlo:pi")
    assert said == ("known  hg-172  Pigments of a painting\n", "")
    assert set(world.proposal.memberships.values_list("person__username", "role")) == {
        ("ines", "pi"),
        ("carlo", "pi"),
        ("rea", "member"),
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("ch-9", "--member", "ines:pi", "--member", "nobody"), "There is no account nobody"),
        (("ch-9", "--member", "ines:boss"), "boss is no role; roles are pi, co_proposer"),
        (("ch-9", "--embargo", "forever"), "Declare facility and embargo first"),
        (("x" * 61,), "number: "),
        (("ch-9", "--title", "x" * 501), "title: "),
        (("",), "number: "),
    ],
)
def test_a_fault_adds_neither_proposal_nor_members(
    world: World, arguments: tuple[str, ...], complaint: str
) -> None:
    assert complaint in run("add_proposal", *arguments)[1]
    assert Proposal.objects.count() == 1
    assert Membership.objects.count() == 2
