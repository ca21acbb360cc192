"""Where data come from and what became of them, cut to what a person may see."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.access import Person, visible_datasets
from catalogue.lineage import Step, ancestors, descendants, origin, uses
from catalogue.models import Activity, Dataset, Generated, Guard, Membership, Proposal
from catalogue.registration import ActivityRecord, DerivedDataset, register_derived
from tests.builders import World, a_dataset

Derive = Callable[..., list[Dataset]]


def derive(world: World, *sources: Dataset, titles: tuple[str, ...] = ("result",)) -> list[Dataset]:
    """Make results of datasets; the first is the scan, the others are references."""
    used = {"scan": sources[:1], "reference": sources[1:]}
    record = ActivityRecord(
        title="Integrate",
        used={role: datasets for role, datasets in used.items() if datasets},
        generated=[
            DerivedDataset(title, "xrd-map", title, files=[], digest=title) for title in titles
        ],
        store=world.products,
        person=world.ines,
    )
    return [made.dataset for made in register_derived(record).generated.order_by("id")]


def edges(step: Step | None) -> list[tuple[str, str | None]]:
    assert step is not None
    return [(edge.role, edge.dataset.title if edge.dataset else None) for edge in step.used]


@pytest.fixture
def other(world: World) -> Proposal:
    """A proposal of Sten's that no one else is on."""
    proposal = Proposal.objects.create(facility=world.facility, number="ch-9", title="Other")
    Membership.objects.create(person=world.sten, proposal=proposal)
    return proposal


def test_the_origin_of_a_result_is_what_was_done_with_which_inputs(world: World) -> None:
    scan, geometry = a_dataset(world, title="scan"), a_dataset(world, title="geometry")
    (result,) = derive(world, scan, geometry)
    step = origin(world.ines, result)
    assert edges(step) == [("scan", "scan"), ("reference", "geometry")]
    assert step is not None
    assert (step.activity.title, step.activity.person) == ("Integrate", world.ines)
    assert [edge.dataset for edge in step.generated] == [result]


def test_the_origin_of_raw_data_is_their_acquisition(world: World) -> None:
    scan = a_dataset(world)
    step = origin(world.ines, scan)
    assert edges(step) == []
    assert step is not None
    assert step.activity.kind == "acquisition"
    Generated.objects.filter(dataset=scan).delete()
    assert origin(world.ines, scan) is None


def test_an_input_that_is_hidden_has_a_role_and_no_name(world: World, other: Proposal) -> None:
    scan = a_dataset(world, title="scan")
    secret = a_dataset(world, title="secret", proposal=other)
    (result,) = derive(world, scan, secret)
    Guard.objects.filter(dataset=result, proposal=other).delete()  # released on its own
    assert edges(origin(world.carlo, result)) == [("scan", "scan"), ("reference", None)]
    assert edges(origin(world.dana, result)) == [("scan", "scan"), ("reference", "secret")]


def test_a_result_that_is_hidden_has_a_role_and_no_name(world: World, other: Proposal) -> None:
    scan = a_dataset(world)
    shown, hidden = derive(world, scan, titles=("shown", "hidden"))
    Guard.objects.create(dataset=hidden, proposal=other)
    step = origin(world.ines, shown)
    assert step is not None
    assert [(edge.role, edge.dataset) for edge in step.generated] == [
        ("shown", shown), ("hidden", None),
    ]  # fmt: skip


def test_uses_are_told_only_where_something_of_them_is_visible(
    world: World, other: Proposal
) -> None:
    open_scan = a_dataset(world, is_open=True)
    derive(world, open_scan, titles=("public",))
    derive(world, open_scan, a_dataset(world), titles=("of Ines",))
    derive(world, open_scan, a_dataset(world, proposal=other), titles=("of Sten",))

    def results(person: Person) -> list[str]:
        return [step.generated[0].role for step in uses(person, open_scan)]

    assert results(AnonymousUser()) == ["public"]
    assert results(world.ines) == ["of Ines", "public"]
    assert results(world.sten) == ["of Sten", "public"]
    assert results(world.dana) == ["of Sten", "of Ines", "public"]


