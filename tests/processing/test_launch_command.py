"""Launching in a terminal obeys the same rules as the page and REST."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from processing.models import ProcessingRun
from tests.builders import World, a_dataset, a_recipe


def launch(*words: str) -> str:
    out = StringIO()
    call_command("launch", *words, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def wish(world: World) -> list[str]:
    a_recipe()
    scan, geometry = a_dataset(world), a_dataset(world, content="poni")
    return ["xrd-map", f"scan={scan.pid}", f"geometry={geometry.pid}"]


def test_a_result_is_asked_for_in_a_terminal_and_a_second_time_joined(wish: list[str]) -> None:
    first = launch(*wish, "--as", "ines", "--set", "bins=500")
    run = ProcessingRun.objects.get()
    assert first == f"queued {run.uuid}"
    assert run.parameters["bins"] == 500
    assert launch(*wish, "--as", "carlo", "--set", "bins=500") == f"joined {run.uuid}"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--as", "ines", "--set", "bins=1"], "at least 10"),
        (["--as", "ines", "--set", "bin=500"], "no such parameter"),
        (["--as", "ines", "--set", "bins"], "must be NAME=VALUE"),
        (["--as", "sten"], "that you may read"),
        (["--as", "nobody"], "no account nobody"),
        (["dark=00000000-0000-0000-0000-000000000000", "--as", "ines"], "that you may read"),
    ],
    ids=["bound", "name", "form", "stranger", "account", "input"],
)
def test_what_is_refused_elsewhere_is_refused_there(
    wish: list[str], more: list[str], why: str
) -> None:
    with pytest.raises(CommandError, match=why):
        launch(*wish, *more)
    assert not ProcessingRun.objects.exists()
