"""Who may say what a dataset is, and what follows from it."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.curation import Changes, edit, etag_of
from catalogue.errors import (
    DescriptionError,
    NotPermittedError,
    PreconditionError,
    UnknownDatasetError,
)
from catalogue.models import AuditEvent, Dataset, Guard, Instrument, Membership, Sample
from catalogue.search import Query, find
from catalogue.statements import read_said
from tests.builders import World, a_dataset, a_technique
from tests.catalogue.closing import a_product, a_proposal, in_days


def say(world: World, dataset: Dataset, name: str | None = "ines", **said: Any) -> Dataset:
    """Change what is said of a dataset, as somebody who has just read it."""
    dataset.refresh_from_db()
    person = getattr(world, name) if name else AnonymousUser()
    return edit(person, dataset.pid, read_said(Changes, said), etags=[etag_of(dataset)])


def is_found(world: World, dataset: Dataset, text: str) -> bool:
    return dataset.pk in find(world.ines, Query(text), 10).pks


@pytest.mark.parametrize(
    ("name", "editable"),
    [
        ("ines", {"raw"}),  # leads one of the two proposals the product stems from
        ("carlo", {"raw"}),
        ("ivo", {"raw", "product"}),  # staff of the only instrument
        ("dana", {"raw", "product"}),
        ("rea", {"product"}),  # launched what made it
        ("sten", set()),
        (None, set()),
    ],
)
def test_a_description_is_edited_by_team_staff_owner_and_steward(
    world: World, name: str | None, editable: set[str]
) -> None:
    raw = a_dataset(world, is_open=True)
    other = a_dataset(world, is_open=True, proposal=a_proposal(world, "other"))
    product = a_product(world, raw, other, owner=world.rea)
    for kind, dataset in (("raw", raw), ("product", product)):
        if kind in editable:
            assert say(world, dataset, name, title="New").title == "New"
        else:
            with pytest.raises(NotPermittedError):
                say(world, dataset, name, title="New")


def test_hidden_data_and_a_membership_that_ended_edit_nothing(world: World) -> None:
    hidden, opened = a_dataset(world), a_dataset(world, is_open=True)
    Membership.objects.filter(person=world.carlo).update(valid_to=in_days(world, -1))
    for dataset, refusal in ((hidden, UnknownDatasetError), (opened, NotPermittedError)):
        with pytest.raises(refusal):
            say(world, dataset, "carlo", title="New")
    assert not AuditEvent.objects.filter(act="metadata.edited").exists()


def test_an_old_version_is_refused_before_anything_else_is_wrong(world: World) -> None:
    dataset = a_dataset(world)
    seen = etag_of(dataset)
    say(world, dataset, "carlo", title="Theirs")
    with pytest.raises(PreconditionError) as refused:
        edit(world.ines, dataset.pid, read_said(Changes, {"licence": "none"}), etags=[seen])
    dataset.refresh_from_db()
    assert refused.value.etag == etag_of(dataset) != seen
    assert (dataset.title, dataset.revision) == ("Theirs", 2)


def test_one_fault_keeps_everything_as_it_was(world: World) -> None:
    dataset = a_dataset(world, sample="glass", parameters={"temperature": (80.0, "K")})
    with pytest.raises(DescriptionError) as refused:
        say(
            world, dataset, title="New", samples=[], tags=["new"], licence="none",
            techniques=["astrology"], parameters={"remove": ["temperature"]},
        )  # fmt: skip
    assert {it.pointer for it in refused.value.errors} == {"#/licence", "#/techniques/0"}
    dataset.refresh_from_db()
    assert (dataset.title, dataset.revision, dataset.tags.count()) == (
        "Fragment of a painting", 1, 0,
    )  # fmt: skip
    assert (dataset.samples.count(), dataset.parameters.count()) == (1, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_value_that_is_no_number_is_refused(world: World, value: float) -> None:
    dataset = a_dataset(world)
    with pytest.raises(DescriptionError) as refused:
        say(world, dataset, parameters={"set": [{"name": "flux", "value": value}]})
    assert [it.pointer for it in refused.value.errors] == ["#/parameters/set/0/value"]
    assert not dataset.parameters.exists()


def test_a_sample_is_that_of_the_proposal(world: World) -> None:
    theirs = a_proposal(world, "other", sten="pi")
    a_dataset(world, proposal=theirs, sample="S1")
    Sample.objects.create(proposal=world.proposal, name="S1", chemical_formula="PbCO3")
    dataset = a_dataset(world)
    say(world, dataset, samples=[{"name": "S1"}, {"name": "S2"}])
    rows = dataset.samples.order_by("name").values_list("name", "chemical_formula", "proposal")
    assert list(rows) == [("S1", "PbCO3", world.proposal.pk), ("S2", "", world.proposal.pk)]


def test_a_formula_is_added_where_there_is_none_and_another_is_refused(world: World) -> None:
    dataset = a_dataset(world, sample="S1")
    say(world, dataset, samples=[{"name": "S1", "chemical_formula": "CeO2"}])
    assert dataset.samples.get().chemical_formula == "CeO2"
    assert is_found(world, dataset, "formula:CeO2 CeO2")
    with pytest.raises(DescriptionError, match="S1 is CeO2 in this proposal") as refused:
        say(world, dataset, samples=[{"name": "S1", "chemical_formula": "PbCO3"}])
    assert [fault.pointer for fault in refused.value.errors] == ["#/samples/0/chemical_formula"]
    assert dataset.samples.get().chemical_formula == "CeO2"


def test_whoever_is_of_the_team_here_and_staff_there_edits_what_stems_from_both(
    world: World,
) -> None:
    id22 = Instrument.objects.create(slug="id22", name="ID22", facility=world.facility)
    theirs = a_proposal(world, "other")
    mine, elsewhere = a_dataset(world), a_dataset(world, proposal=theirs)
    Guard.objects.filter(dataset=elsewhere).update(instrument=id22)
    id22.staff.add(world.carlo)
    product = a_product(world, mine, elsewhere)
    assert say(world, product, "carlo", title="New").title == "New"
    id22.staff.clear()
    with pytest.raises(UnknownDatasetError):
        say(world, product, "carlo", title="Newer")


def test_a_tag_stays_with_whoever_gave_it_first(world: World) -> None:
    dataset = a_dataset(world)
    say(world, dataset, "carlo", tags=["blue"])
    say(world, dataset, "ines", tags=["blue", "red"])
    assert dict(dataset.tags.values_list("name", "person__username")) == {
        "blue": "carlo",
        "red": "ines",
    }


def test_a_changed_quantity_and_technique_are_searched_as_they_are_now(world: World) -> None:
    a_technique("PaNET01207", "x-ray tomography")
    dataset = a_dataset(world, title="Robe", parameters={"temperature": (80.0, "K")})
    assert is_found(world, dataset, "temperature<90K")
    value = {"name": "temperature", "value": 20, "unit": "degC"}  # 293.15 K
    say(world, dataset, techniques=["x-ray tomography"], parameters={"set": [value]})
    assert not is_found(world, dataset, "temperature<90K")
    assert is_found(world, dataset, "temperature:293..294K")
    assert is_found(world, dataset, "technique:PaNET01207")
