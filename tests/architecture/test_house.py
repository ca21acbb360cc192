"""What the import linter cannot see, and what the house promises about itself."""

import ast
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from catalogue.errors import CatalogueError
from config.problems import CODES, TYPES, problem_type
from processing.errors import ProcessingError
from processing.recipes.registry import discover

ROOT = Path(__file__).resolve().parents[2]
RUNNER = "processing.zygote, processing.engine.dask_cluster, catalogue.storage.local"
WEB = "config.wsgi, config.urls"
CODE = re.compile(r"^(xrd|file|euxfel)-[a-z-]+$")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_string_of_the_catalogue_points_up() -> None:
    for path in sources("catalogue"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(("processing.", "processing:")), (
                    f"{path}:{node.lineno}"
                )


def test_no_model_of_the_catalogue_points_up() -> None:
    for model in apps.get_app_config("catalogue").get_models():
        # get_fields() would list reverse relations too.
        for field in (*model._meta.fields, *model._meta.many_to_many):
            target = field.related_model
            assert target is None or target._meta.app_label != "processing", field  # type: ignore[union-attr]  # "self" is unused here


@pytest.mark.parametrize(("modules", "absent"), [(RUNNER, "django"), (WEB, "pyFAI")])
def test_a_process_loads_only_its_material(modules: str, absent: str) -> None:
    probe = f"import sys, {modules}; sys.exit({absent!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)


def test_datasets_are_read_through_access_and_written_by_registration() -> None:
    """No page and no REST view has a second door to the data."""
    pages = sources("catalogue/api", "catalogue/views", "processing/api", "processing/views")
    for path in (*pages, ROOT / "catalogue/forms.py"):
        assert not re.search(r"Dataset\.objects(?!\.none\(\))", path.read_text()), path


def every(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every(child))]


@pytest.mark.parametrize("kind", [*every(CatalogueError), *every(ProcessingError)])
def test_every_error_has_a_row(kind: type[Exception]) -> None:
    assert kind in TYPES


def test_every_code_that_a_file_or_run_can_be_refused_with_has_a_row() -> None:
    used = {
        node.value
        for path in sources("catalogue/readers", "catalogue/hdf5", "processing")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.match(node.value)
        and node.value not in {"xrd-map", "euxfel-run"}
    }
    assert used - set(CODES) == set()


def test_the_address_of_a_problem_is_its_own() -> None:
    slugs = [kind.slug for kind in TYPES.values()] + list(CODES)
    assert len(slugs) == len(set(slugs))
    assert problem_type(KeyError()) is None


def test_every_built_in_recipe_is_found_and_compiles() -> None:
    found = discover()
    assert found.faulty == []
    declared = {point.name for point in entry_points(group="palimpsest.recipes")}
    assert {manifest.name for manifest in found.manifests} == declared


@pytest.mark.parametrize("manifest", discover().manifests, ids=lambda manifest: manifest.name)
def test_a_recipe_has_its_five_files(manifest: object) -> None:
    name = manifest.name.replace("-", "_")  # type: ignore[attr-defined]  # a Manifest
    for path in (
        f"processing/recipes/{name}.py",
        f"tests/recipes/test_{name}.py",
        f"docs/recipes/{name}.md",
    ):
        assert (ROOT / path).is_file(), path


def test_every_setting_has_a_heading() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    headings = set(re.findall(r"^## `(\w+)`", text, re.MULTILINE))
    read = set(
        re.findall(r'"(PALIMPSEST_\w+|DATABASE_URL)"', (ROOT / "config/settings.py").read_text())
    )
    assert headings == read
    assert settings.PALIMPSEST_DATA


def test_no_file_names_a_registry_or_a_path_of_somebodys_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    forbidden = re.compile(r"py[p]i\.org|pythonhos[t]ed|npmj[s]\.|deb[.]debian|/wor[k]/|/roo[t]/")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.is_file():
            assert path.stat().st_size < 500_000, f"{name} is too large to be committed"
            found = forbidden.search(path.read_text(errors="replace"))
            assert found is None, f"{name}: {found}"
