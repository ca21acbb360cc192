"""Plots of dark constants for people: what they are, and how they differ from the last ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.dark_summary import EDGES, DarkSummary

_LABELS = {
    "offset": "offset / ADU",
    "noise": "noise / ADU",
    "change": "change of offset / ADU",
}


def draw_darks(path: Path, summary: DarkSummary, gains: Sequence[str]) -> None:
    """
    Draw histograms and maps of each gain as one PNG; equal summaries give equal bytes.

    Parameters
    ----------
    path : Path
        Where to write.
    summary : DarkSummary
        Of all modules.
    gains : sequence of str
        Names of the three stages, one row each.
    """
    from matplotlib.backends.backend_agg import (  # noqa: PLC0415 - half a second to import
        FigureCanvasAgg,
    )
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    names = [name for name in EDGES if summary.maps(name)]
    # Fixed margins: a layout that measures every text takes as long as all the drawing.
    figure = Figure(figsize=(6 * len(names), 3 * len(gains)), dpi=80)
    share = 1 / len(names)
    margins = {"left": 0.12 * share, "right": 1 - 0.15 * share, "bottom": 0.07, "top": 0.95}
    figure.subplots_adjust(**margins, wspace=0.6, hspace=0.4)
    axes = figure.subplots(len(gains), 2 * len(names), squeeze=False)
    for row, gain in enumerate(gains):
        for place, name in enumerate(names):
            curve, picture = axes[row, 2 * place], axes[row, 2 * place + 1]
            counts = summary.histograms[name][row]
            there = _span(counts)
            curve.stairs(counts[there], EDGES[name][there.start : there.stop + 1], fill=True)
            curve.set_yscale("symlog", linthresh=1)
            curve.set(title=f"{gain} gain", xlabel=_LABELS[name], ylabel="pixels")
            values = lay_side_by_side({m: v[row] for m, v in summary.maps(name).items()})
            known = values[np.isfinite(values)]
            low, high = np.percentile(known, [1, 99]) if len(known) else (0.0, 1.0)
            image = picture.imshow(values, vmin=low, vmax=high, origin="lower", aspect="auto")
            picture.set(title=", ".join(summary.modules), xlabel="x / pixel", ylabel="y / pixel")
            figure.colorbar(image, ax=picture, label=_LABELS[name])
    FigureCanvasAgg(figure)  # its figure draws on it from now on
    figure.savefig(path, format="png", metadata={"Software": None})


def lay_side_by_side(maps: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Lay modules beside each other, tall ones in a row and wide ones in a column."""
    planes = list(maps.values())
    is_tall = planes[0].shape[0] > planes[0].shape[1]
    return np.concatenate(planes, axis=1 if is_tall else 0)


def _span(counts: NDArray[np.int64]) -> slice:
    """Return the bins around what was counted."""
    there = np.flatnonzero(counts)
    if not len(there):
        return slice(0, len(counts))
    return slice(max(0, int(there[0]) - 2), min(len(counts), int(there[-1]) + 3))
