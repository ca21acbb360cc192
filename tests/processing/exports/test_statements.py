"""Signed statements, checked by securesystemslib, which others wrote."""

import json
import stat
from base64 import b64decode, b64encode
from copy import deepcopy
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.core.management.base import CommandError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from catalogue.digests import sha256_of_text
from catalogue.errors import NotPermittedError
from catalogue.models import Tombstone
from catalogue.registration import DerivedDataset, DerivedFile
from processing.errors import SigningKeyError, UnsignedError
from processing.exports.keys import make_signing_key, public_keys
from processing.exports.statements import check_chain, find_statement, sign_due
from processing.models import ProcessingRun, Statement
from tests.api.results import a_result, an_activity, result_of
from tests.builders import World, a_dataset, a_run


@pytest.fixture
def key(settings: LazySettings, tmp_path: Path) -> Path:
    """Let the facility sign."""
    place = tmp_path / "signing-key.pem"
    make_signing_key(place)
    settings.PALIMPSEST_SIGNING_KEY = place.read_text()
    return place


def readers() -> list[SSlibKey]:
    return [
        SSlibKey.from_crypto(load_pem_public_key(key.pem.encode()), keyid=keyid)
        for keyid, key in public_keys().items()
    ]


def opened(row: Statement) -> Envelope:
    return Envelope.from_dict(deepcopy(json.loads(row.envelope)))


def test_another_program_checks_what_we_signed(world: World, key: Path) -> None:
    run = a_result(world)
    assert sign_due() == 1
    envelope = opened(Statement.objects.get())
    assert envelope.verify(readers(), 1)
    told = json.loads(envelope.payload)
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    file = result_of(run).files.get()
    assert told["subject"][0]["digest"] == {"sha256": file.sha256}
    build = told["predicate"]["buildDefinition"]
    assert build["internalParameters"]["run_key"] == run.run_key
    used = {row["name"]: row["digest"]["sha256"] for row in build["resolvedDependencies"][:2]}
    assert used == {given.role: given.dataset.digest for given in run.inputs.all()}


def test_another_program_refuses_what_was_changed(world: World, key: Path) -> None:
    a_result(world)
    sign_due()
    row = Statement.objects.get()
    told = json.loads(row.envelope)
    payload = b64decode(told["payload"]).replace(b'"bins":1000', b'"bins":1001')
    row.envelope = json.dumps(told | {"payload": b64encode(payload).decode()})
    with pytest.raises(VerificationError):
        opened(row).verify(readers(), 1)


def test_what_is_signed_is_signed_once(world: World, key: Path) -> None:
    for _ in range(3):
        a_result(world)
    assert (sign_due(limit=2), sign_due(), sign_due()) == (2, 1, 0)
    assert check_chain().links == 3


def test_only_what_our_engine_has_finished_is_signed(world: World, key: Path) -> None:
    run = a_result(world)
    ProcessingRun.objects.filter(pk=run.pk).delete()
    assert sign_due() == 0


def test_without_a_key_nothing_is_signed(world: World, settings: LazySettings) -> None:
    settings.PALIMPSEST_SIGNING_KEY = ""
    run = a_result(world)
    assert sign_due() == 0
    with pytest.raises(UnsignedError, match="unsigned"):
        find_statement(world.ines, result_of(run))


def test_the_chain_names_the_first_broken_link(world: World, key: Path) -> None:
    for _ in range(3):
        a_result(world)
    sign_due()
    assert (check_chain().links, check_chain().broken) == (3, "")
    first, second, third = Statement.objects.order_by("pk")

    Statement.objects.filter(pk=third.pk).update(envelope=second.envelope)
    assert check_chain().broken.startswith(f"Statement 3 ({third.digest[:12]}) has been changed")
    Statement.objects.filter(pk=third.pk).update(envelope=third.envelope)

    Statement.objects.filter(pk=second.pk).delete()
    assert check_chain().links == 1
    assert "taken out" in check_chain().broken
    Statement.objects.filter(pk=third.pk).update(previous=first.digest)
    assert "taken out" in check_chain().broken  # what is signed still names the second


