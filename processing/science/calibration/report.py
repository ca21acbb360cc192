"""What a corrected run looks like in numbers and plots; equal counts give equal bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.ages import Age
from processing.science.calibration.planes import Unit
from processing.science.calibration.tally import STAGES, Tally, histogram_centres
from processing.science.euxfel.detectors import PIXELS
from processing.science.pictures import draw_map

COLOURS = ("#440154", "#21918c", "#e69f00")  # high, medium, low; told apart by the colour-blind
COARSE = 4  # pixels of the preview's pixel

Quantities = list[tuple[str, float, str]]


def total_of(tallies: Mapping[str, Tally]) -> Tally:
    """
    Add up the modules of a run.

    Parameters
    ----------
    tallies : mapping
        Module to its counts.

    Returns
    -------
    Tally
        Without the image, whose pixels are each module's own.
    """
    total = Tally()
    for _, tally in sorted(tallies.items()):
        image, tally.image = tally.image, np.zeros((2, 1))
        total.add(tally)
        tally.image = image
    return total


def headlines(
    tallies: Mapping[str, Tally], unit: Unit, ages: Mapping[str, Age] | None = None
) -> Quantities:
    """
    Say what matters of a corrected run.

    Parameters
    ----------
    tallies : mapping
        Module to its counts.
    unit : str
        Of the signal.
    ages : mapping, optional
        Module to the age of its constants.

    Returns
    -------
    list of tuple
        Name, value and unit: frames, share of each gain stage and of masked pixels in
        percent, mean signal, age of the oldest constants in days.
    """
    total = total_of(tallies)
    found: Quantities = [("frames", float(total.frames), "")]
    found += [(f"gain_{name}", total.share(stage), "percent") for stage, name in enumerate(STAGES)]
    found += [("masked", 100.0 * total.masked / max(1, total.pixels), "percent")]
    sums = np.array([*total.sums.values(), (0.0, 0)]).sum(axis=0)
    if sums[1]:
        found += [("mean_signal", float(sums[0] / sums[1]), unit)]
    if total.clipped:
        found += [("clipped", float(total.clipped), "")]
    if ages:
        found += [("constants_age", min(ages.values()).days, "day")]
    return found


def write_summary(
    path: Path,
    tallies: Mapping[str, Tally],
    unit: Unit,
    warnings: list[str],
    ages: Mapping[str, Age] | None = None,
) -> None:
    """
    Write the numbers of a corrected run as JSON.

    Parameters
    ----------
    path : Path
        Where to write.
    tallies : mapping
        Module to its counts.
    unit : str
        Of the signal.
    warnings : list of str
        As the reader was told.
    ages : mapping, optional
        Module to the age of its constants.
    """
    ages = ages or {}
    told = {
        "quantities": [
            {"name": name, "value": value, "unit": unit_of, "uncertainty": None}
            for name, value, unit_of in headlines(tallies, unit, ages)
        ],
        "modules": {
            name: _describe(tally) | _describe_age(ages.get(name))
            for name, tally in sorted(tallies.items())
        },
        "unit": unit,
        "warnings": warnings,
    }
    path.write_text(json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def _describe(tally: Tally) -> dict[str, Any]:
    pixels = max(1, tally.pixels)
    return {
        "frames": tally.frames,
        "gain_percent": {name: tally.share(stage) for stage, name in enumerate(STAGES)},
        "masked_percent": 100.0 * tally.masked / pixels,
        "masked_percent_by_bit": {
            str(bit): 100.0 * int(count) / pixels for bit, count in enumerate(tally.bits) if count
        },
        "mean_by_pulse": {
            str(pulse): mean for pulse, mean in tally.means().items() if np.isfinite(mean)
        },
    }


def _describe_age(age: Age | None) -> dict[str, Any]:
    if age is None:
        return {}
    return {"constants_valid_from": age.valid_from.isoformat(), "constants_age_days": age.days}


def draw_report(
    path: Path,
    tallies: Mapping[str, Tally],
    unit: Unit,
    ages: Mapping[str, Age] | None = None,
) -> None:
    """
    Draw gain shares, signals by stage, masked pixels by bit, and the mean of each pulse.

    Parameters
    ----------
    path : Path
        Of the PNG.
    tallies : mapping
        Module to its counts.
    unit : str
        Of the signal.
    ages : mapping, optional
        Module to the age of its constants; the oldest are told above the panels.
    """
    # Without its Software entry a PNG tells nothing of the machine.
    make_figure(tallies, unit, ages).savefig(path, dpi=100, metadata={"Software": None})


def make_figure(
    tallies: Mapping[str, Tally], unit: Unit, ages: Mapping[str, Age] | None = None
) -> Any:
    """
    Make the figure of ``draw_report``, for a notebook to show.

    Parameters
    ----------
    tallies : mapping
        Module to its counts.
    unit : str
        Of the signal.
    ages : mapping, optional
        Module to the age of its constants.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - listing recipes must stay quick

    figure = Figure(figsize=(11, 8), layout="constrained")
    if ages:
        figure.suptitle(f"Constants {min(ages.values())}")
    shares, signals, masks, pulses = figure.subplots(2, 2).ravel()
    _draw_shares(shares, tallies)
    total = total_of(tallies)
    for stage, name in enumerate(STAGES):
        counts = total.histogram[stage, 1:-1]
        signals.step(histogram_centres(unit), counts, where="mid", color=COLOURS[stage], label=name)
    outside = int(total.histogram[:, [0, -1]].sum())
    signals.set(xlabel=f"signal / {unit}", ylabel="pixels", yscale="symlog",
                title=f"Signal by gain stage, {outside} outside")  # fmt: skip
    signals.legend(title="gain")
    _draw_masks(masks, tallies)
    for name, tally in sorted(tallies.items()):
        means = tally.means()
        pulses.plot(list(means), list(means.values()), ".-", label=name)
    pulses.set(xlabel="pulse", ylabel=f"mean signal / {unit}", title="Mean of each pulse")
    pulses.legend(fontsize="x-small", ncols=2)
    return figure


