"""Crates, judged by two programs that others wrote."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.models import Dataset, Tombstone
from processing.exports.history import history_of, history_of_run
from processing.exports.packing import Profile, pack_crate
from processing.models import ProcessingRun
from tests.api.results import a_result
from tests.builders import World, a_dataset, a_run
from tests.processing.exports import judges
from tests.processing.exports.histories import a_chain

# Its name is a path, since it lies inside the crate; the profile would like an address.
UNMET = "The SoftwareApplication id SHOULD be an absolute URI"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold the JSON-LD contexts, so that judging needs no network."""
    place = tmp_path_factory.mktemp("contexts") / "cache"
    judges.fill(place)
    return place


def unpacked(
    world: World, dataset: Dataset, folder: Path, profile: Profile, *, with_data: bool
) -> Path:
    record = history_of(world.ines, dataset)
    packed = pack_crate(world.ines, record, profile=profile, with_data=with_data)
    body = b"".join(packed.archive())
    assert len(body) == packed.length
    place = folder / "crate"
    zipfile.ZipFile(io.BytesIO(body)).extractall(place)
    return place


def graph_of(crate: Path) -> dict[str, Any]:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def change(crate: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite the metadata of a crate: it is to be refused."""
    graph = graph_of(crate)
    how(graph)
    place = crate / "ro-crate-metadata.json"
    document = json.loads(place.read_text())
    place.write_text(json.dumps(document | {"@graph": list(graph.values())}))


@pytest.mark.parametrize("with_data", [True, False])
def test_a_process_run_crate_is_all_that_is_required_and_recommended(
    world: World, tmp_path: Path, cache: Path, *, with_data: bool
) -> None:
    chain = a_chain(world)
    crate = unpacked(world, chain.last, tmp_path, Profile.PROCESS, with_data=with_data)
    verdict = judges.judge(crate, cache, "process", has_addresses=not with_data)
    assert (verdict.required, verdict.recommended) == ([], [])
    assert verdict.passed == (99 if with_data else 98)


@pytest.mark.parametrize("with_data", [True, False])
def test_a_provenance_run_crate_lacks_one_thing_that_is_recommended(
    world: World, tmp_path: Path, cache: Path, *, with_data: bool
) -> None:
    chain = a_chain(world)
    crate = unpacked(world, chain.last, tmp_path, Profile.PROVENANCE, with_data=with_data)
    verdict = judges.judge(crate, cache, "provenance", has_addresses=not with_data)
    assert verdict.required == []
    assert all(UNMET in text for text in verdict.recommended)
    assert verdict.passed == (182 if with_data else 181)
    assert verdict.total == 183


def test_a_crate_with_hidden_parts_is_valid_and_tells_nothing_of_them(
    world: World, tmp_path: Path, cache: Path
) -> None:
    chain = a_chain(world)
    for hidden in (chain.scan, chain.map):
        Tombstone.objects.create(dataset=hidden, kind="withdrawn", reason="a secret")
    record = history_of(AnonymousUser(), chain.last)
    for profile in Profile:
        packed = pack_crate(AnonymousUser(), record, profile=profile, with_data=True)
        place = tmp_path / profile
        zipfile.ZipFile(io.BytesIO(b"".join(packed.archive()))).extractall(place)
        assert judges.judge(place, cache, profile).required == []
        told = "".join(packed.texts.values())
        assert "hidden-1" in told
        for secret in (str(chain.scan.pid), str(chain.map.pid), chain.scan.title, "secret"):
            assert secret not in told


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        ("process", lambda graph: _first(graph, "CreateAction").pop("instrument")),
        ("process", lambda graph: graph.pop("./")),
        ("provenance", lambda graph: _first(graph, "HowToStep").pop("workExample")),
    ],
)
def test_the_judge_refuses_what_is_not_a_run_crate(
    world: World, tmp_path: Path, cache: Path, profile: str, fault: Callable[[Any], object]
) -> None:
    chain = a_chain(world)
    crate = unpacked(world, chain.last, tmp_path, Profile(profile), with_data=True)
    change(crate, fault)
    assert judges.judge(crate, cache, profile).required


def test_the_judge_refuses_a_crate_whose_payload_is_missing(
    world: World, tmp_path: Path, cache: Path
) -> None:
    crate = unpacked(world, a_chain(world).last, tmp_path, Profile.PROCESS, with_data=True)
    next(crate.rglob("map.nxs")).unlink()
    assert judges.judge(crate, cache, "process").required


def _first(graph: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(entity for entity in graph.values() if entity["@type"] == kind)


def test_another_reader_finds_the_steps_with_their_inputs(world: World, tmp_path: Path) -> None:
    chain = a_chain(world)
    told = judges.report(unpacked(world, chain.last, tmp_path, Profile.PROVENANCE, with_data=True))
    assert told.count("action: ") == 3  # the whole and its two steps
    assert told.count("recipes/xrd-map/#1.0.0") == 2
    assert told.index("step-1") < told.index("step-2")
    assert "scan-of-a-fragment" in told


def test_the_bytes_travel_along_only_where_they_may_be_read(world: World) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.map, kind="retracted", reason="wrong geometry")
    record = history_of(world.ines, chain.last)
    with_data = pack_crate(world.ines, record, profile=Profile.PROCESS, with_data=True)
    told = {row.uuid for row in with_data.members}
    assert told == {row.files.get().uuid for row in (chain.scan, chain.geometry, chain.last)}
    assert pack_crate(world.ines, record, profile=Profile.PROCESS).members == []
    archive = zipfile.ZipFile(io.BytesIO(b"".join(with_data.archive())))
    assert archive.testzip() is None
    assert "wrong geometry" in archive.read("ro-crate-metadata.json").decode()


def test_a_crate_is_the_same_each_time_it_is_made(world: World) -> None:
    record = history_of(world.ines, a_chain(world).last)
    one, other = (
        pack_crate(world.ines, record, profile=Profile.PROVENANCE).texts for _ in range(2)
    )
    assert one == other


def test_a_failed_run_is_told_with_its_reason(world: World, tmp_path: Path, cache: Path) -> None:
    run = a_run(world)
    run.state, run.problem = ProcessingRun.State.FAILED, {"message": "The frames differ."}
    record = history_of_run(world.ines, run)
    packed = pack_crate(world.ines, record, profile=Profile.PROCESS, with_data=True)
    zipfile.ZipFile(io.BytesIO(b"".join(packed.archive()))).extractall(tmp_path / "crate")
    assert judges.judge(tmp_path / "crate", cache, "process").required == []
    action = _first(graph_of(tmp_path / "crate"), "CreateAction")
    assert action["actionStatus"].endswith("FailedActionStatus")
    assert (action["error"], "result" in action) == ("The frames differ.", False)


def test_a_run_has_a_crate_of_its_own(world: World, tmp_path: Path, cache: Path) -> None:
    record = history_of_run(world.ines, a_result(world))
    packed = pack_crate(world.ines, record, profile=Profile.PROVENANCE, with_data=True)
    zipfile.ZipFile(io.BytesIO(b"".join(packed.archive()))).extractall(tmp_path / "crate")
    assert judges.judge(tmp_path / "crate", cache, "provenance").required == []


def test_raw_data_make_a_plain_crate(world: World) -> None:
    packed = pack_crate(
        world.ines, history_of(world.ines, a_dataset(world)), profile=Profile.PROVENANCE
    )
    assert "wfrun" not in packed.texts["ro-crate-metadata.json"]
    assert "workflow.json" not in packed.texts
