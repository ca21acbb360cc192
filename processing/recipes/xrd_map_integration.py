"""Integrate all frames of a scan into the rows of its map."""

from processing.recipes.base import Workspace
from processing.science.diffraction.integrator import FrameIntegrator, Pattern, integrate_frames
from processing.science.frames import TimedFrames
from processing.science.maps.map_file import MapFile
from processing.science.maps.raster import Raster

PROGRESS_STEPS = 200


def integrate_scan(
    work: Workspace,
    frames: TimedFrames,
    raster: Raster,
    integrator: FrameIntegrator,
    written: MapFile,
) -> None:
    n_frames = frames.stack.n_frames
    every = max(1, n_frames // PROGRESS_STEPS)
    patterns = integrate_frames(frames, integrator)
    done = 0
    for row in range(raster.slow):
        numbers = [number for number in raster.frames_of_row(row) if number < n_frames]
        found: dict[int, Pattern | None] = {}
        for number in sorted(numbers):
            found[number] = next(patterns)
            done += 1
            if done % every == 0 or done == n_frames:
                work.progress(done, n_frames, "integrating")
        written.write_row(row, [found.get(number) for number in raster.frames_of_row(row)])
    lost = n_frames - int(written.valid.sum())
    if frames.unreadable:
        numbers_text = ", ".join(map(str, frames.unreadable[:5]))
        work.warn(f"{len(frames.unreadable)} frames cannot be read ({numbers_text}): left empty.")
    if lost:
        work.warn(f"{lost} of {n_frames} frames have no valid pattern and are empty in the map.")
