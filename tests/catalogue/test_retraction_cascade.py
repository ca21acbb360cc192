"""What stems from bad data goes with them, and comes back with them."""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.test import Client

from catalogue.access import get_readable, readable_datasets
from catalogue.embargo.marks import DERIVED, causes
from catalogue.embargo.retraction import Kind, preview, retract, take_back, undo
from catalogue.errors import NotPermittedError, RetractedError, TransitionError
from catalogue.models import AuditEvent, Dataset, Download, Listing, Notice, Retraction, Tombstone
from catalogue.publications import Reference, link_publication
from catalogue.retracting import lock_shared
from catalogue.takers import note_taken
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_product, a_proposal, guarded, in_days
from tests.catalogue.test_pages import text_of

ClientOf = Callable[[str | None], Client]


@pytest.fixture
def chain(world: World) -> list[Dataset]:
    """An open scan, a map of it by Carlo, and a fit of that by Rea, all open."""
    scan = a_dataset(world, is_open=True, title="scan")
    product = a_product(world, scan, owner=world.carlo)
    fit = a_product(world, product, owner=world.rea)
    for dataset in (product, fit):
        guarded(dataset, opens_on=in_days(world, -1), listed_on=in_days(world, -1))
    return [scan, product, fit]


def retracted() -> set[int]:
    return set(Tombstone.objects.filter(kind="retracted").values_list("dataset", flat=True))


def test_all_that_stems_from_a_dataset_is_retracted_with_it(
    world: World, chain: list[Dataset]
) -> None:
    bystander = a_dataset(world, is_open=True)
    retraction = retract(world.ines, chain[0], "the wrong sample")
    assert retracted() == {dataset.pk for dataset in chain}
    assert set(retraction.marks.values_list("dataset", flat=True)) == retracted()
    assert list(Listing.objects.values_list("dataset", flat=True)) == [bystander.pk]
    assert list(readable_datasets(world.dana)) == [bystander]
    with pytest.raises(RetractedError, match="made from data that were retracted"):
        get_readable(world.carlo, chain[2].pid)
    reasons = dict(Tombstone.objects.values_list("dataset", "reason"))
    assert [reasons[dataset.pk] for dataset in chain] == ["the wrong sample", DERIVED, DERIVED]


def test_what_it_was_made_from_stays(world: World, chain: list[Dataset]) -> None:
    retract(world.carlo, chain[1], "wrong bins")
    assert retracted() == {chain[1].pk, chain[2].pk}


def test_undoing_brings_everything_back(world: World, chain: list[Dataset]) -> None:
    retract(world.ines, chain[0], "the wrong sample")
    done = undo(world.dana, chain[0], "it was the right one")
    assert retracted() == set()
    assert Listing.objects.count() == readable_datasets(AnonymousUser()).count() == 3
    assert (done.undone_by, done.undone_reason) == (world.dana, "it was the right one")
    assert done.marks.count() == 3, "what was marked stays on record"
    acts = AuditEvent.objects.filter(act__startswith="dataset.re").order_by("id")
    assert [(event.act, event.new) for event in acts] == [
        ("dataset.retracted", "retracted, with 2 made from it"), ("dataset.reinstated", None),
    ]  # fmt: skip


def test_what_two_retractions_mark_stays_until_both_are_undone(
    world: World, chain: list[Dataset]
) -> None:
    scan, product, fit = chain
    retract(world.carlo, product, "wrong bins")
    retract(world.ines, scan, "the wrong sample")
    assert Tombstone.objects.get(dataset=product).reason == "wrong bins"
    undo(world.ines, scan, "right after all")
    assert retracted() == {product.pk, fit.pk}
    retract(world.ines, scan, "wrong after all")
    undo(world.carlo, product, "the bins were right")
    assert retracted() == {scan.pk, product.pk, fit.pk}
    assert Tombstone.objects.get(dataset=product).reason == DERIVED
    undo(world.ines, scan, "enough")
    assert retracted() == set()


def test_what_is_withdrawn_stays_so(world: World, chain: list[Dataset]) -> None:
    take_back(world.dana, chain[1], Kind.WITHDRAWN, "personal data")
    retract(world.ines, chain[0], "the wrong sample")
    undo(world.ines, chain[0], "it was right")
    (stone,) = Tombstone.objects.all()
    assert (stone.dataset, stone.kind, stone.reason) == (chain[1], "withdrawn", "personal data")
    assert Retraction.objects.count() == 1, "withdrawing is no retraction"


