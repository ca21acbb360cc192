"""The provenance graph: its shape is for everybody, its content for whom it may be."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.access import visible_datasets
from catalogue.ancestry import Graph, graph
from catalogue.models import Activity, Dataset, Proposal, Tombstone
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_proposal, guarded, in_days
from tests.catalogue.test_lineage import derive


def shape(found: Graph) -> set[tuple[str, str, str]]:
    """Links by titles; an activity by its recipe, here always nothing."""
    titles = {
        node.name: getattr(node.row, "title", node.name) if node.type == "dataset" else node.type
        for node in found.nodes
    }
    return {(titles[link.source], titles[link.target], link.role) for link in found.links}


@pytest.fixture
def other(world: World) -> Proposal:
    return a_proposal(world, "ch-9", sten="pi")


def test_a_graph_goes_both_ways(world: World) -> None:
    scan, geometry = a_dataset(world, title="scan"), a_dataset(world, title="geometry")
    (product,) = derive(world, scan, geometry, titles=("map",))
    derive(world, product, titles=("fit",))
    found = graph(world.ines, product)
    assert shape(found) == {
        ("scan", "activity", "scan"), ("geometry", "activity", "reference"),
        ("activity", "map", "map"), ("map", "activity", "scan"), ("activity", "fit", "fit"),
        ("activity", "scan", "data"), ("activity", "geometry", "data"),
    }  # fmt: skip
    assert found.cut == ""


def test_so_many_generations_are_told_and_no_more(world: World) -> None:
    chain = [a_dataset(world, title="0")]
    for number in range(1, 6):
        chain += derive(world, chain[-1], titles=(str(number),))
    found = graph(world.ines, chain[3], up=1, down=1)
    titles = {node.row.title for node in found.nodes if isinstance(node.row, Dataset)}
    assert titles == {"2", "3", "4"}
    assert "more" in found.cut
    assert graph(world.ines, chain[3], up=20, down=20).cut == ""


def test_a_graph_has_no_more_nodes_than_asked_and_says_so(world: World) -> None:
    geometry = a_dataset(world, is_open=True)
    for _ in range(6):
        derive(world, a_dataset(world), geometry)
    found = graph(world.dana, geometry, limit=7)
    assert len(found.nodes) <= 7
    assert found.cut.startswith("Only ")


def test_a_diamond_stands_once_in_the_graph(world: World) -> None:
    top = a_dataset(world, title="top")
    (left,), (right,) = derive(world, top, titles=("left",)), derive(world, top, titles=("right",))
    (bottom,) = derive(world, left, right, titles=("bottom",))
    names = [node.name for node in graph(world.ines, bottom).nodes]
    assert len(names) == len(set(names)) == 4 + 4, "four datasets, each made by something"


def test_what_is_hidden_keeps_its_shape_and_nothing_else(world: World, other: Proposal) -> None:
    geometry = a_dataset(world, title="geometry", is_open=True)
    secret = a_dataset(world, title="secret", proposal=other)
    derive(world, geometry, secret, titles=("secret map",))
    found = graph(AnonymousUser(), geometry)
    (hidden,) = [node for node in found.nodes if node.type == "dataset" and node.row is None]
    links = [link for link in found.links if hidden.name in {link.source, link.target}]
    assert [(link.role, hidden.name.startswith("hidden-")) for link in links] == [("", True)]
    whole = graph(world.dana, geometry)
    assert len(whole.nodes) == len(found.nodes)
    assert {len(whole.links)} == {len(found.links)}


def test_the_graph_does_not_cost_more_with_its_size(
    world: World, django_assert_max_num_queries: Any
) -> None:
    scan = a_dataset(world)
    for _ in range(8):
        derive(world, scan, a_dataset(world))
    with django_assert_max_num_queries(16):
        graph(world.ines, scan)


def test_the_graph_by_rest_is_cut_with_a_sentence(world: World) -> None:
    scan = a_dataset(world, is_open=True, title="scan")
    derive(world, scan, a_dataset(world))
    address = f"/api/v1/datasets/{scan.pid}/graph/"
    answer = Client().get(address).json()
    assert answer["dataset"] == str(scan.pid)
    hidden = [node for node in answer["nodes"] if node["is_hidden"]]
    assert [node["type"] for node in hidden] == ["dataset", "activity"]
    assert set(hidden[0].values()) == {"hidden-1", "dataset", True, False, None}
    assert "more" in Client().get(address, {"limit": 2}).json()["cut"]
    assert Client().get(address, {"limit": 0}).status_code == 400


def test_a_retracted_node_says_that_it_is(world: World) -> None:
    scan = a_dataset(world, is_open=True)
    Tombstone.objects.create(dataset=scan, kind="retracted", reason="why")
    (node,) = Client().get(f"/api/v1/datasets/{scan.pid}/graph/?up=0").json()["nodes"]
    assert node["is_retracted"]


# Who made which results: each number names the parents of one more dataset.
PARENTS = st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), min_size=1, max_size=6)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parents=PARENTS, hidden=st.sets(st.integers(0, 11)), asked=st.integers(0, 11))
def test_nothing_of_a_hidden_node_is_in_the_answer(
    world: World, parents: list[set[int]], hidden: set[int], asked: int
) -> None:
    word = uuid4().hex  # the datasets of examples before are still there
    made = [a_dataset(world, title=f"raw {n} {word}", is_open=True) for n in range(4)]
    for number, chosen in enumerate(parents):
        sources = dict.fromkeys(made[n % len(made)] for n in sorted(chosen))
        made += derive(world, *sources, titles=(f"result {number} {word}",))
    for number in hidden:
        guarded(made[number % len(made)], opens_on=None, listed_on=None)
    for dataset in made[4:]:
        if dataset.pk not in {made[n % len(made)].pk for n in hidden}:
            day = in_days(world, -1)
            guarded(dataset, opens_on=day, listed_on=day)
    subject = made[asked % len(made)]
    response = Client().get(f"/api/v1/datasets/{subject.pid}/graph/?up=20&down=20")
    pks = {dataset.pk for dataset in made}
    visible = visible_datasets(AnonymousUser()).filter(pk__in=pks)
    seen = set(visible.values_list("pk", flat=True))
    assert response.status_code == (200 if subject.pk in seen else 404)
    text = response.content.decode()
    for dataset in Dataset.objects.filter(pk__in=pks - seen):
        assert str(dataset.pid) not in text or dataset.pk == subject.pk
        assert dataset.title not in text
        assert dataset.digest not in text
    own = Activity.objects.filter(generated__dataset__in=pks)
    for activity in own.exclude(generated__dataset__in=seen):
        assert str(activity.pid) not in text
    if response.status_code == 200:
        assert_closed(json.loads(text))


def assert_closed(answer: dict[str, Any]) -> None:
    """Each link leads from node to node, and a hidden node says nothing."""
    names = {node["id"] for node in answer["nodes"]}
    assert {end for link in answer["links"] for end in (link["source"], link["target"])} <= names
    for node in answer["nodes"]:
        if node["is_hidden"]:
            told = {key: value for key, value in node.items() if value is not None}
            assert set(told) == {"id", "type", "is_hidden", "is_retracted"}
            assert not told["is_retracted"]
