"""pyFAI-diffmap as its users start it, with its own choices or with the quickest ones."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bench.xrd.scans import BINS, POLARIZATION, Files

Map = tuple[NDArray[np.float32], NDArray[np.float32]]


def run_diffmap(
    files: Files, shape: tuple[int, int], method: tuple[str, str, str] | None, out: Path
) -> None:
    """
    Integrate a scan by pyFAI-diffmap, in a process of its own.

    Parameters
    ----------
    files : Files
        The scan.
    shape : tuple of int
        Rows and columns.
    method : tuple of str or None
        Splitting, algorithm, implementation; None leaves them to pyFAI.
    out : Path
        The map, written anew.
    """
    out.unlink(missing_ok=True)
    settings = out.with_suffix(".json")
    settings.write_text(json.dumps({"ai": _worker(method)}))
    words = ["--no-gui", "--config", settings, "-p", files.poni, "-m", files.mask, "-o", out]
    words += ["-r", shape[0], "-t", shape[1], "-c", BINS, files.scan]
    code = "import sys; from pyFAI.app.diff_map import main; sys.exit(main())"
    subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", code, *map(str, words)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def _worker(method: tuple[str, str, str] | None) -> dict[str, Any]:
    return {
        "application": "worker",
        "version": 4,
        "unit": "q_nm^-1",
        "nbpt_rad": BINS,
        "do_2D": False,
        "do_solid_angle": True,
        "do_polarization": True,
        "polarization_factor": POLARIZATION,
        "error_model": "poisson",
        "method": None if method is None else list(method),
    }


def read_diffmap(path: Path) -> Map:
    """Return intensity and sigma, of shape (frames, bins)."""
    with h5py.File(path) as file:
        found: dict[str, Any] = {}

        def note(name: str, thing: Any) -> None:
            if isinstance(thing, h5py.Dataset) and thing.ndim == 3:
                found[name.rsplit("/", 1)[-1]] = thing

        file.visititems(note)
        return tuple(  # type: ignore[return-value]  # two of them
            found[name][()].reshape(-1, BINS) for name in ("intensity", "errors")
        )
