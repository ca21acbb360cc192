"""A deployment goes wrong on purpose; the doctor finds it, and the command tells."""

import io
import json
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from catalogue.models import ListingCount
from catalogue.storage.content import content_key
from config.doctor import deployment
from config.doctor.examination import CHECKS, examine
from config.doctor.finding import Level, some
from tests.builders import World
from tests.config.conftest import MakeProduct, Manage
from tests.config.doctoring import execute, found


def test_a_healthy_deployment_has_nothing_to_mend(
    world: World, make_product: MakeProduct, settings: LazySettings
) -> None:
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = "abcdefghij" * 5, ["localhost"]
    make_product(b"a map", b"a thumbnail")
    assert [finding for finding in examine() if finding.level == Level.FAIL] == []
    assert {finding.check for finding in examine()} == {check.name for check in CHECKS}


def test_a_migration_that_waits_is_named(db: None) -> None:
    execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    (finding,) = found("migrations")
    assert finding.what == "1 migrations wait, first sessions.0001_initial."
    assert finding.how_to_mend == "manage.py migrate"


def test_a_table_that_is_not_there_is_a_finding_and_no_crash(world: World) -> None:
    execute("ALTER TABLE catalogue_listingcount RENAME TO elsewhere")
    (finding,) = found("ledger")
    assert (finding.level, finding.how_to_mend) == (Level.FAIL, "manage.py migrate")
    assert '"catalogue_listingcount" does not exist' in finding.what


@pytest.mark.parametrize(
    ("ahead_s", "level"),
    [(0.1, Level.OK), (-0.1, Level.OK), (5.0, Level.WARN), (-5.0, Level.WARN), (90, Level.FAIL)],
)
def test_a_clock_that_is_wrong_is_told_before_leases_suffer(ahead_s: float, level: Level) -> None:
    assert deployment.judge_clock("the database", ahead_s).level == level


def test_the_clock_of_the_database_is_compared_with_ours(db: None) -> None:
    """A function of the same name in front of the real one shifts the database's clock."""
    execute("CREATE SCHEMA shifted")
    execute(
        "CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
        "$$ SELECT pg_catalog.clock_timestamp() - interval '90 seconds' $$"
    )
    execute("SET LOCAL search_path = shifted, public, pg_catalog")
    (finding,) = found("clock")
    assert finding.what.startswith("The clock of the database is 90.0 s behind")


def test_a_weak_key_and_debug_pages_must_be_mended(settings: LazySettings, tmp_path: Path) -> None:
    settings.SECRET_KEY, settings.DEBUG, settings.PALIMPSEST_DATA = "a" * 60, True, tmp_path
    key = tmp_path / "secret-key"
    key.write_text("a" * 60)
    key.chmod(0o644)
    assert {finding.level for finding in found("secrets")} == {Level.FAIL}
    assert len(found("secrets")) == 3
    settings.SECRET_KEY, settings.DEBUG = "abcdefghij" * 5, False
    key.chmod(0o600)
    assert found("secrets") == []


def test_a_site_for_others_is_held_to_the_settings_of_a_public_one(
    settings: LazySettings,
) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    assert found("settings") == []
    settings.ALLOWED_HOSTS = ["data.facility.example"]
    told = " ".join(finding.what for finding in found("settings"))
    assert "security.W004" in told  # HSTS
    assert "palimpsest.W002" in told  # collected files


def test_without_a_database_the_rest_is_not_looked_at(manage: Manage) -> None:
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    done = manage("doctor", "--json", DATABASE_URL=away)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["findings"][-1]["check"] == "database"
    assert told["findings"][-1]["what"] == "The database does not answer."
    assert "Traceback" not in done.stderr


def ask_doctor(*options: str) -> tuple[int, str]:
    """Call the command; return exit status and what it prints."""
    printed = io.StringIO()
    try:
        call_command("doctor", *options, stdout=printed)
    except SystemExit as ended:
        return int(ended.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def test_the_command_mends_what_loses_nothing_and_exits_by_what_is_left(
    world: World, make_product: MakeProduct, settings: LazySettings
) -> None:
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = "abcdefghij" * 5, ["localhost"]
    product = make_product()
    ListingCount.objects.update(datasets=7)
    status, told = ask_doctor()
    assert status == 1
    assert "fail  ledger " in told
    assert "mend it: manage.py doctor --mend" in told
    status, told = ask_doctor("--mend")
    assert status == 0, told
    assert "mended  The ledger was replaced by a plain count." in told
    status, told = ask_doctor("--json")
    assert json.loads(told)["healthy"] is True
    assert set(json.loads(told)["findings"][0]) == {"check", "level", "what", "how_to_mend"}
    Path(world.products.root, content_key(product.files.get().sha256)).unlink()
    status, told = ask_doctor("--mend", "--json")
    grave = [row["check"] for row in json.loads(told)["findings"] if row["level"] == "fail"]
    assert (status, json.loads(told)["healthy"], grave) == (1, False, ["missing-bytes"])


def test_a_few_of_many_names_are_told() -> None:
    assert some(["one", "two"]) == "one, two"
    assert some(list("abcde")) == "a, b, c and 2 more"
