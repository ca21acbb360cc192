"""A second Python environment, real and small, with a recipe of its own."""

import subprocess
import sys
import sysconfig
from pathlib import Path

RECIPE = '''
from typing import Literal

import coloursoft
from processing.recipes.base import Input, Output, recipe, workspace


@recipe("paint-scan", version="1.0.0", environment=["coloursoft"], walltime_s=60)
def paint_scan(scan: Input[Literal["nexus-scan"]], *, bins: int = 3) -> Output[Literal["copy"]]:
    """Paint a scan."""
    result = workspace().output("painted.txt")
    result.write_text(coloursoft.COLOUR)
    return result


@paint_scan.estimate
def price(sizes: dict[str, list[int]], parameters: dict[str, object]) -> tuple[float, int]:
    return float(coloursoft.__version__[0]), 1
'''


def make_environment(folder: Path) -> Path:
    """Make an environment that sees the packages of this one; return its interpreter."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", folder], check=True
    )
    packages = _packages_of(folder)
    (packages / "neighbour.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin" / "python"


def install(folder: Path, name: str, version: str, files: dict[str, str], points: str = "") -> None:
    """Put a distribution into an environment, as an installer leaves it."""
    packages = _packages_of(folder)
    for path, text in files.items():
        (packages / path).write_text(text)
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{path},,{len(text)}\n" for path, text in files.items()))
    (info / "entry_points.txt").write_text(points)


def install_paint(folder: Path, colour: str, version: str) -> None:
    """Install coloursoft in a version, and the recipe paint-scan that leans on it."""
    text = f'COLOUR = "{colour}"\n__version__ = "{version}"\n'
    install(folder, "coloursoft", version, {"coloursoft.py": text})
    points = "[palimpsest.recipes]\npaint-scan = paint_recipe:paint_scan\n"
    install(folder, "paint-recipe", "1.0", {"paint_recipe.py": RECIPE}, points)


def _packages_of(folder: Path) -> Path:
    (packages,) = folder.glob("lib/python*/site-packages")
    return packages
