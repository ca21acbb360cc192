"""The operator's page: what works, what waits, what has failed, and where there is room."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.models import Arrival, IngestRule, User
from catalogue.watching import NAME, watch_once
from processing import leases, rooms
from processing.models import ArchiveCopy, ProcessingRun
from tests.builders import World, a_dataset, a_run

ClientOf = Callable[[str | None], Client]

PAGE = "/ops/"


@pytest.fixture(autouse=True)
def nothing_counted_yet() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def olaf(world: World) -> Client:
    """The operator: no data steward, on no team."""
    person = User.objects.create_user("olaf", password="x", full_name="Olaf", is_staff=True)
    client = Client()
    client.force_login(person)
    return client


def words_of(response: object) -> str:
    html = response.content.decode()  # type: ignore[attr-defined]  # the test client's response
    return " ".join(re.sub(r"<[^>]+>", " ", html).split()).replace("\u202f", " ")


@pytest.mark.parametrize("name", [None, "sten", "ines", "ivo"])
def test_only_operators_and_data_stewards_see_it(
    client_of: ClientOf, world: World, name: str | None
) -> None:
    answer = client_of(name).get(PAGE)
    assert answer.status_code == 403
    assert "raw" not in words_of(answer)


def test_data_stewards_see_it(client_of: ClientOf, world: World) -> None:
    assert client_of("dana").get(PAGE).status_code == 200


def test_leases_tell_who_holds_which_run_until_when(world: World, olaf: Client) -> None:
    run = a_run(world)
    held = leases.claim("worker-7", 60)
    assert held is not None
    words = words_of(olaf.get(PAGE))
    assert "worker-7 xrd-map@1.0.0 1 of 3" in words
    assert "lost" not in words
    ended = timezone.now() - timedelta(seconds=1)
    ProcessingRun.objects.filter(pk=run.pk).update(lease_until=ended)
    assert "lost" in words_of(olaf.get(PAGE))


def test_a_run_is_linked_only_for_those_who_may_see_it(
    world: World, olaf: Client, client_of: ClientOf
) -> None:
    run = a_run(world)
    leases.claim("worker-7", 60)
    assert str(run.uuid) not in olaf.get(PAGE).content.decode()
    assert str(run.uuid) in client_of("dana").get(PAGE).content.decode()


def test_the_queue_is_counted_by_state_and_its_oldest_run_is_told(
    world: World, olaf: Client
) -> None:
    assert "Oldest in the queue nothing waits" in words_of(olaf.get(PAGE))
    first = a_run(world, bins=100)
    a_run(world, bins=200)
    ProcessingRun.objects.filter(pk=first.pk).update(queued_at=timezone.now() - timedelta(hours=3))
    words = words_of(olaf.get(PAGE))
    assert "Runs queued 2" in words
    assert "Runs running 0" in words
    assert "Oldest in the queue 3 hours" in words


def test_failures_of_the_last_seven_days_are_counted_by_recipe_and_reason(
    world: World, olaf: Client
) -> None:
    now = timezone.now()
    for number, (code, age) in enumerate(
        [("xrd-shape", 1), ("xrd-shape", 6), ("memory", 2), ("walltime", 8)]
    ):
        run = a_run(world, bins=100 + number)
        ended = now - timedelta(days=age)
        ProcessingRun.objects.filter(pk=run.pk).update(
            state="failed", finished_at=ended, problem={"code": code, "message": "…"}
        )
    words = words_of(olaf.get(PAGE))
    assert "2 xrd-map@1.0.0 xrd-shape" in words
    assert "1 xrd-map@1.0.0 memory" in words
    assert "walltime" not in words, "eight days are no week"


def test_archive_copies_that_wait_or_failed_are_counted(world: World, olaf: Client) -> None:
    assert "Every copy that a rule asks for is there" in words_of(olaf.get(PAGE))
    for state in ("waiting", "waiting", "failed", "archived"):
        ArchiveCopy.objects.create(dataset=a_dataset(world), store=world.archive, state=state)
    words = words_of(olaf.get(PAGE))
    assert "2 waiting for store archive" in words
    assert "1 failed for store archive" in words
    assert "archived" not in words


def test_stores_tell_their_room_and_what_lies_in_them_but_not_where(
    world: World, olaf: Client
) -> None:
    dataset = a_dataset(world, file=b"x" * 5000)
    ArchiveCopy.objects.create(dataset=dataset, store=world.archive, state="archived")
    page = olaf.get(PAGE)
    assert world.raw.root not in page.content.decode()
    assert str(Path(world.raw.root).parent) not in page.content.decode()
    words = words_of(page)
    for store, datasets in (("raw posix, read-only", 1), ("archive posix", 1)):
        assert re.search(rf"{store} there [\d.]+ .B [\d.]+ .B {datasets} 5.0 kB", words), words
    assert re.search(r"products posix there [\d.]+ .B [\d.]+ .B 0 0 B", words)


def test_a_store_that_is_gone_says_so(world: World, olaf: Client) -> None:
    root = Path(world.archive.root)
    root.rename(root.with_name("unplugged"))
    assert "archive posix not there" in words_of(olaf.get(PAGE))


def test_a_store_that_does_not_answer_holds_up_nobody(world: World, olaf: Client) -> None:
    """A thread that waits for a dead file system stands for the disk."""
    never = threading.Event()
    stuck = threading.Thread(target=never.wait, daemon=True)
    stuck.start()
    rooms._threads[world.archive.pk] = stuck  # noqa: SLF001 - what a hanging disk leaves behind
    try:
        words = words_of(olaf.get(PAGE))
    finally:
        never.set()
        stuck.join()
        del rooms._threads[world.archive.pk]  # noqa: SLF001 - the same
    assert "archive posix does not answer" in words
    assert "raw posix, read-only there" in words


def test_new_data_are_told_by_rule_and_state(world: World, olaf: Client) -> None:
    rule = IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, policy=world.policy,
        watch="{scan}.h5", quiet_for_s=90,
    )  # fmt: skip
    now = timezone.now()
    for number, state in enumerate(["waiting", "waiting", "quarantined", "registered"]):
        Arrival.objects.create(
            rule=rule, key=f"{number}.h5", fingerprint="", quiet_since=now, seen_at=now, state=state
        )
    words = words_of(olaf.get(PAGE))
    assert "scans ID13 micro-XRD raw 90 s of quiet 2 1 0 0" in words
    rule.is_watched = False
    rule.save()
    assert "not watched 2 1" in words_of(olaf.get(PAGE))


def test_the_watcher_is_known_by_its_connection(world: World, olaf: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', '', false)")
    assert "Nobody looks for new data" in words_of(olaf.get(PAGE))
    watch_once()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # one is kept for a whole transaction
    assert "1 watcher, last heard" in words_of(olaf.get(PAGE))
    with connection.cursor() as cursor:
        cursor.execute("SHOW application_name")
        assert cursor.fetchone() == (NAME,)


def test_htmx_gets_the_numbers_alone_and_goes_on_asking(world: World, olaf: Client) -> None:
    whole = olaf.get(PAGE).content.decode()
    part = olaf.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 10s"' in whole
    assert 'hx-trigger="every 10s"' in part
    assert "<html" not in part
    still = olaf.get(f"{PAGE}?refresh=off").content.decode()
    assert "hx-trigger" not in still
    assert "Load again" in still


def test_the_page_costs_the_same_for_many_runs_and_rules(world: World, olaf: Client) -> None:
    def statements() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            olaf.get(PAGE)
        return len(captured)

    a_run(world, bins=99)
    leases.claim("worker", 60)
    olaf.get(PAGE)
    few = statements()
    for number in range(12):
        a_run(world, bins=100 + number)
        leases.claim(f"worker-{number}", 60)
        IngestRule.objects.create(
            slug=f"rule-{number}", instrument=world.instrument, store=world.raw,
            policy=world.policy, watch="{scan}.h5",
        )  # fmt: skip
    assert statements() == few
    assert few <= 16


def test_what_grows_with_the_catalogue_is_not_counted_at_each_look(
    world: World, olaf: Client
) -> None:
    olaf.get(PAGE)
    with CaptureQueriesContext(connection) as captured:
        olaf.get(PAGE)
    assert not any('FROM "catalogue_datafile"' in query["sql"] for query in captured)
