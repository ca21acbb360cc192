"""manage.py recipe: what is here, and does it hold on its own example."""

import json
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

TOML = """
manifest = 1
name = "tell"
version = "1.0.0"
title = "Tell something of a scan"
command = ["./tell.sh", "{scan}", "{output.told}"]
inputs.scan = { contents = ["nexus-scan"] }
outputs.told = { content = "text", filename = "told.txt" }
"""
EXAMPLE = '[example]\ninputs.scan = ["scan.txt"]\n'


def write(folder: Path, script: str, more: str = EXAMPLE) -> Path:
    path = folder / "tell.toml"
    path.write_text(TOML + more)
    (folder / "scan.txt").write_text("frames")
    executable = folder / "tell.sh"
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o755)
    return path


def ask(*words: object) -> str:
    said = StringIO()
    call_command("recipe", *map(str, words), stdout=said)
    return said.getvalue()


def refuse(*words: object) -> tuple[str, str]:
    said = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("recipe", *map(str, words), stdout=said)
    return said.getvalue(), str(refused.value)


def test_a_recipe_that_gives_the_same_twice_holds(tmp_path: Path) -> None:
    said = ask("check", "tell", "--manifest", write(tmp_path, 'wc -c < "$1" > "$2"'))
    assert "Replay of told.txt: identical bytes." in said
    assert said.endswith("tell 1.0.0 holds.\n")


def test_a_recipe_that_names_its_process_does_not_hold(tmp_path: Path) -> None:
    said, refused = refuse("check", "tell", "--manifest", write(tmp_path, 'echo $$ > "$2"'))
    assert "Replay of told.txt: different." in said
    assert refused == "tell 1.0.0 does not hold."


def test_a_recipe_may_say_that_it_is_not_deterministic(tmp_path: Path) -> None:
    path = write(tmp_path, 'echo $$ > "$2"', "deterministic = false\n" + EXAMPLE)
    assert "Its author says that it is not deterministic." in ask("check", "tell@1.0.0",
                                                                  "--manifest", path)  # fmt: skip


@pytest.mark.parametrize(
    ("script", "more", "reason"),
    [
        ("exit 2", EXAMPLE, "The first run failed (command-failed)"),
        ("exit 0", EXAMPLE, "The first run failed (output-missing)"),
        ('echo > "$2"', "", "tell has no example"),
    ],
)
def test_what_does_not_run_does_not_hold(
    tmp_path: Path, script: str, more: str, reason: str
) -> None:
    said, _ = refuse("check", "tell", "--manifest", write(tmp_path, script, more))
    assert reason in said


def test_recipes_are_listed_and_shown_with_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, "exit 0")
    (tmp_path / "bad.toml").write_text(TOML.replace("tell.sh", "no.sh"))
    listed = ask("list", "--manifest", tmp_path)
    assert "tell 1.0.0  Tell something of a scan\n" in listed
    assert "bad.toml cannot be used: the executable ./no.sh is not on this machine" in listed
    shown = ask("show", "tell", "--manifest", path)
    assert json.loads(shown)["outputs"] == {"told": {"content": "text", "filename": "told.txt"}}
    assert str(tmp_path) not in shown


def test_an_unknown_recipe_and_a_bad_environment_are_refused() -> None:
    own = ", ".join(sorted(point.name for point in entry_points(group="palimpsest.recipes")))
    assert f"There is no recipe nothing here; there are: {own}." in refuse("show", "nothing")[1]
    assert "old is no environment" in refuse("list", "--environment", "old")[1]
