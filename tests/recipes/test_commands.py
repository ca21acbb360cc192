"""Executables as recipes: what a TOML file promises is run, checked and recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from processing.errors import RecipeDefinitionError
from processing.recipes import declared
from processing.recipes.manifest import Manifest
from processing.ticket import LogLine
from tests.makers.tickets import a_ticket, bodies, run

SCRIPT = """#!/bin/sh
# --version | HOW FROM TO [WORDS...]
case "$1" in
  --version) echo "scale 2.1" ;;
  copy) cat "$2" > "$3"; shift 3; printf '%s\\n' "$@" ;;
  words) out="$3"; printf '%s|' "$@" > "$out" ;;
  fail) echo "cannot open the shutter" >&2; exit 3 ;;
  die) kill -9 $$ ;;
  silent) ;;
  extra) cat "$2" > "$3"; echo more > "$(dirname "$3")/more.txt" ;;
  link) ln -s "$2" "$3" ;;
esac
"""

TOML = """
manifest = 1
name = "scale"
version = "1.0.0"
title = "Scale a scan"
command = ["./scale.sh", "{how}", "{scan}", "{output.scaled}",
  ["--bins={bins}"], ["--mask", "{mask}"], ["{dark}"], "{{x}}"]
version_command = ["./scale.sh", "--version"]
inputs.scan = { contents = ["nexus-scan"] }
inputs.mask = { contents = ["image"], optional = true }
inputs.dark = { contents = ["dark"], many = true, optional = true }
parameters.how = { type = "string", default = "words" }
parameters.bins = { type = "integer", minimum = 10, default = 1000, optional = true }
outputs.scaled = { content = "scaled", filename = "scaled.txt" }
presets.coarse = { description = "A quick look", parameters = { bins = 10 } }
"""


def write(folder: Path, *changes: tuple[str, str], script: str = SCRIPT) -> Path:
    text = TOML
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "scale.toml"
    path.write_text(text)
    executable = folder / "scale.sh"
    executable.write_text(script)
    executable.chmod(0o755)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.bin"
    path.write_bytes(b"frames")
    return path


def manifest_of(path: Path) -> Manifest:
    return declared.load(path).manifest


def words(manifest: Manifest, folder: Path, inputs: Any, **parameters: Any) -> list[str]:
    ticket = a_ticket(manifest, folder, inputs, **parameters)
    outcome, _ = run(ticket)
    return bodies(ticket, outcome)["scaled"].decode().split("|")[:-1]


def test_an_argv_is_filled_without_a_shell(scan: Path, tmp_path: Path) -> None:
    manifest = manifest_of(write(tmp_path, ('["./scale.sh", "{how}"', '["./scale.sh", "words"')))
    nasty = "$(touch /tmp/x); `ls` 'a b'"
    found = words(manifest, tmp_path, {"scan": [scan]}, how=nasty)
    assert found == ["words", "../inputs/scan/0/scan.bin", "../outputs/scaled.txt",
                     "--bins=1000", "{x}"]  # fmt: skip


def test_a_value_from_a_person_is_one_word(scan: Path, tmp_path: Path) -> None:
    path = write(tmp_path, ('"{{x}}"', '"--note={how}"'), ('"./scale.sh", "{how}"',
                 '"./scale.sh", "words"'))  # fmt: skip
    nasty = "$(touch /tmp/x); `ls` 'a b'"
    found = words(manifest_of(path), tmp_path, {"scan": [scan]}, how=nasty)
    assert found[-1] == f"--note={nasty}"


def test_a_list_is_left_out_while_its_parameter_is_null_or_its_input_absent(
    scan: Path, tmp_path: Path
) -> None:
    manifest = manifest_of(write(tmp_path))
    assert words(manifest, tmp_path, {"scan": [scan]}, bins=None)[3:] == ["{x}"]
    mask = tmp_path / "mask.edf"
    mask.write_bytes(b"0101")
    given = {"scan": [scan], "mask": [mask], "dark": [scan, mask]}
    assert words(manifest, tmp_path, given)[3:] == [
        "--bins=1000",
        "--mask",
        "../inputs/mask/0/mask.edf",
        "../inputs/dark/0/mask.edf",  # by digest: as given, scan.bin was the first
        "../inputs/dark/1/scan.bin",
        "{x}",
    ]


def test_parameters_may_come_as_one_json_file(scan: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        ('"{scan}", "{output.scaled}"', '"{parameters_json}", "{output.scaled}"'),
        ('default = "words"', 'default = "copy"'),
    )
    ticket = a_ticket(manifest_of(path), tmp_path, {"scan": [scan]}, bins=20)
    outcome, _ = run(ticket)
    told = json.loads(bodies(ticket, outcome)["scaled"])
    assert told["parameters"] == {"bins": 20, "how": "copy"}
    assert told["inputs"]["scan"] == ["../inputs/scan/0/scan.bin"]
    assert told["outputs"] == {"scaled": "../outputs/scaled.txt"}


@pytest.mark.parametrize(
    ("how", "reason", "code", "message"),
    [
        ("fail", "recipe", "command-failed", "code 3. Its last words: cannot open the shutter"),
        ("die", "recipe", "command-failed", "was killed (SIGKILL)"),
        ("silent", "output", "output-missing", "did not write scaled.txt"),
        ("extra", "output", "output-undeclared", "more.txt"),
        ("link", "output", "output-unsafe", "scaled.txt is no plain file"),
    ],
)  # fmt: skip
def test_a_command_that_breaks_its_promise_fails_with_a_sentence(
    scan: Path, tmp_path: Path, how: str, reason: str, code: str, message: str
) -> None:
    outcome, _ = run(a_ticket(manifest_of(write(tmp_path)), tmp_path, {"scan": [scan]}, how=how))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == (reason, code)
    assert message in outcome.failure.message


def test_what_a_command_prints_is_log(scan: Path, tmp_path: Path) -> None:
    manifest = manifest_of(write(tmp_path))
    _, events = run(a_ticket(manifest, tmp_path, {"scan": [scan]}, how="copy"))
    assert "--bins=1000" in [event.text for event in events if isinstance(event, LogLine)]


def test_the_executable_is_part_of_the_environment(tmp_path: Path) -> None:
    first = manifest_of(write(tmp_path))
    assert first.environment.program["version"] == "scale 2.1"
    other = manifest_of(write(tmp_path, script=SCRIPT.replace("shutter", "door")))
    assert other.environment.digest != first.environment.digest
    assert other.digest == first.digest, "the recipe itself is the same"


@pytest.mark.parametrize("changed", ["script", "manifest"])
def test_a_program_that_changed_after_its_registration_does_not_run(
    scan: Path, tmp_path: Path, changed: str
) -> None:
    ticket = a_ticket(manifest_of(write(tmp_path)), tmp_path, {"scan": [scan]})
    if changed == "script":
        write(tmp_path, script=SCRIPT + "# another\n")
    else:
        write(tmp_path, ('["--bins={bins}"]', '["--bin={bins}"]'))
    outcome, _ = run(ticket)
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("environment", "environment-changed")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("{scan}", "{scam}", "{scam} is unknown; known are bins, dark, how, mask"),
        ("./scale.sh", "./scald.sh", "the executable ./scald.sh is not on this machine"),
        ("./scale.sh", "no-such-command", "the executable no-such-command is not on this machine"),
        ('["--bins={bins}"]', '"--bins={bins}"', "{bins} may be left out: put its words into a"),
        ('["{dark}"]', '["--d={dark}"]', "{dark} stands for several files"),
        ('"{output.scaled}",', "", "not told where to write: {output.scaled} is missing"),
        ('"scaled.txt"', '"../scaled.txt"', "needs a filename without folders"),
        ('"--version"', '"fail"', "./scale.sh fail does not tell a version"),
        ("bins = 10 }", "bins = 1 }", "preset coarse: bins: must be at least 10"),
        ('type = "string"', 'type = "text"', "parameters: "),
        ("parameters.how", "parameters.scan", "is said twice"),
        ("manifest = 1", "manifest = 2", "manifest: Input should be 1"),
        ("title =", "titel =", "titel: Extra inputs are not permitted"),
        ('version = "1.0.0"', 'version = "1"', "version: String should match"),
        ("manifest = 1", "manifest = ", "is no TOML"),
    ],
)
def test_a_manifest_with_a_fault_is_refused_with_a_sentence(
    tmp_path: Path, before: str, after: str, reason: str
) -> None:
    path = write(tmp_path, (before, after))
    if before == "parameters.how":
        path.write_text(path.read_text().replace('"{how}", ', ""))
    with pytest.raises(RecipeDefinitionError) as refused:
        declared.load(path)
    assert reason in refused.value.reason
    assert str(tmp_path) not in refused.value.reason
