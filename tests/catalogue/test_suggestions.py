"""While somebody types, names and values are suggested, and betray nothing that is closed."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from catalogue.access import Person, visible_datasets
from catalogue.embargo.dates import settle
from catalogue.indexing import reindex
from catalogue.models import (
    Dataset,
    Guard,
    Guest,
    Instrument,
    Listing,
    Membership,
    Proposal,
    Sample,
    Tag,
    Technique,
    Tombstone,
)
from catalogue.query import FIELDS, LONGEST, parse
from catalogue.search.suggestions import Suggestion, suggest
from catalogue.techniques import load_shipped
from catalogue.views.searching import TOPICS
from tests.builders import World, a_dataset, a_technique
from tests.catalogue.test_scope import scramble

TODAY = date(2026, 7, 1)
TOMOGRAPHY = ("PaNET01207", "x-ray tomography")


def labels(person: Person, text: str, position: int | None = None) -> list[str]:
    position = len(text) if position is None else position
    return [offer.label for offer in suggest(person, text, position)]


def applied(text: str, offer: Suggestion) -> str:
    return text[: offer.start] + offer.text + text[offer.end :]


def completions(person: Person, text: str, position: int | None = None) -> list[str]:
    position = len(text) if position is None else position
    return [applied(text, offer) for offer in suggest(person, text, position)]


# --- What must not leak -------------------------------------------------------------------

SECRETS = [
    ("unobt", "unobtainium.depth"),
    ("depth", "unobtainium.depth"),
    ("unobtainium.mode:", "stealth"),
    ("mode:st", "stealth"),
    ("sample:unob", "Unobtainium plate"),
    ("formula:u", "UoPo3"),
    ("proposal:hg", "hg-172"),
    ("technique:tomo", "x-ray tomography"),
    ("technique:PaNET01207", "x-ray tomography"),
    ("content:eux", "euxfel-run"),
    ("year:20", "2019"),
    ("instrument:secret", "secret-line"),
    ("instrument:hidden", "secret-line"),
    ("facility:sec", "secret"),
    ("tag:hu", "hush"),
]


@pytest.fixture
def closed(world: World) -> Dataset:
    """A closed dataset of which everything is its own, beside an open one."""
    world.facility.name = "Secret light source"
    world.facility.slug = "secret"
    world.facility.save()
    line = Instrument.objects.create(
        slug="secret-line", name="Hidden beamline", facility=world.facility
    )
    line.staff.add(world.ivo)
    dataset = a_dataset(
        world,
        instrument=line,
        content="euxfel-run",
        sample="Unobtainium plate",
        technique=a_technique(*TOMOGRAPHY).pid,
        parameters={"unobtainium.depth": (1.5, "mm"), "unobtainium.mode": ("stealth", "")},
        start_time=datetime(2019, 5, 1, tzinfo=UTC),
    )
    Sample.objects.filter(name="Unobtainium plate").update(chemical_formula="UoPo3")
    Tag.objects.create(dataset=dataset, name="hush")
    # By policy it would be open today.
    Guard.objects.filter(dataset=dataset).update(opens_on=None, listed_on=None)
    settle([dataset.pk])
    return dataset


def an_open_one(world: World) -> Dataset:
    """Open data of another facility, proposal, instrument and year."""
    facility = world.facility.__class__.objects.create(
        slug="other", name="Other source", timezone="Europe/Paris"
    )
    line = Instrument.objects.create(slug="id22", name="ID22", facility=facility)
    proposal = Proposal.objects.create(facility=facility, number="hg-200", title="Open")
    return a_dataset(
        world,
        is_open=True,
        instrument=line,
        proposal=proposal,
        sample="Universal standard",
        technique=a_technique().pid,
        parameters={"temperature": (80, "K"), "mode": ("stepped", "")},
        start_time=datetime(2020, 5, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ines", SECRETS),
        ("carlo", SECRETS),
        ("ivo", SECRETS),
        ("dana", SECRETS),
        ("sten", []),
        ("rea", []),
        (None, []),
    ],
)
@pytest.mark.usefixtures("closed")
def test_what_is_closed_is_suggested_to_whoever_sees_it_only(
    world: World, name: str | None, shown: list[tuple[str, str]]
) -> None:
    an_open_one(world)
    person = getattr(world, name) if name else AnonymousUser()
    assert [(text, secret) for text, secret in SECRETS if secret in labels(person, text)] == shown


Change = Callable[[World, Dataset], object]


def open_it(_: World, dataset: Dataset) -> None:
    Guard.objects.filter(dataset=dataset).update(
        opens_on=date(2021, 1, 1), listed_on=date(2021, 1, 1)
    )
    settle([dataset.pk])


def list_it(_: World, dataset: Dataset) -> None:
    Guard.objects.filter(dataset=dataset).update(
        opens_on=date(2100, 1, 1), listed_on=date(2021, 1, 1)
    )
    settle([dataset.pk])


def list_it_unmarked(world: World, dataset: Dataset) -> None:
    """As if the day had come since the steward last looked."""
    list_it(world, dataset)
    Listing.objects.update(is_listed=False)


def invite_rea(world: World, dataset: Dataset) -> None:
    until = datetime.now(UTC).date() + timedelta(days=2)
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=until)


def invite_rea_too_late(world: World, dataset: Dataset) -> None:
    until = datetime.now(UTC).date() - timedelta(days=2)
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=until)


def remove_carlo(world: World, _: Dataset) -> None:
    Membership.objects.filter(person=world.carlo).delete()


def end_carlos_time(world: World, _: Dataset) -> None:
    until = datetime.now(UTC).date() - timedelta(days=2)
    Membership.objects.filter(person=world.carlo).update(valid_to=until)


def guard_it_by_a_second_team(world: World, dataset: Dataset) -> None:
    other = Proposal.objects.create(facility=world.facility, number="hg-300", title="Other")
    Guard.objects.create(dataset=dataset, proposal=other)
    settle([dataset.pk])


def retract_it(_: World, dataset: Dataset) -> None:
    Tombstone.objects.create(dataset=dataset, kind="retracted", reason="Wrong.")
    reindex([dataset.pk])


def give_it_to_sten(world: World, dataset: Dataset) -> None:
    Guard.objects.filter(dataset=dataset).update(proposal=None)
    Dataset.objects.filter(pk=dataset.pk).update(owner=world.sten)


@pytest.mark.parametrize(
    ("change", "who_sees"),
    [
        (open_it, {"ines", "carlo", "ivo", "dana", "sten", "rea", None}),
        (list_it, {"ines", "carlo", "ivo", "dana", "sten", "rea", None}),
        (list_it_unmarked, {"ines", "carlo", "ivo", "dana", "sten", "rea", None}),
        (invite_rea, {"ines", "carlo", "ivo", "dana", "rea"}),
        (invite_rea_too_late, {"ines", "carlo", "ivo", "dana"}),
        (remove_carlo, {"ines", "ivo", "dana"}),
        (end_carlos_time, {"ines", "ivo", "dana"}),
        (guard_it_by_a_second_team, {"dana"}),
        (retract_it, set()),
        (give_it_to_sten, {"ivo", "dana", "sten"}),
    ],
)
def test_rights_of_this_moment_decide(
    world: World, closed: Dataset, change: Change, who_sees: set[str | None]
) -> None:
    an_open_one(world)
    change(world, closed)
    for text, secret in SECRETS[1:6] + SECRETS[9:11]:
        shown = {
            name
            for name in ("ines", "carlo", "ivo", "dana", "sten", "rea", None)
            if secret in labels(getattr(world, name) if name else AnonymousUser(), text)
        }
        # Of facets a steward is offered what there ever was.
        assert shown - {"dana"} == who_sees - {"dana"}, text
        assert shown == who_sees or SECRETS.index((text, secret)) >= 9, text


def test_a_closed_spelling_of_an_open_value_does_not_show(world: World) -> None:
    hidden = Proposal.objects.create(facility=world.facility, number="hg-201", title="Closed")
    for title, proposal, is_open in (("LAZURITE X", hidden, False), ("lazurite x", None, True)):
        a_dataset(world, sample=title, proposal=proposal, is_open=is_open)
    assert labels(world.sten, "sample:LAZ") == ["lazurite x"]
    assert labels(AnonymousUser(), "sample:laz") == ["lazurite x"]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_suggested_is_what_occurs_in_what_is_seen(world: World, seed: int) -> None:
    for dataset in scramble(world, seed):
        Tag.objects.create(dataset=dataset, name=f"tag {dataset.pk % 4}")
    for person in (AnonymousUser(), world.carlo, world.sten, world.rea, world.ivo, world.dana):
        seen = visible_datasets(person).filter(listing__isnull=False)
        assert set(labels(person, "sample:")) == set(_texts(seen, "samples__name"))
        assert set(labels(person, "tag:")) == set(_texts(seen, "tags__name"))
        numbers = Guard.objects.filter(dataset__in=seen).values_list("proposal__number", flat=True)
        assert set(labels(person, "proposal:")) == set(filter(None, numbers))
        if person != world.dana:
            slugs = {each.slug for each in Instrument.objects.filter(datasets__in=seen)}
            assert set(labels(person, "instrument:")) == slugs
            years = {f"{row.start_time:%Y}" for row in seen if row.start_time}
            assert set(labels(person, "year:")) == years


def _texts(seen: object, path: str) -> list[str]:
    return [text for text in seen.values_list(path, flat=True) if text]  # type: ignore[attr-defined]  # a query set


# --- What is suggested --------------------------------------------------------------------


@pytest.fixture
def several(world: World) -> World:
    """Open data of which several things can be asked."""
    load_shipped()
    a_dataset(
        world,
        is_open=True,
        sample="Roman glass",
        technique="PaNET01101",
        parameters={
            "sample.temperature.min": (78, "K"),
            "sample.temperature.max": (82, "K"),
            "Temperature set": (80, "K"),
            "photon_energy": (12.7, "keV"),
            "detector.name": ("Eiger 4M", ""),
            "serial": ("007", ""),
            "title": ("a parameter of this name", ""),
        },
        start_time=datetime(2025, 5, 1, tzinfo=UTC),
    )
    a_dataset(
        world,
        is_open=True,
        sample="Roman, early",
        parameters={"detector.name": ("Maxipix", "")},
        start_time=datetime(2025, 6, 1, tzinfo=UTC),
    )
    a_dataset(
        world,
        is_open=True,
        sample='5" wafer',
        content="poni",
        start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return world


TYPED = {
    "inst": ["instrument:"],
    "pa": ["technique:"],  # by an alias
    "derived": ["from:"],
    "NEUTRON": ["neutron_energy:", "neutron_wavelength:"],
    "temp": ['"Temperature set":', "sample.temperature:"],
    "sample.t": ["sample.temperature:"],
    "roman -temp": ['roman -"Temperature set":', "roman -sample.temperature:"],
    "photon_e": ["energy:"],  # one name for a quantity of many
    "serial": ["serial:"],
    "tit": ["title:", '"title":'],  # a field, and a parameter of its name
    "kind:": ["kind:raw"],
    "kind:d": [],
    "acc": ["access:"],
    "access:": ["access:open", "access:closed", "access:embargoed"],
    "quality:b": ["quality:bad"],
    "has:p": ["has:picture", "has:products", "has:publication"],
    "date:last-3": ["date:last-30-days", "date:last-365-days"],
    "registered:t": ["registered:today"],
    "sample:ROM": ['sample:"Roman glass"', 'sample:"Roman, early"'],
    'sample:"Roman g': ['sample:"Roman glass"'],
    "sample:5": ['sample:"5"" wafer"'],
    "sample:lapis,rom": ['sample:lapis,"Roman glass"', 'sample:lapis,"Roman, early"'],
    "technique:diff": [
        "technique:diffraction",
        'technique:"powder diffraction"',
        'technique:"x-ray diffraction"',
        'technique:"x-ray powder diffraction"',
    ],
    "technique:XPD": ['technique:"x-ray powder diffraction"'],  # by a synonym
    "technique:PaNET01101": ['technique:"x-ray powder diffraction"'],
    "instrument:micro": ["instrument:id13"],  # by its name
    "instrument:i": ["instrument:id13"],
    "facility:": ["facility:demo"],
    "year:": ["year:2026", "year:2025"],
    "content:p": ["content:poni"],
    "detector.name:": ['detector.name:"Eiger 4M"', "detector.name:Maxipix"],
    "name:eig": ['name:"Eiger 4M"'],
    "serial:": ['serial:"007"'],
    "sample.temperature:": [],  # numbers are not guessed
    "energy:": [],
    "nothing:": [],
    "title:rom": [],
    "qzx": [],
    '"temp': [],  # inside a phrase
    "instrument:id13": [],  # it stands there
}


def test_typing_is_completed(several: World) -> None:
    assert {typed: completions(several.sten, typed) for typed in TYPED} == TYPED


@pytest.mark.parametrize(
    ("text", "position", "completed"),
    [
        ("temp<80K", 4, ['"Temperature set"<80K', "sample.temperature<80K"]),
        ("temp >= 80K", 2, ['"Temperature set">=80K', "sample.temperature>=80K"]),
        ("inst:id13 glass", 3, ["instrument:id13 glass"]),
        ("roman sample:rom glass", 15, ['roman sample:"Roman glass" glass',
                                        'roman sample:"Roman, early" glass']),
        ("qzx glass", 2, []),
    ],
)  # fmt: skip
def test_only_what_is_being_typed_is_replaced(
    several: World, text: str, position: int, completed: list[str]
) -> None:
    assert completions(several.sten, text, position) == completed


def test_an_empty_box_suggests_the_first_names(world: World) -> None:
    assert labels(world.sten, "") == [field.name for field in FIELDS[:10]]
    assert suggest(world.sten, "", 0)[0].help == FIELDS[0].meaning


def test_no_more_than_asked_for_are_suggested(world: World) -> None:
    for number in range(12):
        a_dataset(world, is_open=True, sample=f"sample {number:02d}")
    assert labels(world.sten, "sample:") == [f"sample {number:02d}" for number in range(10)]
    assert len(suggest(world.sten, "sample:", 7, limit=3)) == 3


def test_ones_own_come_first(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="hg-300", title="Other")
    a_dataset(world, is_open=True, sample="pigment a", proposal=other)
    a_dataset(world, sample="pigment b")
    assert labels(world.ines, "sample:pig") == ["pigment b", "pigment a"]
    assert labels(world.sten, "sample:pig") == ["pigment a"]


def test_a_thousand_rows_that_say_the_same_hide_nothing(world: World) -> None:
    """Calibrants are called alike in every proposal, and a detector in every dataset."""
    hidden = a_dataset(world, sample="buffer", parameters={"mode": ("mesh", "")})
    proposals = Proposal.objects.bulk_create(
        Proposal(facility=world.facility, number=f"p-{number}", title="") for number in range(200)
    )
    samples = Sample.objects.bulk_create(Sample(proposal=p, name="Buffer") for p in proposals)
    hidden.samples.add(*samples)
    a_dataset(world, is_open=True, sample="bulk", parameters={"mode": ("mesh too", "")})
    assert labels(world.sten, "sample:bu") == ["bulk"]
    assert labels(world.sten, "mode:m") == ["mesh too"]
    assert labels(world.ines, "sample:bu") == ["Buffer", "bulk"]


def test_a_name_that_is_in_many_closed_data_is_found_in_ones_own(world: World) -> None:
    other = Proposal.objects.create(facility=world.facility, number="hg-300", title="Other")
    for _ in range(40):
        a_dataset(world, proposal=other, parameters={"motor.x": (1, "mm")})
    assert labels(world.carlo, "motor") == []
    a_dataset(world, parameters={"motor.x": (2, "mm")})
    assert labels(world.carlo, "motor") == ["motor.x"]


def test_long_texts_are_not_suggested(world: World) -> None:
    a_dataset(world, is_open=True, parameters={"note": ("word " * 100, "")})
    a_dataset(world, is_open=True, parameters={"note": ("word", "")})
    assert labels(world.sten, "note:w") == ["word"]


def test_broader_techniques_are_suggested_and_concepts_are_not(world: World) -> None:
    load_shipped()
    a_dataset(world, is_open=True, technique="PaNET01101")
    Technique.objects.filter(pid="PaNET01022").update(is_concept=True)
    found = labels(world.sten, "technique:")
    assert "x-ray diffraction" in found
    assert "diffraction" not in found
    assert "imaging" not in found


def test_the_number_of_statements_is_fixed(world: World) -> None:
    def count(text: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            suggest(world.ines, text, len(text))
        return len(captured)

    asked = ("mot", "sample:", "proposal:h", "technique:", "mode:m")
    a_dataset(world, sample="a", parameters={"mode": ("mesh", ""), "motor.x": (1, "mm")})
    before = [count(text) for text in asked]
    for number in range(5):
        other = Proposal.objects.create(facility=world.facility, number=f"h-{number}", title="")
        other.memberships.create(person=world.ines)
        parameters = {f"motor.{number}": (1, "mm"), "mode": (f"m{number}", "")}
        a_dataset(world, sample=f"{number}", proposal=other, parameters=parameters)
    assert [count(text) for text in asked] == before
    assert max(before) <= 6


# --- Whatever is typed --------------------------------------------------------------------

HOSTILE: Sequence[str] = [
    "%", "_", "\\", "'", '"', "sample:%", "sample:_", "sample:\\", "sample:'", "sample:\x00",
    "tag:\ud800", "detector.name:%", "detector.name:(", "mot\\", "[._]", "(", "*", "a" * 5000,
    "sample:" + "x" * 1990, "technique:" + "é" * 500, "year:'; DROP TABLE", "x" * LONGEST + " s",
    "sample:\U0010ffff", "mode:\U0010ffff", "proposal:\N{REPLACEMENT CHARACTER}",
]  # fmt: skip


def test_a_hostile_query_is_answered(several: World) -> None:
    for text in HOSTILE:
        for position in (0, 3, len(text), len(text) + 1, -1):
            for person in (several.ines, several.dana, AnonymousUser()):
                assert len(suggest(person, text, position)) <= 10


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    some.lists(
        some.sampled_from(
            ["sample:", "rom", "temp", '"', " ", ",", "-", "<80K", "technique:", "d", "det",
             "serial:", "kind:", "5", ":", "name:", "e", "has:", "date:", "\N{DUCK}", "year:2"]
        ),
        max_size=6,
    ),
    some.integers(min_value=0, max_value=30),
)  # fmt: skip
def test_what_is_taken_over_is_understood(several: World, parts: list[str], position: int) -> None:
    """A value that is taken over is no fault, and nothing else becomes one by it."""
    text = "".join(parts)
    faults = len(parse(text, today=TODAY).faults)
    for offer in suggest(several.ines, text, position):
        if offer.kind == "value":
            assert len(parse(applied(text, offer), today=TODAY).faults) <= faults


@pytest.mark.parametrize(
    "query",
    [example for topic in TOPICS for example, _ in topic.examples]
    + [field.example for field in FIELDS],
)
def test_every_example_of_the_help_page_is_understood(query: str) -> None:
    search = parse(query, today=TODAY)
    assert search.faults == ()
    assert not search.is_empty
