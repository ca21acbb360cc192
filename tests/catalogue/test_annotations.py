"""Notes, judgements, attachments, publications and collections, by REST and by pages."""

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.timezone import localdate

from catalogue.collecting import count_hidden, visible_items
from catalogue.models import (
    Attachment,
    AuditEvent,
    Collection,
    Dataset,
    EmbargoPolicy,
    Guard,
    Note,
    Publication,
    PublicationLink,
)
from catalogue.places import picture_path
from tests.api.conftest import MachineOf, machine_of
from tests.builders import World, a_dataset
from tests.catalogue.test_pages import text_of

__all__ = ["machine_of"]  # the clients of REST, as a fixture

ClientOf = Callable[[str | None], Client]
API = "/api/v1"
PNG = b"\x89PNG\r\n\x1a\n a plot"


def a_file(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def drained(response: Any) -> bytes:
    """Read a stream to its end: only then does the client close the file."""
    return b"".join(getattr(response, "streaming_content", ()))


def attach(client: Any, dataset: Dataset, name: str = "plot.png", content: bytes = PNG) -> Any:
    body = {"file": a_file(name, content), "caption": "Rings of ceria"}
    return client.post(f"{API}/datasets/{dataset.pid}/attachments/", body, format="multipart")


def a_visible_dataset(world: World) -> Dataset:
    """Its page is public, its data are closed."""
    return a_dataset(world, opens_on=date(2100, 1, 1), listed_on=date(2020, 1, 1))


# Notes and judgements


@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana"])
def test_whoever_may_edit_writes_into_the_logbook(
    machine_of: MachineOf, world: World, name: str
) -> None:
    dataset, client = a_dataset(world), machine_of(name)
    address = f"{API}/datasets/{dataset.pid}/notes/"
    answer = client.post(address, {"text": "Beam lost at 10:02.\r\nBack at 10:10."}, format="json")
    assert answer.status_code == 201, answer.json()
    (note,) = machine_of("ines").get(address).json()["results"]
    assert note == answer.json()
    assert (note["person"], note["text"]) == (name.title(), "Beam lost at 10:02.\nBack at 10:10.")
    event = AuditEvent.objects.get(act="note.written")
    assert (event.who, event.subject) == (name.title(), str(dataset.pid))


def test_the_latest_judgement_counts_and_the_others_are_its_history(
    machine_of: MachineOf, world: World
) -> None:
    dataset, client = a_dataset(world), machine_of("ines")
    address = f"{API}/datasets/{dataset.pid}/quality/"
    for verdict, reason in (("suspect", "Spikes?"), ("good", "They are Bragg spots.")):
        answer = client.post(address, {"verdict": verdict, "reason": reason}, format="json")
        assert answer.status_code == 201
    found = client.get(address).json()["results"]
    assert [it["verdict"] for it in found] == ["good", "suspect"]
    told = [(it.old, it.new, it.reason) for it in AuditEvent.objects.filter(act="quality.judged")]
    assert told == [
        ("suspect", "good", "They are Bragg spots."),
        (None, "suspect", "Spikes?"),
    ]


@pytest.mark.parametrize("what", ["notes", "quality", "attachments"])
def test_what_speaks_of_the_data_is_as_closed_as_the_data(
    machine_of: MachineOf, world: World, what: str
) -> None:
    hidden, visible = a_dataset(world), a_visible_dataset(world)
    opened = a_dataset(world, is_open=True)
    found = {
        name: [
            machine_of(name).get(f"{API}/datasets/{dataset.pid}/{what}/").status_code
            for dataset in (hidden, visible, opened)
        ]
        for name in ("sten", None, "carlo")
    }
    assert found == {"sten": [404, 403, 200], None: [404, 403, 200], "carlo": [200, 200, 200]}


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("notes", {"text": "I was here"}),
        ("quality", {"verdict": "bad", "reason": "Envy"}),
        ("publications", {"doi": "10.1000/1", "title": "Mine"}),
    ],
)
def test_who_may_not_edit_adds_nothing(
    machine_of: MachineOf, world: World, what: str, body: dict[str, str]
) -> None:
    hidden, opened = a_dataset(world), a_dataset(world, is_open=True)
    for name, status in (("sten", 403), ("rea", 403), (None, 401)):
        client = machine_of(name)
        answer = client.post(f"{API}/datasets/{opened.pid}/{what}/", body, format="json")
        assert answer.status_code == status
    answer = machine_of("sten").post(f"{API}/datasets/{hidden.pid}/{what}/", body, format="json")
    assert answer.status_code == 404
    assert not Note.objects.exists()
    assert not opened.quality_flags.exists()
    assert not Publication.objects.exists()


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("notes", {"text": ""}, 400),
        ("notes", {"text": "  \n "}, 400),
        ("notes", {"text": "x" * 10_001}, 400),
        ("notes", {"text": "a\x00b"}, 400),
        ("notes", {"text": "x", "person": "dana"}, 400),
        ("quality", {"verdict": "perfect", "reason": "x"}, 400),
        ("quality", {"verdict": "good"}, 400),
        ("publications", {"doi": "not a doi", "title": "x"}, 422),
        ("publications", {"doi": "10.1000/1", "title": "x", "year": 12}, 400),
    ],
)
def test_what_cannot_be_kept_is_refused(
    machine_of: MachineOf, world: World, what: str, body: dict[str, str], status: int
) -> None:
    dataset = a_dataset(world)
    answer = machine_of("ines").post(f"{API}/datasets/{dataset.pid}/{what}/", body, format="json")
    assert answer.status_code == status, answer.json()
    assert not Note.objects.exists()


