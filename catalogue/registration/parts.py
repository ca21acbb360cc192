"""The parts of datasets, written for many at once: the number of statements is fixed."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model
from psycopg import sql
from psycopg.types.json import Jsonb

from catalogue.description import FoundFile, FoundParameter
from catalogue.errors import RegistrationError
from catalogue.models import (
    DataFile,
    Dataset,
    Parameter,
    ParameterKey,
    Proposal,
    Sample,
    Store,
    Technique,
)
from catalogue.registration.records import DerivedFile
from catalogue.units import to_si

_EXACT = 2**53  # beyond, not every integer is a float

_Key = tuple[str, str]  # name and SI unit
_Sample = tuple[int | None, str]  # proposal and name
_Quantity = tuple[float | None, str, str, float | None]  # number, text, unit, number in SI


def insert(rows: Sequence[Model]) -> None:
    """
    Write new objects of one model by COPY, and give them their primary keys.

    ``bulk_create`` takes three times as long, most of it to write a statement down.
    """
    if not rows:
        return
    model, fields = type(rows[0]), rows[0]._meta.concrete_fields
    for row, pk in zip(rows, _reserve_keys(model, len(rows)), strict=True):
        row.pk = pk
        row._state.adding = False  # noqa: SLF001 - bulk_create does the same
    names = [field.attname for field in fields]
    documents = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]

    def values(row: Model) -> list[Any]:
        found = [getattr(row, name) for name in names]
        for place in documents:
            found[place] = Jsonb(found[place])
        return found

    copy_rows(model, [str(field.column) for field in fields], map(values, rows))


def _reserve_keys(model: type[Model], number: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, number],
        )
        return [pk for (pk,) in cursor.fetchall()]


def copy_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """
    Write rows by COPY, without an object for each.

    Parameters
    ----------
    model : Model
        Whose table; fields that are not named get what the database gives them.
    columns : sequence of str
        Names in the table, "dataset_id".
    rows : iterable of sequence
        Values in the order of the columns.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(model._meta.db_table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement.as_string()) as copy:
        for row in rows:
            copy.write_row(row)


def add_files(
    placed: Iterable[tuple[Dataset, Store, Sequence[tuple[FoundFile | DerivedFile, str]]]],
) -> None:
    """Write the files of datasets, each with its key in the store, in their order."""
    columns = ("uuid", "dataset_id", "position", "path", "size", "sha256", "media_type",
               "modified_ns", "store_id", "key")  # fmt: skip
    rows = (
        (
            uuid.uuid4(),
            dataset.pk,
            position,
            file.path,
            file.size,
            file.sha256,
            file.media_type,
            file.modified_ns if isinstance(file, FoundFile) else None,
            store.pk,
            key,
        )
        for dataset, store, files in placed
        for position, (file, key) in enumerate(files)
    )
    copy_rows(DataFile, columns, rows)


def add_parameters(found: Iterable[tuple[Dataset, Iterable[FoundParameter]]]) -> None:
    """Write the quantities of datasets; of one name said twice the last one counts."""
    rows: list[tuple[int, _Key, _Quantity]] = []
    for dataset, parameters in found:
        named = {parameter.name[:200]: parameter for parameter in parameters}
        rows += ((dataset.pk, *_quantity(name, each)) for name, each in named.items())
    keys = get_keys({key for _, key, _ in rows})
    columns = ("dataset_id", "key_id", "number", "text", "unit", "si_number")
    copy_rows(Parameter, columns, ((pk, keys[key], *quantity) for pk, key, quantity in rows))


def _quantity(name: str, parameter: FoundParameter) -> tuple[_Key, _Quantity]:
    value, unit = parameter.value, (parameter.unit or "")[:60]
    if isinstance(value, str):
        return (name, ""), (None, value[:1000], unit, None)
    base = to_si(value, parameter.unit)
    is_exact = not (isinstance(value, int) and abs(value) > _EXACT)
    written = (value, "") if is_exact else (None, str(value))
    if base is None:
        return (name, ""), (*written, unit, None)
    return (name, base.unit), (*written, unit, base.value)


def get_keys(wanted: set[_Key]) -> dict[_Key, int]:
    """Return the primary keys of names with their SI units, made where they are new."""
    names = {name for name, _ in wanted}

    def known() -> dict[_Key, int]:
        rows = ParameterKey.objects.filter(name__in=names)
        return {(name, unit): pk for pk, name, unit in rows.values_list("pk", "name", "si_unit")}

    found = known()
    if missing := sorted(wanted - set(found)):
        ParameterKey.objects.bulk_create(
            (ParameterKey(name=name, si_unit=unit) for name, unit in missing),
            ignore_conflicts=True,
        )
        found = known()
    return found


def add_samples(
    named: Iterable[tuple[Dataset, Proposal | None, str | None, str | None]],
) -> None:
    """Connect datasets with their samples, by name within a proposal; new ones are made."""
    formulas: dict[_Sample, str] = {}
    of_dataset: list[tuple[Dataset, _Sample]] = []
    for dataset, proposal, name, formula in named:
        if name:
            sample = (proposal.pk if proposal else None, within(200, "sample", name))
            formulas.setdefault(sample, (formula or "")[:200])
            of_dataset.append((dataset, sample))
    if not formulas:
        return
    known = _get_samples(formulas)
    pairs = {(dataset.pk, known[sample]): None for dataset, sample in of_dataset}
    copy_rows(Dataset.samples.through, ("dataset_id", "sample_id"), pairs)


def _get_samples(formulas: Mapping[_Sample, str]) -> dict[_Sample, int]:
    names = {name for _, name in formulas}

    def known() -> dict[_Sample, int]:
        rows = Sample.objects.filter(name__in=names)
        return {(group, name): pk for pk, group, name in rows.values_list("pk", "proposal", "name")}

    found = known()
    if missing := sorted(set(formulas) - set(found), key=repr):
        Sample.objects.bulk_create(
            (
                Sample(proposal_id=group, name=name, chemical_formula=formulas[group, name])
                for group, name in missing
            ),
            ignore_conflicts=True,
        )
        found = known()
    _add_formulas({found[it]: formula for it, formula in formulas.items() if formula})
    return found


def _add_formulas(wanted: Mapping[int, str]) -> None:
    """Write formulas of samples that had none; what was said first stays."""
    rows = Sample.objects.filter(pk__in=wanted, chemical_formula="")
    lacking = list(rows.only("pk"))
    for row in lacking:
        row.chemical_formula = wanted[row.pk]
    Sample.objects.bulk_update(lacking, ["chemical_formula"])


def add_techniques(named: Iterable[tuple[Dataset, Iterable[Technique]]]) -> None:
    """Connect datasets with their techniques."""
    pairs = {
        (dataset.pk, technique.pk): None
        for dataset, techniques in named
        for technique in techniques
    }
    copy_rows(Dataset.techniques.through, ("dataset_id", "technique_id"), pairs)


def within(length: int, name: str, text: str) -> str:
    """
    Return text without blanks around it.

    Raises
    ------
    RegistrationError
        If it is empty, too long, or PostgreSQL cannot hold it.
    """
    if not text.strip() or len(text) > length or "\x00" in text:
        raise RegistrationError(name, f"{name} must be text of 1 to {length} characters")
    return text.strip()
