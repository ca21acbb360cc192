"""The guide to writing recipes: each of its examples is a recipe that holds."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from processing.checking import check_recipe
from processing.recipes.asking import Question, estimate
from processing.recipes.manifest import Manifest
from processing.recipes.registry import Discovery, discover
from tests.makers.environments import install, make_environment

GUIDE = Path(__file__).resolve().parents[2] / "docs/recipes/writing.md"
EXAMPLES = dict(
    re.findall(r"^```\w+ (\S+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Discovery:
    """What the guide's files give, once they lie where it says."""
    folder = tmp_path_factory.mktemp("guide")
    manifests = folder / "manifests"
    manifests.mkdir()
    for name in ("count_bytes.sh", "count-bytes.toml", "plot.toml"):
        (manifests / name).write_text(EXAMPLES[name])
    (manifests / "count_bytes.sh").chmod(0o755)
    tagged = new_code_cell("factor = 2  # Multiplies it", metadata={"tags": ["parameters"]})
    work = new_code_cell("open(mean, 'w').write(str(factor * len(open(scan).read())))")
    nbformat.write(new_notebook(cells=[tagged, work]), manifests / "plot.ipynb")
    interpreter = make_environment(folder / "env")
    points = "[palimpsest.recipes]\nsmooth-counts = smooth_counts:smooth_counts\n"
    module = {"smooth_counts.py": EXAMPLES["smooth_counts.py"]}
    install(folder / "env", "smooth-counts", "1.0", module, points)
    return discover({"env": interpreter}, [manifests])


def manifest_of(found: Discovery, name: str) -> Manifest:
    assert found.faulty == []
    return next(manifest for manifest in found.manifests if manifest.name == name)


@pytest.mark.parametrize("name", ["smooth-counts", "count-bytes", "mean-counts"])
def test_an_example_of_the_guide_holds(found: Discovery, tmp_path: Path, name: str) -> None:
    said: list[str] = []
    assert check_recipe(manifest_of(found, name), tmp_path, said.append), said
    assert sum("identical bytes" in line for line in said) == len(
        manifest_of(found, name).outputs
    ), said


def test_the_guides_function_says_what_the_guide_says(found: Discovery) -> None:
    manifest = manifest_of(found, "smooth-counts")
    assert manifest.hooks == ("combine", "estimate", "example")
    assert manifest.inputs["scans"].many
    assert manifest.presets["coarse"].parameters == {"width": 9}
    assert manifest.outputs["report"].optional
    (price,) = estimate(manifest, [Question(sizes={"scans": [10**8]})])
    assert price is not None
    assert price.core_seconds == 1.0
