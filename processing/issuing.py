"""From a claimed row to the ticket that travels."""

import json

from django.conf import settings

from catalogue.models import DataFile, Dataset, Generated
from catalogue.places import content_folder, local_path
from processing.leases import Claim
from processing.models import ProcessingRun
from processing.recipes.manifest import Manifest
from processing.submission import read_manifest
from processing.ticket import Limits, Original, Ticket, TicketFile, TicketInput

_PREVIEW = "preview.png"
_BELIEVE_NO_TIME = -1  # no file has it, so that every checksum is looked at
Purpose = ProcessingRun.Purpose


def issue_ticket(held: Claim) -> Ticket:
    """
    Write the ticket of an attempt.

    Raises
    ------
    StoreError
        If an input's bytes cannot be reached from this machine.
    """
    run = ProcessingRun.objects.select_related("recipe").get(pk=held.run_id)
    manifest = read_manifest(run.recipe)
    is_replay = run.purpose == Purpose.REPLAY
    inputs: dict[str, tuple[TicketInput, ...]] = {}
    for row in run.inputs.select_related("dataset"):
        inputs[row.role] = (*inputs.get(row.role, ()), _describe(row.dataset, is_replay))
    for role, given in inputs.items():
        if not manifest.inputs[role].ordered:
            # As in the key document: equal keys must give equal bytes.
            inputs[role] = tuple(sorted(given, key=lambda one: one.digest))
    return Ticket(
        uuid=str(run.uuid),
        fence=held.fence,
        recipe=run.recipe.name,
        version=run.recipe.version,
        entry=manifest.entry,
        # Of the key, not of the recipe as it is today: what runs must be what is recorded.
        environment=json.loads(run.key_document)["environment"],
        run_key=run.run_key,
        key_document=run.key_document,
        inputs=inputs,
        parameters=run.parameters,
        outputs={role: slot.content for role, slot in manifest.outputs.items()},
        clock=run.clock.isoformat(),
        seed=run.seed,
        limits=Limits(
            cores=min(manifest.resources.cores, settings.PALIMPSEST_CORES),
            memory_bytes=manifest.resources.memory_bytes,
            walltime_s=manifest.resources.walltime_s,
            scratch_bytes=manifest.resources.scratch_bytes,
            fan_out=manifest.resources.fan_out,
        ),
        content_store=content_folder(),
        interpreter=manifest.place.interpreter,
        manifest_file=manifest.place.manifest_file,
        manifest_digest=manifest.digest if manifest.place.manifest_file else "",
        original=_original(run, manifest) if is_replay else None,
    )


def _original(run: ProcessingRun, manifest: Manifest) -> Original:
    """Describe the result that a replay is compared with; pictures of it do not count."""
    files: dict[str, tuple[TicketFile, ...]] = {}
    for made in Generated.objects.filter(activity=run.replay.original.activity):
        data = made.dataset.files.exclude(path=_PREVIEW).select_related("store")
        files[made.role] = tuple(_ticket_file(file) for file in data)
    return Original(
        files=files, tolerance=dict(manifest.tolerance), volatile=tuple(manifest.volatile)
    )


def _describe(dataset: Dataset, is_replay: bool) -> TicketInput:  # noqa: FBT001 - one caller
    files = [_ticket_file(file) for file in dataset.files.select_related("store")]
    if is_replay:
        files = [file.model_copy(update={"modified_ns": _BELIEVE_NO_TIME}) for file in files]
    return TicketInput(
        pid=str(dataset.pid),
        digest=dataset.digest,
        title=dataset.title,
        files=tuple(files),
    )


def _ticket_file(file: DataFile) -> TicketFile:
    return TicketFile(
        path=file.path,
        location=local_path(file),
        size=file.size,
        sha256=file.sha256,
        modified_ns=file.modified_ns,
    )
