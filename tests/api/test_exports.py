"""Histories over REST: in whose words, and for whose eyes."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import LazySettings
from django.test import Client
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from catalogue.models import Tombstone
from processing.exports.history import history_of
from processing.exports.keys import make_signing_key
from processing.exports.prov import Notation, draw_prov, read_prov
from processing.exports.statements import sign_due
from tests.api.results import a_result, result_of
from tests.builders import World, a_run
from tests.processing.exports.histories import a_chain

ClientOf = Callable[[str | None], Client]


@pytest.mark.parametrize("notation", Notation)
def test_a_history_is_answered_in_every_notation(
    world: World, client_of: ClientOf, notation: Notation
) -> None:
    last = a_chain(world).last
    answer = client_of(None).get(f"/api/v1/datasets/{last.pid}/provenance/", {"as": notation.value})
    assert answer.headers["Content-Type"] == f"{notation.media_type}; charset=utf-8"
    assert "private" in answer.headers["Cache-Control"]
    drawn = draw_prov(history_of(world.ines, last))
    assert read_prov(answer.content.decode(), notation) == drawn


def test_an_unknown_notation_is_refused(world: World, client_of: ClientOf) -> None:
    last = a_chain(world).last
    answer = client_of(None).get(f"/api/v1/datasets/{last.pid}/provenance/", {"as": "dot"})
    assert answer.status_code == 400
    assert "as" in json.dumps(answer.json())


@pytest.mark.parametrize("way", ["provenance", "crate"])
def test_a_stranger_gets_no_history_of_closed_data(
    world: World, client_of: ClientOf, way: str
) -> None:
    last = a_chain(world, is_open=False).last
    address = f"/api/v1/datasets/{last.pid}/{way}/"
    codes = [client_of(who).get(address).status_code for who in (None, "sten", "carlo", "dana")]
    assert codes == [404, 404, 200, 200]


def test_a_stranger_gets_no_crate_of_a_run_that_they_cannot_see(
    world: World, client_of: ClientOf
) -> None:
    address = f"/api/v1/processing-runs/{a_result(world).uuid}/crate/"
    codes = [client_of(who).get(address).status_code for who in (None, "sten", "carlo", "dana")]
    assert codes == [404, 404, 200, 200]


@pytest.mark.parametrize("data", ["true", "false"])
def test_a_crate_is_a_zip_with_or_without_the_data(
    world: World, client_of: ClientOf, data: str
) -> None:
    run = a_result(world)
    address = f"/api/v1/processing-runs/{run.uuid}/crate/"
    answer = client_of("ines").get(address, {"data": data, "profile": "process"})
    body = b"".join(answer.streaming_content)
    assert len(body) == int(answer.headers["Content-Length"])
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    files = {"ro-crate-metadata.json", "README.md"}
    assert (set(archive.namelist()) > files) is (data == "true")
    head = client_of("ines").head(address, {"data": data, "profile": "process"})
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


def test_a_run_that_has_not_ended_has_no_crate(world: World, client_of: ClientOf) -> None:
    answer = client_of("ines").get(f"/api/v1/processing-runs/{a_run(world).uuid}/crate/")
    assert answer.status_code == 409
    assert "Export it when it has ended." in answer.json()["detail"]


def test_what_is_signed_is_checked_with_the_published_key(
    world: World, client_of: ClientOf, settings: LazySettings, tmp_path: Path
) -> None:
    result = result_of(a_result(world))
    address = f"/api/v1/datasets/{result.pid}/provenance/"
    unsigned = client_of("ines").get(address, {"as": "statement"})
    assert (unsigned.status_code, unsigned.json()["title"]) == (404, "Unsigned")
    assert client_of(None).get("/.well-known/palimpsest-keys.json").json() == {"keys": []}

    make_signing_key(tmp_path / "key.pem")
    settings.PALIMPSEST_SIGNING_KEY = (tmp_path / "key.pem").read_text()
    sign_due()
    envelope = client_of("ines").get(address, {"as": "statement"}).json()
    (told,) = client_of(None).get("/.well-known/palimpsest-keys.json").json()["keys"]
    assert "PRIVATE" not in json.dumps(told)
    key = SSlibKey.from_crypto(load_pem_public_key(told["public"].encode()), keyid=told["keyid"])
    assert Envelope.from_dict(envelope).verify([key], 1)


def test_a_statement_that_names_what_is_closed_now_is_refused(
    world: World, client_of: ClientOf
) -> None:
    run = a_result(world)
    scan = run.inputs.get(role="scan").dataset
    Tombstone.objects.create(dataset=scan, kind="withdrawn", reason="why")
    address = f"/api/v1/datasets/{result_of(run).pid}/provenance/"
    assert client_of("ines").get(address).status_code == 200
    assert client_of("ines").get(address, {"as": "statement"}).status_code == 403
    assert client_of("sten").get(address, {"as": "statement"}).status_code == 404
