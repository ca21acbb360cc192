"""What must hold after any chaos, counted in the rows and in the store."""

from pathlib import Path

from bench.chaos.recipes import body_of
from catalogue.models import DataFile, Dataset, Store
from catalogue.storage.local import hash_file
from processing.models import ProcessingRun


def judge() -> dict[str, int]:
    """Count every breach; all but the first two must be zero."""
    runs = list(ProcessingRun.objects.filter(recipe__name="chaos").order_by("id"))
    store = Store.objects.get(slug="products")
    stored = list(Path(store.root).glob("store/??/*"))
    files = {file.dataset_id: file for file in DataFile.objects.filter(store=store)}
    made = {
        run.pk: list(Dataset.objects.filter(generated_by__activity=run.activity_id)) for run in runs
    }
    derived = Dataset.objects.filter(kind=Dataset.Kind.DERIVED).count()
    succeeded = sum(run.state == ProcessingRun.State.SUCCEEDED for run in runs)
    return {
        "processing_runs": len(runs),
        "succeeded": succeeded,
        "duplicates": derived - succeeded + sum(len(results) > 1 for results in made.values()),
        "wrong_hashes": sum(hash_file(path) != path.name for path in stored),
        "zombie_commits": sum(
            _is_anothers(run, Path(store.root, files[result.pk].key))
            for run in runs
            for result in made[run.pk]
            if result.pk in files
        ),
        "rows_without_file": sum(not _is_there(store, file) for file in files.values())
        + sum(result.pk not in files for results in made.values() for result in results),
    }


def _is_anothers(run: ProcessingRun, path: Path) -> bool:
    """Say whether the bytes are not those that the attempt of the row's fence has written."""
    fence = run.fence if run.parameters["is_fenced"] else None
    return not path.is_file() or path.read_bytes() != body_of(run.parameters["number"], fence)


def _is_there(store: Store, file: DataFile) -> bool:
    path = Path(store.root, file.key)
    return path.is_file() and path.stat().st_size == file.size
