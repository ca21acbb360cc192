"""
The sections of facility.toml that the catalogue owns.

Facility, stores, instruments, ingest rules and embargo policies; product rules are the
matter of ``processing.declaration``.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from django.db import models
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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
from catalogue.places import CONTENT

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_MONTHS = 1200
_PERIOD = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?")


def read_months(period: str) -> int:
    """
    Read an ISO 8601 period of years and months; never 365-day years.

    Raises
    ------
    ValueError
        If it says anything else.
    """
    found = _PERIOD.fullmatch(period)
    if not found or not any(found.groups()):
        raise ValueError("must be a period of years and months, such as P3Y or P6M")
    years, months = (int(part or 0) for part in found.groups())
    if 12 * years + months > _LONGEST_MONTHS:
        raise ValueError("must be a century at most; for data that never open leave them closed")
    return 12 * years + months


def _check_period(period: str) -> str:
    read_months(period)
    return period


def _check_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone of the IANA list, such as Europe/Paris")
    return name


class Section(BaseModel):
    """A table of facility.toml: unknown keys are faults."""

    model_config = ConfigDict(extra="forbid")


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


def _check_watch(watch: str) -> str:
    for name in _PLACEHOLDER.findall(watch):
        if not name.isidentifier():
            raise ValueError(f"{{{name}}} is no name for a part of a path; use letters first")
    return watch


class IngestSection(Section):
    instrument: str
    store: str
    watch: Annotated[str, AfterValidator(_check_watch)]
    technique: str | None = None
    embargo: str = "default"
    ready_when: ReadyWhen = ReadyWhen()


class After(Section):
    access: Literal["open"] = "open"
    licence: str = "CC-BY-4.0"


class EmbargoSection(Section):
    period: Annotated[str, AfterValidator(_check_period)]
    starts_with: Literal["dataset.end_time", "dataset.registered"] = Field(
        default="dataset.end_time", alias="from"
    )
    after: After = After()


class CatalogueSections(Section):
    """The part of facility.toml that the catalogue understands."""

    facility: FacilitySection
    storage: dict[str, StoreSection]
    instrument: dict[str, InstrumentSection] = {}
    ingest: dict[str, IngestSection] = {}
    embargo: dict[str, EmbargoSection]


@dataclass(frozen=True)
class Change:
    """One difference between file and database, as a line to print."""

    action: Literal["create", "change", "remove", "keep"]
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action:7} {self.what}{f'  ({self.detail})' if self.detail else ''}"


class Locator:
    """Finds the line of a key: the parser of Python's library does not tell."""

    _HEADER = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()

    def line_of(self, path: Iterable[str]) -> int:
        """Return the number of the line that speaks of a key, or of its nearest table."""
        parts = [str(part) for part in path]
        for depth in range(len(parts), -1, -1):
            start = self._header(parts[:depth])
            if start is None:
                continue
            if depth == len(parts):
                return max(start, 1)
            return self._key(parts[depth], start) or max(start, 1)
        return 1

    def _header(self, table: list[str]) -> int | None:
        if not table:
            return 0
        for number, line in enumerate(self.lines, start=1):
            found = self._HEADER.match(line)
            if found and [p.strip().strip("\"'") for p in found.group(1).split(".")] == table:
                return number
        return None

    def _key(self, key: str, start: int) -> int | None:
        expression = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*[.=]")
        for number, line in enumerate(self.lines[start:], start=start + 1):
            if self._HEADER.match(line):
                return None
            if expression.match(line):
                return number
        return None


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


def _known_techniques() -> set[str]:
    return set(SUBSET) | set(Technique.objects.values_list("pid", flat=True))


def apply_sections(sections: CatalogueSections, base: Path) -> list[Change]:
    """
    Make the catalogue agree with the sections, inside the caller's transaction.

    Parameters
    ----------
    sections : CatalogueSections
        Without faults.
    base : Path
        Folder of the file: relative roots of stores count from here.

    Returns
    -------
    list of Change
        Empty if everything agreed already.
    """
    for pid, name in SUBSET.items():
        Technique.objects.get_or_create(pid=pid, defaults={"name": name})
    declared = sections.facility
    changes = sync(
        Facility,
        "facility",
        declared.id,
        {"name": declared.name, "ror": declared.ror, "timezone": declared.timezone},
    )
    facility = Facility.objects.get(slug=declared.id)
    for slug, store in sections.storage.items():
        root = (base / store.root).resolve()
        values = {"kind": store.kind, "root": str(root), "read_only": store.read_only}
        changes += sync(Store, "store", slug, values)
    for slug, policy in sections.embargo.items():
        values = {
            "months": read_months(policy.period),
            "starts_with": policy.starts_with,
            "licence": policy.after.licence,
        }
        changes += sync(EmbargoPolicy, "embargo", slug, values)
    for slug, instrument in sections.instrument.items():
        values = {"name": instrument.name, "facility": facility}
        changes += sync(Instrument, "instrument", slug, values)
        changes += _sync_relations(slug, instrument)
    for slug, rule in sections.ingest.items():
        changes += sync(IngestRule, "ingest", slug, _ingest_values(rule))
    changes += remove_undeclared(IngestRule, "ingest", sections.ingest)
    changes += _report_undeclared(Instrument, "instrument", sections.instrument)
    changes += _report_undeclared(Store, "store", sections.storage)
    return changes


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


def sync(model: type[models.Model], what: str, slug: str, values: dict[str, Any]) -> list[Change]:
    """Create or change the row of a slug; return what was done, nothing if nothing."""
    manager = model._default_manager
    row = manager.filter(slug=slug).first()
    if row is None:
        manager.create(slug=slug, **values)
        return [Change("create", f"{what} {slug}")]
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not differing:
        return []
    detail = ", ".join(
        _tell_difference(name, getattr(row, name), value) for name, value in differing.items()
    )
    for name, value in differing.items():
        setattr(row, name, value)
    row.save()
    return [Change("change", f"{what} {slug}", detail)]


def _tell_difference(name: str, old: Any, new: Any) -> str:
    """Name old and new; of tables only the keys that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return ", ".join(f"{name}.{key}: {old.get(key)} -> {new.get(key)}" for key in keys)
    return f"{name}: {old} -> {new}"


def remove_undeclared(
    model: type[models.Model], what: str, declared: Iterable[str]
) -> list[Change]:
    """Remove rows that only the file speaks for, where it no longer does."""
    rows = model._default_manager.exclude(slug__in=list(declared))
    changes = [Change("remove", f"{what} {row}") for row in rows]
    rows.delete()
    return changes


def _ingest_values(rule: IngestSection) -> dict[str, Any]:
    return {
        "instrument": Instrument.objects.get(slug=rule.instrument),
        "store": Store.objects.get(slug=rule.store),
        "watch": rule.watch,
        "technique": Technique.objects.filter(pid=rule.technique).first(),
        "policy": EmbargoPolicy.objects.get(slug=rule.embargo),
        "required_fields": rule.ready_when.has,
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


def _report_undeclared(
    model: type[models.Model], what: str, declared: Iterable[str]
) -> list[Change]:
    """Datasets hang on these rows: they stay, and plan says so."""
    rows = model._default_manager.exclude(slug__in=list(declared))
    return [Change("keep", f"{what} {row}", "no longer declared") for row in rows]
