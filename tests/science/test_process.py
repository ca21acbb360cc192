"""How a file was made stands in the file, and equal runs write equal bytes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from processing.science.process import Provenance, write_process

MADE = Provenance(
    program="sum",
    version="1.2.0",
    date="2026-11-21T20:00:00+00:00",
    run_key="5" * 64,
    key_document='{"v":1}',
    inputs={"scan": "a" * 64, "mask": ""},
    parameters={"low": (0.5, "keV"), "mode": (None, ""), "more": ({"b": 1}, "")},
    decided={"orientation": 3},
)


def written(path: Path, made: Provenance = MADE) -> Path:
    with h5py.File(path, "w") as file:
        write_process(file.create_group("entry"), made, {"geometry": ("text/plain", "PONI")})
    return path


def text_of(group: h5py.Group, name: str) -> str:
    return str(group[name].asstr()[()])


def test_a_file_says_how_it_was_made(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path / "a.nxs")) as file:
        process = file["entry/process"]
        assert process.attrs["NX_class"] == "NXprocess"
        assert process["sequence_index"][()] == 1
        told = {name: text_of(process, name) for name in ("program", "version", "date")}
        assert told == {"program": "sum", "version": "1.2.0", "date": MADE.date}
        assert text_of(process, "identifier_run_key") == MADE.run_key
        assert text_of(process, "identifier_input_scan") == "a" * 64
        assert "identifier_input_mask" not in process
        note = process["key_document"]
        assert note.attrs["NX_class"] == "NXnote"
        assert (text_of(note, "type"), text_of(note, "data")) == ("application/json", '{"v":1}')
        assert text_of(process["geometry"], "data") == "PONI"


def test_parameters_have_their_units_and_nothing_is_lost(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path / "a.nxs")) as file:
        parameters = file["entry/process/parameters"]
        assert parameters.attrs["NX_class"] == "NXparameters"
        assert (parameters["low"][()], parameters["low"].attrs["units"]) == (0.5, "keV")
        assert text_of(parameters, "mode") == "none"
        assert text_of(parameters, "more") == '{"b": 1}'
        assert '"orientation": 3' in text_of(file["entry/process/configuration"], "data")


def test_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    one, other = (
        hashlib.sha256(written(tmp_path / name).read_bytes()).hexdigest() for name in ("a", "b")
    )
    assert one == other


def test_outside_a_run_nothing_is_claimed(tmp_path: Path) -> None:
    bare = replace(MADE, date="", run_key="", key_document="")
    with h5py.File(written(tmp_path / "a.nxs", bare)) as file:
        assert not {"date", "identifier_run_key", "key_document"} & set(file["entry/process"])


@pytest.mark.parametrize("name", ["date", "run_key"])
def test_the_date_is_the_runs_and_differs_with_it(tmp_path: Path, name: str) -> None:
    other = replace(MADE, **{name: "6" * 64})
    one = written(tmp_path / "a").read_bytes()
    assert one != written(tmp_path / "b", other).read_bytes()
