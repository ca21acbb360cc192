"""A public site with the settings that docs/operating.md lists, and what it says without."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks

from config import checks
from tests.config.conftest import ROOT, Done

PRODUCTION = dict(
    re.findall(
        r"^((?:PALIMPSEST|DATABASE)_\w+)=(\S+)$",
        (ROOT / "docs" / "operating.md").read_text(),
        re.MULTILINE,
    )
)
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run manage.py, or some Python, with the documented settings and changes to them."""
    key = tmp_path / "secret-key"
    key.write_text("abcdefghij" * 5)
    collected = {"PALIMPSEST_DATA": str(tmp_path), "PALIMPSEST_SECRET_KEY_FILE": str(key)}

    def call(*arguments: str, **changes: str) -> Done:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - another process's
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**kept, **PRODUCTION, **collected, **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def check(run: Run, **changes: str) -> Done:
    return run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **changes)


def test_the_documented_settings_satisfy_every_check(run: Run) -> None:
    assert len(PRODUCTION) > 5
    assert run("manage.py", "collectstatic", "--noinput").returncode == 0
    done = check(run)
    assert done.returncode == 0, done.stderr
    assert "no issues (1 silenced)" in done.stdout


def test_a_site_with_the_settings_of_a_laptop_is_told_what_a_public_one_needs(run: Run) -> None:
    weak = {"PALIMPSEST_HTTPS": "0", "PALIMPSEST_DEBUG": "1", "PALIMPSEST_SECRET_KEY": "short"}
    done = check(run, **weak)
    assert done.returncode == 1
    for code in ("W004", "W008", "W009", "W012", "W016", "W018"):
        assert f"(security.{code})" in done.stderr
    assert "(palimpsest.E006)" in done.stderr  # nothing was collected


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("PALIMPSEST_LOG", "xml", "palimpsest.E001"),
        ("PALIMPSEST_ENGINE", "hand", "palimpsest.E002"),
        ("PALIMPSEST_SCHEDULER_TLS_CERT", "cert.pem", "palimpsest.E007"),
        ("PALIMPSEST_METRICS_ALLOW", ["10.1.0.0/40"], "palimpsest.E003"),
        ("PALIMPSEST_METRICS_ALLOW", ["10.1.2.3/16"], "palimpsest.E003"),
        ("SECRET_KEY", "unset", "palimpsest.E005"),
        ("PALIMPSEST_COLLECTED", True, "palimpsest.E006"),
        ("ALLOWED_HOSTS", ["*"], "palimpsest.W001"),
        ("PALIMPSEST_COLLECTED", False, "palimpsest.W002"),
    ],
)
def test_each_value_that_is_missing_or_wrong_is_named(
    settings: LazySettings, tmp_path: Path, name: str, value: object, code: str
) -> None:
    settings.STATIC_ROOT = tmp_path
    setattr(settings, name, value)
    assert code in {message.id for message in run_checks(include_deployment_checks=True)}


def test_another_database_than_postgresql_is_refused(run: Run) -> None:
    done = run("manage.py", "check", DATABASE_URL="sqlite:///palimpsest.db")
    assert "(palimpsest.E004)" in done.stderr
    assert done.returncode == 1


def test_every_check_of_ours_has_a_heading() -> None:
    documented = re.findall(
        r"^### `(palimpsest\.\w+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE
    )
    written = re.findall(r'id="(palimpsest\.\w+)"', Path(checks.__file__).read_text())
    assert sorted(documented) == sorted(written)


def test_a_public_site_keeps_its_people_on_https(run: Run) -> None:
    code = (
        "import django; django.setup(); from django.test import Client; "
        "c = Client(headers={'host': 'data.facility.example'}); "
        "p = c.get('/problems/', headers={'x-forwarded-proto': 'https'}); "
        "print(c.get('/problems/')['Location'], p.status_code, p['Strict-Transport-Security']); "
        "from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY)"
    )
    run("manage.py", "collectstatic", "--noinput")
    done = run("-c", code, DJANGO_SETTINGS_MODULE="config.settings", PALIMPSEST_LOG="line")
    assert done.stdout.splitlines() == [
        "https://data.facility.example/problems/ 200 max-age=31536000; includeSubDomains",
        "True True True",
    ], done.stderr


def test_on_a_laptop_cookies_travel_by_http(run: Run) -> None:
    code = (
        "from config import settings as s; "
        "print(s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, "
        "s.SECURE_HSTS_SECONDS, s.SECURE_PROXY_SSL_HEADER)"
    )
    off = dict.fromkeys(PRODUCTION, "")
    assert run("-c", code, **off).stdout == "False False False 0 None\n"


def test_collected_files_are_hashed_compressed_and_named_so_on_the_page(
    run: Run, tmp_path: Path
) -> None:
    run("manage.py", "collectstatic", "--noinput")
    hashed = [path.name for path in (tmp_path / "static/css").glob("base.*.css")]
    assert len(hashed) == 1
    assert (tmp_path / "static/css" / f"{hashed[0]}.gz").is_file()
    code = (
        "import django; django.setup(); from django.test import Client; "
        "c = Client(headers={'host': 'data.facility.example', 'x-forwarded-proto': 'https'}); "
        "print(c.get('/problems/').content.decode()); "
        f"r = c.get('/static/css/{hashed[0]}', headers={{'accept-encoding': 'gzip'}}); "
        "print(r.status_code, r['Cache-Control'], r['Content-Encoding'])"
    )
    shown = run("-c", code, DJANGO_SETTINGS_MODULE="config.settings").stdout
    assert f"/static/css/{hashed[0]}" in shown
    assert shown.splitlines()[-1] == "200 max-age=315360000, public, immutable gzip"


def test_the_address_of_the_database_says_how_it_is_reached(run: Run) -> None:
    address = "postgresql://u:p%40ss@db.example:5433/n?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    code = (
        "import django; django.setup(); from django.db import connection as c; "
        "from config.backup.clients import environment; d = c.settings_dict; "
        "print(d['CONN_MAX_AGE'], d['CONN_HEALTH_CHECKS'], d['OPTIONS']['sslmode']); "
        "e = environment(); print(e['PGSSLMODE'], e['PGSSLROOTCERT'], e['PGPASSWORD'], e['PGPORT'])"
    )
    done = run("-c", code, DATABASE_URL=address, DJANGO_SETTINGS_MODULE="config.settings")
    assert done.stdout.splitlines() == [
        "60 True verify-full",
        "verify-full /etc/ca.pem p@ss 5433",
    ], done.stderr


def test_the_address_may_stand_in_a_file_of_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "address").write_text("postgresql://u:secret@db.example/n\n")
    code = "from config import settings; print(settings.DATABASES['default']['PASSWORD'])"
    done = run("-c", code, DATABASE_URL="", DATABASE_URL_FILE=str(tmp_path / "address"))
    assert done.stdout == "secret\n"
