"""Recipes that live in Python environments of their own."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from processing.recipes.asking import Question, estimate
from processing.recipes.environments import kernel_cache
from processing.recipes.manifest import Manifest
from processing.recipes.registry import Discovery, discover
from tests.makers.environments import install, install_paint, make_environment
from tests.makers.tickets import a_ticket, bodies, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two environments with one recipe and two versions of a package, and one broken."""
    folder = tmp_path_factory.mktemp("environments")
    for name, colour, version in (("old", "red", "1.0"), ("new", "blue", "2.0")):
        make_environment(folder / name)
        install_paint(folder / name, colour, version)
    make_environment(folder / "broken")
    install(folder / "broken", "bad", "1.0", {"sitecustomize.py": "raise SystemExit(7)"})
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> Discovery:
    return discover(
        {
            "new": folder / "new/bin/python",
            "broken": folder / "broken/bin/python",
            "absent": folder / "absent/bin/python",
        }
    )


def paint(found: Discovery) -> Manifest:
    return next(manifest for manifest in found.manifests if manifest.name == "paint-scan")


def test_recipes_of_another_environment_are_found_by_its_interpreter(
    found: Discovery, folder: Path
) -> None:
    names = [manifest.name for manifest in found.manifests]
    own = [point.name for point in entry_points(group="palimpsest.recipes")]
    assert sorted(names) == sorted([*own, "paint-scan"]), "what both see belongs to the own one"
    by_name = {manifest.name: manifest for manifest in found.manifests}
    assert by_name["xrd-map"].place.interpreter == ""
    assert by_name["paint-scan"].place.interpreter == str(folder / "new/bin/python")
    assert by_name["paint-scan"].environment.packages == {"coloursoft": "2.0"}


def test_a_broken_environment_is_faulty_and_harms_no_other(found: Discovery) -> None:
    reasons = {item.name: item.reason for item in found.faulty}
    assert reasons == {
        "environment broken": "SystemExit: 7",
        "environment absent": "its interpreter cannot be started: No such file or directory",
    }


def test_an_environment_that_answers_in_another_form_is_faulty(folder: Path) -> None:
    silent = folder / "silent.sh"
    silent.write_text("#!/bin/sh\necho '{\"recipes\": 3'\n")
    silent.chmod(0o755)
    (item,) = discover({"silent": silent}).faulty
    assert item.name == "environment silent"
    assert "install the same version of Palimpsest there" in item.reason


def test_a_run_uses_the_packages_of_its_environment_and_its_key_says_so(
    folder: Path, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.bin"
    scan.write_bytes(b"frames")
    colours, keys = [], set()
    for fence, name in enumerate(("old", "new"), start=1):
        manifest = paint(discover({name: folder / name / "bin/python"}))
        ticket = a_ticket(manifest, tmp_path, {"scan": [scan]}, fence=fence)
        outcome, _ = run(ticket)
        colours.append(bodies(ticket, outcome)["result"])
        keys.add(ticket.run_key)
    assert colours == [b"red", b"blue"]
    assert len(keys) == 2


def test_a_run_in_the_wrong_environment_is_refused(folder: Path, tmp_path: Path) -> None:
    scan = tmp_path / "scan.bin"
    scan.write_bytes(b"frames")
    manifest = paint(discover({"old": folder / "old/bin/python"}))
    ticket = a_ticket(manifest, tmp_path, {"scan": [scan]})
    moved = ticket.model_copy(update={"interpreter": str(folder / "new/bin/python")})
    outcome, _ = run(moved)
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("environment", "environment-changed")
    assert "coloursoft 2.0" in outcome.failure.message


def test_a_run_whose_environment_is_gone_waits_for_the_operator(
    found: Discovery, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.bin"
    scan.write_bytes(b"frames")
    ticket = a_ticket(paint(found), tmp_path, {"scan": [scan]})
    outcome, _ = run(ticket.model_copy(update={"interpreter": str(tmp_path / "bin/python")}))
    assert outcome.failure is not None
    assert outcome.failure.reason == "environment"
    assert str(tmp_path) not in outcome.failure.message


def test_hooks_are_asked_where_the_recipe_lives(found: Discovery) -> None:
    (price,) = estimate(paint(found), [Question(sizes={"scan": [1]})])
    assert price is not None
    assert price.core_seconds == 2.0, "the major version of the package there"


def test_the_interpreter_is_part_of_no_digest(found: Discovery) -> None:
    manifest = paint(found)
    moved = manifest.place.model_copy(update={"interpreter": "/elsewhere/python"})
    assert manifest.model_copy(update={"place": moved}).digest == manifest.digest
    assert "bin/python" not in manifest.environment.model_dump_json()


def test_manifests_are_read_from_files_and_folders_each_for_its_environment(
    folder: Path, tmp_path: Path
) -> None:
    text = (
        'manifest = 1\nname = "{name}"\nversion = "1.0.0"\ncommand = ["true", "{{output.out}}"]\n'
        'inputs.scan = {{ contents = ["nexus-scan"] }}\npackages = {packages}\n'
        'python = "{python}"\n'
        'outputs.out = {{ content = "copy", filename = "out.txt" }}\n'
    )
    (tmp_path / "a.toml").write_text(text.format(name="own", packages=[], python=""))
    painted = text.format(name="painted", packages=["coloursoft"], python="new")
    (tmp_path / "b.toml").write_text(painted)
    (tmp_path / "c.toml").write_text(text.format(name="lost", packages=[], python="old"))
    (tmp_path / "d.toml").write_text("manifest = 3")
    found = discover({"new": folder / "new/bin/python"}, [tmp_path])
    by_name = {manifest.name: manifest for manifest in found.manifests}
    assert by_name["own"].place.interpreter == ""
    assert by_name["painted"].environment.packages == {"coloursoft": "2.0"}
    reasons = {item.name: item.reason for item in found.faulty}
    assert reasons["c.toml"] == "the environment old is not declared; declared are: new"
    assert set(reasons) == {"c.toml", "d.toml"}


def test_a_changed_kernel_is_not_taken_from_what_was_compiled_before(tmp_path: Path) -> None:
    sources = tmp_path / "kernels"
    sources.mkdir()
    (sources / "one.py").write_text("calls = 2\n")
    (sources / "two.py").write_text("is_called = 1\n")
    before = kernel_cache(tmp_path, sources)
    assert kernel_cache(tmp_path, sources) == before
    (sources / "two.py").write_text("is_called = 2\n")
    assert kernel_cache(tmp_path, sources) != before
    assert kernel_cache(None) == {}
