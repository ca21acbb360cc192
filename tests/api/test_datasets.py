"""Datasets, their files and their history, as a machine reads them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from catalogue.embargo.dates import settle
from catalogue.models import Dataset, Guard
from tests.api.conftest import MachineOf
from tests.api.results import PICTURE, a_result, an_activity, result_of
from tests.builders import World, a_dataset, a_technique

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_dataset_says_all_that_is_known_about_it(machine_of: MachineOf, world: World) -> None:
    technique = a_technique()
    dataset = a_dataset(
        world,
        title="Lead white, fragment 3",
        sample="hydrocerussite",
        technique=technique.pid,
        parameters={"photon_energy": (12.4, "keV"), "mode": ("fly", "")},
        start_time=START,
        opens_on=date(2099, 1, 1),
        file=b"0123456789",
    )
    body = machine_of("ines").get(f"/api/v1/datasets/{dataset.pid}/").json()
    assert body["title"] == "Lead white, fragment 3"
    assert (body["kind"], body["content"]) == ("raw", "nexus-scan")
    assert body["facility"] == {"slug": "demo", "name": "Demo light source"}
    assert body["instrument"]["slug"] == "id13"
    assert [proposal["number"] for proposal in body["proposals"]] == ["hg-172"]
    assert [sample["name"] for sample in body["samples"]] == ["hydrocerussite"]
    assert body["techniques"] == [
        {
            "pid": technique.pid,
            "name": "x-ray powder diffraction",
            "iri": f"http://purl.org/pan-science/PaNET/{technique.pid}",
        }
    ]
    assert body["start_time"] == "2026-03-02T09:00:00Z"
    assert (body["size"], body["file_count"]) == (10, 1)
    assert body["digest"] == dataset.digest
    assert body["licence"] == "CC-BY-4.0"
    assert body["access"] == {"is_open": False, "opens_on": "2099-01-01"}
    mode, energy = body["parameters"]
    assert (mode["value"], mode["si_value"]) == ("fly", None)
    assert (energy["value"], energy["unit"]) == (12.4, "keV")
    # 12.4 keV in joules: the elementary charge is exactly 1.602176634e-19 C.
    assert energy["si_value"] == pytest.approx(12.4e3 * 1.602176634e-19, rel=1e-9)
    assert body["thumbnail"] is None
    assert body["generated_by"] == str(dataset.generated_by.activity.pid)


def test_a_dataset_of_two_guards_of_one_proposal_names_it_once(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_dataset(world)
    Guard.objects.create(dataset=dataset, proposal=world.proposal, instrument=None)
    body = machine_of("ines").get(f"/api/v1/datasets/{dataset.pid}/").json()
    assert [proposal["number"] for proposal in body["proposals"]] == ["hg-172"]


def test_a_dataset_that_nobody_recorded_has_no_activity(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True)
    dataset.generated_by.delete()
    body = machine_of(None).get(f"/api/v1/datasets/{dataset.pid}/").json()
    assert body["generated_by"] is None
    lineage = machine_of(None).get(body["lineage"]).json()
    assert lineage["origin"] is None


def test_facets_are_repeated_parameters_and_any_of_their_values_will_do(
    machine_of: MachineOf, world: World
) -> None:
    for sample in ("azurite", "ochre", "gypsum"):
        a_dataset(world, is_open=True, title=f"About {sample}", sample=sample)
    found = machine_of(None).get("/api/v1/datasets/?sample=azurite&sample=ochre&kind=raw").json()
    assert {row["title"] for row in found["results"]} == {"About azurite", "About ochre"}


def test_words_find_what_the_page_finds_the_best_first(machine_of: MachineOf, world: World) -> None:
    best = a_dataset(world, is_open=True, title="Azurite azurite azurite", start_time=START)
    newest = a_dataset(world, is_open=True, title="Ochre", sample="azurite")
    found = machine_of(None).get("/api/v1/datasets/?q=azur").json()
    assert [row["pid"] for row in found["results"]] == [str(best.pid), str(newest.pid)]


def test_facets_count_only_what_the_person_may_see(machine_of: MachineOf, world: World) -> None:
    a_dataset(world, is_open=True, sample="azurite")
    a_dataset(world, sample="secret")

    def samples(name: str | None) -> dict[str, int]:
        facets = machine_of(name).get("/api/v1/datasets/facets/").json()["facets"]
        values = next(facet["values"] for facet in facets if facet["name"] == "sample")
        return {value["value"]: value["count"] for value in values}

    assert samples("sten") == {"azurite": 1}
    assert samples("carlo") == {"azurite": 1, "secret": 1}


def test_a_list_says_which_datasets_are_open(machine_of: MachineOf, world: World) -> None:
    opened, closed = a_dataset(world, is_open=True), a_dataset(world)
    rows = machine_of("ines").get("/api/v1/datasets/").json()["results"]
    assert {row["pid"]: row["is_open"] for row in rows} == {
        str(opened.pid): True,
        str(closed.pid): False,
    }


def test_a_file_comes_back_byte_for_byte_with_its_checksum_as_etag(
    machine_of: MachineOf, world: World
) -> None:
    content = bytes(range(256))
    dataset = a_dataset(world, file=content)
    dataset.files.update(media_type="image/tiff")
    client = machine_of("ines")
    body = client.get(f"/api/v1/datasets/{dataset.pid}/").json()
    (file,) = client.get(body["files"]).json()["results"]
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert client.get(file["url"]).json() == file
    response = client.get(file["content"], headers={"Accept": "application/octet-stream"})
    assert b"".join(response.streaming_content) == content
    assert response["ETag"] == f'"{file["sha256"]}"'
    assert response["Content-Length"] == "256"
    assert response["Content-Type"] == file["media_type"] == "image/tiff"
    assert response["Cache-Control"] == "private, no-transform"
    assert {"Cookie", "Authorization"} <= set(response["Vary"].split(", "))


@pytest.mark.parametrize(
    ("spoil", "status"),
    [(Path.unlink, 503), (lambda path: path.write_bytes(b"short"), 409)],
)
def test_a_file_that_is_no_longer_what_was_registered_is_not_sent(
    machine_of: MachineOf, world: World, spoil: Callable[[Path], object], status: int
) -> None:
    file = a_dataset(world, is_open=True, file=b"the whole content").files.get()
    spoil(Path(world.raw.root, file.key))
    response = machine_of(None).get(f"/api/v1/files/{file.uuid}/content/")
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert world.raw.root not in response.content.decode()


def test_the_files_of_a_dataset_come_in_pages_the_one_to_open_first(
    machine_of: MachineOf, world: World
) -> None:
    dataset = a_dataset(world, is_open=True)
    first = dataset.files.get()
    for position in range(1, 5):
        first.pk, first.uuid, first.position = None, None, position
        first.uuid = f"00000000-0000-4000-8000-{9 - position:012}"
        first.path = f"frame_{9 - position}.h5"
        first.save(force_insert=True)
    client, seen = machine_of(None), []
    address = f"/api/v1/datasets/{dataset.pid}/files/?page_size=2"
    while address:
        page = client.get(address).json()
        seen += [file["path"] for file in page["results"]]
        address = page["next"]
    assert seen[1:] == ["frame_8.h5", "frame_7.h5", "frame_6.h5", "frame_5.h5"]


def test_the_picture_of_a_result_can_be_fetched(machine_of: MachineOf, world: World) -> None:
    dataset = result_of(a_result(world))
    client = machine_of("ines")
    address = client.get(f"/api/v1/datasets/{dataset.pid}/").json()["thumbnail"]
    response = client.get(address, headers={"Accept": "image/png"})
    assert b"".join(response.streaming_content) == PICTURE
    assert response["Content-Type"] == "image/png"


def test_a_dataset_without_picture_says_so(machine_of: MachineOf, world: World) -> None:
    dataset = a_dataset(world, is_open=True)
    response = machine_of(None).get(f"/api/v1/datasets/{dataset.pid}/thumbnail/")
    assert response.status_code == 404
    assert "no picture" in response.json()["detail"]


def test_lineage_goes_one_step_up_and_one_down(machine_of: MachineOf, world: World) -> None:
    scan = a_dataset(world)
    made = an_activity(world, {"scan": [scan]}).generated.get().dataset
    client = machine_of("ines")
    up = client.get(f"/api/v1/datasets/{made.pid}/lineage/").json()
    assert up["origin"]["used"] == [{"role": "scan", "dataset": str(scan.pid)}]
    assert up["origin"]["activity"]["person"] == "Ines"
    down = client.get(f"/api/v1/datasets/{scan.pid}/lineage/").json()
    assert down["uses"][0]["generated"] == [{"role": "result", "dataset": str(made.pid)}]
    assert down["uses"] == [up["origin"]]
    listed = client.get(down["all_uses"]).json()["results"]
    assert [row["pid"] for row in listed] == [up["origin"]["activity"]["pid"]]


def open_to_all(dataset: Dataset) -> None:
    day = date(2020, 1, 1)
    Guard.objects.filter(dataset=dataset).update(opens_on=day, listed_on=day)
    settle([dataset.pk])


def test_a_hidden_dataset_in_a_lineage_is_null_in_its_role(
    machine_of: MachineOf, world: World
) -> None:
    scan, geometry = a_dataset(world, is_open=True), a_dataset(world, content="poni")
    activity = an_activity(world, {"scan": [scan], "geometry": [geometry]})
    made = activity.generated.get().dataset
    open_to_all(made)
    expected = [
        {"role": "scan", "dataset": str(scan.pid)},
        {"role": "geometry", "dataset": None},
    ]
    client = machine_of("sten")
    lineage = client.get(f"/api/v1/datasets/{made.pid}/lineage/").json()
    assert lineage["origin"]["used"] == expected
    assert client.get(f"/api/v1/activities/{activity.pid}/").json()["used"] == expected


def test_an_activity_says_how_its_result_was_made(machine_of: MachineOf, world: World) -> None:
    run = a_result(world)
    assert run.activity is not None
    body = machine_of("carlo").get(f"/api/v1/activities/{run.activity.pid}/").json()
    assert (body["recipe"], body["version"]) == ("xrd-map", "1.0.0")
    assert hashlib.sha256(body["key_document"].encode()).hexdigest() == body["run_key"]
    assert body["parameters"] == {"bins": 1000}
    assert body["environment"] == {"numpy": "2"}
    assert body["person"] == "Ines"
    assert {edge["role"] for edge in body["used"]} == {"scan", "geometry"}
    assert body["generated"] == [{"role": "result", "dataset": str(result_of(run).pid)}]


def test_activities_are_listed_if_one_of_their_results_is_visible(
    machine_of: MachineOf, world: World
) -> None:
    scan = a_dataset(world, is_open=True)
    a_dataset(world)
    an_activity(world, {"scan": [scan]}, started_at=None)

    def kinds(name: str | None, query: str = "") -> list[str]:
        rows = machine_of(name).get(f"/api/v1/activities/{query}").json()["results"]
        return [row["kind"] for row in rows]

    assert kinds("carlo") == ["acquisition", "acquisition", "processing"]
    assert kinds("sten") == ["acquisition", "processing"]
    assert kinds("sten", "?kind=processing") == ["processing"]
    assert kinds("sten", "?recipe=xrd-map") == ["processing"]
    assert kinds("sten", f"?used={scan.pid}") == ["processing"]


def test_uses_of_a_hidden_dataset_cannot_be_asked_for(machine_of: MachineOf, world: World) -> None:
    hidden = a_dataset(world)
    made = an_activity(world, {"scan": [hidden]}).generated.get().dataset
    open_to_all(made)
    response = machine_of("sten").get(f"/api/v1/activities/?used={hidden.pid}")
    assert response.status_code == 404
    assert machine_of("ines").get(f"/api/v1/activities/?used={hidden.pid}").status_code == 200


def test_one_dataset_takes_the_same_number_of_queries_however_rich_it_is(
    machine_of: MachineOf, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    few = {"photon_energy": (12.4, "keV")}
    many = {f"motor_{number}": (float(number), "mm") for number in range(30)}
    client = machine_of("ines")
    counts = [
        count_queries(lambda pid=dataset.pid: client.get(f"/api/v1/datasets/{pid}/"))
        for dataset in (a_dataset(world, parameters=few), a_dataset(world, parameters=many))
    ]
    assert counts[0] == counts[1] <= 13  # with wrong passwords and the rate of calls


def test_a_lineage_takes_the_same_number_of_queries_however_often_it_was_used(
    machine_of: MachineOf, world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    scan = a_dataset(world)
    client = machine_of("ines")
    an_activity(world, {"scan": [scan]})
    once = count_queries(lambda: client.get(f"/api/v1/datasets/{scan.pid}/lineage/"))
    for _ in range(5):
        an_activity(world, {"scan": [scan]})
    assert count_queries(lambda: client.get(f"/api/v1/datasets/{scan.pid}/lineage/")) == once