def test_hidden_uses_cost_nothing_more(
    world: World, other: Proposal, django_assert_max_num_queries: Any
) -> None:
    poni = a_dataset(world, is_open=True)
    closed = a_dataset(world, proposal=other)
    derive(world, poni, titles=("public",))
    for number in range(8):
        derive(world, poni, closed, titles=(f"hidden {number}",))
    with django_assert_max_num_queries(4):
        (step,) = uses(AnonymousUser(), poni, limit=3)
    assert step.generated[0].role == "public"


def test_a_use_with_two_results_is_told_once_and_only_so_many_are(world: World) -> None:
    scan = a_dataset(world)
    for number in range(4):
        derive(world, scan, titles=(f"{number}.a", f"{number}.b"))
    assert [[edge.role for edge in step.generated] for step in uses(world.ines, scan, limit=2)] == [
        ["3.a", "3.b"], ["2.a", "2.b"],
    ]  # fmt: skip


def test_a_diamond_is_walked_once(world: World) -> None:
    top = a_dataset(world)
    (left,), (right,) = derive(world, top, titles=("left",)), derive(world, top, titles=("right",))
    (bottom,) = derive(world, left, right, titles=("bottom",))
    bystander = a_dataset(world)
    assert ancestors(bottom) == {top.pk, left.pk, right.pk}
    assert descendants(top) == {left.pk, right.pk, bottom.pk}
    assert descendants(left) == {bottom.pk}
    assert ancestors(top) == descendants(bottom) == ancestors(bystander) == set()


def test_five_generations_are_walked_in_one_query(world: World) -> None:
    chain = [a_dataset(world)]
    for number in range(5):
        chain += derive(world, chain[-1], titles=(f"generation {number}",))
    first, last = chain[0], chain[-1]
    with CaptureQueriesContext(connection) as queries:
        assert ancestors(last) == {dataset.pk for dataset in chain[:-1]}
        assert descendants(first) == {dataset.pk for dataset in chain[1:]}
    assert len(queries) == 2


def test_a_sibling_is_neither_ancestor_nor_descendant(world: World) -> None:
    scan, geometry = a_dataset(world), a_dataset(world)
    one, two = derive(world, scan, geometry, titles=("one", "two"))
    assert ancestors(one) == {scan.pk, geometry.pk}
    assert descendants(scan) == descendants(geometry) == {one.pk, two.pk}
    assert descendants(one) == set()


def test_a_result_of_two_proposals_is_a_use_to_members_of_both_only(
    world: World, other: Proposal
) -> None:
    mine, theirs = a_dataset(world), a_dataset(world, proposal=other)
    (result,) = derive(world, mine, theirs)
    assert uses(world.ines, mine) == []
    assert uses(world.sten, theirs) == []
    Membership.objects.create(person=world.ines, proposal=other)
    assert edges(uses(world.ines, mine)[0]) == [("scan", mine.title), ("reference", theirs.title)]
    assert visible_datasets(world.ines).filter(pk=result.pk).exists()


def test_the_number_of_queries_does_not_grow_with_the_history(world: World) -> None:
    scan = a_dataset(world)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            uses(world.ines, scan)
        return len(queries)

    derive(world, scan, titles=("a",))
    before = count()
    for number in range(5):
        derive(world, scan, a_dataset(world), titles=(f"{number}.a", f"{number}.b"))
    assert count() == before <= 4


def test_what_was_done_cannot_be_changed_afterwards(world: World) -> None:
    (result,) = derive(world, a_dataset(world))
    with pytest.raises(Exception, match="provenance is immutable"):
        Activity.objects.filter(generated__dataset=result).update(title="Something else")
