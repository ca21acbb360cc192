"""The calibration as a notebook, run as a recipe: its numbers are those of detector-correct."""

import json
from pathlib import Path

import h5py
import nbformat
import numpy as np
import pytest

from demo.makers.darks import RUNS, write_dark_run
from processing.recipes import declared
from processing.recipes.base import Input, Workspace, working_in
from processing.recipes.dark_characterise import dark_characterise
from processing.recipes.detector_correct import detector_correct
from processing.recipes.detector_correct_example import write_example
from processing.ticket import LogLine
from tests.makers.tickets import a_ticket, bodies, run

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_notebook_corrects_and_keeps_its_plots(tmp_path: Path) -> None:
    example = write_example(tmp_path)
    inputs = {role: [tmp_path / name for name in names] for role, names in example.inputs.items()}
    manifest = declared.load(NOTEBOOKS / "detector-calibration.toml").manifest
    ticket = a_ticket(manifest, tmp_path, inputs, frames=2)
    outcome, said = run(ticket)
    made = bodies(ticket, outcome)
    told = json.loads(made["numbers"])
    assert told["gain_medium"] == [pytest.approx(100 * 30 / 512), "percent"]
    assert told["gain_low"] == [pytest.approx(100 * 10 / 512), "percent"]
    assert told["frames"] == [2, ""]
    executed = nbformat.reads(made["notebook"].decode(), as_version=4)
    pictures = [
        output
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    assert str(tmp_path) not in made["notebook"].decode()
    assert [line.text for line in said if isinstance(line, LogLine)] == [
        "detector-calibration 1.0.0 starts"
    ], "a kernel would tell where its files lie"


def test_the_notebook_refuses_constants_of_another_module(tmp_path: Path) -> None:
    example = write_example(tmp_path)
    inputs = {role: [tmp_path / name for name in names] for role, names in example.inputs.items()}
    with h5py.File(tmp_path / "dark-JNGFR01.h5", "r+") as file:
        file["entry"].attrs["module"] = "JNGFR02"
    manifest = declared.load(NOTEBOOKS / "detector-calibration.toml").manifest
    outcome, _ = run(a_ticket(manifest, tmp_path, inputs, frames=2))
    assert outcome.failure is not None
    assert "holds the constants of JUNGFRAU JNGFR02" in outcome.failure.message


@pytest.mark.parametrize(
    ("module", "present", "said"),
    [
        ("AGIPD00", "JNGFR01", "the run has no module AGIPD00; it has JNGFR01"),
        ("JNGFR01", "JNGFR02", "the constants are not of JNGFR01"),
    ],
)
def test_the_notebook_says_what_is_lacking_of_a_module(
    tmp_path: Path, module: str, present: str, said: str
) -> None:
    example = write_example(tmp_path)
    inputs = {role: [tmp_path / name for name in names] for role, names in example.inputs.items()}
    constants = inputs["constants"][0]
    inputs["constants"] = [constants.rename(constants.with_name(f"dark-{present}.h5"))]
    manifest = declared.load(NOTEBOOKS / "detector-calibration.toml").manifest
    outcome, _ = run(a_ticket(manifest, tmp_path, inputs, module=module))
    assert outcome.failure is not None
    assert said in outcome.failure.message


def test_the_notebook_lies_in_the_repository_without_outputs() -> None:
    path = NOTEBOOKS / "detector-calibration.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    assert path.stat().st_size < 20_000


def test_the_demo_has_darks_and_light_to_calibrate(tmp_path: Path) -> None:
    """Constants of three runs, then the fourth corrected with them: nothing else is needed."""
    runs = {}
    for name in RUNS:
        write_dark_run(tmp_path / name, name, 700_000)
        runs[name] = sorted((tmp_path / name).iterdir())
    *darks, light = runs.values()
    with working_in(Workspace(tmp_path)) as work:
        constants = dark_characterise(*map(Input, darks))
        assert work.warnings == []
        detector_correct(light, [constants])
    told = {it.name: it.value for it in work.quantities}
    assert told["gain_high"] == 100
    assert told["constants_age"] == pytest.approx(15 / (24 * 60), rel=0.01)
    # A spot of 900 ADU, of a variance of 500 square pixels, on 512 x 128 pixels.
    assert told["mean_signal"] == pytest.approx(900 * 2 * np.pi * 500 / 512 / 128, rel=0.02)
