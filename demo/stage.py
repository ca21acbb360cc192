"""
The demo's data and people, set up by the same commands that a facility uses.

Each step says in a sentence what it does; a second start finds its work done.
"""

import io
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAINTING = "hg-172"
PULSES = "p700000"
PROPOSALS = {
    # number: title, embargo policy
    PAINTING: ("Pigments under a landscape: a fragment of a panel painting", "default"),
    PULSES: ("Commissioning of the gas monitors", "none"),
}
PEOPLE = {
    # username: full name, role in the proposal
    "ines": ("Ines Duarte", "pi"),
    "carlo": ("Carlo Bianchi", "member"),
    "sten": ("Sten Lindqvist", ""),
    "ivo": ("Ivo Novak", ""),
    "dana": ("Dana Weber", ""),
}
PASSWORD = "palimpsest"  # noqa: S105 - of the demo's people, printed on its first screen
_ACQUISITIONS = 7  # a scan, a geometry, a run of gas monitors, four of a detector
_FACILITY = Path(__file__).with_name("facility.toml")
_NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


class Stage:
    """
    The folder in which the demo plays.

    Parameters
    ----------
    data : Path
        The data folder; everything else lies below it.
    say : callable
        Takes each step's sentence.
    """

    def __init__(self, data: Path, say: Callable[[str], None]) -> None:
        self.data = data
        self.say = say
        self.folder = data / "demo"
        self.raw = self.folder / "raw"
        self.declaration = self.folder / "facility.toml"

    def set(self) -> None:
        """Do every step before the services start."""
        self._prepare_database()
        self._make_key()
        self._add_people()
        self._declare()
        self._generate()

    def _prepare_database(self) -> None:
        self.say("Database: an embedded PostgreSQL, in the data folder, nothing to install.")
        os.environ["PALIMPSEST_DATA"] = str(self.data)  # noqa: TID251 - read by the settings
        from manage import prepare  # noqa: PLC0415 - after the line above

        prepare()
        import django  # noqa: PLC0415 - needs the database's settings

        django.setup()
        _command("migrate", verbosity=0)

    def _make_key(self) -> None:
        key = self.data / "signing-key.pem"  # where the settings of the services look
        if not key.exists():
            self.say("Key: the facility signs how each result was made.")
            _command("make_signing_key", key)

    def _add_people(self) -> None:
        self.say("People: Ines leads a proposal, Carlo is on it, Sten is not; Dana is steward.")
        for username, (name, _) in PEOPLE.items():
            with _typing(PASSWORD):
                _command("add_person", username, name=name, data_steward=username == "dana")

    def _declare(self) -> None:
        self.say("Facility: two instruments, three stores, one product rule, from facility.toml.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.declaration.exists():
            # Beside the declaration, which names them; a change of either stays.
            shutil.copytree(_NOTEBOOKS, self.folder / _NOTEBOOKS.name, dirs_exist_ok=True)
            shutil.copyfile(_FACILITY, self.declaration)
        _command("apply", self.declaration)
        members = [f"{name}:{role}" for name, (_, role) in PEOPLE.items() if role]
        for number, (title, embargo) in PROPOSALS.items():
            _command("add_proposal", number, title=title, embargo=embargo, member=members)

    def _generate(self) -> None:
        for library in ("numexpr", "silx", "pyFAI"):
            logging.getLogger(library).setLevel(logging.ERROR)
        from demo.makers.darks import RUNS, write_dark_run  # noqa: PLC0415 - brings pandas
        from demo.makers.euxfel import write_euxfel_run  # noqa: PLC0415 - as above
        from demo.makers.xrd import write_poni, write_xrd_scan  # noqa: PLC0415 - brings pyFAI

        beamtime = self.raw / PAINTING / "id13"
        if self._is_missing(beamtime / "fragment" / "map_0001.h5"):
            self.say("Scan: 441 diffraction frames of a two-phase painting fragment, simulated.")
            beamtime.mkdir(parents=True, exist_ok=True)
            write_poni(beamtime / "lab6_calibration.poni")
            with _whole(beamtime / "fragment") as folder:
                write_xrd_scan(folder, name="map_0001.h5")
        run = self.raw / PULSES / "raw" / "r0149"
        if self._is_missing(run):
            self.say("Run: 200 pulse trains of two X-ray gas monitors, as European XFEL writes.")
            with _whole(run.parent) as folder:
                write_euxfel_run(folder)
        missing = [name for name in RUNS if self._is_missing(run.with_name(name))]
        if missing:
            self.say(
                "Detector: three dark runs of an AGIPD module and one with light, to calibrate."
            )
        for name in missing:
            with _whole(run.with_name(name)) as folder:
                write_dark_run(folder, name, int(PULSES[1:]))

    def _is_missing(self, path: Path) -> bool:
        return not path.exists()

    def wait_for_product(self, stopping: threading.Event, patience_s: float) -> bool:
        """Tell what the steward is doing; true once the map is made and archived."""
        from processing.models import ArchiveCopy, Product  # noqa: PLC0415 - needs Django

        self.say("New data: the steward watches the folders, and registers what is complete.")
        told = ""
        archived = ArchiveCopy.objects.filter(state=ArchiveCopy.State.ARCHIVED)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and not stopping.wait(0.5):
            arriving = self._describe_arrivals()
            if archived.exists() and not arriving:
                self.say("Archive: the map was copied, read back and proved by its sha256.")
                return True
            product = Product.objects.select_related("processing_run").first()
            news = _describe(product) if product else arriving or "all are registered"
            if news != told:
                self.say(f"        {news}")
                told = news
        return False

    def _describe_arrivals(self) -> str:
        """Say in half a sentence what is not registered yet; nothing if all is."""
        from catalogue.models import Arrival  # noqa: PLC0415 - needs Django

        registered = Arrival.objects.filter(state=Arrival.State.REGISTERED).count()
        if registered >= _ACQUISITIONS:
            return ""
        refused = Arrival.objects.filter(state=Arrival.State.QUARANTINED).first()
        if refused:
            return f"{refused.key} is in quarantine: {refused.reason}"
        return f"{registered} of {_ACQUISITIONS} acquisitions are registered"

    def product_address(self) -> str:
        """Return the address of the map's page."""
        from catalogue.models import Dataset  # noqa: PLC0415 - needs Django

        product = Dataset.objects.filter(content="xrd-map").order_by("id").first()
        return f"/datasets/{product.pid}/" if product else "/"


def _describe(product: Any) -> str:
    """Say in half a sentence how far a product is."""
    run = product.processing_run
    if product.detail or run is None:
        return product.detail or "the product is wanted"
    if run.state == "running" and run.progress_total:
        return f"xrd-map is running, {25 * (4 * run.progress_done // run.progress_total)} %"
    reason = (run.problem or {}).get("message", "")
    return f"xrd-map has {run.state}: {reason}" if reason else f"xrd-map is {run.state}"


@contextmanager
def _whole(folder: Path) -> Any:
    """Let a folder appear under its name only once everything in it is written."""
    part = folder.with_name(f".part-{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    part.rename(folder)


def _command(name: str, /, *arguments: Any, **options: Any) -> None:
    """Run a command of manage.py, its lines indented below the step's sentence."""
    from django.core.management import call_command  # noqa: PLC0415 - needs Django set up

    printed = io.StringIO()
    call_command(name, *map(str, arguments), **options, stdout=printed)
    lines: Sequence[str] = printed.getvalue().splitlines()
    for line in lines:
        sys.stdout.write(f"        {line}\n")
    sys.stdout.flush()


@contextmanager
def _typing(line: str) -> Any:
    """Answer a command that reads from standard input."""
    before = sys.stdin
    sys.stdin = io.StringIO(line + "\n")
    try:
        yield
    finally:
        sys.stdin = before
