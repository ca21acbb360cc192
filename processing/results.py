"""Which results are known: by run key, and by the datasets that were given."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Exists, F, OuterRef

from catalogue.digests import canonical_json, sha256_of_text
from catalogue.errors import StoreError
from catalogue.models import DataFile, Dataset, Generated
from catalogue.places import store_behind
from processing.models import ProcessingRun, Recipe
from processing.recipes.manifest import JsonObject, Manifest
from processing.ticket import write_key_document

Inputs = Mapping[str, Sequence[Dataset]]
Wish = tuple[str, str]
"""A run key, and the scope: which datasets, where the key says which bytes."""


def find_result(run_key: str, inputs: Inputs) -> ProcessingRun | None:
    """
    Return the newest succeeded run of a key on these very datasets.

    Equal bytes may be registered twice, in proposals that know nothing of each other:
    the result of one is not shown to the other, it is computed.
    """
    found = find_run(run_key, inputs)
    return found if found and found.state == ProcessingRun.State.SUCCEEDED else None


def find_run(run_key: str, inputs: Inputs) -> ProcessingRun | None:
    """Return the run that has made or is making a result, None if nobody is."""
    wish = run_key, scope_of(inputs)
    return known_runs([wish]).get(wish)


def known_runs(wishes: Iterable[Wish]) -> dict[Wish, ProcessingRun]:
    """
    Return for each wish, a run key and a scope, who has made or is making its result.

    That is the newest run that succeeded, whose bytes are there and of which nothing was
    retracted; else the one under way. Wishes that nobody fulfils are left out.
    """
    wanted = set(wishes)
    runs = ProcessingRun.objects.filter(
        run_key__in={key for key, _ in wanted},
        purpose=ProcessingRun.Purpose.PRODUCE,
        state__in=["queued", "running", "succeeded"],
    ).order_by("-id")
    ended: dict[Wish, list[ProcessingRun]] = {}
    live: dict[Wish, ProcessingRun] = {}
    for run in runs:
        wish = run.run_key, run.scope
        if wish not in wanted:
            continue
        if run.state == ProcessingRun.State.SUCCEEDED:
            ended.setdefault(wish, []).append(run)
        else:
            live[wish] = run
    whole = _have_their_bytes([run for those in ended.values() for run in those])
    results = {
        wish: next((run for run in those if run.pk in whole), None) for wish, those in ended.items()
    }
    return live | {wish: run for wish, run in results.items() if run}


def taken_back(wishes: Iterable[Wish]) -> set[Wish]:
    """Return those wishes of which every result was retracted: the same would come out again."""
    wanted = set(wishes)
    made = ProcessingRun.objects.filter(
        run_key__in={key for key, _ in wanted},
        purpose=ProcessingRun.Purpose.PRODUCE,
        state=ProcessingRun.State.SUCCEEDED,
    )
    bad = Generated.objects.filter(activity=OuterRef("activity"), dataset__tombstone__isnull=False)
    verdicts: dict[Wish, bool] = {}
    rows = made.annotate(is_bad=Exists(bad)).values_list("run_key", "scope", "is_bad")
    for run_key, scope, is_bad in rows:
        verdicts[run_key, scope] = verdicts.get((run_key, scope), True) and is_bad
    return {wish for wish, is_bad in verdicts.items() if is_bad} & wanted


def _have_their_bytes(runs: Collection[ProcessingRun]) -> set[int]:
    """Return those of which all output files are in their store, whole, and none is retracted."""
    by_activity = {run.activity_id: run.pk for run in runs}
    if not by_activity:
        return set()
    made = Generated.objects.filter(activity__in=by_activity)
    lost = set(made.filter(dataset__tombstone__isnull=False).values_list("activity", flat=True))
    files = DataFile.objects.filter(dataset__generated_by__activity__in=by_activity)
    files = files.annotate(activity=F("dataset__generated_by__activity"))
    lost |= {file.activity for file in files.select_related("store") if not _is_whole(file)}
    return {pk for activity, pk in by_activity.items() if activity not in lost}


def _is_whole(file: DataFile) -> bool:
    try:
        return store_behind(file.store).size(file.key) == file.size
    except StoreError:
        return True  # a store that is away for a while has not lost anything


def scope_of(inputs: Inputs) -> str:
    """Name the datasets given to each role, whatever their bytes."""
    return scope_of_pids(
        {
            role: [str(dataset.pid) for dataset in datasets]
            for role, datasets in inputs.items()
            if datasets
        }
    )


def scope_of_pids(pids: Mapping[str, Iterable[str]]) -> str:
    return sha256_of_text(canonical_json({role: sorted(those) for role, those in pids.items()}))


def key_of(recipe: Recipe, inputs: Inputs, parameters: JsonObject) -> tuple[str, str]:
    """Return the key document and its sha256, the run key, of checked parameters."""
    manifest = Manifest.model_validate_json(recipe.manifest)
    document = write_key_document(
        recipe=recipe.name,
        version=recipe.version,
        inputs={
            role: [dataset.digest for dataset in datasets]
            if manifest.inputs[role].ordered
            else sorted(dataset.digest for dataset in datasets)
            for role, datasets in inputs.items()
            if datasets
        },
        parameters=parameters,
        environment=manifest.environment.digest,
    )
    return document, sha256_of_text(document)
