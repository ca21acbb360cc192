"""
The facts of a rule's products, from the database in a few statements.

Subjects come in a stream, whatever their number; what may be picked for them, and what
of all this was retracted, is read first: constants are thousands where scans are millions.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from catalogue.models import Dataset, Generated, Guard, Parameter, Tombstone
from processing.models import ProductRule
from processing.products.picking import Asking, Binding, Candidate, Shelf, Value
from processing.products.selecting import matching_datasets
from processing.recipes.manifest import Manifest

_PAGE = 20_000
_JOULES_PER_KEV = 1.602176634e-16

# How rules call what the catalogue keeps in SI units under the names of the files, the best
# name first.
_QUANTITIES: dict[str, tuple[tuple[str, ...], float]] = {
    "energy_kev": (("photon_energy",), _JOULES_PER_KEV),
    "wavelength_nm": (("photon_wavelength",), 1e-9),
    "bias_v": (("detector.bias_voltage",), 1.0),
    "rate_mhz": (("detector.repetition_rate",), 1e6),
    "integration_time_us": (("detector.integration_time",), 1e-6),
    "cells": (("detector.memory_cells",), 1.0),
    "detector": (("detector.name", "detector.description", "detector.local_name"), 1.0),
}

_SUBJECTS = """
SELECT d.id, d.pid, d.digest, d.title, d.size, d.start_time,
       CASE WHEN d.start_time IS NULL THEN d.registered_at END, d.instrument_id,
       {origins}, t.reason,
       p.id, p.condition, p.reasons, p.detail, p.desired_key, p.processing_run_id, p.wanted_run_id,
       p.pin_reason, p.pinned_at, p.ordered_at,
       r.run_key, r.activity_id, w.run_key, w.state, w.attempt, w.problem ->> 'message'
  FROM catalogue_dataset d
  LEFT JOIN catalogue_tombstone t ON t.dataset_id = d.id
  LEFT JOIN processing_product p ON p.subject_id = d.id AND p.rule_id = %s
  LEFT JOIN processing_processingrun r ON r.id = p.processing_run_id
  LEFT JOIN processing_processingrun w ON w.id = p.wanted_run_id
 WHERE d.id > %s AND d.id IN ({matching})
 ORDER BY d.id LIMIT {page}
"""
_ORIGINS = (
    "(SELECT array_agg(coalesce(g.proposal_id, -g.instrument_id)) "
    "FROM catalogue_guard g WHERE g.dataset_id = d.id)"
)


@dataclass(slots=True)
class Row:
    """One subject with its product, as the database has them; no product, no ``product``."""

    pk: int
    pid: str
    digest: str
    title: str
    size: int
    start_time: datetime | None
    registered_at: datetime | None  # read only where nobody knows the start
    instrument: int | None
    origins: list[int] | None
    retracted: str | None
    product: int | None
    condition: str | None
    reasons: Any
    detail: str | None
    desired_key: str | None
    processing_run: int | None
    wanted_run: int | None
    pin_reason: str | None
    pinned_at: datetime | None
    ordered_at: datetime | None
    recorded_key: str | None
    activity: int | None
    wanted_key: str | None
    wanted_state: str | None
    attempts: int | None
    problem: str | None

    def asking(self, values: dict[str, Value]) -> Asking:
        origins = frozenset(self.origins or ())
        return Asking(self.start_time, self.instrument, origins, values)


def bindings_of(rule: ProductRule) -> dict[str, Binding]:
    """Read how a rule picks its other inputs."""
    return {role: Binding.model_validate(how) for role, how in rule.inputs.items()}


def shelves_of(rule: ProductRule) -> dict[str, Shelf]:
    """Return what may be picked for each late-bound role."""
    slots = Manifest.model_validate_json(rule.recipe.manifest).inputs
    return {
        role: Shelf(how, _candidates(how, slots[role].contents))
        for role, how in bindings_of(rule).items()
    }


def _candidates(binding: Binding, contents: Collection[str]) -> list[Candidate]:
    # People may say of any dataset what it calibrates: the recipe still has to read it.
    found = Dataset.objects.filter(tombstone=None, content__in=contents)
    if binding.source == "calibration":
        found = found.filter(calibration__kind=binding.content)
    else:
        found = found.filter(content=binding.content, start_time__isnull=False)
    rows = list(found.select_related("calibration").order_by())
    now = _database_now()
    closed = [row.pk for row in rows if row.listed_at is None or row.listed_at > now]
    origins: dict[int, set[int]] = {pk: set() for pk in closed}
    guards = Guard.objects.filter(dataset__in=closed)
    for pk, proposal, instrument in guards.values_list("dataset", "proposal", "instrument"):
        origins[pk].add(proposal or -(instrument or 0))
    return [_candidate(row, binding, frozenset(origins.get(row.pk, ()))) for row in rows]


def _candidate(row: Dataset, binding: Binding, origins: frozenset[int]) -> Candidate:
    constant = getattr(row, "calibration", None) if binding.source == "calibration" else None
    valid_from = constant.valid_from if constant else row.start_time or row.registered_at
    values: dict[str, Value] = {}
    if constant:
        named = {"detector": constant.detector, "module": constant.module}
        values = constant.conditions | {name: text for name, text in named.items() if text}
    return Candidate(
        pk=row.pk,
        pid=str(row.pid),
        digest=row.digest,
        title=row.title,
        instrument=row.instrument_id,
        valid_from=valid_from,
        valid_to=constant.valid_to if constant else None,
        known_since=row.registered_at,
        values=values,
        origins=origins,
    )


def values_of(rule: ProductRule, *, only: int | None = None) -> dict[int, dict[str, Value]]:
    """
    Return what a rule compares of each subject: name to value, by primary key.

    Of several names for the same thing the first that a dataset tells counts, else two
    passes would compare different ones.
    """
    subjects = matching_datasets(rule)
    if only is not None:
        subjects = subjects.filter(pk=only)
    found: dict[int, dict[str, Value]] = {}
    for name in sorted({name for how in bindings_of(rule).values() for name in how.match}):
        keys, unit = _QUANTITIES.get(name, ((name,), 1.0))
        for key in keys:
            rows = Parameter.objects.filter(key__name=key, dataset__in=subjects.values("pk"))
            for pk, text, number, si in rows.order_by("key").values_list(
                "dataset", "text", "number", "si_number"
            ):
                measured = si if si is not None and unit != 1.0 else number
                value = text if measured is None else measured / unit
                found.setdefault(pk, {}).setdefault(name, value)
    return found


def read_rows(rule: ProductRule, *, with_origins: bool, only: int | None = None) -> Iterator[Row]:
    """
    Read the subjects of a rule with their products, in the order of their keys.

    Parameters
    ----------
    rule : ProductRule
        Its selection decides.
    with_origins : bool
        Whether to read to which proposals they are closed: it costs, and is needed only
        where something that may be picked is closed itself.
    only : int, optional
        Primary key of the one subject that is asked for.
    """
    matching = matching_datasets(rule)
    if only is not None:
        matching = matching.filter(pk=only)
    inner, values = matching.values("pk").query.sql_with_params()
    origins = _ORIGINS if with_origins else "NULL::int[]"
    text = _SUBJECTS.format(origins=origins, matching=inner, page=_PAGE)
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(text, [rule.pk, last, *values])
            page = [Row(*row) for row in cursor.fetchall()]
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].pk


def retracted_activities() -> set[int]:
    """Return the primary keys of the activities of which a result was retracted."""
    made = Generated.objects.filter(dataset__in=Tombstone.objects.values("dataset"))
    return set(made.values_list("activity", flat=True))


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
