"""Several diffraction maps as one: mosaic, mean, sum, ratio, stack, or colours of a picture."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from processing.recipes.base import (
    OrderedInputs,
    Output,
    RecipeError,
    Workspace,
    recipe,
    workspace,
)
from processing.recipes.map_combine_example import write_example
from processing.recipes.refusals import refusing
from processing.recipes.xrd_map_products import directions, draw_reflection, sum_up
from processing.science import errors
from processing.science.diffraction.integrator import Pattern
from processing.science.maps.combining import Mode, Row, combine_rows
from processing.science.maps.composite_file import (
    CHANNELS,
    create_composite,
    write_rgb,
    write_stack,
)
from processing.science.maps.map_file import MapAxes, MapFile, create_map
from processing.science.maps.map_reading import FinishedMap, open_map
from processing.science.maps.phase_picture import MAX_PANELS, draw_composite, draw_panels
from processing.science.maps.placing import Combined, check_alike, place_same, place_side_by_side
from processing.science.nexus import Readings
from processing.science.process import Provenance, write_process

REFUSALS: dict[type[errors.DataError], str] = {
    errors.CombineError: "xrd-combine-axes",
    errors.MissingFieldError: "xrd-no-field",
    errors.UnreadableFileError: "file-unreadable",
    errors.DataError: "xrd-data",
}
MODES = Literal["mosaic", "mean", "sum", "ratio", "stack", "rgb"]


class Combination(NamedTuple):
    """What comes out: a map as xrd-map's, or a composite, which is none."""

    map: Output[Literal["xrd-map"]] | None
    composite: Output[Literal["map-composite"]] | None


@recipe(
    "map-combine",
    version="1.0.0",
    environment=["numpy", "h5py", "hdf5plugin", "Pillow"],
    cores=1,
    tolerance={"/entry/map/*": (1e-6, 0.0), "/entry/stack/*": (1e-6, 0.0)},
    licence="BSD-3-Clause",
)
def map_combine(
    maps: Annotated[
        OrderedInputs[Literal["xrd-map"]],
        Field(description="Maps with one radial axis; a ratio is the first over the second"),
    ],
    *,
    mode: Annotated[
        MODES,
        Field(
            description="mosaic: side by side where the stage stood; mean: weighted by the "
            "monitor; sum; ratio: first over second; stack: one after the other; rgb: a picture"
        ),
    ] = "mosaic",
    channels: Annotated[
        tuple[Annotated[str, Field(max_length=60)], ...],
        Field(
            max_length=3,
            description="Of rgb: phases or regions in red, green and blue, of one map or of each "
            "map; by default all intensity",
        ),
    ] = (),
) -> Combination:
    """
    Combine several diffraction maps.

    Maps are laid side by side, averaged, added, divided, stacked, or shown as the colours of
    one picture. Errors are propagated; maps with other axes or units are refused.
    """
    work = workspace()
    with refusing(REFUSALS), ExitStack() as opened:
        found = [
            opened.enter_context(open_map(given.file, f"map {number} ({given.file.name})"))
            for number, given in enumerate(maps, start=1)
        ]
        _check_number(found, mode)
        check_alike(found)
        combined = place_side_by_side(found) if mode == "mosaic" else place_same(found)
        digests = {f"maps_{number}": given.digest for number, given in enumerate(maps, start=1)}
        made = _describe(work, digests, mode, channels, combined)
        work.quantity("maps", len(found))
        if mode == "stack":
            return Combination(None, _stack(work, combined, made))
        if mode == "rgb":
            return Combination(None, _paint(work, combined, channels, made))
        return Combination(_combine(work, combined, mode, made), None)


map_combine.example(write_example)


@map_combine.estimate
def estimate(sizes: dict[str, list[int]], parameters: dict[str, Any]) -> tuple[float, int]:
    """Foretell core-seconds and bytes: some 100 MB of maps in a second, read and written."""
    total = sum(sizes["maps"])
    is_all = parameters["mode"] in {"mosaic", "stack"}
    return 1.0 + total / 1e8, total if is_all else max(sizes["maps"])


def _check_number(found: Sequence[FinishedMap], mode: str) -> None:
    if mode == "ratio" and len(found) != 2:
        raise RecipeError(
            "xrd-combine-axes",
            f"A ratio is of two maps, the first over the second; given are {len(found)}.",
        )
    if mode == "rgb" and len(found) > len(CHANNELS):
        raise RecipeError(
            "xrd-combine-axes", f"A picture has three colours; given are {len(found)} maps."
        )