def _draw_shares(axes: Any, tallies: Mapping[str, Tally]) -> None:
    names = sorted(tallies)
    base = np.zeros(len(names))
    for stage, name in enumerate(STAGES):
        share = np.array([tallies[module].share(stage) for module in names])
        axes.bar(
            names, share, bottom=base, color=COLOURS[stage], label=f"{name}, {share.mean():.3g} %"
        )
        base += share
    axes.tick_params(axis="x", rotation=90)
    axes.set(ylabel="pixels / %", title="Gain stages")
    axes.legend(loc="lower right")


def _draw_masks(axes: Any, tallies: Mapping[str, Tally]) -> None:
    names = sorted(tallies)
    bits = np.array([100.0 * tallies[name].bits / max(1, tallies[name].pixels) for name in names])
    axes.set(title="Masked pixels / %")
    used = np.flatnonzero(bits.any(axis=0))
    if len(used) == 0:
        axes.text(0.5, 0.5, "none", ha="center")
        return
    picture = axes.imshow(bits[:, used], aspect="auto", cmap="viridis", vmin=0.0)
    axes.set_xticks(range(len(used)), [str(bit) for bit in used])
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("bit of the mask")
    axes.figure.colorbar(picture, ax=axes)


def draw_preview(path: Path, tallies: Mapping[str, Tally]) -> None:
    """
    Draw the mean image of all modules side by side.

    Parameters
    ----------
    path : Path
        Of the PNG.
    tallies : mapping
        Module to its counts; of one detector.
    """
    images = [_coarsen(tally.mean_image()) for _, tally in sorted(tallies.items())]
    wide = images[0].shape[1] > images[0].shape[0]
    draw_map(np.concatenate(images, axis=0 if wide else 1), path, y_ascends=False)


def _coarsen(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    y, x = next(
        (shape for shape in PIXELS.values() if np.prod(shape) == flat.size),
        (COARSE, flat.size // COARSE),
    )
    blocks = flat.reshape(y // COARSE, COARSE, x // COARSE, COARSE)
    is_value = np.isfinite(blocks)
    counted = is_value.sum(axis=(1, 3))
    summed = np.where(is_value, blocks, 0.0).sum(axis=(1, 3))
    return np.asarray(np.where(counted > 0, summed / np.maximum(counted, 1), np.nan))
