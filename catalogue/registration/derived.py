"""Derived datasets, together with the activity that made them."""

from collections.abc import Sequence

from django.db.models import Model

from catalogue.embargo.dates import inherited_guards, settle
from catalogue.models import Activity, Dataset, Generated, Guard, Used
from catalogue.registration.constants import add_made_constant
from catalogue.registration.parts import add_files, add_parameters
from catalogue.registration.records import ActivityRecord, DerivedDataset


def register_derived(record: ActivityRecord) -> Activity:
    """
    Record what was done and take in its results, inside the caller's transaction.

    Parameters
    ----------
    record : ActivityRecord
        The activity, the datasets it used and those it made; their files lie in the
        store already.

    Returns
    -------
    Activity
        With its ``generated`` rows. Results inherit every guard of every input, so they
        are never more open than the most closed of them, and their samples,
        techniques and instrument.
    """
    activity = Activity.objects.create(
        kind=Activity.Kind.PROCESSING,
        title=record.title[:500],
        recipe=record.recipe,
        version=record.version,
        run_key=record.run_key,
        key_document=record.key_document,
        parameters=dict(record.parameters),
        environment=dict(record.environment),
        resolution=dict(record.resolution),
        configuration=record.configuration,
        person=record.person,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )
    sources = [dataset for datasets in record.used.values() for dataset in datasets]
    Used.objects.bulk_create(
        Used(activity=activity, dataset=dataset, role=role)
        for role, datasets in record.used.items()
        for dataset in datasets
    )
    made = []
    for result in record.generated:
        dataset = _create_derived(result, record, sources)
        Generated.objects.create(activity=activity, dataset=dataset, role=result.role)
        made.append(dataset.pk)
    for guards in inherited_guards(made).values():
        Guard.objects.bulk_create(guards)
    settle(made)
    return activity


def _create_derived(
    result: DerivedDataset, record: ActivityRecord, sources: Sequence[Dataset]
) -> Dataset:
    subject = sources[0]
    dataset = Dataset.objects.create(
        kind=Dataset.Kind.DERIVED,
        content=result.content,
        title=result.title[:500],
        facility=subject.facility,
        instrument=subject.instrument,
        owner=record.person,
        policy=subject.policy,
        licence=subject.licence,
        start_time=record.ended_at,
        end_time=record.ended_at,
        size=sum(file.size for file in result.files),
        file_count=len(result.files),
        digest=result.digest,
        thumbnail=result.thumbnail,
        warnings=list(result.warnings),
    )
    add_files([(dataset, record.store, [(file, file.key) for file in result.files])])
    _hand_down(Dataset.samples.through, "sample", dataset, sources)
    _hand_down(Dataset.techniques.through, "technique", dataset, sources)
    add_parameters([(dataset, result.parameters)])
    if result.constant is not None:
        add_made_constant(dataset, result.constant)
    return dataset


def _hand_down(tags: type[Model], name: str, dataset: Dataset, sources: Sequence[Dataset]) -> None:
    """Give a new dataset the samples, or techniques, of what it stems from."""
    rows = tags._default_manager.filter(dataset__in=sources).values_list(f"{name}_id", flat=True)
    tags._default_manager.bulk_create(
        tags(**{"dataset_id": dataset.pk, f"{name}_id": pk}) for pk in sorted(set(rows))
    )