def _combine(work: Workspace, combined: Combined, mode: Mode, made: Provenance) -> Any:
    first = combined.parts[0].map
    units = "" if mode == "ratio" else first.units
    axes = MapAxes(combined.y, combined.x, first.q, first.has_errors, units)
    result = work.output("map.nxs")
    slow = len(combined.y.values)
    i0 = np.full((slow, len(combined.x.values)), np.nan)
    with create_map(result, axes) as written:
        for row, values in enumerate(combine_rows(combined, mode)):
            written.write_row(row, _patterns(values))
            i0[row] = np.where(values.i0 > 0, values.i0, np.nan)
            work.progress(row + 1, slow, "combining")
        peak = sum_up(work, written)
        if peak is not None:
            draw_reflection(written, peak, work.preview())
        if first.i0 is not None and mode != "ratio":
            written.write_monitor(Readings("i0", first.i0_units, i0.ravel()), i0, first.reference)
        _warn_of_gaps(work, written, mode)
        write_process(written.entry, made)
    return result


def _patterns(row: Row) -> list[Pattern | None]:
    return [
        Pattern(intensity, errors, np.isfinite(intensity).astype(np.float64))
        if np.isfinite(intensity).any()
        else None
        for intensity, errors in zip(row.intensity, row.errors, strict=True)
    ]


def _warn_of_gaps(work: Workspace, written: MapFile, mode: str) -> None:
    empty = written.valid.size - int(written.valid.sum())
    if empty:
        why = {
            "ratio": "there the denominator is nowhere above 0",
            "sum": "there a map has no pattern",
        }.get(mode, "no map has a pattern there")
        work.warn(f"{empty} of {written.valid.size} positions are empty: {why}.")


def _stack(work: Workspace, combined: Combined, made: Provenance) -> Any:
    result: Path = work.output("stack.nxs")
    count = len(combined.parts)
    with create_composite(result, "stack", f"{count} diffraction maps") as entry:
        for done in write_stack(entry, combined):
            work.progress(done, count, "stacking")
        write_process(entry, made)
    shown = combined.parts[:MAX_PANELS]
    panels = {f"map {n}": part.map.read_plane("") for n, part in enumerate(shown, start=1)}
    unit = combined.parts[0].map.units
    draw_panels(panels, work.preview(), units=unit, **directions(combined.y, combined.x))
    return result


def _paint(work: Workspace, combined: Combined, channels: Sequence[str], made: Provenance) -> Any:
    parts = list(combined.parts)
    wanted = list(channels) or [""]
    if len(parts) == 1:
        parts = parts * len(wanted)
    elif len(wanted) == 1:
        wanted = wanted * len(parts)
    if len(parts) != len(wanted):
        raise RecipeError(
            "xrd-combine-axes",
            f"{len(wanted)} channels are named for {len(parts)} maps. Name one for all of them, "
            "one for each, or give one map.",
        )
    planes = [
        part.map.read_plane(name) * part.factor for part, name in zip(parts, wanted, strict=True)
    ]
    names = [
        f"{name or 'intensity'}, map {combined.parts.index(part) + 1}"
        for part, name in zip(parts, wanted, strict=True)
    ]
    result: Path = work.output("rgb.nxs")
    with create_composite(result, "rgb", "Colours: " + "; ".join(names)) as entry:
        picture = write_rgb(entry, combined, names, planes)
        write_process(entry, made)
    draw_composite(picture, names, work.preview(), **directions(combined.y, combined.x))
    return result


def _describe(
    work: Workspace, digests: dict[str, str], mode: str, channels: Sequence[str], combined: Combined
) -> Provenance:
    made = Provenance(
        program=work.recipe or map_combine.manifest.name,
        version=work.version or map_combine.manifest.version,
        date=work.date,
        run_key=work.run_key,
        key_document=work.key_document,
        inputs=digests,
        parameters={"mode": (mode, ""), "channels": (list(channels), "")},
    )
    corners = [[part.row, part.column] for part in combined.parts]
    factors = [part.factor for part in combined.parts]
    return replace(made, decided={"corners": corners, "factors": factors})