def test_only_what_was_retracted_itself_is_undone_and_once(
    world: World, chain: list[Dataset]
) -> None:
    retract(world.ines, chain[0], "the wrong sample")
    with pytest.raises(TransitionError, match="nobody has retracted it"):
        undo(world.dana, chain[1], "why")
    with pytest.raises(NotPermittedError):
        undo(world.rea, chain[0], "why")
    undo(world.ines, chain[0], "why")
    with pytest.raises(TransitionError):
        undo(world.ines, chain[0], "again")


def test_owners_are_told_once_and_of_their_own_data_only(
    world: World, chain: list[Dataset]
) -> None:
    more = a_product(world, chain[1], owner=world.rea)
    retract(world.dana, chain[0], "the wrong sample")
    told: dict[str, list[str]] = {}
    for notice in Notice.objects.order_by("id"):
        told.setdefault(notice.person.username, []).append(notice.text)
    assert set(told) == {"ines", "carlo", "rea"}
    assert told["ines"] == ["“scan” was retracted: the wrong sample"]
    (text,) = told["rea"]
    assert text.startswith("Data that “A map” was made from were retracted, and it with them.")
    assert text.endswith("With it went 1 more of yours.")
    assert Notice.objects.get(person=world.rea).dataset == more
    undo(world.dana, chain[0], "it was right")
    assert Notice.objects.filter(person=world.rea).count() == 2


def test_the_team_is_told_of_results_that_nobody_owns(world: World) -> None:
    other = a_proposal(world, "ch-9", sten="pi")
    geometry = a_dataset(world, is_open=True, content="poni")
    product = a_product(world, a_dataset(world, proposal=other), geometry)
    Dataset.objects.filter(pk=product.pk).update(owner=None)
    retract(world.dana, geometry, "the wrong distance")
    told = Notice.objects.get(person=world.sten)
    assert told.dataset == product
    assert "wrong distance" not in told.text


def test_a_preview_counts_all_and_names_what_its_reader_sees(
    world: World, chain: list[Dataset]
) -> None:
    other = a_proposal(world, "ch-9", sten="pi")
    secret = a_product(world, chain[0], a_dataset(world, proposal=other), owner=world.sten)
    link_publication(world.carlo, chain[1], Reference("10.1000/1", "On pigments", ["Carlo"]))
    link_publication(world.dana, secret, Reference("10.1000/2", "On a secret", ["Sten"]))
    found = preview(world.ines, chain[0])
    assert (found.derived, found.owners, found.publications) == (3, 3, 2)
    assert {dataset.pk for dataset in found.shown} == {chain[1].pk, chain[2].pk}
    assert [publication.title for publication in found.cited] == ["On pigments"]
    assert found.unshown == 1
    assert retracted() == set(), "nothing has happened"
    with pytest.raises(NotPermittedError):
        preview(world.carlo, chain[0])


def test_a_preview_is_one_statement_for_the_counts(
    world: World, chain: list[Dataset], django_assert_max_num_queries: Callable[..., object]
) -> None:
    with django_assert_max_num_queries(14):  # type: ignore[attr-defined]  # a context manager
        preview(world.dana, chain[0])


def test_the_page_says_first_what_it_would_mean(
    world: World, client_of: ClientOf, chain: list[Dataset]
) -> None:
    client, scan = client_of("ines"), chain[0]
    assert (
        f"/datasets/{scan.pid}/retraction/" in client.get(f"/datasets/{scan.pid}/").content.decode()
    )
    page = client.get(f"/datasets/{scan.pid}/retraction/")
    assert "2 datasets were made from these data" in text_of(page)
    assert f"/datasets/{chain[2].pid}/" in page.content.decode()
    sent = client.post(f"/datasets/{scan.pid}/access/retract/", {"reason": ""})
    assert sent.status_code == 422
    assert "Retract" in text_of(sent)
    client.post(f"/datasets/{scan.pid}/access/retract/", {"reason": "the wrong sample"})
    assert len(retracted()) == 3
    assert "was retracted before" in text_of(client.get(f"/datasets/{scan.pid}/retraction/"))
    assert client_of("carlo").get(f"/datasets/{scan.pid}/retraction/").status_code == 403
    client.post(f"/datasets/{scan.pid}/access/reinstate/", {"reason": "it was right"})
    assert retracted() == set()


