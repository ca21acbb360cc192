"""What is installed where a recipe runs, and which variables it sees."""

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path

from processing.errors import RecipeDefinitionError
from processing.recipes.manifest import Environment

KERNELS = Path(__file__).resolve().parents[1] / "science" / "kernels"


def describe_environment(
    names: Iterable[str], program: Mapping[str, str] | None = None
) -> Environment:
    """
    State the declared packages as installed here, by version and RECORD.

    Parameters
    ----------
    names : iterable of str
        Distributions whose version can change the result.
    program : mapping, optional
        What identifies an executable or a notebook.

    Raises
    ------
    RecipeDefinitionError
        If one of the packages is not installed.
    """
    packages: dict[str, str] = {}
    lines = [f"python=={'.'.join(platform.python_version_tuple()[:2])}"]
    for name in sorted(names, key=str.lower):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise RecipeDefinitionError(name, f"package {name} is not installed") from error
        packages[name] = distribution.version
        record = distribution.read_text("RECORD") or ""
        # Byte code, scripts and the installer's notes differ from folder to folder.
        files = sorted(
            line
            for line in record.splitlines()
            if ".pyc" not in line and ".dist-info/" not in line and not line.startswith("..")
        )
        digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
        lines.append(f"{name}=={distribution.version} {digest}")
    lines += [f"{key} {value}" for key, value in sorted((program or {}).items())]
    return Environment(
        packages=packages,
        python=platform.python_version(),
        digest=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        program=dict(program or {}),
    )


def search_path() -> str:
    """
    Return the folder that holds this package, for PYTHONPATH of another interpreter.

    Empty where it is installed among other packages: these would hide the ones of the
    other environment.
    """
    home = Path(__file__).resolve().parents[2]
    return "" if home.name in {"site-packages", "dist-packages"} else str(home)


def fixed_environment(cores: int) -> dict[str, str]:
    """Return what a recipe's process needs and no secret; it fixes what could change bytes."""
    threads = str(cores)
    return {
        "PATH": os.pathsep.join(os.get_exec_path()),
        # The checkout, where it is not installed: the process starts in a folder of its own.
        "PYTHONPATH": search_path(),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_MAX_THREADS": threads,
    }


def own_environment(
    folder: Path, clock: str, seed: int, cache: Path | None = None
) -> dict[str, str]:
    """
    Return what is an attempt's own, and nothing that a zygote imports reads.

    Parameters
    ----------
    folder : Path
        Where it may write.
    clock : str
        ISO 8601, with its offset from UTC.
    seed : int
        For random numbers.
    cache : Path, optional
        Where what any attempt can make again is kept; by default nothing is.
    """
    return kernel_cache(cache) | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SOURCE_DATE_EPOCH": str(int(datetime.fromisoformat(clock).timestamp())),
        "PALIMPSEST_SEED": str(seed),
    }


def kernel_cache(cache: Path | None, sources: Path = KERNELS) -> dict[str, str]:
    """
    Return what tells numba where compiled kernels are kept.

    A folder for each state of their source: numba looks at the file of a function only, and
    would go on with what it has once compiled in from another file.
    """
    if cache is None:
        return {}
    digest = hashlib.sha256()
    for file in sorted(sources.glob("*.py")):
        digest.update(file.read_bytes())
    return {"NUMBA_CACHE_DIR": str(cache / "kernels" / digest.hexdigest()[:16])}
