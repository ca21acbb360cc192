"""Notebooks as recipes: executed where they are told, kept, and stopped with their run."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from processing.engine.supervisor import supervise
from processing.errors import RecipeDefinitionError
from processing.recipes import declared
from processing.recipes.manifest import Manifest
from processing.ticket import Progress
from tests.makers.tickets import a_ticket, bodies, run

TOML = """
manifest = 1
name = "count-frames"
version = "1.0.0"
notebook = "count.ipynb"
inputs.scan = { contents = ["nexus-scan"] }
outputs.counts = { content = "counts", filename = "counts.json" }
"""
PARAMETERS = "width = 8  # Digits of the count\nscale = 1.5\nunit = 'photon'\nscan = 'scan.h5'"
WORK = """
import json, os
body = open(scan, 'rb').read()
if width > 100:
    raise ValueError('too wide')
with open(counts, 'w') as writer:
    json.dump([len(body), width, scale, unit, os.environ.get('TZ')], writer)
print(len(body), scan)
"""


def write(folder: Path, parameters: str = PARAMETERS, work: str = WORK, more: str = "") -> Path:
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# Counts"), tagged, new_code_cell(work)])
    nbformat.write(notebook, folder / "count.ipynb")
    path = folder / "count.toml"
    path.write_text(TOML + more)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.bin"
    path.write_bytes(b"frames")
    return path


def manifest_of(path: Path) -> Manifest:
    return declared.load(path).manifest


def test_parameters_come_from_the_tagged_cell(tmp_path: Path) -> None:
    manifest = manifest_of(write(tmp_path))
    properties = manifest.parameters["properties"]
    assert properties["width"] == {
        "type": "integer",
        "default": 8,
        "description": "Digits of the count",
    }
    assert properties["scale"]["type"] == "number"
    assert properties["unit"]["default"] == "photon"
    assert "scan" not in properties, "that is an input"
    assert manifest.outputs["notebook"].filename == "count.ipynb"


def test_a_notebook_runs_twice_to_identical_bytes_and_is_kept(scan: Path, tmp_path: Path) -> None:
    manifest = manifest_of(write(tmp_path))
    made = []
    for fence in (1, 2):
        ticket = a_ticket(manifest, tmp_path, {"scan": [scan]}, fence=fence, width=5)
        outcome, events = run(ticket)
        made.append(bodies(ticket, outcome))
        assert [event.done for event in events if isinstance(event, Progress)][-1] == 4
    assert made[0] == made[1]
    assert json.loads(made[0]["counts"]) == [6, 5, 1.5, "photon", "UTC"]
    kept = nbformat.reads(made[0]["notebook"].decode(), as_version=4)
    assert [cell.cell_type for cell in kept.cells] == ["markdown", "code", "code", "code"]
    assert kept.cells[-1].outputs[0].text == "6 ../inputs/scan/0/scan.bin\n"
    assert str(tmp_path) not in made[0]["notebook"].decode()


def test_a_failing_cell_is_named_with_its_error(scan: Path, tmp_path: Path) -> None:
    manifest = manifest_of(write(tmp_path))
    outcome, _ = run(a_ticket(manifest, tmp_path, {"scan": [scan]}, width=101))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.code) == ("recipe", "notebook-failed")
    assert outcome.failure.message.startswith(
        "Cell 3 of count.ipynb, which begins with 'import json, os', stopped with "
        "ValueError: too wide."
    )


def test_no_kernel_outlives_a_cancelled_run(scan: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    work = f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    ticket = a_ticket(manifest_of(write(tmp_path, work=work)), tmp_path, {"scan": [scan]})
    cancelled = threading.Event()
    thread = threading.Thread(target=supervise, args=(ticket, lambda _: None, cancelled.is_set))
    thread.start()
    deadline = time.monotonic() + 30
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    kernel = psutil.Process(int(started.read_text()))
    assert "ipykernel_launcher" in kernel.cmdline()
    assert os.getpgid(kernel.pid) == os.getpgid(kernel.ppid()), "one kill reaches both"
    cancelled.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE


SCHEMA = "parameters.width = { type = 'integer', maximum = 9, default = 8 }\n"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"more": SCHEMA}, "the manifest says nothing of scale, unit in count.ipynb"),
        (
            {"parameters": "scan = ''", "more": SCHEMA},
            "count.ipynb has no width in its cell tagged parameters",
        ),
        ({"parameters": "width = max(3, 4)"}, "the value of width does not tell its type"),
    ],
)
def test_a_notebook_that_does_not_fit_its_manifest_is_refused(
    tmp_path: Path, written: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RecipeDefinitionError) as refused:
        declared.load(write(tmp_path, **written))
    assert reason in refused.value.reason


def test_a_schema_of_the_manifest_goes_before_the_notebooks_values(tmp_path: Path) -> None:
    path = write(tmp_path, parameters="width = 3\nscan = ''", more=SCHEMA)
    assert manifest_of(path).validate_parameters({}) == {"width": 8}


def test_another_notebook_is_another_environment(tmp_path: Path) -> None:
    first = manifest_of(write(tmp_path)).environment
    assert first.program["notebook"] == "count.ipynb"
    assert "ipykernel" in first.packages
    changed = manifest_of(write(tmp_path, work=WORK + "\n# more")).environment
    assert changed.digest != first.digest


def test_an_absent_notebook_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "count.ipynb").unlink()
    with pytest.raises(
        RecipeDefinitionError, match=r"there is no notebook count\.ipynb|cannot be read"
    ):
        declared.load(path)
