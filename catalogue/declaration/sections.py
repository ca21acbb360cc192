"""
The sections of facility.toml that the catalogue owns.

Facility, stores, instruments, ingest rules and embargo policies; product rules are the
matter of ``processing.declaration``.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from catalogue.declaration.comparing import (
    Change,
    Locator,
    Section,
    remove_undeclared,
    report_undeclared,
    sync,
)
from catalogue.declaration.embargo import EmbargoSection, apply_embargo, move_midnights
from catalogue.errors import DeclarationError, DeclarationFault
from catalogue.models import (
    EmbargoPolicy,
    Facility,
    IngestRule,
    Instrument,
    Store,
    Technique,
    User,
)
from catalogue.panet import SUBSET
from catalogue.patterns import check_marker, check_watch, names_in, read_seconds
from catalogue.places import CONTENT
from catalogue.techniques import load_shipped


def _check_seconds(time: str) -> str:
    read_seconds(time)
    return time


def _check_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone of the IANA list, such as Europe/Paris")
    return name


class FacilitySection(Section):
    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str
    timezone: Annotated[str, AfterValidator(_check_timezone)]
    ror: str = ""


class StoreSection(Section):
    kind: Literal["posix"]
    root: str
    read_only: bool = False


class InstrumentSection(Section):
    name: str
    techniques: list[str] = []
    staff: list[str] = []


class ReadyWhen(Section):
    has: list[str] = []
    end_marker: Annotated[str, AfterValidator(check_marker)] = ""


class IngestSection(Section):
    instrument: str
    store: str
    watch: Annotated[str, AfterValidator(check_watch)]
    watched: bool = True
    technique: str | None = None
    embargo: str = "default"
    quiet_for: Annotated[str, AfterValidator(_check_seconds)] = "60s"
    ready_when: ReadyWhen = ReadyWhen()


class CatalogueSections(Section):
    """The part of facility.toml that the catalogue understands."""

    facility: FacilitySection
    storage: dict[str, StoreSection]
    instrument: dict[str, InstrumentSection] = {}
    ingest: dict[str, IngestSection] = {}
    embargo: dict[str, EmbargoSection]


def check(sections: CatalogueSections, locator: Locator) -> list[DeclarationFault]:
    """Return what the sections say of each other that cannot be true."""
    found = [
        *_check_needed(sections),
        *_check_what_has_data(sections),
        *_check_instruments(sections),
        *_check_rules(sections),
    ]
    return [
        DeclarationFault(".".join(path), locator.line_of(path), reason) for path, reason in found
    ]


_Found = Iterator[tuple[tuple[str, ...], str]]


def _check_needed(sections: CatalogueSections) -> _Found:
    if CONTENT not in sections.storage:
        yield ("storage",), f"a store named {CONTENT} is needed, where results are kept"
    elif sections.storage[CONTENT].read_only:
        yield ("storage", CONTENT), "results are written here: it cannot be read_only"
    if "default" not in sections.embargo:
        yield ("embargo",), "a policy named default is needed: [embargo.default]"


def _check_what_has_data(sections: CatalogueSections) -> _Found:
    """Refuse another id for the facility: its datasets would stay behind with the old one."""
    known = Facility.objects.exclude(slug=sections.facility.id).first()
    if known is not None:
        yield ("facility", "id"), f"this database belongs to the facility {known.slug}"


def _check_instruments(sections: CatalogueSections) -> _Found:
    people = set(User.objects.values_list("username", flat=True))
    techniques = _known_techniques()
    for slug, instrument in sections.instrument.items():
        for technique in sorted(set(instrument.techniques) - techniques):
            yield ("instrument", slug, "techniques"), f"PaNET term {technique} is not loaded"
        for name in sorted(set(instrument.staff) - people):
            yield ("instrument", slug, "staff"), f"no account {name}; run manage.py add_person"


def _check_rules(sections: CatalogueSections) -> _Found:
    techniques = _known_techniques()
    for slug, rule in sections.ingest.items():
        references: tuple[tuple[str, str | None, Collection[str]], ...] = (
            ("instrument", rule.instrument, sections.instrument),
            ("store", rule.store, sections.storage),
            ("embargo", rule.embargo, sections.embargo),
            ("technique", rule.technique, techniques),
        )
        for key, value, known in references:
            if value is not None and value not in known:
                yield ("ingest", slug, key), f"{value} is not declared"
        if rule.store in sections.storage and not sections.storage[rule.store].read_only:
            yield ("ingest", slug, "store"), "raw data are registered from read_only stores only"
        for name in set(names_in(rule.ready_when.end_marker)) - set(names_in(rule.watch)):
            reason = f"its end_marker names {{{name}}}, which does not occur in watch"
            yield ("ingest", slug, "ready_when"), reason


def _known_techniques() -> set[str]:
    """Concepts are no techniques: nothing is measured with a diffraction process."""
    techniques = Technique.objects.filter(is_concept=False)
    return set(SUBSET) | set(techniques.values_list("pid", flat=True))


def apply_sections(sections: CatalogueSections, base: Path | None) -> list[Change]:
    """
    Make the catalogue agree with the sections, inside the caller's transaction.

    Parameters
    ----------
    sections : CatalogueSections
        Without faults.
    base : Path or None
        Folder of the file: relative roots of stores count from here. Of a text without
        one they must be those of stores that are known.

    Returns
    -------
    list of Change
        Empty if everything agreed already.
    """
    load_shipped()
    declared = sections.facility
    zones = dict(Facility.objects.values_list("slug", "timezone"))
    changes = sync(
        Facility,
        "facility",
        declared.id,
        {"name": declared.name, "ror": declared.ror, "timezone": declared.timezone},
    )
    facility = Facility.objects.get(slug=declared.id)
    if zones.get(declared.id, declared.timezone) != declared.timezone:
        move_midnights(facility)
    for slug, store in sections.storage.items():
        root = _root_of(slug, store, base)
        values = {"kind": store.kind, "root": root, "read_only": store.read_only}
        changes += sync(Store, "store", slug, values)
    changes += apply_embargo(sections.embargo)
    for slug, instrument in sections.instrument.items():
        values = {"name": instrument.name, "facility": facility}
        changes += sync(Instrument, "instrument", slug, values)
        changes += _sync_relations(slug, instrument)
    for slug, rule in sections.ingest.items():
        changes += sync(IngestRule, "ingest", slug, _ingest_values(rule))
    changes += remove_undeclared(IngestRule, "ingest", sections.ingest)
    changes += report_undeclared(Instrument, "instrument", sections.instrument)
    changes += report_undeclared(Store, "store", sections.storage)
    return changes


def _root_of(slug: str, declared: StoreSection, base: Path | None) -> str:
    if base is not None or Path(declared.root).is_absolute():
        return str(((base or Path()) / declared.root).resolve())
    known = Store.objects.filter(slug=slug).first()
    if known is not None and Path(known.root).match(declared.root):
        return known.root
    reason = "a relative root needs the folder of its file: write the whole path"
    raise DeclarationError([DeclarationFault(f"storage.{slug}.root", 0, reason)])


def make_folders(stores: Iterable[Store]) -> None:
    """
    Make the folders of stores that are declared for the first time.

    Later nobody makes them again: a folder that is missing then is a disk not mounted.

    Raises
    ------
    DeclarationError
        If one cannot be made.
    """
    for store in stores:
        try:
            Path(store.root).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"its folder cannot be made: {error.strerror}"
            raise DeclarationError(
                [DeclarationFault(f"storage.{store.slug}", 0, reason)]
            ) from error


def _ingest_values(rule: IngestSection) -> dict[str, Any]:
    return {
        "instrument": Instrument.objects.get(slug=rule.instrument),
        "store": Store.objects.get(slug=rule.store),
        "watch": rule.watch,
        "technique": Technique.objects.filter(pid=rule.technique).first(),
        "policy": EmbargoPolicy.objects.get(slug=rule.embargo),
        "required_fields": rule.ready_when.has,
        "is_watched": rule.watched,
        "quiet_for_s": read_seconds(rule.quiet_for),
        "end_marker": rule.ready_when.end_marker,
    }


def _sync_relations(slug: str, declared: InstrumentSection) -> list[Change]:
    row = Instrument.objects.get(slug=slug)
    changes = []
    techniques = set(Technique.objects.filter(pid__in=declared.techniques))
    staff = set(User.objects.filter(username__in=declared.staff))
    if set(row.techniques.all()) != techniques:
        row.techniques.set(techniques)
        changes.append(Change("change", f"instrument {slug}", "techniques"))
    if set(row.staff.all()) != staff:
        row.staff.set(staff)
        changes.append(Change("change", f"instrument {slug}", "staff"))
    return changes
