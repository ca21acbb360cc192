"""Secrets and the data folder, as a deployer meets them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run some Python as a process of its own, with no setting but those given."""
    kept = {name: value for name, value in os.environ.items() if "PALIMPSEST" not in name}  # noqa: TID251 - another process's
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_web_server_without_secret_key_refuses_and_says_what_to_do(tmp_path: Path) -> None:
    refused = run("import config.wsgi", PALIMPSEST_DATA=str(tmp_path))
    assert refused.returncode != 0
    assert "Set PALIMPSEST_SECRET_KEY, or run manage.py once" in refused.stderr


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    read = run(
        "from config import settings; print(settings.SECRET_KEY)",
        PALIMPSEST_DATA=str(tmp_path),
        PALIMPSEST_SECRET_KEY_FILE=str(tmp_path / "key"),
    )
    assert read.stdout == "from a file\n"


def test_a_secret_file_that_is_not_there_is_no_empty_secret(tmp_path: Path) -> None:
    failed = run(
        "from config import settings",
        PALIMPSEST_DATA=str(tmp_path),
        PALIMPSEST_SECRET_KEY_FILE=str(tmp_path / "absent"),
    )
    assert failed.returncode != 0


def test_reading_the_settings_starts_and_writes_nothing(tmp_path: Path) -> None:
    run("from config import settings", PALIMPSEST_DATA=str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()
