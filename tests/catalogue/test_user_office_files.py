"""The files of a user office: tables as spreadsheets save them, JSON, and what is wrong in them."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalogue.models import Affiliation, EmbargoPolicy, Membership, Proposal, User
from catalogue.user_office import UserOfficeError, import_documents, parse
from tests.builders import World, a_dataset

GUIDE = Path(__file__).parents[2] / "docs/user-office.md"
EXAMPLE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

PEOPLE = "account,full_name,affiliation,city\nemile,Émile Roth,Institut für Farbe,Köln\n"


def take_in(name: str, content: str | bytes, **options: str) -> None:
    data = content.encode() if isinstance(content, str) else content
    import_documents([parse(name, data, **options)])


def refused(name: str, content: str | bytes, **options: str) -> list[str]:
    with pytest.raises(UserOfficeError) as error:
        take_in(name, content, **options)
    return [str(fault) for fault in error.value.faults]


@pytest.mark.parametrize(
    "content",
    [
        PEOPLE.encode(),
        b"\xef\xbb\xbf" + PEOPLE.encode(),  # a byte order mark
        PEOPLE.replace("\n", "\r\n").encode(),
        PEOPLE.replace("\n", "\r").encode(),
        PEOPLE.replace(",", ";").encode(),
        PEOPLE.replace(",", "\t").encode(),
        PEOPLE.replace("account,full_name", " Account ,Full Name").encode(),
        PEOPLE.replace("\n", ",,\n").encode(),  # empty columns at the end
        (PEOPLE + "\n , , , \n\n").encode(),
        PEOPLE.replace("Émile Roth", '" Émile Roth "').encode(),
        (PEOPLE + PEOPLE.splitlines()[1]).encode(),  # the same row twice, no line end
    ],
    ids=range(11),
)
def test_a_table_is_read_however_a_spreadsheet_saved_it(world: World, content: bytes) -> None:
    take_in("people-2026.csv", content)
    emile = User.objects.get(username="emile")
    assert emile.full_name == "Émile Roth"
    assert [(one.name, one.city) for one in emile.affiliations.all()] == [
        ("Institut für Farbe", "Köln")
    ]


def test_an_encoding_is_told_and_never_guessed(world: World) -> None:
    content = PEOPLE.encode("latin-1")
    assert refused("people.csv", content)[0].startswith(
        "people.csv, line 2: is not text in utf-8; save it as UTF-8, or give --encoding"
    )
    take_in("people.csv", content, encoding="latin-1")
    assert User.objects.filter(full_name="Émile Roth").exists()
    take_in("people.csv", PEOPLE.encode("utf-16"), encoding="utf-16")
    assert refused("people.csv", content, encoding="klingon") == [
        "people.csv: klingon is no encoding that is known here"
    ]


def test_a_cell_may_hold_separators_and_line_ends(world: World) -> None:
    take_in(
        "proposals.csv",
        'number;title;abstract;keywords\nch-9;"Glazes; glass";"Two\nlines";lead| glass |\n',
    )
    proposal = Proposal.objects.get(number="ch-9")
    assert (proposal.title, proposal.abstract) == ("Glazes; glass", "Two\nlines")
    assert proposal.keywords == ["lead", "glass"]


def test_a_person_has_several_affiliations_on_several_rows(world: World) -> None:
    take_in("people.csv", PEOPLE + "emile,,ESRF,Grenoble\nemile,Émile Roth,,\n")
    assert set(Affiliation.objects.values_list("name", "people__username")) == {
        ("Institut für Farbe", "emile"),
        ("ESRF", "emile"),
    }


def test_a_line_is_counted_where_a_row_begins(world: World) -> None:
    content = 'number,title,start_date\nch-9,"Two\nlines",\n\nch-8,Glazes,2026-02-30\n'
    assert refused("proposals.csv", content) == [
        "proposals.csv, line 5, start_date: 2026-02-30 is no day of the calendar"
    ]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("staff.csv", PEOPLE, "its name does not say what it holds; call it people.csv,"),
        ("peoples.csv", PEOPLE, "its name does not say what it holds"),
        ("people.xlsx", PEOPLE, "its name does not say what it holds"),
        ("people.csv", "", "line 1, account: is missing; every row needs it"),
        ("people.csv", "full_name\nEmil\n", "line 1, account: is missing; every row needs it"),
        ("people.csv", "account,mail\n", "line 1, mail: is no column of people; they are account,"),
        ("people.csv", "account,account\n", "line 1, account: is there twice"),
        ("people.csv", "account\na\nb,c\n", "line 3: has 2 cells, but the table 1 columns"),
        ("people.csv", 'account\n"a"b\n', "line 2: is no row of a table: ',' expected after"),
        ("people.csv", 'account\na\n"b\nc\n', "line 4: is no row of a table: unexpected end"),
        ("people.csv", "account\n" + "a" * 200_000, "line 2: is no row of a table: field larger"),
        ("office.json", "{", "line 1: is no JSON: Expecting property name"),
        ("office.json", "", "line 1: is no JSON: Expecting value"),
        ("office.json", "[" * 100_000, "is nested too deeply, or holds a number too long"),
        ("office.json", "9" * 5000, "is nested too deeply, or holds a number too long"),
        ("office.json", '{"people": [], "people": []}', "the key 'people' stands twice in one"),
        ("office.json", "[]", "#: must be an object with any of people, proposals, memberships"),
        ("office.json", '{"persons": []}', "#, persons: is not known here; known are people,"),
        ("office.json", '{"people": {}}', "#, people: must be a list"),
        ("office.json", '{"people": ["emil"]}', "#/people/0: must be an object"),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_file_that_is_not_what_its_name_says_is_refused(
    world: World, name: str, content: str, fault: str
) -> None:
    said = refused(name, content)
    assert len(said) == 1
    assert said[0].startswith((f"{name}, {fault}", f"{name}: {fault}"))
    assert User.objects.count() == 6


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"account": "a b"}, "account: a b is no name of an account: letters, digits and @ . + -"),
        ({"account": "x" * 151}, "account: is longer than 150 characters"),
        ({"account": 17}, "account: must be text"),
        ({"account": None}, "account: is missing"),
        ({"orcid": "0000-0002-1825-0098"}, "orcid: 0000-0002-1825-0098 is no ORCID iD. It has"),
        ({"email": "emil"}, "email: Enter a valid email address."),
        ({"full_name": "E\x00mil"}, "full_name: holds the character U+0000; remove it"),
        ({"full_name": "E\ud800mil"}, "full_name: holds half of a character; remove it"),
        ({"phone": "17"}, "phone: is not known here"),
        ({"affiliations": {"name": "ESRF"}}, "affiliations: must be a list"),
        ({"affiliations": ["ESRF"]}, "affiliations/0: must be an object"),
        ({"affiliations": [{"city": "Köln"}]}, "affiliations/0/name: is missing"),
        (
            {"affiliations": [{"name": "A"}, {"name": "B", "ror": "02550n020"}]},
            "affiliations/1/ror: 02550n020 is no ROR id. It has the form https://ror.org/02550n020.",
        ),
    ],
    ids=range(13),
)
def test_a_person_is_checked_field_by_field(world: World, row: dict[str, Any], fault: str) -> None:
    emil = {"account": "emil", "full_name": "Emil"} | row
    content = json.dumps({"people": [{"account": "ines"}, emil]})
    said = refused("office.json", content)
    assert len(said) == 1
    assert said[0].startswith(f"office.json, #/people/1, {fault}")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("ines,hg-172,boss,,", "role: boss is no role; roles are pi, co_proposer, local_contact,"),
        ("ines,hg-172,,20260331,", "valid_from: 20260331 is no date; write 2026-03-31"),
        ("ines,hg-172,,31.03.2026,", "valid_from: 31.03.2026 is no date; write 2026-03-31"),
        ("ines,hg-172,,,9999-12-31", "valid_to: 9999-12-31 is not between 1900 and 2199; leave it"),
        ("ines,,,,", "proposal: is missing"),
        (f"ines,{'9' * 61},,,", "proposal: is longer than 60 characters"),
    ],
    ids=range(6),
)
def test_a_membership_is_checked_field_by_field(world: World, row: str, fault: str) -> None:
    content = f"account,proposal,role,valid_from,valid_to\ncarlo,hg-172,,,\n{row}\n"
    said = refused("memberships.csv", content)
    assert len(said) == 1
    assert said[0].startswith(f"memberships.csv, line 3, {fault}")


def test_faults_of_an_affiliation_are_told_by_the_columns_of_the_table(world: World) -> None:
    content = "account,affiliation,ror\nines,,https://ror.org/02550n020\ncarlo,ESRF,esrf\n"
    assert refused("people.csv", content) == [
        "people.csv, line 2, affiliation: is missing",
        "people.csv, line 3, ror: esrf is no ROR id. It has the form https://ror.org/02550n020.",
    ]


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("import_user_office", *map(str, arguments), stdout=out)
    return out.getvalue()


def complain(*arguments: object) -> str:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    return str(error.value)


def test_the_command_takes_files_together(world: World, tmp_path: Path) -> None:
    # Memberships name a person of another file, whatever the order.
    (tmp_path / "memberships.csv").write_text("account,proposal\nemile,hg-172\n")
    (tmp_path / "people.csv").write_text(PEOPLE)
    files = (tmp_path / "memberships.csv", tmp_path / "people.csv")
    with pytest.raises(SystemExit) as left:
        run(*files, "--plan")
    assert left.value.code == 2
    assert not User.objects.filter(username="emile").exists()
    assert run(*files).splitlines() == [
        "create  person emile  (Émile Roth)",
        "create  affiliation Institut für Farbe  (Köln)",
        "create  membership emile in hg-172  (member)",
        "In all: create 3",
    ]
    assert run(*files, "--plan").startswith("Nothing to change")
    (tmp_path / "memberships.csv").write_text("account,proposal\nines,hg-172\n")
    assert "In all: create 1, end 1" in run(*files, "--complete")


def test_the_command_names_every_fault_of_every_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(PEOPLE.encode("latin-1"))
    (tmp_path / "proposals.csv").write_text("number\nch-9\n")
    said = complain(tmp_path / "people.csv", tmp_path / "proposals.csv", tmp_path / "samples.csv")
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "The delivery is refused, nothing has changed",
        "people.csv, line 2",
        "proposals.csv, line 1, title",
        "samples.csv",
    ]
    assert said.endswith("cannot be read: No such file or directory")
    assert str(tmp_path) not in said
    assert run(tmp_path / "people.csv", "--encoding", "latin-1").startswith("create  person emile")


def test_an_embargo_that_cannot_be_counted_refuses_the_delivery(
    world: World, tmp_path: Path
) -> None:
    # A clock that runs wild; a century later the calendar ends.
    a_dataset(world, start_time=datetime(9990, 1, 1, tzinfo=UTC))
    EmbargoPolicy.objects.create(
        slug="century", months=1200, starts_with="dataset.end_time", licence="CC-BY-4.0"
    )
    file = tmp_path / "proposals.csv"
    file.write_text("number,title,embargo\nhg-172,Another title,century\n")
    assert "no embargo can count from then. Correct the time." in complain(file)
    world.proposal.refresh_from_db()
    assert world.proposal.title == "Pigments of a painting"


def test_the_examples_of_the_guide_are_good(world: World, tmp_path: Path) -> None:
    examples = EXAMPLE.findall(GUIDE.read_text())
    assert [name for name, _ in examples] == [
        "people.csv", "proposals.csv", "memberships.csv", "samples.csv", "delivery.json"
    ]  # fmt: skip
    for name, content in examples:
        (tmp_path / name).write_text(content)
    said = run(*(tmp_path / name for name, _ in examples))
    assert "change  person ines  (" in said
    assert User.objects.get(username="carlo").affiliations.count() == 2
    assert Proposal.objects.get(number="hg-172").keywords == ["pigments", "lead white"]
    teams = Membership.objects.filter(source="user_office")
    assert set(teams.values_list("person__username", "proposal__number", "role")) == {
        ("ines", "hg-172", "pi"),
        ("carlo", "hg-172", "member"),
        ("rea", "ch-9", "pi"),
        ("carlo", "ch-9", "member"),
    }
