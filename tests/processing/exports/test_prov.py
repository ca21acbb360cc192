"""Read by package prov, and held to the rules of PROV that it does not look at."""

from datetime import datetime
from graphlib import TopologicalSorter
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvInvalidation,
    ProvUsage,
)

from catalogue.models import Tombstone
from processing.exports.history import history_of, history_of_run
from processing.exports.prov import Notation, draw_prov, read_prov, write_prov
from processing.exports.record import Place, Record, RecordedActivity, RecordedParameter
from processing.models import ProcessingRun
from tests.builders import World, a_run
from tests.processing.exports.histories import Chain, a_chain


def names(document: ProvDocument, kind: type) -> set[str]:
    return {str(row.identifier) for row in document.get_records(kind)}


def check(document: ProvDocument) -> None:
    """Hold a document to the constraints of PROV."""
    entities, activities, agents = (
        names(document, kind) for kind in (ProvEntity, ProvActivity, ProvAgent)
    )
    assert not entities & activities
    assert not entities & agents
    assert not activities & agents
    before: dict[str, set[str]] = {}
    made: dict[str, datetime | None] = {}
    for row in document.get_records(ProvGeneration):
        entity, activity, time = row.args[:3]
        assert str(entity) in entities
        assert str(activity) in activities
        assert str(entity) not in made, "generated twice"
        made[str(entity)] = time
        before.setdefault(str(entity), set()).add(str(activity))
    for row in document.get_records(ProvUsage):
        activity, entity, time = row.args[:3]
        assert str(entity) in entities
        before.setdefault(str(activity), set()).add(str(entity))
        if time and made.get(str(entity)):
            assert made[str(entity)] <= time, "used before it was there"
    for row in document.get_records(ProvActivity):
        start, end = row.get_startTime(), row.get_endTime()
        assert not (start and end) or start <= end
    TopologicalSorter(before).prepare()  # raises CycleError


@pytest.mark.parametrize("notation", Notation)
def test_every_notation_reads_back_as_the_same_document(world: World, notation: Notation) -> None:
    record = history_of(world.ines, a_chain(world).last)
    assert read_prov(write_prov(record, notation), notation) == draw_prov(record)
    assert draw_prov(record) != draw_prov(history_of(world.ines, a_chain(world).last))


def test_a_document_keeps_the_rules_that_prov_does_not_check(world: World) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.map, kind="retracted", reason="why")
    document = draw_prov(history_of(world.ines, chain.last))
    check(document)
    assert len(list(document.get_records(ProvUsage))) == 3
    assert len(list(document.get_records(ProvGeneration))) == 4


def test_the_rules_notice_a_broken_document(world: World) -> None:
    chain = a_chain(world)
    document = draw_prov(history_of(world.ines, chain.last))
    (generation, *_) = document.get_records(ProvGeneration)
    document.generation(generation.args[0], generation.args[1])
    with pytest.raises(AssertionError, match="twice"):
        check(document)


@pytest.mark.parametrize("notation", Notation)
def test_what_is_hidden_is_in_no_notation(world: World, notation: Notation) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.scan, kind="withdrawn", reason="a secret")
    text = write_prov(history_of(AnonymousUser(), chain.last), notation)
    assert "hidden-1" in text
    for secret in (str(chain.scan.pid), chain.scan.title, chain.scan.digest,
                   chain.scan.files.get().path, "secret"):  # fmt: skip
        assert secret not in text
    check(read_prov(text, notation))


def test_what_was_taken_back_is_invalidated(world: World) -> None:
    chain: Chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.map, kind="retracted", reason="wrong geometry")
    document = draw_prov(history_of(AnonymousUser(), chain.last))
    (row,) = document.get_records(ProvInvalidation)
    assert str(row.args[0]) == f"dataset:{chain.map.pid}"
    assert "wrong geometry" in document.get_provn()


def test_a_failed_run_generates_nothing(world: World) -> None:
    run = a_run(world)
    run.state, run.problem = ProcessingRun.State.FAILED, {"message": "too dark"}
    document = draw_prov(history_of_run(world.ines, run))
    assert not list(document.get_records(ProvGeneration))
    assert "too dark" in document.get_provn()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3), max_leaves=4,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.text(min_size=1), value=_VALUES)
@pytest.mark.parametrize("notation", Notation)
def test_whatever_software_elsewhere_calls_its_parameters(
    notation: Notation, name: str, value: object
) -> None:
    row = RecordedActivity(
        "a", UUID(int=1), recipe="Sum/1 (new)", version="1,2",
        parameters=(RecordedParameter(name, value, "µm"),),
    )  # fmt: skip
    record = Record("http://here", Place("here"), (), {}, {"a": row}, (), ())
    assert read_prov(write_prov(record, notation), notation) == draw_prov(record)
