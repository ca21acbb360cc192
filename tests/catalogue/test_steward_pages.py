"""Pages about access, as a browser without JavaScript receives them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils.html import strip_tags

from catalogue.access import access_state, may_read
from catalogue.audit import record
from catalogue.embargo.wishes import ask_access, ask_extension, ask_release
from catalogue.mailing import unsubscription
from catalogue.models import (
    AuditEvent,
    Dataset,
    EmbargoPolicy,
    Guard,
    Guest,
    Notice,
    Request,
    Tombstone,
)
from catalogue.notices import tell, wants_mail
from tests.builders import World, a_dataset
from tests.catalogue.closing import a_proposal, closed_for, guarded, in_days, today

ClientOf = Callable[[str | None], Client]


def text_of(response: object) -> str:
    return " ".join(strip_tags(response.content.decode()).split())  # type: ignore[attr-defined]  # an answer


def deeds_on(page: object, dataset: Dataset) -> set[str]:
    """The names of the forms that a page offers about a dataset."""
    html = page.content.decode()  # type: ignore[attr-defined]  # an answer
    parts = html.split(f'action="/datasets/{dataset.pid}/access/')[1:]
    is_retractable = f'href="/datasets/{dataset.pid}/retraction/"' in html  # behind a preview
    return {part.split("/")[0] for part in parts} | ({"retract"} if is_retractable else set())


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        (None, set()),
        ("sten", {"ask-access"}),
        ("carlo", set()),
        ("ivo", set()),
        ("ines", {"ask-extension", "release", "retract"}),
        ("dana", {"set-day", "retract", "withdraw"}),
    ],
)
def test_a_page_offers_what_this_person_may_do_in_this_state(
    client_of: ClientOf, world: World, name: str | None, offered: set[str]
) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    page = client_of(name).get(f"/datasets/{dataset.pid}/")
    assert page.status_code == 200
    assert deeds_on(page, dataset) == offered
    if name is None:
        assert "Sign in to ask for access" in text_of(page)


@pytest.mark.parametrize(
    ("state", "name", "offered"),
    [
        ("open", "ines", {"retract"}),
        ("open", "dana", {"retract", "withdraw"}),
        ("open", "sten", set()),
        ("collecting", "ines", {"release", "retract"}),
        ("proprietary", "ines", {"release", "retract"}),
        ("proprietary", "dana", {"retract", "withdraw"}),
        ("too late to extend", "ines", {"release", "retract"}),
        ("retracted", "ines", set()),
        ("retracted", "dana", {"withdraw"}),
    ],
)
def test_what_is_offered_depends_on_the_state(
    client_of: ClientOf, world: World, state: str, name: str, offered: set[str]
) -> None:
    days = {"open": 0, "collecting": None, "proprietary": None, "too late to extend": 5}
    dataset = closed_for(world, days.get(state, 100))
    if state == "proprietary":
        guarded(dataset, is_proprietary=True)
    if state == "retracted":
        Tombstone.objects.create(dataset=dataset, kind="retracted", reason="wrong")
    page = client_of(name).get(f"/datasets/{dataset.pid}/")
    assert deeds_on(page, dataset) == offered


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (None, "Everybody can see this page. The data themselves are closed."),
        ("sten", "Everybody can see this page. The data themselves are closed."),
        ("rea", "You are a guest until"),
        ("carlo", "You see it as member of hg-172."),
        ("ines", "You see it as principal investigator of hg-172."),
        ("ivo", "You see it as staff of ID13 micro-XRD."),
        ("dana", "You see it as a data steward."),
    ],
)
def test_every_page_says_why_one_can_see_it(
    client_of: ClientOf, world: World, name: str | None, why: str
) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    Guest.objects.create(
        dataset=dataset, person=world.rea, valid_to=in_days(world, 5), granted_by=world.ines
    )
    assert f"Why can I see this? {why}" in text_of(client_of(name).get(f"/datasets/{dataset.pid}/"))


def test_open_data_and_unclaimed_data_say_why_too(client_of: ClientOf, world: World) -> None:
    opened = a_dataset(world, is_open=True)
    page = text_of(client_of("ines").get(f"/datasets/{opened.pid}/"))
    assert "Everybody can: the data are open." in page
    Dataset.objects.update(owner=world.sten)
    unclaimed = guarded(closed_for(world, 100), proposal=None)
    Dataset.objects.filter(pk=unclaimed.pk).update(owner=world.sten)
    page = text_of(client_of("sten").get(f"/datasets/{unclaimed.pid}/"))
    assert "You see it as the one who registered it." in page


def test_an_outsider_of_closed_data_sees_the_banner_and_nothing_of_the_bytes(
    client_of: ClientOf, world: World
) -> None:
    dataset = closed_for(world, 100, listed_in=-1, title="A public title")
    Dataset.objects.filter(pk=dataset.pk).update(thumbnail="a" * 64, warnings=["secret.h5 is odd"])
    dataset.files.update(media_type="image/png")
    file = dataset.files.get()
    for name in (None, "sten"):
        page = client_of(name).get(f"/datasets/{dataset.pid}/")
        html = page.content.decode()
        assert page.status_code == 200
        assert f"open to all on {in_days(world, 100):%-d %B %Y}" in text_of(page)
        assert "A public title" in html
        for secret in (file.path, str(file.uuid), file.sha256, "thumbnail.png", "secret.h5"):
            assert secret not in html
    assert file.path in client_of("carlo").get(f"/datasets/{dataset.pid}/").content.decode()


def test_a_tombstone_says_why_and_shows_no_data(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    file = dataset.files.get()
    client = client_of("ines")
    address = f"/datasets/{dataset.pid}/access/retract/"
    assert client.post(address, {"reason": "the wrong sample"}).status_code == 302
    for name in (None, "sten", "ines", "dana"):
        page = client_of(name).get(f"/datasets/{dataset.pid}/")
        assert page.status_code == 200
        assert "Reason: the wrong sample" in text_of(page)
        assert dataset.title in text_of(page)
        assert file.path not in page.content.decode()
        assert client_of(name).get(f"/files/{file.uuid}/").status_code == 410


def test_a_withdrawal_names_the_day_it_was_at_the_facility(
    client_of: ClientOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True)
    client_of("dana").post(f"/datasets/{dataset.pid}/access/withdraw/", {"reason": "personal data"})
    for instant, day in (
        (datetime(2026, 1, 20, 22, 30, tzinfo=UTC), "2026-01-20"),
        (datetime(2026, 1, 20, 23, 30, tzinfo=UTC), "2026-01-21"),
    ):
        Tombstone.objects.filter(dataset=dataset).update(made_at=instant)
        page = client_of(None).get(f"/datasets/{dataset.pid}/")
        assert f"was withdrawn on {day}: personal data." in text_of(page)


def test_of_a_withdrawn_dataset_the_reason_stays_with_status_410(
    client_of: ClientOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True, title="Somebody's X-ray")
    client_of("dana").post(f"/datasets/{dataset.pid}/access/withdraw/", {"reason": "personal data"})
    for name in (None, "sten", "ines"):
        page = client_of(name).get(f"/datasets/{dataset.pid}/")
        assert page.status_code == 410
        assert f"was withdrawn on {today(world)}: personal data." in text_of(page)
        assert "Somebody" not in page.content.decode()
    assert client_of("dana").get(f"/datasets/{dataset.pid}/").status_code == 200


@pytest.mark.parametrize(
    ("name", "slug", "status"),
    [
        ("sten", "ask-access", 302),
        ("carlo", "ask-access", 409),  # they may read it
        ("sten", "retract", 403),
        ("carlo", "release", 403),
        ("ines", "set-day", 403),
        ("ines", "withdraw", 403),
        ("dana", "release", 403),
        ("dana", "ask-extension", 403),
        ("ines", "nonsense", 404),
    ],
)
def test_what_is_not_offered_is_refused_when_it_is_sent_all_the_same(
    client_of: ClientOf, world: World, name: str, slug: str, status: int
) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    sent = {"reason": "why", "day": in_days(world, 5).isoformat()}
    page = client_of(name).post(f"/datasets/{dataset.pid}/access/{slug}/", sent)
    assert page.status_code == status
    assert (status == 302) == AuditEvent.objects.exists()


def test_on_hidden_data_nothing_is_done_and_strangers_sign_in_first(
    client_of: ClientOf, world: World
) -> None:
    dataset = closed_for(world, 100)
    address = f"/datasets/{dataset.pid}/access/ask-access/"
    assert client_of("sten").post(address, {"reason": "why"}).status_code == 404
    assert client_of("sten").get(f"/datasets/{dataset.pid}/access/").status_code == 404
    answer = client_of(None).post(address, {"reason": "why"})
    assert answer.headers["Location"].startswith("/sign-in/")


def test_a_fault_stays_in_its_form_with_what_was_typed(client_of: ClientOf, world: World) -> None:
    dataset = closed_for(world, 100)
    address = f"/datasets/{dataset.pid}/access/set-day/"
    page = client_of("dana").post(address, {"day": "", "reason": "patent pending"})
    assert page.status_code == 422
    assert "patent pending" in page.content.decode()
    assert "This field is required" in text_of(page)
    sent = {"day": in_days(world, -1).isoformat(), "reason": "patent pending"}
    page = client_of("dana").post(address, sent)
    assert page.status_code == 409
    assert "lies in the past" in text_of(page)
    assert "patent pending" in page.content.decode()


def test_a_day_is_set_by_its_form(client_of: ClientOf, world: World) -> None:
    dataset = closed_for(world, 100)
    sent = {"day": in_days(world, 5).isoformat(), "reason": "why"}
    page = client_of("dana").post(f"/datasets/{dataset.pid}/access/set-day/", sent, follow=True)
    assert f"The data open on {in_days(world, 5):%-d %B %Y}." in text_of(page)
    assert access_state(dataset).opens_on == in_days(world, 5)


def test_the_page_of_access_shows_history_to_the_team_alone(
    client_of: ClientOf, world: World
) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    sent = {"day": in_days(world, 50).isoformat(), "reason": "a confidential reason"}
    client_of("dana").post(f"/datasets/{dataset.pid}/access/set-day/", sent)
    address = f"/datasets/{dataset.pid}/access/"
    for name, is_shown in (("carlo", True), ("ivo", True), ("dana", True), ("sten", False)):
        page = client_of(name).get(address)
        assert page.status_code == 200
        assert ("a confidential reason" in text_of(page)) is is_shown, name


def test_a_leader_ends_a_visit_on_the_page(client_of: ClientOf, world: World) -> None:
    dataset = closed_for(world, 100)
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=in_days(world, 50))
    assert "End the visit" in text_of(client_of("ines").get(f"/datasets/{dataset.pid}/access/"))
    assert "End the visit" not in text_of(
        client_of("carlo").get(f"/datasets/{dataset.pid}/access/")
    )
    address = f"/datasets/{dataset.pid}/guests/{world.rea.pid}/end/"
    assert "and why" in text_of(client_of("ines").post(address, follow=True))
    assert client_of("carlo").post(address, {"reason": "x"}).status_code == 403
    client_of("ines").post(address, {"reason": "done"})
    assert not may_read(world.rea, dataset)


def buttons(page: object, request: Request) -> set[str]:
    parts = page.content.decode().split(f'action="/requests/{request.uuid}/')[1:]  # type: ignore[attr-defined]  # an answer
    return {part.split("/")[0] for part in parts}


def test_each_request_offers_what_its_reader_decides(client_of: ClientOf, world: World) -> None:
    EmbargoPolicy.objects.update(early_release="team")
    shown, closed = closed_for(world, 100, listed_in=-1), closed_for(world, 100)
    access = ask_access(world.rea, shown, "why")
    extension = ask_extension(world.ines, shown, "why")
    release = ask_release(world.ines, closed, "why")
    assert release is not None
    expected = {
        "rea": {access: {"take-back"}},
        "ines": {access: {"grant", "refuse"}, extension: {"take-back"}, release: {"take-back"}},
        "carlo": {release: {"object"}},
        "dana": {
            access: {"grant", "refuse"},
            extension: {"grant", "refuse"},
            release: {"object"},
        },
        "sten": {},
    }
    for name, offered in expected.items():
        page = client_of(name).get("/requests/")
        for request in (access, extension, release):
            assert buttons(page, request) == offered.get(request, set()), (name, request)


def test_a_request_is_decided_on_the_page(client_of: ClientOf, world: World) -> None:
    dataset = closed_for(world, 100, listed_in=-1)
    request = ask_access(world.rea, dataset, "to compare")
    address = f"/requests/{request.uuid}/grant/"
    page = client_of("ines").post(address, {"answer": "welcome"})
    assert page.status_code == 422
    sent = {"day": in_days(world, 5).isoformat(), "answer": "welcome"}
    assert client_of("sten").post(address, sent).status_code == 404
    assert client_of("rea").post(address, sent).status_code == 403
    page = client_of("ines").post(address, sent, follow=True)
    assert "Granted." in text_of(page)
    assert may_read(world.rea, dataset)
    again = client_of("dana").post(address, sent)
    assert again.status_code == 409
    assert "it is decided: granted" in text_of(again)
    assert "Answer: welcome" in text_of(client_of("rea").get("/requests/?state=granted"))
    assert "Nothing is asked here" in text_of(client_of("rea").get("/requests/?state=open"))


def test_a_request_about_what_is_hidden_now_does_not_name_it(
    client_of: ClientOf, world: World
) -> None:
    dataset = closed_for(world, 100, listed_in=-1, title="A title of before")
    ask_access(world.rea, dataset, "why")
    guarded(dataset, listed_on=in_days(world, 100))
    page = client_of("rea").get("/requests/")
    assert "A title of before" not in page.content.decode()
    assert "that you do not see any more" in text_of(page)


def test_notices_are_listed_read_and_sent_by_mail_or_not(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world)
    tell(world.ines, Notice.Kind.OPENED, "Data have opened.", once="a", dataset=dataset)
    client = client_of("ines")
    assert "New: Data have opened." in text_of(client.get("/me/notices/"))
    notice = Notice.objects.get()
    client.post("/me/notices/", {"act": "read", "notice": ["x", str(notice.uuid)]})
    assert "New:" not in text_of(client.get("/me/notices/"))
    client.post("/me/notices/", {"act": "no-mail"})
    assert not wants_mail(world.ines)
    assert "Get mail again" in text_of(client.get("/me/notices/"))
    client.post("/me/notices/", {"act": "mail"})
    assert wants_mail(world.ines)
    assert client_of(None).get("/me/notices/").status_code == 302
    assert "Data have opened" not in text_of(client_of("carlo").get("/me/notices/"))


def test_a_link_in_a_mail_stops_it_without_signing_in_but_not_by_looking(
    world: World,
) -> None:
    client = Client(enforce_csrf_checks=True)
    address = f"/me/notices/unsubscribe/?person={unsubscription(world.ines)}"
    assert client.get(address).status_code == 200
    assert wants_mail(world.ines)
    assert "Done." in text_of(client.post(address))
    assert not wants_mail(world.ines)
    for wrong in ("", "x", "%00"):
        assert client.post(f"/me/notices/unsubscribe/?person={wrong}").status_code == 404


@pytest.mark.parametrize("address", ["/steward/", "/steward/audit/", "/steward/incomplete/"])
@pytest.mark.parametrize("name", ["ines", "ivo", None])
def test_the_steward_pages_are_for_data_stewards(
    client_of: ClientOf, world: World, address: str, name: str | None
) -> None:
    assert client_of(name).get(address).status_code == 403
    assert client_of("dana").get(address).status_code == 200
    assert ("/steward/" in client_of(name).get("/").content.decode()) is False
    assert "/steward/" in client_of("dana").get("/").content.decode()


def test_a_steward_sees_what_ends_and_what_waits(client_of: ClientOf, world: World) -> None:
    other = a_proposal(world, "hg-200", rea="pi")
    closed_for(world, 20, title="Ends this month")
    closed_for(world, 80, title="Ends this quarter", proposal=other)
    closed_for(world, 200, title="Ends later")
    waiting = closed_for(world, 100, listed_in=-1)
    ask_access(world.rea, waiting, "to compare")
    page = text_of(client_of("dana").get("/steward/"))
    assert page.index("Within 30 days") < page.index("Ends this month")
    assert page.index("Within 90 days") < page.index("Ends this quarter")
    assert "Ends later" not in page
    assert "1 waits for a decision" in page
    assert "to compare" in page


def test_a_steward_finds_what_lacks_metadata(client_of: ClientOf, world: World) -> None:
    complete = a_dataset(world, sample="Lapis", technique="", title="Nearly complete")
    bare = a_dataset(world, title="Bare")
    Guard.objects.filter(dataset=bare).update(proposal=None)
    Dataset.objects.filter(pk=bare.pk).update(end_time=None, warnings=["no unit"])
    Dataset.objects.filter(pk=complete.pk).update(end_time=complete.start_time)
    client = client_of("dana")
    counts = text_of(client.get("/steward/incomplete/", headers={"HX-Request": "true"}))
    for line in ("No proposal: 1", "No sample: 1", "No technique: 2", "No end of the meas"):
        assert line in counts
    for lack, is_listed in (("proposal", False), ("technique", True), ("nonsense", False)):
        page = text_of(client.get(f"/steward/incomplete/?lacks={lack}"))
        assert "Bare" in page
        assert ("Nearly complete" in page) is is_listed


def test_the_audit_log_is_filtered_and_paged(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world)
    for number in range(60):
        record("metadata.edited", dataset, person=world.ines, reason=f"edit {number}")
    record("embargo.ruled", dataset, person=world.dana, old={"opens_on": None}, reason="patent")
    utc_day = AuditEvent.objects.latest("at").at.date()
    client = client_of("dana")
    page = client.get("/steward/audit/")
    assert "patent" in text_of(page)
    assert "opens_on never" in text_of(page)
    assert "edit 59" in text_of(page)
    assert "edit 5 " not in text_of(page)
    older = page.context["older"]
    page = text_of(client.get("/steward/audit/", {"before": older}))
    assert "edit 5 " in page
    assert "edit 59" not in page
    for wanted, is_found in (
        ({"act": "embargo."}, True),
        ({"act": "metadata."}, False),
        ({"who": "dan"}, True),
        ({"who": "Ines"}, False),
        ({"subject": str(dataset.pid)}, True),
        ({"subject": "x"}, False),
        ({"since": utc_day.isoformat()}, True),
        ({"until": (utc_day - timedelta(days=1)).isoformat()}, False),
    ):
        assert ("patent" in text_of(client.get("/steward/audit/", wanted))) is is_found, wanted
    assert client.get("/steward/audit/?since=never").status_code == 422


def test_a_person_sees_when_the_embargoes_of_their_proposals_end(
    client_of: ClientOf, world: World
) -> None:
    closed_for(world, 100, title="Mine")
    closed_for(world, 100, title="Theirs", proposal=a_proposal(world, "hg-200", rea="pi"))
    page = text_of(client_of("carlo").get("/embargoes/"))
    assert "Mine" in page
    assert "Theirs" not in page
    assert "None ends within a year" in text_of(client_of("sten").get("/embargoes/"))
