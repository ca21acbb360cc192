"""A stray file is recognised, or not, and its story is told in sentences."""

import os
from pathlib import Path

import h5py
import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.core.management.base import CommandError

from catalogue.models import Dataset, Tombstone
from catalogue.places import local_path
from processing.exports.keys import make_signing_key
from processing.exports.peek import KEY_PATH, read_run_key
from processing.exports.statements import sign_due
from processing.exports.verification import Recognised, verify_file
from processing.models import Statement
from tests.api.results import a_result, result_of
from tests.builders import World, a_dataset

RUN_KEY = "5f" * 32


def a_stray(folder: Path, run_key: str = RUN_KEY) -> Path:
    """A NeXus file that says under which key it was made."""
    with h5py.File(folder / "map.nxs", "w") as file:
        file[KEY_PATH] = run_key
    return folder / "map.nxs"


def copy_of(dataset: Dataset, folder: Path) -> Path:
    """The file of a dataset, as somebody carries it about under a name of their own."""
    stray = folder / "from-a-stick.nxs"
    stray.write_bytes(local_path(dataset.files.get()).read_bytes())
    return stray


def test_a_known_file_tells_its_story(world: World, tmp_path: Path) -> None:
    result = result_of(a_result(world))
    verdict = verify_file(copy_of(result, tmp_path))
    told = "\n".join(verdict.sentences)
    assert verdict.recognised is Recognised.KNOWN
    assert "from-a-stick.nxs is known, byte for byte." in told
    assert f"map.nxs ({result.size} bytes) of the derived dataset {result.pid}" in told
    assert "Ines made it with xrd-map 1.0.0 on " in told
    assert "geometry: 'Geometry'" in told
    assert "goes back to raw data: " in told
    assert "How it came to be is unsigned." in told
    assert str(world.folder) not in told


def test_a_raw_file_is_known_as_raw(world: World, tmp_path: Path) -> None:
    verdict = verify_file(copy_of(a_dataset(world), tmp_path))
    assert verdict.recognised is Recognised.KNOWN
    assert "It is raw: nothing was computed to get it." in verdict.sentences


def test_what_was_taken_back_is_not_to_be_used(world: World, tmp_path: Path) -> None:
    run = a_result(world)
    stray = copy_of(result_of(run), tmp_path)
    scan = run.inputs.get(role="scan").dataset
    Tombstone.objects.create(dataset=scan, kind="retracted", reason="The shutter was closed.")
    told = "\n".join(verify_file(stray).sentences)
    assert f"({scan.pid}), in its history, was retracted on " in told
    assert "The shutter was closed. Do not use it." in told
    Tombstone.objects.create(dataset=result_of(run), kind="retracted", reason="too")
    assert "It was retracted on " in "\n".join(verify_file(stray).sentences)


def test_the_signature_is_checked(world: World, tmp_path: Path, settings: LazySettings) -> None:
    make_signing_key(tmp_path / "key.pem")
    settings.PALIMPSEST_SIGNING_KEY = (tmp_path / "key.pem").read_text()
    stray = copy_of(result_of(a_result(world)), tmp_path)
    sign_due()
    assert "the signature is right" in verify_file(stray).sentences[-1]
    make_signing_key(tmp_path / "other.pem")
    settings.PALIMPSEST_SIGNING_KEY = (tmp_path / "other.pem").read_text()
    assert "WARNING" in verify_file(stray).sentences[-1]
    Statement.objects.all().delete()
    assert verify_file(stray).sentences[-1] == "How it came to be is unsigned."


def test_a_changed_file_is_known_by_the_run_key_inside(world: World, tmp_path: Path) -> None:
    run = a_result(world)
    stray = a_stray(tmp_path, run.run_key)
    verdict, file = verify_file(stray), result_of(run).files.get()
    told = "\n".join(verdict.sentences)
    assert verdict.recognised is Recognised.CHANGED
    assert f"under run key {run.run_key}, and was changed since" in told
    assert f"It has {stray.stat().st_size} bytes, where {file.size} were registered" in told
    assert f"should be {file.sha256}." in told


def test_a_file_of_nobody_is_not_known(world: World, tmp_path: Path) -> None:
    verdict = verify_file(a_stray(tmp_path))
    assert verdict.recognised is Recognised.UNKNOWN
    assert "which is not known here either" in verdict.sentences[1]
    (tmp_path / "text").write_text("no HDF5")
    assert verify_file(tmp_path / "text").recognised is Recognised.UNKNOWN


def test_the_command_ends_with_a_code_for_scripts(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = a_result(world)
    call_command("verify", copy_of(result_of(run), tmp_path))
    for key, code in ((run.run_key, 2), (RUN_KEY, 1)):
        with pytest.raises(SystemExit) as ended:
            call_command("verify", a_stray(tmp_path, key))
        assert ended.value.code == code
    with pytest.raises(CommandError, match=r"^absent: No such file"):
        call_command("verify", tmp_path / "absent")
    call_command("verify", "--chain")
    assert "All 0 statements hold." in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["link", "group", "long", "truncated", "pipe"])
def test_a_file_that_is_meant_to_harm_names_no_key(tmp_path: Path, kind: str) -> None:
    stray = a_stray(tmp_path)
    assert read_run_key(stray) == RUN_KEY
    hostile = tmp_path / "hostile.nxs"
    if kind == "pipe":
        os.mkfifo(hostile)
    elif kind == "truncated":
        hostile.write_bytes(stray.read_bytes()[:-100])
    else:
        with h5py.File(hostile, "w") as file:
            if kind == "link":
                file[KEY_PATH] = h5py.ExternalLink(str(stray), KEY_PATH)
            elif kind == "group":
                file.create_group(KEY_PATH)
            else:
                file[KEY_PATH] = RUN_KEY * 1000
    assert read_run_key(hostile) == ""


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, db: None) -> None:
    os.mkfifo(tmp_path / "pipe")
    for hostile in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(CommandError, match=r": is no regular file\.$"):
            call_command("verify", hostile)
