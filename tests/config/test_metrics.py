"""What Prometheus reads, and who may."""

import shutil
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from catalogue.indexing import reindex
from catalogue.models import Arrival, IngestRule, Tombstone
from processing.models import ArchiveCopy, ProcessingRun
from tests.builders import World, a_dataset, a_run
from tests.config.conftest import MakeProduct, Manage

Samples = dict[tuple[str, ...], float]


def parse(text: str) -> Samples:
    """Return values by name and labels, these in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(**extra: str) -> Samples:
    response = Client().get("/metrics", **extra)  # type: ignore[arg-type]  # members of the environ
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return parse(response.content.decode())


def test_answers_are_counted_by_view_method_and_status(db: None) -> None:
    labels = ("palimpsest_http_requests_total", "GET", "200", "dataset-list")
    before = scrape()
    Client().get("/?q=gold")
    Client().get("/?q=lead")
    Client().get("/absent-1")
    Client().get("/absent-2")
    after = scrape()
    assert after[labels] - before.get(labels, 0) == 2
    seconds = ("palimpsest_http_request_seconds_count", "dataset-list")
    assert after[seconds] - before.get(seconds, 0) == 2
    # However many addresses somebody tries, they are one line.
    absent = {key for key in after if "absent" in "".join(key)}
    assert absent == set()
    unknown = ("palimpsest_http_requests_total", "GET", "404", "unknown")
    assert after[unknown] - before.get(unknown, 0) == 2


def test_a_method_that_nobody_knows_makes_no_line_of_its_own(db: None) -> None:
    Client().generic("BREW", "/")
    assert not {key for key in scrape() if "BREW" in key}


def test_the_catalogue_is_told_as_it_is(world: World, make_product: MakeProduct) -> None:
    make_product()
    taken_back = a_dataset(world)
    assert scrape()["palimpsest_datasets", "raw"] == 2
    Tombstone.objects.create(dataset=taken_back, kind="retracted", reason="wrong")
    reindex([taken_back.pk])
    found = scrape()
    assert found["palimpsest_datasets", "raw"] == 1
    assert found["palimpsest_datasets", "derived"] == 1
    assert found[("palimpsest_database_up",)] == 1


def test_the_queue_is_told_as_it_is(world: World) -> None:
    assert scrape()["palimpsest_processing_runs", "queued"] == 0
    runs = [a_run(world) for _ in range(3)]
    now = timezone.now()
    wait = ProcessingRun.objects.filter(pk=runs[0].pk)
    wait.update(not_before=now - timedelta(minutes=5))
    held, lost = (ProcessingRun.objects.filter(pk=run.pk) for run in runs[1:])
    held.update(state="running", owner="one", lease_until=now + timedelta(minutes=1))
    lost.update(state="running", owner="two", lease_until=now - timedelta(minutes=1))
    found = scrape()
    assert found["palimpsest_processing_runs", "queued"] == 1
    assert found["palimpsest_processing_runs", "running"] == 2
    assert found[("palimpsest_queue_oldest_seconds",)] == pytest.approx(300, abs=10)
    assert (found["palimpsest_leases", "held"], found["palimpsest_leases", "lost"]) == (1, 1)
    assert found[("palimpsest_workers",)] == 1


def test_a_run_that_is_not_due_yet_is_not_late(world: World) -> None:
    ProcessingRun.objects.filter(pk=a_run(world).pk).update(
        queued_at=timezone.now() - timedelta(hours=1),
        not_before=timezone.now() + timedelta(minutes=1),
    )
    assert scrape()[("palimpsest_queue_oldest_seconds",)] == 0


def test_quarantine_and_archive_are_told_as_they_are(
    world: World, make_product: MakeProduct
) -> None:
    rule = IngestRule.objects.create(
        slug="scans", instrument=world.instrument, store=world.raw, watch="x", policy=world.policy
    )
    now = timezone.now()
    Arrival.objects.create(
        rule=rule, key="a", fingerprint="f", quiet_since=now, seen_at=now, state="quarantined"
    )
    ArchiveCopy.objects.create(dataset=make_product(), store=world.archive)
    found = scrape()
    assert found["palimpsest_arrivals", "quarantined"] == 1
    assert found["palimpsest_archive_copies", "waiting"] == 1


def test_the_room_of_each_store_is_told(world: World) -> None:
    found = scrape()
    assert found["palimpsest_store_free_bytes", "products"] > 0
    assert found["palimpsest_store_up", "products"] == 1
    shutil.rmtree(world.products.root)
    found = scrape()
    assert ("palimpsest_store_free_bytes", "products") not in found
    assert found["palimpsest_store_up", "products"] == 0


def test_a_database_that_is_away_is_told_and_requests_still_count(manage: Manage) -> None:
    ask = "from django.test import Client; print(Client().get('/metrics').content.decode())"
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    found = parse(manage("shell", "-v0", "-c", ask, DATABASE_URL=away).stdout)
    assert found[("palimpsest_database_up",)] == 0
    assert not {key for key in found if key[0] == "palimpsest_processing_runs"}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.1.2.3"}, 404),
        ({"REMOTE_ADDR": ""}, 404),  # by a socket: nobody knows from where
        # Through a proxy on this machine, from outside:
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.7"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1, 203.0.113.7"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "nonsense"}, 404),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, 404),
        ({"HTTP_VIA": "1.1 proxy"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 200),
    ],
)
def test_who_is_not_of_an_allowed_network_finds_no_such_address(
    db: None, given: dict[str, str], status: int
) -> None:
    assert Client().get("/metrics", **given).status_code == status  # type: ignore[arg-type]  # members of the environ


def test_the_networks_are_a_setting(db: None, settings: LazySettings) -> None:
    settings.PALIMPSEST_METRICS_ALLOW = ["10.1.0.0/16"]
    assert Client().get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 200
    assert Client().get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


def test_a_scrape_needs_neither_our_name_nor_https(db: None, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/metrics", headers={"host": "10.1.2.3"}).status_code == 200
