"""
Try a recipe on its own example, twice.

Without a database: the real supervisor executes two tickets in a clean folder.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from catalogue.digests import dataset_digest, sha256_of_text
from catalogue.errors import RefusedFileError
from catalogue.hdf5 import check_dataset
from processing.engine.supervisor import supervise
from processing.errors import RecipeDefinitionError
from processing.recipes.asking import compare_by_hook, write_example
from processing.recipes.comparison import Comparison, compare
from processing.recipes.manifest import JsonObject, Manifest
from processing.ticket import Outcome, OutputFile, Ticket, TicketFile, TicketInput
from processing.ticket import write_key_document as write_key

_UUID = "00000000-0000-4000-8000-000000000000"
_CLOCK = "2100-01-01T00:00:00+00:00"  # always the same, and after any data
_SEED = 1

_WORDS = {
    "identical-bytes": "identical bytes",
    "identical-content": "identical content, in other bytes",
    "equal-within-tolerance": "equal within the tolerance of the manifest",
    "different": "different",
}

Tell = Callable[[str], None]


def check_recipe(manifest: Manifest, folder: Path, tell: Tell) -> bool:
    """
    Run a recipe's example twice, look at what it writes, and compare.

    Parameters
    ----------
    manifest : Manifest
        As discovered on this machine.
    folder : Path
        Empty; what is written there may be thrown away.
    tell : callable
        Takes what was found, sentence by sentence.

    Returns
    -------
    bool
        Whether both runs succeeded with the same result, within the tolerance.
    """
    place = folder / "example"
    place.mkdir()
    try:
        example = write_example(manifest, place)
    except RecipeDefinitionError as error:
        tell(f"{error}.")
        return False
    if example is None:
        tell(f"{manifest.name} has no example: add a hook @….example, or [example] to its TOML.")
        return False
    inputs = {role: [place / name for name in names] for role, names in example.inputs.items()}
    made: list[tuple[Ticket, Outcome]] = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        ticket = write_ticket(manifest, folder / name, inputs, example.parameters)
        outcome = supervise(ticket, lambda _event: None, lambda: False)
        if outcome.failure is not None:
            tell(f"The {name} run failed ({outcome.failure.code}): {outcome.failure.message}")
            return False
        tell(f"The {name} run took {outcome.usage.seconds:.1f} s.")
        made.append((ticket, outcome))
    return _validate(*made[0], tell) and _compare(manifest, made, tell)


def write_ticket(
    manifest: Manifest,
    content_store: Path,
    inputs: Mapping[str, Sequence[Path]],
    parameters: JsonObject,
    *,
    fence: int = 1,
) -> Ticket:
    """Ask for a recipe on files, each of them a dataset of its own."""
    given = {role: tuple(map(_describe, paths)) for role, paths in inputs.items()}
    for role, datasets in given.items():
        if not manifest.inputs[role].ordered:
            given[role] = tuple(sorted(datasets, key=lambda one: one.digest))
    complete = manifest.validate_parameters(parameters)
    document = write_key(
        recipe=manifest.name,
        version=manifest.version,
        inputs={role: [one.digest for one in datasets] for role, datasets in given.items()},
        parameters=complete,
        environment=manifest.environment.digest,
    )
    return Ticket(
        uuid=_UUID,
        fence=fence,
        recipe=manifest.name,
        version=manifest.version,
        entry=manifest.entry,
        environment=manifest.environment.digest,
        run_key=sha256_of_text(document),
        key_document=document,
        inputs=given,
        parameters=complete,
        outputs={role: slot.content for role, slot in manifest.outputs.items()},
        clock=_CLOCK,
        seed=_SEED,
        limits=manifest.resources,
        content_store=content_store,
        interpreter=manifest.place.interpreter,
        manifest_file=manifest.place.manifest_file,
        manifest_digest=manifest.digest if manifest.place.manifest_file else "",
    )


def _describe(path: Path) -> TicketInput:
    with path.open("rb") as body:
        sha256 = hashlib.file_digest(body, "sha256").hexdigest()
    file = TicketFile(path=path.name, location=path, size=path.stat().st_size, sha256=sha256)
    digest = dataset_digest([(path.name, sha256)])
    return TicketInput(pid=sha256, digest=digest, title=path.name, files=(file,))


def _place_of(ticket: Ticket, file: OutputFile) -> Path:
    return ticket.content_store / "store" / file.sha256[:2] / file.sha256


def _validate(ticket: Ticket, outcome: Outcome, tell: Tell) -> bool:
    """See that the catalogue would take what was written."""
    for file in outcome.outputs:
        try:
            check_dataset({file.path: _place_of(ticket, file)})
        except RefusedFileError as error:
            tell(f"The output {file.path} would be refused ({error.code}): {error}")
            return False
        tell(f"The output {file.path} ({file.role}, {file.size} bytes) is sound.")
    return True


def _compare(manifest: Manifest, made: list[tuple[Ticket, Outcome]], tell: Tell) -> bool:
    (first, one), (second, other) = made
    names = [[(file.role, file.path) for file in outcome.outputs] for outcome in (one, other)]
    if names[0] != names[1]:
        tell("The second run wrote other files than the first.")
        return False
    is_same = True
    for left, right in zip(one.outputs, other.outputs, strict=True):
        found = _grade(manifest, _place_of(first, left), _place_of(second, right))
        tell(f"Replay of {left.path}: {_WORDS[found.verdict]}.")
        for difference in found.differences:
            largest = "" if difference.deviation is None else f", by {difference.deviation:g}"
            tell(f"  {difference.path}: {difference.detail}{largest}")
        is_same &= found.verdict != "different"
    if not is_same and not manifest.deterministic:
        tell("Its author says that it is not deterministic.")
    return is_same or not manifest.deterministic


def _grade(manifest: Manifest, original: Path, replay: Path) -> Comparison:
    found = compare(original, replay, tolerance=manifest.tolerance, volatile=manifest.volatile)
    if found.verdict != "different":
        return found
    return compare_by_hook(manifest, original, replay) or found
