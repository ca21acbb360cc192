"""The parts of datasets, written for many at once: the number of statements is fixed."""

from collections.abc import Iterable, Sequence

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

_BATCH = 2000


def add_files(
    placed: Iterable[tuple[Dataset, Store, Sequence[tuple[FoundFile | DerivedFile, str]]]],
) -> None:
    """Write the files of datasets, each with its key in the store, in their order."""
    DataFile.objects.bulk_create(
        (
            DataFile(
                dataset=dataset,
                position=position,
                path=file.path,
                size=file.size,
                sha256=file.sha256,
                media_type=file.media_type,
                modified_ns=file.modified_ns if isinstance(file, FoundFile) else None,
                store=store,
                key=key,
            )
            for dataset, store, files in placed
            for position, (file, key) in enumerate(files)
        ),
        batch_size=_BATCH,
    )


def add_parameters(found: Iterable[tuple[Dataset, Iterable[FoundParameter]]]) -> None:
    """Write the quantities of datasets; of one name said twice the last one counts."""
    rows: list[tuple[Parameter, tuple[str, str]]] = []
    for dataset, parameters in found:
        named = {parameter.name[:200]: parameter for parameter in parameters}
        rows += [_quantity(dataset, name, parameter) for name, parameter in named.items()]
    keys = _get_keys({key for _, key in rows})
    for row, key in rows:
        row.key_id = keys[key]
    Parameter.objects.bulk_create((row for row, _ in rows), batch_size=_BATCH)


def _quantity(
    dataset: Dataset, name: str, parameter: FoundParameter
) -> tuple[Parameter, tuple[str, str]]:
    row = Parameter(dataset=dataset, unit=(parameter.unit or "")[:60])
    if isinstance(parameter.value, str):
        row.text = parameter.value[:1000]
        return row, (name, "")
    row.number = parameter.value
    base = to_si(parameter.value, parameter.unit)
    if base is None:
        return row, (name, "")
    row.si_number = base.value
    return row, (name, base.unit)


def _get_keys(wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    names = {name for name, _ in wanted}

    def known() -> dict[tuple[str, str], int]:
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
    wanted: dict[tuple[int | None, str], str] = {}
    of_dataset: list[tuple[Dataset, tuple[int | None, str]]] = []
    for dataset, proposal, name, formula in named:
        if name:
            sample = (proposal.pk if proposal else None, within(200, "sample", name))
            wanted.setdefault(sample, (formula or "")[:200])
            of_dataset.append((dataset, sample))
    if not wanted:
        return
    Sample.objects.bulk_create(
        (
            Sample(proposal_id=proposal, name=name, chemical_formula=formula)
            for (proposal, name), formula in sorted(wanted.items(), key=repr)
        ),
        ignore_conflicts=True,
    )
    rows = Sample.objects.filter(name__in={name for _, name in wanted})
    known: dict[tuple[int | None, str], int] = {
        (proposal, name): pk for pk, proposal, name in rows.values_list("pk", "proposal", "name")
    }
    link = Dataset.samples.through
    link.objects.bulk_create(
        (link(dataset=dataset, sample_id=known[sample]) for dataset, sample in of_dataset),
        batch_size=_BATCH,
    )


def add_techniques(named: Iterable[tuple[Dataset, Iterable[Technique]]]) -> None:
    """Connect datasets with their techniques."""
    link = Dataset.techniques.through
    link.objects.bulk_create(
        (
            link(dataset=dataset, technique=technique)
            for dataset, techniques in named
            for technique in {technique.pk: technique for technique in techniques}.values()
        ),
        batch_size=_BATCH,
    )


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