def test_a_tombstone_says_which_input_was_bad_to_whom_may_see_it(
    world: World, client_of: ClientOf
) -> None:
    secret = a_dataset(world, title="a secret scan")
    product = a_product(world, secret)
    guarded(product, opens_on=in_days(world, -1), listed_on=in_days(world, -1))
    retract(world.ines, secret, "a secret reason")
    address = f"/datasets/{product.pid}/"
    own, others = client_of("carlo").get(address), client_of("sten").get(address)
    assert (own.status_code, others.status_code) == (200, 200)
    assert "It came from a secret scan" in text_of(own)
    assert DERIVED in text_of(others)
    assert "secret" not in others.content.decode()
    assert causes(world.sten, product) == []
    file = product.files.get()
    assert client_of("sten").get(f"/files/{file.uuid}/").status_code == 410
    told = client_of("carlo").get(f"/api/v1/datasets/{product.pid}/access/").json()
    assert [cause["dataset"] for cause in told["causes"]] == [str(secret.pid)]


def test_rest_previews_retracts_and_undoes(
    world: World, client_of: ClientOf, chain: list[Dataset]
) -> None:
    client, address = client_of("ines"), f"/api/v1/datasets/{chain[0].pid}/retraction/"
    found = client.get(address).json()
    assert (found["derived"], found["is_retracted"]) == (2, False)
    body = {"kind": "retracted", "reason": "the wrong sample"}
    answer = client.post(address, body, content_type="application/json").json()
    assert answer["tombstone"]["reason"] == "the wrong sample"
    assert "reinstate" in answer["can"]
    assert client.get(address).json()["is_retracted"]
    body = {"reason": "it was right"}
    again = client.post(f"{address}undo/", body, content_type="application/json").json()
    assert again["tombstone"] is None
    late = client.post(f"{address}undo/", body, content_type="application/json")
    assert late.status_code == 409


@pytest.fixture
def elsewhere() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Do something in a thread, which has a connection of its own."""
    threads: list[threading.Thread] = []

    def begin(act: Callable[[], object]) -> threading.Thread:
        def go() -> None:
            try:
                act()
            finally:
                connection.close()

        threads.append(threading.Thread(target=go))
        threads[-1].start()
        return threads[-1]

    yield begin
    for thread in threads:
        thread.join(20)


@pytest.mark.django_db(transaction=True)
def test_a_result_that_is_published_meanwhile_does_not_escape(
    transactional_db: None,
    world: World,
    elsewhere: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    scan = a_dataset(world)
    ready, may_end = threading.Event(), threading.Event()

    def publish() -> None:
        with transaction.atomic():
            lock_shared()
            a_product(world, scan)
            ready.set()
            may_end.wait(10)

    publishing = elsewhere(publish)
    assert ready.wait(10)
    retracting = elsewhere(lambda: retract(world.ines, scan, "the wrong sample"))
    retracting.join(0.5)
    assert retracting.is_alive(), "it waits for those who publish"
    may_end.set()
    publishing.join(10)
    retracting.join(10)
    product = Dataset.objects.get(kind="derived")
    assert retracted() == {scan.pk, product.pk}


def test_whoever_has_downloaded_data_hears_once_that_they_were_retracted(
    world: World, client_of: ClientOf, chain: list[Dataset]
) -> None:
    scan, product, _ = chain
    file = scan.files.get()
    for client in (client_of("sten"), client_of("sten"), client_of(None)):
        assert b"".join(client.get(f"/files/{file.uuid}/").streaming_content)
    assert [row.person for row in Download.objects.all()] == [world.sten], "once, and nobody else"
    assert client_of("rea").head(f"/files/{file.uuid}/").status_code == 200, "it was only looked at"
    note_taken(world.sten, {product.pid})
    assert preview(world.ines, scan).takers == 1
    retract(world.ines, scan, "the wrong sample")
    (notice,) = Notice.objects.filter(person=world.sten)
    assert notice.text.endswith("was retracted. That concerns 1 more that you have downloaded.")
    undo(world.ines, scan, "right after all")
    assert Notice.objects.filter(person=world.sten).count() == 2


def test_an_archive_that_is_taken_home_is_noted(
    world: World, client_of: ClientOf, chain: list[Dataset]
) -> None:
    response = client_of("sten").get(f"/datasets/{chain[0].pid}/download.zip")
    assert b"".join(response.streaming_content)
    assert Download.objects.get().dataset == chain[0]
