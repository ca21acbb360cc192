"""Documents stand for what is there: links, commands, addresses."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
MANAGE = re.compile(r"manage\.py ([a-z_]+)")
MAKE = re.compile(r"`make ([a-z-]+)`|^make ([a-z-]+)", re.MULTILINE)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DJANGOS_OWN = {"migrate", "spectacular", "createsuperuser", "check", "collectstatic"}


def named(documents: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in documents]


@pytest.mark.parametrize("name", named(DOCUMENTS))
def test_every_link_leads_somewhere(name: str) -> None:
    document = ROOT / name
    for target in LINK.findall(document.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("name", named(DOCUMENTS))
def test_every_command_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    assert set(MANAGE.findall(text)) <= commands | DJANGOS_OWN
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {one or other for one, other in MAKE.findall(text)} <= targets


def test_the_readme_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    first = lines.index("```")
    assert [line.split("#")[0].strip() for line in lines[first + 1 : first + 3]] == [
        "make demo",
        "make test",
    ]


def test_every_decision_names_context_decision_and_price() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        for word in ("**Context.**", "**Decision.**", "**Price.**"):
            assert word in path.read_text(), path.name


def test_every_code_that_is_documented_is_known_and_the_other_way_round() -> None:
    from config.problems import CODES  # noqa: PLC0415 - the table under test

    text = (ROOT / "docs/files.md").read_text()
    documented = set(re.findall(r"`((?:file|euxfel)-[a-z-]+)`", text)) - {"euxfel-run"}
    assert documented == {code for code in CODES if code.startswith(("file-", "euxfel-"))}


def test_nothing_generated_is_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [name for name in tracked if Path(name).suffix in {".png", ".h5", ".nxs", ".pyc"}]
