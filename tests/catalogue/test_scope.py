"""Finding by sets sees what access sees, and counts what finding finds."""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.access import Person, access_states, visible_datasets
from catalogue.embargo.dates import settle
from catalogue.indexing import reindex
from catalogue.models import (
    Dataset,
    Guard,
    Guest,
    Instrument,
    Listing,
    ListingCount,
    Membership,
    Proposal,
    Tombstone,
    User,
)
from catalogue.search import Query, count, find, finding
from catalogue.search.ledger import count_differences, fold, recount
from tests.builders import World, a_dataset, a_technique

TODAY = datetime.now(UTC).date()
# Two days away: whatever the hour and the zone, these are past and to come.
DAYS = (None, TODAY - timedelta(days=400), TODAY - timedelta(days=2), TODAY + timedelta(days=2))


def scramble(world: World, seed: int) -> list[Dataset]:
    """Twenty datasets with guards, members, guests, owners and dates by chance."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    id22 = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    others = [
        Proposal.objects.create(facility=world.facility, number=f"x-{n}", title="Other")
        for n in range(2)
    ]
    people = (world.carlo, world.sten, world.rea, world.ivo)
    _scramble_teams(chance, people, [world.proposal, *others], id22)
    made = []
    for number in range(20):
        dataset = a_dataset(
            world,
            title=f"number {number} {chance.choice(['gold', 'lead'])}",
            sample=chance.choice(["", "A", "B"]),
            technique=chance.choice(["", a_technique().pid]),
            start_time=datetime(2020 + number % 5, 3, 1, tzinfo=UTC),
            parameters={"photon_energy": (chance.choice([5.0, 9.5, 11.0]), "keV")},
        )
        _scramble_guards(chance, dataset, [None, world.proposal, *others], [world.instrument, id22])
        Dataset.objects.filter(pk=dataset.pk).update(
            owner=chance.choice([None, *people]),
            kind=chance.choice(["raw", "derived"]),
            listed_at=None,
            opens_at=None,
        )
        if chance.random() < 0.2:
            Guest.objects.create(
                dataset=dataset, person=chance.choice(people), valid_to=chance.choice(DAYS[1:])
            )
        if chance.random() < 0.1:
            Tombstone.objects.create(dataset=dataset, kind="retracted", reason="Wrong.")
        settle([dataset.pk])
        made.append(Dataset.objects.get(pk=dataset.pk))
    return made


def _scramble_teams(
    chance: random.Random, people: Sequence[User], proposals: list[Proposal], id22: Instrument
) -> None:
    Membership.objects.all().delete()
    for person in people:
        for proposal in proposals:
            if chance.random() < 0.5:
                first, last = chance.choice(DAYS), chance.choice(DAYS)
                Membership.objects.create(
                    person=person, proposal=proposal, valid_from=first, valid_to=last
                )
        if chance.random() < 0.3:
            id22.staff.add(person)


def _scramble_guards(
    chance: random.Random,
    dataset: Dataset,
    proposals: Sequence[Proposal | None],
    instruments: Sequence[Instrument],
) -> None:
    Guard.objects.filter(dataset=dataset).delete()
    origins = {
        (chance.choice(proposals), chance.choice(instruments))
        for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))
    }
    for proposal, instrument in origins:
        opens: date | None = chance.choice(DAYS)
        before = [day for day in DAYS if day is None or opens is None or day <= opens]
        Guard.objects.create(
            dataset=dataset,
            proposal=proposal,
            instrument=instrument,
            opens_on=opens,
            listed_on=chance.choice(before),
        )


@pytest.mark.parametrize("seed", range(5))
def test_finding_sees_what_access_sees(world: World, seed: int) -> None:
    made = scramble(world, seed)
    retracted = set(Tombstone.objects.values_list("dataset", flat=True))
    for person in (AnonymousUser(), world.carlo, world.sten, world.rea, world.ivo, world.dana):
        seen = set(visible_datasets(person).values_list("pk", flat=True))
        found = find(person, Query(""), 100)
        assert set(found.pks) == seen - retracted, person
        assert len(found.pks) == len(set(found.pks))
        for text, fits in {
            "gold": lambda d: "gold" in d.title,
            "energy:9..12keV": lambda d: d.parameters.filter(number__gt=9).exists(),
            "energy:9..12keV lead": lambda d: (
                "lead" in d.title and d.parameters.filter(number__gt=9).exists()
            ),
            "-gold": lambda d: "gold" not in d.title,
            "-energy:9..12keV": lambda d: not d.parameters.filter(number__gt=9).exists(),
            "kind:derived": lambda d: d.kind == "derived",
            "-kind:derived": lambda d: d.kind != "derived",
            "year:2021,2023": lambda d: d.start_time.year in {2021, 2023},
            "technique:PaNET01101": lambda d: d.techniques.exists(),
            "sample:a": lambda d: d.samples.filter(name="A").exists(),
            "-sample:a": lambda d: not d.samples.filter(name="A").exists(),
            "instrument:id13 gold": lambda d: "gold" in d.title,
            "date:2022": lambda d: d.start_time.year == 2022,
            "access:open -access:open": lambda _: False,
            "-energy:9..12keV -sample:a": lambda d: (
                not (
                    d.parameters.filter(number__gt=9).exists()
                    or d.samples.filter(name="A").exists()
                )
            ),
            "access:open": lambda d: access_states([d])[d.pk].is_open,
            "access:closed gold": lambda d: (
                "gold" in d.title and not access_states([d])[d.pk].is_open
            ),
        }.items():
            wanted = {d.pk for d in made if d.pk in set(found.pks) and fits(d)}
            assert set(find(person, Query(text), 100).pks) == wanted, (text, person)
            assert count(person, Query(text)).total == len(wanted), (text, person)


@pytest.mark.parametrize("seed", range(3))
def test_pages_hold_the_whole_list_once_in_both_directions(world: World, seed: int) -> None:
    scramble(world, seed)
    for person in (AnonymousUser(), world.carlo, world.dana):
        for text in (
            "",
            "gold",
            "energy:9..12keV",
            "kind:raw",
            "-lead year:2020,2021,2022",
            "access:open",
            "access:closed kind:raw",
            "access:open -kind:derived",
            "access:embargoed",
        ):
            query = Query(text)
            whole = find(person, query, 100)
            assert _walk(person, query, is_backward=False) == whole.pks
            assert _walk(person, query, is_backward=True) == whole.pks[:-1]


def test_pages_by_relevance_hold_all_though_too_many_come_in_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [a_dataset(world, title=f"gold {'gold ' * (number % 3)}{number}") for number in range(7)]
    query = Query("gold")
    first = find(world.ines, query, 2)
    assert first.is_ranked
    monkeypatch.setattr(finding, "MOST_RANKED", 3)
    pks, page = list(first.pks), first
    while page.has_more:
        page = find(world.ines, query, 2, beside=page.positions[-1])
        pks += page.pks
    assert sorted(pks) == sorted(dataset.pk for dataset in made)
    assert not find(world.ines, query, 2).is_ranked


def _walk(person: Person, query: Query, *, is_backward: bool) -> list[int]:
    """Turn all pages of two, from the first on, or back from the last dataset."""
    whole = find(person, query, 100)
    beside = whole.positions[-1] if is_backward and whole.positions else None
    pks: list[int] = []
    while True:
        page = find(person, query, 2, beside=beside, is_backward=is_backward)
        pks = [*page.pks, *pks] if is_backward else [*pks, *page.pks]
        if not page.has_more or not page.positions:
            return pks
        beside = page.positions[0 if is_backward else -1]


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_is_what_a_plain_count_says_before_and_after_folding(
    world: World, seed: int
) -> None:
    made = scramble(world, seed)
    people = (AnonymousUser(), world.carlo, world.dana)
    before = [count(person, Query("")) for person in people]
    assert count_differences() == 0
    fold()
    fold()
    assert [count(person, Query("")) for person in people] == before
    assert count_differences() == 0
    # What changes after folding is counted, too.
    Guard.objects.filter(dataset=made[0]).update(listed_on=DAYS[3], opens_on=DAYS[3])
    settle([made[0].pk])
    made[1].delete()
    assert count_differences() == 0
    assert [count(person, Query("")).total for person in people] == [
        len(find(person, Query(""), 100).pks) for person in people
    ]
    ListingCount.objects.update(datasets=5)
    assert count_differences() > 0
    recount()
    assert count_differences() == 0


@pytest.mark.parametrize("is_listed", [False, True])
def test_what_opens_is_found_although_nothing_has_run_since(
    world: World, *, is_listed: bool
) -> None:
    dataset = a_dataset(world, title="just listed", opens_on=TODAY + timedelta(days=1))
    Guard.objects.filter(dataset=dataset).update(listed_on=DAYS[2], opens_on=DAYS[2])
    # As if its day had come after the last write: only the dates say so.
    past = datetime.now(UTC) - timedelta(days=2)
    Dataset.objects.filter(pk=dataset.pk).update(listed_at=past, opens_at=past)
    listing = Listing.objects.filter(pk=dataset.pk)
    listing.update(listed_at=past, opens_at=past, is_listed=is_listed, is_open=False)
    texts = ("", "just", "instrument:id13", "access:open", "-lead", "access:open kind:raw")
    people = (AnonymousUser(), world.carlo, world.dana)
    for is_marked in (False, True):
        assert listing.filter(is_listed=is_marked or is_listed, is_open=is_marked).exists()
        for text, person in itertools.product(texts, people):
            assert find(person, Query(text), 10).pks == [dataset.pk], (text, person)
            assert count(person, Query(text)).total == 1, (text, person)
        assert not find(AnonymousUser(), Query("access:closed"), 10).pks
        fold()


def test_every_facet_agrees_with_a_plain_count(world: World) -> None:
    made = scramble(world, 7)
    reindex([dataset.pk for dataset in made])
    seen = set(find(world.carlo, Query(""), 100).pks)
    facets = {
        facet.name: facet for facet in count(world.carlo, Query("", {"kind": ["raw"]})).facets
    }
    raw = [d for d in made if d.pk in seen and d.kind == "raw"]
    plain = {
        "instrument": Counter("id13" for _ in raw),
        "content": Counter(d.content for d in raw),
        "year": Counter(str(d.start_time.year) for d in raw if d.start_time),
        "kind": Counter(d.kind for d in made if d.pk in seen),
        "technique": Counter(t.pid for d in raw for t in d.techniques.all()),
        "sample": Counter(s.name for d in raw for s in d.samples.all()),
        "access": Counter(
            "open" if state.is_open else "closed" for state in access_states(raw).values()
        ),
    }
    for name, tally in plain.items():
        shown = {value.value: value.count for value in facets[name].values} if tally else {}
        assert shown == dict(tally), name