def test_a_forged_statement_breaks_the_chain(
    world: World, key: Path, settings: LazySettings, tmp_path: Path
) -> None:
    a_result(world)
    sign_due()
    ours = settings.PALIMPSEST_SIGNING_KEY
    make_signing_key(tmp_path / "forger.pem")
    settings.PALIMPSEST_SIGNING_KEY = (tmp_path / "forger.pem").read_text()
    a_result(world)
    sign_due()
    settings.PALIMPSEST_SIGNING_KEY = ours
    assert check_chain().links == 1
    assert "a key that is not known here" in check_chain().broken


def test_an_old_key_still_checks_what_it_signed(
    world: World, key: Path, settings: LazySettings, tmp_path: Path
) -> None:
    a_result(world)
    sign_due()
    old = tmp_path / "old"
    old.mkdir()
    public = next(iter(public_keys().values()))
    make_signing_key(tmp_path / "new.pem")
    settings.PALIMPSEST_SIGNING_KEY = (tmp_path / "new.pem").read_text()
    assert check_chain().links == 0
    (old / "2026.pem").write_text(public.pem)
    for place in (old, old / "2026.pem"):
        settings.PALIMPSEST_OLD_KEYS = str(place)
        assert check_chain().links == 1
        assert [known.is_current for known in public_keys().values()] == [True, False]


def test_a_statement_is_for_those_to_whom_all_in_it_is_open(world: World, key: Path) -> None:
    run = a_result(world)
    sign_due()
    assert find_statement(world.ines, result_of(run))
    for person in (world.sten, AnonymousUser()):
        with pytest.raises(NotPermittedError):
            find_statement(person, result_of(run))
    scan = run.inputs.get(role="scan").dataset
    Tombstone.objects.create(dataset=scan, kind="withdrawn", reason="why")
    with pytest.raises(NotPermittedError):
        find_statement(world.ines, result_of(run))


def test_a_new_key_is_its_owners_alone_and_overwrites_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "key.pem"
    call_command("make_signing_key", place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert "BEGIN PUBLIC KEY" in capsys.readouterr().out
    before = place.read_text()
    with pytest.raises(CommandError, match="Name a new file"):
        call_command("make_signing_key", place)
    assert place.read_text() == before


@pytest.mark.parametrize("wrong", ["nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_wrong_key_is_refused_without_being_shown(settings: LazySettings, wrong: str) -> None:
    settings.PALIMPSEST_SIGNING_KEY = wrong
    with pytest.raises(SigningKeyError) as refused:
        public_keys()
    assert wrong not in str(refused.value)
    assert "make_signing_key" in str(refused.value)


def test_the_digest_names_the_envelope(world: World, key: Path) -> None:
    a_result(world)
    sign_due()
    row = Statement.objects.get()
    assert (row.digest, row.previous) == (sha256_of_text(row.envelope), "")


def test_a_statement_that_names_a_result_that_is_closed_now_is_refused(
    world: World, key: Path
) -> None:
    digests = ("a" * 64, "b" * 64)
    results = [
        DerivedDataset(
            name, "xrd-map", name, digest=digest,
            files=[DerivedFile(f"{name}.nxs", 3, digest, "application/x-hdf5", digest)],
        )
        for name, digest in zip(("map", "fit"), digests, strict=True)
    ]  # fmt: skip
    used = {"scan": [a_dataset(world, is_open=True)]}
    activity = an_activity(world, used, generated=results)
    ProcessingRun.objects.filter(pk=a_run(world).pk).update(state="succeeded", activity=activity)
    sign_due()
    made, other = (row.dataset for row in activity.generated.order_by("id"))
    assert digests[1] in opened(find_statement(AnonymousUser(), made)).payload.decode()
    Tombstone.objects.create(dataset=other, kind="withdrawn", reason="a patient's name")
    with pytest.raises(NotPermittedError):
        find_statement(AnonymousUser(), made)
    assert find_statement(world.dana, made)


def test_statements_that_changed_places_break_the_chain(world: World, key: Path) -> None:
    a_result(world)
    a_result(world)
    sign_due()
    first, second = Statement.objects.order_by("pk")
    Statement.objects.filter(pk=first.pk).update(activity=second.activity)
    assert check_chain().links == 0
    assert "another activity" in check_chain().broken
    Statement.objects.filter(pk=first.pk).update(activity=None)
    assert "another activity" in check_chain().broken
