"""What people say about a dataset after it came in, changed by one of them at a time."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from django.db import transaction
from django.db.models import QuerySet
from license_expression import (  # type: ignore[import-untyped]  # it has no types
    ExpressionError,
    Licensing,
    get_spdx_licensing,
)
from pydantic import Field

from catalogue import audit
from catalogue.access import Person, get_dataset, visible_datasets
from catalogue.description import FoundParameter
from catalogue.errors import DescriptionError, Fault, PreconditionError, TransitionError
from catalogue.indexing import reindex
from catalogue.models import Dataset, Parameter, Proposal, Tag, Technique
from catalogue.permissions import Act, require, require_account
from catalogue.registration import NamedSample
from catalogue.registration.parts import add_parameters, add_samples, add_techniques
from catalogue.statements import Said, SaidParameter, SaidSample, find_repeats, pointer, text
from catalogue.techniques import resolve

_LONGEST_LICENCE = 40

_Name = Annotated[str, text(200, is_needed=True)]


class ParameterChanges(Said):
    """Quantities to write, in place of those of the same name, and names to remove."""

    set: Annotated[list[SaidParameter], Field(max_length=1000)] = []
    remove: Annotated[list[_Name], Field(max_length=1000)] = []


class Changes(Said):
    """What is to be said from now on; what is left out stays as it is."""

    title: Annotated[str, text(500, is_needed=True)] = ""
    description: Annotated[str, text(20_000)] = ""
    licence: Annotated[str, text(_LONGEST_LICENCE), Field(description="By SPDX.")] = ""
    techniques: Annotated[
        list[_Name],
        Field(max_length=50, description="Identifiers, PaNET01216, or names: all of them."),
    ] = []
    samples: Annotated[list[SaidSample], Field(max_length=100, description="All of them.")] = []
    tags: Annotated[
        list[Annotated[str, text(60, is_needed=True)]],
        Field(max_length=50, description="All of them."),
    ] = []
    parameters: ParameterChanges = ParameterChanges()
    reason: Annotated[str, text(2000), Field(description="Why; for the audit log.")] = ""


@dataclass(frozen=True)
class _Checked:
    """Changes of which every name is known."""

    licence: str = ""
    techniques: Sequence[Technique] = ()
    faults: list[Fault] = field(default_factory=list)


def etag_of(dataset: Dataset) -> str:
    """Name the version of what is said of a dataset, in quotes as HTTP writes it."""
    return f'"{dataset.revision}"'


@transaction.atomic
def edit(person: Person, pid: object, changes: Changes, *, etags: Collection[str]) -> Dataset:
    """
    Change what is said of a dataset, if nobody else has changed it meanwhile.

    Parameters
    ----------
    person : User or AnonymousUser
        Of its team, the staff of its instrument, its owner, or a data steward.
    pid : str or UUID
        Of the dataset.
    changes : Changes
        Those of its fields that were set are written; nothing is, if they change nothing.
    etags : collection of str
        The versions for which the changes are meant; "*" among them is any.

    Returns
    -------
    Dataset
        As it is now, with a new revision if anything changed.

    Raises
    ------
    UnknownDatasetError, NotPermittedError
        If it is hidden, or not theirs to edit.
    TransitionError
        If it was taken back.
    PreconditionError
        If somebody has changed it since.
    DescriptionError
        Naming every fault; nothing is changed then.
    """
    editor = require_account(person)
    dataset = _lock(person, str(pid))
    if "*" not in etags and etag_of(dataset) not in etags:
        raise PreconditionError(dataset.title, etag_of(dataset))
    checked = _check(changes)
    if checked.faults:
        raise DescriptionError(checked.faults)
    before = describe(dataset)
    _write(dataset, changes, checked)
    if faults := list(_other_formulas(dataset, changes)):
        raise DescriptionError(faults)
    _write_tags(dataset, changes, editor.pk)
    after = describe(dataset)
    changed = [name for name in after if before[name] != after[name]]
    if changed:
        dataset.revision += 1
        dataset.save(update_fields=["title", "description", "licence", "revision"])
        old, new = ({name: said[name] for name in changed} for said in (before, after))
        if "parameters" in changed:
            old["parameters"], new["parameters"] = _differences(
                before["parameters"], after["parameters"]
            )
        audit.record(
            "metadata.edited", dataset, person=editor, old=old, new=new, reason=changes.reason
        )
        reindex([dataset.pk])
    return dataset


def _differences(
    before: dict[str, Any], after: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keep of a thousand parameters those that have changed."""
    names = [name for name in before | after if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )


def _other_formulas(dataset: Dataset, changes: Changes) -> Iterator[Fault]:
    """Refuse another formula: a sample is that of all datasets of its proposal."""
    known = dict(dataset.samples.values_list("name", "chemical_formula"))
    for place, said in enumerate(changes.samples):
        formula = known.get(said.name.strip(), "")
        if said.chemical_formula and formula != said.chemical_formula:
            detail = f"{said.name} is {formula} in this proposal; give another name, or no formula"
            yield Fault(pointer("samples", place, "chemical_formula"), detail)


def _lock(person: Person, pid: str) -> Dataset:
    dataset = get_dataset(person, pid)
    require(person, Act.EDIT, dataset)
    if hasattr(dataset, "tombstone"):
        reason = "it was taken back. Its page stays as a record."
        raise TransitionError("edit this dataset's description", reason)
    return visible_datasets(person).select_for_update(of=("self",)).get(pk=dataset.pk)


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return all that can be edited, as JSON, in an order that does not change by itself."""
    samples = dataset.samples.order_by("name").values_list("name", "chemical_formula")
    return {
        "title": dataset.title,
        "description": dataset.description,
        "licence": dataset.licence,
        "techniques": sorted(dataset.techniques.values_list("pid", flat=True)),
        "samples": [list(sample) for sample in samples],
        "tags": sorted(dataset.tags.values_list("name", flat=True)),
        "parameters": {
            row.name: [row.text if row.number is None else row.number, row.unit]
            for row in parameters_of(dataset)
        },
    }


def parameters_of(dataset: Dataset) -> QuerySet[Parameter]:
    return dataset.parameters.select_related("key").order_by("key__name")


def _check(changes: Changes) -> _Checked:
    faults = list(_contradict(changes))
    licence = changes.licence and _read_licence(changes.licence)
    if licence is None:
        faults.append(Fault("#/licence", "is no licence of the SPDX list, such as CC-BY-4.0"))
    found = {name: resolve(name) for name in dict.fromkeys(changes.techniques)}
    for place, name in enumerate(changes.techniques):
        if (number := len(found[name])) != 1:
            detail = f"{name} names {number or 'no'} techniques; give an identifier of PaNET"
            faults.append(Fault(pointer("techniques", place), detail))
    techniques = [terms[0] for terms in found.values() if terms]
    return _Checked(licence or "", techniques, faults)


def _contradict(changes: Changes) -> Iterator[Fault]:
    wanted = changes.parameters
    for place, parameter in enumerate(wanted.set):
        if not parameter.is_finite:
            where = pointer("parameters", "set", place, "value")
            yield Fault(where, "is not a finite number; remove the parameter instead")
    names = [parameter.name for parameter in wanted.set]
    for place, first in find_repeats(names):
        yield Fault(pointer("parameters", "set", place, "name"), f"is that of {first} too")
    for place, name in enumerate(wanted.remove):
        if name in names:
            yield Fault(pointer("parameters", "remove", place), "is to be set as well")


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def _read_licence(expression: str) -> str | None:
    """Return an SPDX expression in its usual spelling, None if it is none."""
    try:
        found = str(_spdx().parse(expression, validate=True))
    except (ExpressionError, LookupError):  # the second for signs without a name
        return None
    return found if len(found) <= _LONGEST_LICENCE else None


def _write(dataset: Dataset, changes: Changes, checked: _Checked) -> None:
    given = changes.model_fields_set
    if "title" in given:
        dataset.title = changes.title
    if "description" in given:
        dataset.description = changes.description
    if "licence" in given:
        dataset.licence = checked.licence
    if "techniques" in given:
        dataset.techniques.clear()
        add_techniques([(dataset, checked.techniques)])
    if "samples" in given:
        named = [NamedSample(it.name, it.chemical_formula) for it in changes.samples]
        dataset.samples.clear()
        proposal = _proposal_of(dataset)
        add_samples((dataset, proposal, it.name, it.chemical_formula) for it in named)
    if "parameters" in given:
        _write_parameters(dataset, changes.parameters)


def _proposal_of(dataset: Dataset) -> Proposal | None:
    """Return the proposal among whose samples those of a dataset are."""
    guard = dataset.guards.filter(proposal__isnull=False).order_by("id").first()
    return guard.proposal if guard else None


def _write_parameters(dataset: Dataset, changes: ParameterChanges) -> None:
    names = {*changes.remove, *(parameter.name for parameter in changes.set)}
    dataset.parameters.filter(key__name__in=names).delete()
    found = (
        FoundParameter(name=it.name, value=it.value, unit=it.unit or None) for it in changes.set
    )
    add_parameters([(dataset, found)])


def _write_tags(dataset: Dataset, changes: Changes, person: int) -> None:
    """Write tags, each with whoever gave it first."""
    if "tags" not in changes.model_fields_set:
        return
    dataset.tags.exclude(name__in=changes.tags).delete()
    Tag.objects.bulk_create(
        (Tag(dataset=dataset, name=name, person_id=person) for name in changes.tags),
        ignore_conflicts=True,
    )
