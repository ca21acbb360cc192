"""What people put beside a dataset: who may, who sees it, and what hostile files become."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.access import Person
from catalogue.annotations import add_note, attach, detach, flag_quality, get_attachment
from catalogue.embargo.retraction import Kind, take_back
from catalogue.errors import (
    CatalogueError,
    DescriptionError,
    NotPermittedError,
    TransitionError,
    UnknownAttachmentError,
    UnknownDatasetError,
)
from catalogue.models import Attachment, AuditEvent, Dataset, Guard, Note, QualityFlag
from catalogue.places import picture_path
from catalogue.publications import (
    Reference,
    get_publication,
    link_publication,
    list_publications,
    unlink_publication,
)
from tests.builders import World, a_dataset
from tests.catalogue.closing import closed_for

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
SAID = Reference("10.1107/S1600577524001234", "Pigments of a painting", ["Ines", "Carlo"], 2026)

# Each asks for one thing by its own door, as whoever is given.
ACTS: dict[str, Callable[[Person, Dataset], Any]] = {
    "note": lambda who, data: add_note(who, data, "Beam was lost twice."),
    "quality": lambda who, data: flag_quality(who, data, "bad", "The beam was lost."),
    "attachment": lambda who, data: attach(who, data, io.BytesIO(PNG), "plot.png"),
    "publication": lambda who, data: link_publication(who, data, SAID),
}


def put(world: World, dataset: Dataset, content: bytes, name: str) -> Attachment:
    return attach(world.ines, dataset, io.BytesIO(content), name)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["ines", "carlo", "ivo", "dana"])
def test_whoever_may_edit_a_dataset_adds_to_it_and_the_log_tells(
    world: World, act: str, name: str
) -> None:
    dataset = a_dataset(world)
    ACTS[act](getattr(world, name), dataset)
    event = AuditEvent.objects.filter(subject=str(dataset.pid)).earliest("id")
    assert (event.who, event.act.split(".")[0]) == (name.title(), act)


@pytest.mark.parametrize("act", ACTS)
def test_who_sees_a_dataset_and_may_not_edit_it_adds_nothing(world: World, act: str) -> None:
    dataset = a_dataset(world, is_open=True)
    for person in (AnonymousUser(), world.sten, world.rea):
        with pytest.raises(NotPermittedError):
            ACTS[act](person, dataset)
    rows = (Note, QualityFlag, Attachment)
    assert not any(kind._default_manager.exists() for kind in rows)
    assert not dataset.publications.exists()
    assert not AuditEvent.objects.filter(act__startswith=act).exists()


@pytest.mark.parametrize("act", ACTS)
def test_a_hidden_dataset_is_unknown_to_whoever_would_add_to_it(world: World, act: str) -> None:
    dataset = closed_for(world, 100)
    with pytest.raises(UnknownDatasetError):
        ACTS[act](world.sten, dataset)


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_added_to_what_was_taken_back(world: World, act: str) -> None:
    dataset = a_dataset(world, is_open=True)
    take_back(world.ines, dataset, Kind.RETRACTED, "the wrong sample")
    with pytest.raises(TransitionError):
        ACTS[act](world.ines, dataset)


def test_the_latest_judgement_counts_and_the_log_keeps_both(world: World) -> None:
    dataset = a_dataset(world)
    flag_quality(world.ines, dataset, "good", "Looks fine.")
    flag_quality(world.ivo, dataset, "bad", "The shutter stuck.")
    assert [flag.verdict for flag in dataset.quality_flags.all()] == ["bad", "good"]
    event = AuditEvent.objects.latest("id")
    assert (event.old, event.new, event.reason) == ("good", "bad", "The shutter stuck.")


@pytest.mark.parametrize(("verdict", "reason"), [("superb", "why"), ("good", ""), ("bad", " ")])
def test_a_judgement_without_reason_or_of_no_kind_is_refused(
    world: World, verdict: str, reason: str
) -> None:
    with pytest.raises(DescriptionError):
        flag_quality(world.ines, a_dataset(world), verdict, reason)
    assert not QualityFlag.objects.exists()


@pytest.mark.parametrize("text", ["", " \n ", "x" * 10_001, "half\x00"])
def test_a_note_that_cannot_be_kept_is_refused(world: World, text: str) -> None:
    with pytest.raises(DescriptionError):
        add_note(world.ines, a_dataset(world), text)
    assert not Note.objects.exists()


def test_an_attachment_is_for_whoever_may_read_the_data(world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-5)  # everybody sees its page
    kept = put(world, dataset, PNG, "plot.png")
    assert get_attachment(world.carlo, kept.uuid) == kept
    for person in (AnonymousUser(), world.sten):
        with pytest.raises(CatalogueError):
            get_attachment(person, kept.uuid)
        with pytest.raises(CatalogueError):
            detach(person, kept.uuid)
    assert Attachment.objects.exists()


def test_nobody_reads_attachments_of_what_was_taken_back(world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    kept = put(world, dataset, PNG, "plot.png")
    take_back(world.ines, dataset, Kind.RETRACTED, "the wrong sample")
    for person in (AnonymousUser(), world.sten, world.ines, world.dana):
        with pytest.raises(CatalogueError):
            get_attachment(person, kept.uuid)


def test_a_reader_removes_no_attachment(world: World) -> None:
    kept = put(world, a_dataset(world, is_open=True), PNG, "plot.png")
    with pytest.raises(NotPermittedError):
        detach(world.sten, kept.uuid)
    detach(world.carlo, kept.uuid)
    with pytest.raises(UnknownAttachmentError):
        get_attachment(world.ines, kept.uuid)
    assert AuditEvent.objects.latest("id").act == "attachment.removed"


def test_the_log_names_no_file_that_an_owner_without_access_must_not_read(world: World) -> None:
    dataset = a_dataset(world)
    detach(world.ines, put(world, dataset, PNG, "zirkon-phase.png").uuid)
    add_note(world.ines, dataset, "zirkon found")
    events = AuditEvent.objects.filter(subject=str(dataset.pid)).values_list("old", "new", "reason")
    assert "zirkon" not in str(list(events))


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (PNG, "plot.png", "image/png"), (JPEG, "plot.jpg", "image/jpeg"),
        (PNG, "plot.html", "image/png"), (b"%PDF-1.7\n", "paper.pdf", "application/pdf"),
        (b"Beam was lost.\n", "log.txt", "text/plain"), (b"a,b\n1,2\n", "t.csv", "text/csv"),
        ("Größe in µm\n".encode(), "log.txt", "text/plain"),
    ],
)  # fmt: skip
def test_the_bytes_say_what_a_file_is_and_its_name_does_not(
    world: World, content: bytes, name: str, media_type: str
) -> None:
    kept = put(world, a_dataset(world), content, name)
    assert (kept.media_type, kept.size) == (media_type, len(content))
    assert picture_path(kept.sha256).read_bytes() == content


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        ("../../etc/passwd.png", "passwd.png"), ("C:\\Users\\ines\\plot.png", "plot.png"),
        ("plot\r\nSet-Cookie: a=b.png", "plot__Set-Cookie: a=b.png"),
        ("plot\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "plot_gnp.exe.png"),
        ("plot.html", "plot.html.png"),
        ("Größe µm.png", "Größe µm.png"), (".htaccess", "htaccess.png"), ("..", "file.png"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
    ],
)  # fmt: skip
def test_names_are_cleaned_before_they_are_kept(world: World, name: str, kept_as: str) -> None:
    assert put(world, a_dataset(world), PNG, name).name == kept_as


def test_a_file_of_more_than_20_mib_is_data_and_not_kept(world: World) -> None:
    dataset = a_dataset(world)
    most = 20 << 20
    put(world, dataset, b"%PDF-" + bytes(most - 5), "paper.pdf")
    with pytest.raises(DescriptionError, match="20 MiB"):
        put(world, dataset, b"%PDF-" + bytes(most - 4), "paper.pdf")


def test_equal_bytes_are_kept_once_and_stay_while_one_names_them(world: World) -> None:
    first, other = (put(world, a_dataset(world), PNG, "plot.png") for _ in range(2))
    detach(world.ines, first.uuid)
    assert picture_path(other.sha256).read_bytes() == PNG


def test_anybody_sees_a_publication_with_the_datasets_they_may_see(world: World) -> None:
    shown, hidden = a_dataset(world, is_open=True), closed_for(world, 100)
    publication = link_publication(world.ines, shown, SAID)
    assert link_publication(world.ines, hidden, SAID) == publication
    expected = {"sten": {shown}, "ines": {shown, hidden}, "dana": {shown, hidden}}
    people: dict[str, Person] = {name: getattr(world, name) for name in expected}
    for name, person in people.items():
        assert set(get_publication(person, publication.pid).seen) == expected[name]  # type: ignore[attr-defined]  # its prefetched datasets
        assert set(list_publications(person).get().seen) == expected[name]  # type: ignore[attr-defined]  # the same
    assert get_publication(AnonymousUser(), publication.pid).seen == [shown]  # type: ignore[attr-defined]  # the same


def test_what_was_said_of_a_publication_first_stays(world: World) -> None:
    dataset = a_dataset(world)
    link_publication(world.ines, dataset, SAID)
    other = Reference("https://doi.org/10.1107/s1600577524001234", "Something else")
    assert link_publication(world.carlo, dataset, other).title == SAID.title
    assert AuditEvent.objects.filter(act="publication.linked").count() == 1


def test_the_embargo_counts_from_the_publication_where_the_policy_says_so(world: World) -> None:
    world.policy.starts_with = "publication"
    world.policy.months = 6
    world.policy.save()
    dataset = a_dataset(world)
    days = Guard.objects.filter(dataset=dataset).values_list("opens_on", flat=True)
    assert days.get() is None
    publication = link_publication(world.ines, dataset, SAID)
    assert days.all().get() is not None
    unlink_publication(world.ines, dataset, publication.pid)
    assert days.all().get() is None


def test_a_stranger_unlinks_no_publication(world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    publication = link_publication(world.ines, dataset, SAID)
    with pytest.raises(NotPermittedError):
        unlink_publication(world.sten, dataset, publication.pid)
    assert dataset.publications.get() == publication
