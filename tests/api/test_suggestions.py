"""Machines are suggested what people are, and nothing else."""

from urllib.parse import urlencode

import pytest

from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset

ADDRESS = "/api/v1/datasets/suggestions/"


def test_a_name_is_suggested_with_the_part_that_it_replaces(
    machine_of: MachineOf, world: World
) -> None:
    a_dataset(world, is_open=True, parameters={"sample.temperature": (80, "K")})
    answer = machine_of(None).get(ADDRESS, {"q": "blue temp", "position": "8"})
    assert answer.status_code == 200
    assert answer.json() == {
        "suggestions": [
            {
                "kind": "key",
                "text": "sample.temperature:",
                "label": "sample.temperature",
                "help": "A parameter of the data, in K or alike.",
                "start": 5,
                "end": 9,
            }
        ]
    }
    assert answer.headers["Cache-Control"] == "private"
    assert "Authorization" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("person", "found"), [("ines", ["gold", "lead"]), ("sten", ["lead"]), (None, ["lead"])]
)
def test_what_is_suggested_depends_on_who_asks(
    machine_of: MachineOf, world: World, person: str | None, found: list[str]
) -> None:
    a_dataset(world, sample="gold")
    a_dataset(world, sample="lead", is_open=True)
    answer = machine_of(person).get(ADDRESS, {"q": "sample:"}).json()
    assert [offer["text"] for offer in answer["suggestions"]] == found


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"q": "a", "position": "-1"}, "#/position"),
        ({"q": "a", "position": "x"}, "#/position"),
        ({"q": "x" * 2001}, "#/q"),
        ({"query": "a"}, "#/query"),
        ({"q": "a\x00"}, "#/q"),
    ],
)
def test_a_malformed_call_is_refused(
    machine_of: MachineOf, world: World, parameters: dict[str, str], fault: str
) -> None:
    answer = machine_of(None).get(f"{ADDRESS}?{urlencode(parameters)}")
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == [fault]


def test_spaces_and_a_place_behind_the_end_are_no_fault(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of(None)
    assert client.get(ADDRESS, {"q": " kind:d", "position": "2000"}).json()["suggestions"] == []
    first = client.get(ADDRESS).json()["suggestions"][0]
    assert (first["label"], first["start"]) == ("instrument", 0)
    spaced = client.get(ADDRESS, {"q": "  inst"}).json()["suggestions"][0]
    assert (spaced["start"], spaced["end"]) == (2, 6)
