"""Pages of the catalogue, as a browser without JavaScript receives them."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalogue.errors import BusyError
from catalogue.forms import list_chips, read_lists
from catalogue.ingest import register_path
from catalogue.models import Activity, DataFile, Dataset
from catalogue.registration import ActivityRecord, DerivedDataset, DerivedFile, register_derived
from catalogue.search import count, read_query
from catalogue.storage.content import content_key, keep_bytes
from catalogue.templatetags.quantities import file_size, number, quantity, seconds
from tests.builders import World, a_dataset, a_technique
from tests.catalogue.closing import guarded
from tests.makers.nexus import write_nexus_scan

ClientOf = Callable[[str | None], Client]
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
PNG = b"\x89PNG\r\n\x1a\n a picture"


def text_of(response: object) -> str:
    """The words of a page, without its tags."""
    html = response.content.decode()  # type: ignore[attr-defined]  # the test client's response
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def body_of(response: object) -> bytes:
    """The whole of a file that is sent as a stream."""
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]  # a stream
    response.close()  # type: ignore[attr-defined]  # the same
    return body


def a_derived(world: World, *sources: Dataset, body: bytes = PNG) -> Dataset:
    """A map with a picture, made from datasets by Ines."""
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(Path(world.products.root), body, sha256)
    picture = DerivedFile("preview.png", len(body), sha256, "image/png", content_key(sha256))
    document = '{"bins": 500}'
    activity = register_derived(
        ActivityRecord(
            title="Integrate",
            used={"scan": list(sources)},
            generated=[DerivedDataset("result", "xrd-map", "A map", [picture], "d" * 64, sha256)],
            store=world.products,
            recipe="xrd-map",
            version="1.0.0",
            run_key=hashlib.sha256(document.encode()).hexdigest(),
            key_document=document,
            person=world.ines,
            ended_at=datetime(2026, 5, 3, 12, tzinfo=UTC),
        )
    )
    return Dataset.objects.get(generated_by__activity=activity)


def test_the_first_page_lists_what_the_person_may_see(client_of: ClientOf, world: World) -> None:
    a_dataset(world, title="Closed scan", sample="Lapis", technique=a_technique().pid)
    a_dataset(world, title="Open scan", is_open=True)

    team, stranger = text_of(client_of("ines").get("/")), text_of(client_of(None).get("/"))

    assert "Closed scan" in team
    assert "Embargo until" in team
    assert "Lapis" in team
    assert "Open scan" in stranger
    assert "Closed scan" not in stranger
    assert "Lapis" not in stranger  # nor in the facets
    assert "Only public data are listed" in stranger


def test_a_list_costs_the_same_few_queries_for_one_dataset_and_twenty(
    client_of: ClientOf, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number_ in range(20):
        a_dataset(world, sample=f"Sample {number_}", technique=a_technique().pid)
    client = client_of("ines")
    # Session and person; today, teams and instruments for list and for counts; page,
    # datasets, samples, techniques, access, who may read; counts, labels, samples.
    with django_assert_max_num_queries(20):
        client.get("/")


def test_a_dataset_page_costs_the_same_for_many_files_and_parameters(
    client_of: ClientOf, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    dataset = a_dataset(world, parameters={f"axis_{n}": (1.0, "mm") for n in range(30)})
    file = dataset.files.get()
    DataFile.objects.bulk_create(
        DataFile(
            dataset=dataset,
            position=n,
            path=f"file_{n}.h5",
            size=1,
            sha256="0" * 64,
            media_type="application/x-hdf5",
            store=file.store,
            key=f"file_{n}.h5",
        )
        for n in range(1, 250)
    )
    client = client_of("ines")
    with django_assert_max_num_queries(31):
        page = client.get(f"/datasets/{dataset.pid}/")
    assert "files=3#files" in page.content.decode()
    assert "file_240.h5" in text_of(client.get(f"/datasets/{dataset.pid}/?files=3"))


def test_a_search_without_match_names_the_filter_to_remove(
    client_of: ClientOf, world: World
) -> None:
    a_dataset(world, title="Scan of a pigment", content="nexus-scan")
    words = text_of(client_of("ines").get("/?q=pigment&content=poni"))
    assert "0 datasets" in words
    assert "without Content: poni there is 1 dataset" in words
    assert "without “pigment”" not in words  # that would find nothing either


@pytest.mark.parametrize("page", ["x", "0", "-3", "1e9", "999", "\x00"])
def test_a_bad_page_number_still_gives_a_page(client_of: ClientOf, world: World, page: str) -> None:
    for _ in range(21):
        a_dataset(world, is_open=True)
    response = client_of(None).get("/", {"page": page})
    assert response.status_code == 200
    shown = re.search(r'aria-current="page">\s*(\d)', response.content.decode())
    assert shown is None or shown.group(1) in "12"


@pytest.mark.parametrize("name", ["q", "sample", "year", "colour"])
def test_what_no_database_can_hold_finds_nothing_and_breaks_nothing(
    client_of: ClientOf, world: World, name: str
) -> None:
    a_dataset(world, is_open=True, sample="Lapis")
    assert client_of(None).get("/", {name: "\x00"}).status_code == 200


def test_pages_follow_each_other_and_a_made_up_place_is_the_first(
    client_of: ClientOf, world: World
) -> None:
    for day in range(41):
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        a_dataset(world, title=f"Scan {day:02}", start_time=start)
    client = client_of("ines")
    seen, address = [], "/"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r">(Scan \d\d)</a>", page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        address = f"/{unescape(following.group(1))}" if following else ""
    assert seen == [f"Scan {day:02}" for day in reversed(range(41))]
    before = re.search(r'href="([^"]*)" rel="prev"', page)
    assert before is not None
    assert "Scan 20" in text_of(client.get(f"/{unescape(before.group(1))}"))
    assert "Scan 40" in text_of(client.get("/?cursor=first"))


def test_removing_a_chip_keeps_the_other_filters_and_drops_the_page(world: World) -> None:
    parameters = QueryDict("q=blue&kind=raw&kind=derived&cursor=4")
    facets = count(AnonymousUser(), read_query(read_lists(parameters))).facets
    addresses = {chip.label: unquote(chip.address) for chip in list_chips(parameters, facets)}
    assert addresses == {
        "“blue”": "?kind=raw&kind=derived",
        "Kind: raw": "?q=blue&kind=derived",
        "Kind: derived": "?q=blue&kind=raw",
    }


def test_htmx_gets_the_results_and_back_gets_the_page(client_of: ClientOf, world: World) -> None:
    client = client_of(None)
    part = client.get("/", headers={"HX-Request": "true"})
    back = client.get("/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<body" not in part.content
    assert b'id="results"' in part.content
    assert b'id="facets"' in part.content
    assert b"<body" in back.content
    assert "HX-Request" in part.headers["Vary"]
    assert "private" in part.headers["Cache-Control"]


def test_a_dataset_page_shows_facts_with_units(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(
        world, parameters={"photon_energy": (12.7, "keV"), "sample.temperature": (295.15, "K")}
    )
    words = text_of(client_of("carlo").get(f"/datasets/{dataset.pid}/"))
    assert "Photon energy 12.7 keV" in words
    assert "Temperature 295.15 K" in words
    assert "hg-172, Pigments of a painting" in words
    assert dataset.files.get().sha256 in words


@pytest.mark.parametrize("person", ["sten", "rea", None])
@pytest.mark.parametrize("below", ["", "thumbnail.png", "key-document.json"])
def test_a_hidden_dataset_is_not_there_on_any_page(
    client_of: ClientOf, world: World, person: str | None, below: str
) -> None:
    derived = a_derived(world, a_dataset(world, title="Secret"))
    response = client_of(person).get(f"/datasets/{derived.pid}/{below}")
    assert response.status_code == 404
    assert "Secret" not in text_of(response)
    shown = client_of("carlo").get(f"/datasets/{derived.pid}/{below}")
    shown.close()
    assert shown.status_code == 200


def test_a_file_is_sent_whole_under_its_name(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world, file=b"frames of a scan")
    file = dataset.files.get()
    DataFile.objects.filter(pk=file.pk).update(path="fragment/größe 1.h5")

    response = client_of("ines").get(f"/files/{file.uuid}/")

    assert body_of(response) == b"frames of a scan"
    assert response.headers["ETag"] == f'"{file.sha256}"'
    assert "filename*=utf-8''gr%C3%B6%C3%9Fe%201.h5" in response.headers["Content-Disposition"]
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "private" in response.headers["Cache-Control"]
    assert "Cookie" in response.headers["Vary"]


def test_a_file_is_sent_once_and_head_sends_none_of_it(client_of: ClientOf, world: World) -> None:
    file = a_dataset(world, file=b"frames").files.get()
    client = client_of("ines")
    address = f"/files/{file.uuid}/"

    again = client.get(address, headers={"If-None-Match": f'"{file.sha256}"'})
    head = client.head(address)

    assert again.status_code == 304
    assert head.headers["Content-Length"] == "6"
    assert head.content == b""


def test_a_cached_file_is_gone_for_whoever_may_see_it_no_more(
    client_of: ClientOf, world: World
) -> None:
    file = a_dataset(world).files.get()
    kept = {"If-None-Match": f'"{file.sha256}"'}
    assert client_of("sten").get(f"/files/{file.uuid}/", headers=kept).status_code == 404


def test_a_file_missing_from_its_store_is_explained_without_a_path(
    client_of: ClientOf, world: World
) -> None:
    file = a_dataset(world).files.get()
    Path(world.raw.root, file.key).unlink()
    response = client_of("ines").get(f"/files/{file.uuid}/")
    assert response.status_code == 503
    assert world.raw.root not in response.content.decode()
    assert "Ask the operator" in text_of(response)


def test_a_thumbnail_is_a_png_and_a_dataset_without_one_says_so(
    client_of: ClientOf, world: World
) -> None:
    raw = a_dataset(world, is_open=True)
    derived = a_derived(world, raw)
    client = client_of(None)
    sent = client.get(f"/datasets/{derived.pid}/thumbnail.png")
    assert client.get(f"/datasets/{raw.pid}/thumbnail.png").status_code == 404
    assert sent.headers["Content-Type"] == "image/png"
    assert body_of(sent) == PNG


def test_provenance_is_shown_both_ways_with_the_run_key(client_of: ClientOf, world: World) -> None:
    raw = a_dataset(world, title="The scan")
    derived = a_derived(world, raw)
    client = client_of("ines")
    made, source = (text_of(client.get(f"/datasets/{d.pid}/")) for d in (derived, raw))
    activity = Activity.objects.get(recipe="xrd-map")
    document = client.get(f"/datasets/{derived.pid}/key-document.json").content
    assert "The scan" in made
    assert "xrd-map@1.0.0 by Ines on 3 May 2026" in made
    assert activity.run_key in made
    assert "A map" in source
    assert hashlib.sha256(document).hexdigest() == activity.run_key


def test_a_hidden_input_is_named_as_such_and_no_more(client_of: ClientOf, world: World) -> None:
    hidden = a_dataset(world, title="Secret scan")
    derived = a_derived(world, a_dataset(world, is_open=True), hidden)
    guarded(derived, opens_on=date(2020, 1, 1), listed_on=date(2020, 1, 1))
    response = client_of(None).get(f"/datasets/{derived.pid}/")
    assert "Not visible to you" in text_of(response)
    assert "Secret scan" not in text_of(response)
    assert str(hidden.pid) not in response.content.decode()


def test_no_page_says_where_the_server_keeps_its_files(client_of: ClientOf, world: World) -> None:
    dataset = a_dataset(world)
    for address in ("/", f"/datasets/{dataset.pid}/"):
        assert str(world.folder) not in client_of("ines").get(address).content.decode()


def test_no_page_carries_a_style_or_script_of_its_own(client_of: ClientOf, world: World) -> None:
    derived = a_derived(world, a_dataset(world))
    for address in ("/", f"/datasets/{derived.pid}/", "/sign-in/", "/problems/", "/nowhere/"):
        html = client_of("ines").get(address).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html), address


def test_signing_in_and_out_is_done_by_forms(client_of: ClientOf, world: World) -> None:
    client = client_of(None)
    form = client.get("/sign-in/?next=/recipes/").content.decode()
    assert '<input type="hidden" name="next" value="/recipes/">' in form
    wrong = client.post("/sign-in/", {"username": "ines", "password": "guess"})
    assert "correct username and password" in text_of(wrong)
    right = client.post(
        "/sign-in/", {"username": "ines", "password": "ines-password", "next": "/recipes/"}
    )
    assert right.headers["Location"] == "/recipes/"
    assert "Sign out" in text_of(client.get("/"))
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/"
    assert "Sign in" in text_of(client.get("/"))


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (72_000_000, "72.0 MB"), (999_600, "1.0 MB"),
     (150_000, "150 kB"), (2_500_000_000_000, "2.5 TB"), (4 * 10**15, "4000 TB")],
)  # fmt: skip
def test_sizes_are_written_in_decimal_units(size: int, written: str) -> None:
    assert file_size(size) == written.replace(" ", "\u202f")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (12.7, "12.7"),
        (-0.5, f"{MINUS}0.5"),
        (3.2e11, f"3.2 {TIMES} 10¹¹"),
        (1e-10, f"1 {TIMES} 10⁻¹⁰"),
        (0.0, "0"),
    ],
)
def test_numbers_keep_six_digits_and_write_powers_of_ten(value: float, written: str) -> None:
    assert number(value) == written.replace(" ", "\u202f")


def test_text_is_shown_as_it_is_and_a_number_with_its_unit(world: World) -> None:
    dataset = a_dataset(world, parameters={"detector.name": ("eiger4m", ""), "z": (5, "mm")})
    named, measured = dataset.parameters.order_by("key__name")
    assert quantity(named) == "eiger4m"
    assert quantity(measured) == "5\u202fmm"


@pytest.mark.parametrize(
    ("value", "written"), [(0.4, "0.4 s"), (73, "1_min 13_s"), (300, "5_min"), (7384, "2_h 3_min")]
)
def test_durations_name_their_two_largest_units(value: float, written: str) -> None:
    assert seconds(value).replace("\u202f", " ") == written.replace("_", " ")


def test_staff_register_on_a_page_and_land_on_the_dataset(
    client_of: ClientOf, world: World
) -> None:
    write_nexus_scan(Path(world.raw.root) / "ceria.h5")
    wish = {"store": "raw", "path": "ceria.h5", "instrument": "id13", "proposal": "hg-172"}
    first = client_of("ivo").post("/register/", wish, follow=True)
    assert "Registered. " in text_of(first)
    assert "Ceria on a grid" in text_of(first)
    again = client_of("ivo").post("/register/", wish, follow=True)
    assert "registered already" in text_of(again)
    assert Dataset.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("cut.h5", b"\x89HDF\r\n\x1a\n and no more", "Copy"),
        ("text.h5", b"no HDF5 at all", "not an HDF5 file"),
        ("empty.h5", b"", "empty"),
        ("../out.h5", None, "Name the place directly"),
        ("absent.h5", None, "There is nothing at absent.h5"),
    ],
)
def test_a_refused_file_is_explained_beside_its_path_and_nothing_stays(
    client_of: ClientOf, world: World, name: str, body: bytes | None, said: str
) -> None:
    if body is not None:
        (Path(world.raw.root) / name).write_bytes(body)
    wish = {"store": "raw", "path": name, "instrument": "id13"}
    page = client_of("ivo").post("/register/", wish)
    assert page.status_code == 422
    assert said in text_of(page)
    assert f'value="{name}"' in page.content.decode(), "what was typed is still there"
    assert 'aria-invalid="true"' in page.content.decode()
    assert world.raw.root not in page.content.decode()
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("name", ["ines", "sten", None])
def test_who_may_not_register_is_told_who_may(
    client_of: ClientOf, world: World, name: str | None
) -> None:
    page = client_of(name).get("/register/")
    assert page.status_code == 403
    assert "the staff of its instrument" in text_of(page)
    assert "Register raw data" not in text_of(client_of(name).get("/"))


def test_two_web_requests_read_at_once_and_a_third_is_told_to_come_back(world: World) -> None:
    paths = [
        Path(write_nexus_scan(Path(world.raw.root) / f"ceria_{number}.h5", proposal="hg-172"))
        for number in range(3)
    ]
    refused: list[BusyError] = []

    def register(number: int) -> None:
        def while_it_is_read(done: int, _total: int) -> None:
            if done == 0 and number < 2:
                register(number + 1)

        try:
            register_path(
                paths[number], person=world.ivo, instrument="id13", progress=while_it_is_read
            )
        except BusyError as error:
            refused.append(error)

    register(0)
    assert Dataset.objects.count() == 2
    assert "Try again in a minute" in str(refused[0])
    register(2)
    assert Dataset.objects.count() == 3, "the turn was given back"