# Attachments


def test_an_attachment_lies_in_the_content_store_and_comes_back_whole(
    machine_of: MachineOf, world: World
) -> None:
    dataset, client = a_dataset(world), machine_of("carlo")
    answer = attach(client, dataset)
    assert answer.status_code == 201, answer.json()
    said = answer.json()
    assert (said["name"], said["media_type"], said["size"]) == ("plot.png", "image/png", len(PNG))
    assert said["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert picture_path(said["sha256"]).read_bytes() == PNG
    content = machine_of("ines").get(said["content"])
    assert (drained(content), content["ETag"]) == (PNG, f'"{said["sha256"]}"')
    assert content["X-Content-Type-Options"] == "nosniff"
    assert client.get(answer["Location"]).json() == said


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0 photo", "image/jpeg"),
        ("a.gif", b"GIF89a", "image/gif"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.csv", b"q,I\n1,2\n", "text/csv"),
        ("a.html", b"<script>alert(1)</script>", "text/plain"),
        ("a.svg", b"<svg onload='x'/>", "text/plain"),
        ("a.txt", "Käse, Δθ".encode(), "text/plain"),
        ("a.txt", PNG, "image/png"),
    ],
)
def test_the_bytes_say_what_an_attachment_is(
    machine_of: MachineOf, world: World, name: str, content: bytes, media_type: str
) -> None:
    said = attach(machine_of("ines"), a_dataset(world), name, content).json()
    assert said["media_type"] == media_type


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.exe", b"MZ\x90\x00\x03", "kind"),
        ("scan.png", b"\x89HDF\r\n\x1a\n", "kind"),
        ("empty.txt", b"", "empty"),
        ("large.txt", b"x" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_no_picture_or_text_or_too_large_is_not_kept(
    machine_of: MachineOf, world: World, settings: Any, name: str, content: bytes, said: str
) -> None:
    settings.PALIMPSEST_ATTACHMENT_MIB = 1
    answer = attach(machine_of("ines"), a_dataset(world), name, content)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "#/file"
    assert said in fault["detail"]
    assert not Attachment.objects.exists()


def test_an_attachment_of_closed_data_is_there_for_the_team_alone(
    machine_of: MachineOf, client_of: ClientOf, world: World
) -> None:
    said = attach(machine_of("ines"), a_visible_dataset(world)).json()
    for name, status in (("sten", 404), (None, 404), ("carlo", 200), ("ivo", 200)):
        content = machine_of(name).get(said["content"])
        page = client_of(name).get(f"/attachments/{said['uuid']}/")
        assert (content.status_code, page.status_code) == (status, status)
        if status == 200:
            assert drained(content) == drained(page) == PNG
        unchanged = {"If-None-Match": f'"{said["sha256"]}"'}
        again = client_of(name).get(f"/attachments/{said['uuid']}/", headers=unchanged)
        assert again.status_code == (304 if status == 200 else 404)


def test_an_attachment_is_taken_away_by_those_who_may_edit(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True)
    address = attach(machine_of("ines"), dataset)["Location"]
    assert machine_of("sten").delete(address).status_code == 403
    assert machine_of("carlo").delete(address).status_code == 204
    assert machine_of("carlo").get(address).status_code == 404
    acts = list(AuditEvent.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["attachment.added", "attachment.removed"]


# Publications


def link(client: Any, dataset: Dataset, doi: str = "10.1107/S1600577524001234") -> Any:
    body = {"doi": doi, "title": "Whites of Vermeer", "authors": ["I. Nes"], "year": 2026}
    return client.post(f"{API}/datasets/{dataset.pid}/publications/", body, format="json")


def test_everybody_sees_a_publication_and_only_the_datasets_that_are_theirs(
    machine_of: MachineOf, client_of: ClientOf, world: World
) -> None:
    hidden = a_dataset(world, title="Secret layer")
    opened = a_dataset(world, title="Known layer", is_open=True)
    for dataset in (hidden, opened):
        assert link(machine_of("ines"), dataset).status_code == 201
    (for_sten,) = machine_of("sten").get(f"{API}/publications/").json()["results"]
    (for_ines,) = machine_of("ines").get(f"{API}/publications/").json()["results"]
    assert for_sten["datasets"] == [str(opened.pid)]
    assert sorted(for_ines["datasets"]) == sorted([str(hidden.pid), str(opened.pid)])
    page = text_of(client_of(None).get("/publications/"))
    assert "Whites of Vermeer" in page
    assert "Known layer" in page
    assert "Secret layer" not in page


def test_one_doi_is_one_publication_however_it_is_written(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_dataset(world)
    first = link(machine_of("ines"), dataset).json()
    again = link(machine_of("carlo"), dataset, "https://doi.org/10.1107/s1600577524001234").json()
    assert again["pid"] == first["pid"]
    assert Publication.objects.get().doi == "10.1107/s1600577524001234"
    assert AuditEvent.objects.filter(act="publication.linked").count() == 1
    address = f"{API}/datasets/{dataset.pid}/publications/{first['pid']}/"
    assert machine_of("sten").delete(address).status_code == 404
    assert machine_of("ines").delete(address).status_code == 204
    assert machine_of("ines").delete(address).status_code == 404
    assert machine_of("ines").get(f"{API}/publications/{first['pid']}/").json()["datasets"] == []


def test_an_embargo_that_counts_from_the_publication_begins_with_it(
    machine_of: MachineOf, world: World
) -> None:
    policy = EmbargoPolicy.objects.create(
        slug="paper", months=12, starts_with="publication", licence="CC-BY-4.0"
    )
    world.proposal.policy = policy
    world.proposal.save()
    dataset = a_dataset(world)
    Guard.objects.filter(dataset=dataset).update(opens_on=None, listed_on=None)
    # The paper is known for years, from other data: these count from today all the same.
    known = Publication.objects.create(doi="10.1000/1", title="Mine")
    link(machine_of("ines"), a_dataset(world, title="others"), doi=known.doi)
    long_ago = timezone.now() - timedelta(days=4 * 365)
    Publication.objects.update(added_at=long_ago)
    PublicationLink.objects.update(linked_at=long_ago)
    link(machine_of("ines"), dataset, doi=known.doi)
    today = localdate(timezone=None)
    opens_on = dataset.guards.get().opens_on
    assert opens_on is not None
    assert opens_on.year == today.year + 1


# Collections


def a_collection(client: Any, **changes: Any) -> str:
    body = {"title": "Best whites", "is_shared": True} | changes
    answer = client.post(f"{API}/collections/", body, format="json")
    assert answer.status_code == 201, answer.json()
    return str(answer["Location"])


def test_a_collection_keeps_its_order_and_shows_each_reader_what_is_theirs(
    machine_of: MachineOf, world: World
) -> None:
    titles = ("closed", "first open", "second open")
    datasets = [a_dataset(world, title=it, is_open="open" in it) for it in titles]
    ines = machine_of("ines")
    address = a_collection(ines)
    for dataset in datasets:
        added = ines.post(f"{address}datasets/", {"dataset": str(dataset.pid)}, format="json")
        assert added.status_code == 201
    last = f"{address}datasets/{datasets[2].pid}/"
    assert ines.patch(last, {"place": 1}, format="json").status_code == 204

    def seen(name: str | None) -> list[str]:
        results = machine_of(name).get(f"{address}datasets/").json()["results"]
        return [it["title"] for it in results]

    assert seen("ines") == ["second open", "closed", "first open"]
    assert seen("sten") == seen(None) == ["second open", "first open"]
    assert machine_of("sten").get(address).json()["hidden"] is None
    assert ines.get(address).json()["hidden"] == 0


def test_its_owner_alone_is_told_how_many_are_hidden(
    machine_of: MachineOf, client_of: ClientOf, world: World
) -> None:
    sten = machine_of("sten")
    dataset = a_dataset(world, title="Once open", is_open=True)
    address = a_collection(sten)
    sten.post(f"{address}datasets/", {"dataset": str(dataset.pid)}, format="json")
    collection = Collection.objects.get()
    # Open data never close; a data steward who hides what was shown by mistake can.
    Guard.objects.filter(dataset=dataset).update(opens_on=None, listed_on=None)
    Dataset.objects.filter(pk=dataset.pk).update(opens_at=None, listed_at=None)
    assert sten.get(address).json()["hidden"] == 1
    page = text_of(client_of("sten").get(f"/collections/{collection.pid}/"))
    assert "1 more is not visible to you" in page
    for name in ("rea", None):
        page = text_of(client_of(name).get(f"/collections/{collection.pid}/"))
        assert "not visible" not in page
        assert "Once open" not in page
    assert count_hidden(world.rea, collection) is None
    assert not visible_items(world.rea, collection).exists()


def test_a_collection_of_ones_own_is_absent_for_others(
    machine_of: MachineOf, client_of: ClientOf, world: World
) -> None:
    address = a_collection(machine_of("ines"), is_shared=False)
    pid = Collection.objects.get().pid
    for name in ("sten", "dana", None):
        assert machine_of(name).get(address).status_code == 404
        assert machine_of(name).get(f"{API}/collections/").json()["results"] == []
        assert client_of(name).get(f"/collections/{pid}/").status_code == 404
    assert machine_of("ines").get(address).json()["title"] == "Best whites"


def test_only_its_owner_changes_a_collection(machine_of: MachineOf, world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    address = a_collection(machine_of("ines"))
    body = {"dataset": str(dataset.pid)}
    for name, status in (("sten", 403), (None, 401)):
        client = machine_of(name)
        assert client.patch(address, {"title": "x"}, format="json").status_code == status
        assert client.delete(address).status_code == status
        assert client.post(f"{address}datasets/", body, format="json").status_code == status
    ines = machine_of("ines")
    assert ines.patch(address, {"title": "Whites"}, format="json").json()["title"] == "Whites"
    assert ines.patch(address, {"owner": "sten"}, format="json").status_code == 400
    assert ines.delete(address).status_code == 204
    assert Dataset.objects.filter(pk=dataset.pk).exists()


def test_what_one_does_not_see_one_cannot_collect(machine_of: MachineOf, world: World) -> None:
    hidden = a_dataset(world)
    address = a_collection(machine_of("sten"))
    answers = [
        machine_of("sten").post(f"{address}datasets/", {"dataset": pid}, format="json")
        for pid in (str(hidden.pid), "00000000-0000-0000-0000-000000000000")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert Collection.objects.get().items.count() == 0


def test_a_dataset_is_in_a_collection_once(machine_of: MachineOf, world: World) -> None:
    dataset, ines = a_dataset(world), machine_of("ines")
    address = a_collection(ines)
    for _ in range(2):
        answer = ines.post(f"{address}datasets/", {"dataset": str(dataset.pid)}, format="json")
        assert answer.status_code == 201
    assert Collection.objects.get().items.count() == 1
    assert ines.delete(f"{address}datasets/{dataset.pid}/").status_code == 204
    assert ines.delete(f"{address}datasets/{dataset.pid}/").status_code == 404


# Pages


def test_the_forms_of_the_dataset_page_work_without_javascript(
    client_of: ClientOf, world: World
) -> None:
    dataset, client = a_dataset(world), client_of("ines")
    add = f"/datasets/{dataset.pid}/add"
    client.post(f"{add}/note/", {"text": "Beam lost <b>twice</b>"})
    client.post(f"{add}/quality/", {"verdict": "suspect", "reason": "Spikes"})
    client.post(f"{add}/attachment/", {"file": a_file("plot.png", PNG), "caption": "Rings"})
    client.post(f"{add}/publication/", {"doi": "10.1000/1", "title": "A paper", "authors": "A\nB"})
    html = client.get(f"/datasets/{dataset.pid}/").content.decode()
    assert "Beam lost &lt;b&gt;twice&lt;/b&gt;" in html
    for words in ("Spikes", "plot.png", "Rings", "A paper", "A, B"):
        assert words in html, words
    kept = Attachment.objects.get()
    client.post(f"/attachments/{kept.uuid}/remove/")
    publication = Publication.objects.get()
    client.post(f"/datasets/{dataset.pid}/publications/{publication.pid}/unlink/")
    page = text_of(client.get(f"/datasets/{dataset.pid}/"))
    assert "plot.png is not attached any more" in page
    assert "None is linked to these data" in page


def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong(
    client_of: ClientOf, world: World
) -> None:
    dataset, client = a_dataset(world), client_of("ines")
    body = {"doi": "nonsense", "title": "Whites of Vermeer"}
    answer = client.post(f"/datasets/{dataset.pid}/add/publication/", body)
    assert answer.status_code == 422
    assert "nonsense is no DOI" in text_of(answer)
    assert 'value="Whites of Vermeer"' in answer.content.decode()
    file = {"file": a_file("a.exe", b"MZ\x00")}
    answer = client.post(f"/datasets/{dataset.pid}/add/attachment/", file)
    assert (answer.status_code, "not kept" in text_of(answer)) == (422, True)


def test_who_may_not_edit_is_offered_no_form(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    for name in ("sten", None):
        page = text_of(client_of(name).get(f"/datasets/{dataset.pid}/"))
        assert "Write a note" not in page
    note = {"text": "I was here"}
    assert client_of("sten").post(f"/datasets/{dataset.pid}/add/note/", note).status_code == 403
    assert client_of(None).post(f"/datasets/{dataset.pid}/add/note/", note).status_code == 302
    assert client_of("ines").get(f"/datasets/{dataset.pid}/add/magic/").status_code == 404


def test_notes_and_attachments_of_closed_data_are_not_on_their_public_page(
    client_of: ClientOf, world: World
) -> None:
    dataset, ines = a_visible_dataset(world), client_of("ines")
    ines.post(f"/datasets/{dataset.pid}/add/note/", {"text": "Found the lost layer"})
    ines.post(f"/datasets/{dataset.pid}/add/quality/", {"verdict": "good", "reason": "Superb"})
    ines.post(f"/datasets/{dataset.pid}/add/attachment/", {"file": a_file("layer.png", PNG)})
    html = client_of(None).get(f"/datasets/{dataset.pid}/").content.decode()
    for words in ("lost layer", "Superb", "layer.png"):
        assert words not in html
    assert "lost layer" in ines.get(f"/datasets/{dataset.pid}/").content.decode()


def test_a_collection_is_made_filled_ordered_and_taken_apart_on_pages(
    client_of: ClientOf, world: World
) -> None:
    client = client_of("ines")
    datasets = [a_dataset(world, title=f"Layer {n}") for n in range(2)]
    client.post(f"/datasets/{datasets[0].pid}/collect/", {"title": "Layers"})
    collection = Collection.objects.get()
    client.post(f"/datasets/{datasets[1].pid}/collect/", {"collection": str(collection.pid)})
    address = f"/collections/{collection.pid}/"
    client.post(f"{address}datasets/{datasets[1].pid}/", {"place": "1"})
    client.get(address)  # tells what was done, once
    page = text_of(client.get(address))
    assert page.index("Layer 1") < page.index("Layer 0")
    client.post(f"{address}datasets/{datasets[1].pid}/", {"remove": "1"})
    saved = client.post(address, {"title": "Ground", "is_shared": "on"}, follow=True)
    assert "Ground" in text_of(saved)
    assert "Layer 1" not in text_of(saved)
    assert "Ground" in text_of(client_of(None).get("/collections/"))
    empty = client.post(address, {"title": " "})
    assert empty.status_code == 422
    client.post(f"{address}remove/")
    assert not Collection.objects.exists()


def test_pages_of_lists_ask_as_often_whatever_is_in_them(
    client_of: ClientOf, world: World, django_assert_max_num_queries: Any
) -> None:
    client = client_of("ines")
    collection = Collection.objects.create(title="Many", owner=world.ines, is_shared=True)
    for number in range(12):
        dataset = a_dataset(world, title=f"Layer {number}")
        collection.items.create(dataset=dataset, position=number)
        publication = Publication.objects.create(doi=f"10.1000/{number}", title=f"Paper {number}")
        publication.datasets.add(dataset)
    for address in (f"/collections/{collection.pid}/", "/publications/", "/collections/"):
        with django_assert_max_num_queries(14):
            assert client.get(address).status_code == 200
