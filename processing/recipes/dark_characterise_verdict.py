"""Whether anybody should use the constants, and the numbers that say what they are like."""

from collections.abc import Sequence

from processing.recipes.base import Workspace
from processing.recipes.dark_characterise_tasks import Plan
from processing.science import errors
from processing.science.calibration.bad_pixels import BadPixel
from processing.science.calibration.dark_runs import GAINS, DarkRun
from processing.science.calibration.dark_summary import DarkSummary

TOLD_DRIFT = 0.01  # share of pixels that makes a reader want to know
BEAM_SHARE = 0.5  # of pixels whose offset has changed as by light


def judge(work: Workspace, summary: DarkSummary, max_bad: float) -> None:
    """Refuse constants that nobody should use."""
    for stage, gain in enumerate(GAINS):
        if not summary.medians["offset"][stage]:
            raise errors.EmptyDarkError(
                f"No pixel has an offset in {gain} gain. Look at the frames of this run: is the "
                "gain forced, and are there as many trains as min_trains?"
            )
        lit = summary.share(summary.lit, stage, summary.compared)
        if lit > BEAM_SHARE:
            raise errors.BeamError(
                f"The offset of {lit:.0%} of the pixels in {gain} gain has moved as light moves "
                "it, by more than 5 times the noise. Was the shutter closed? If the detector has "
                "changed, launch without the previous constants."
            )
        drifted = summary.share(summary.drifted, stage, summary.compared)
        if drifted > TOLD_DRIFT:
            work.warn(
                f"The offset of {drifted:.1%} of the pixels in {gain} gain has changed by more "
                "than 5 times the noise since the last constants."
            )
    for stage, gain in enumerate(GAINS):
        bad = summary.share(summary.bad, stage, summary.pixels)
        if bad > max_bad:
            worst = max(BadPixel, key=lambda bit: summary.bits[stage, bit.bit_length() - 1])
            raise errors.BadModuleError(
                f"{bad:.1%} of the pixels are bad in {gain} gain, mostly by "
                f"{worst.name}; at most {max_bad:.0%} may be. Look at the frames, leave out a "
                "module that is broken, or raise max_bad."
            )


def tell(work: Workspace, runs: Sequence[DarkRun], plan: Plan, summary: DarkSummary) -> None:
    work.quantity("modules", len(summary.modules))
    work.quantity("cells", float(plan.conditions["cells"]))
    for stage, gain in enumerate(GAINS):
        names = summary.modules
        trains = min(runs[stage].modules[name].n_trains for name in names)
        work.quantity(f"trains_{gain}", trains)
        work.quantity(f"offset_{gain}", summary.median("offset", stage), "ADU")
        work.quantity(f"noise_{gain}", summary.median("noise", stage), "ADU")
        work.quantity(f"bad_{gain}", summary.share(summary.bad, stage, summary.pixels))
        for bit in BadPixel:
            count = summary.bits[:, bit.bit_length() - 1]
            if count[stage]:
                share = summary.share(count, stage, summary.pixels)
                work.quantity(f"bad_{gain}_{str(bit.name).lower()}", share)
        if summary.compared[stage]:
            work.quantity(f"offset_change_{gain}", summary.median("change", stage), "ADU")
            drifted = summary.share(summary.drifted, stage, summary.compared)
            work.quantity(f"drifted_{gain}", drifted)
