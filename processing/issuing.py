"""From a claimed row to the ticket that travels."""

from django.conf import settings

from catalogue.models import Dataset
from catalogue.places import content_folder, local_path
from processing.leases import Claim
from processing.models import ProcessingRun
from processing.submission import read_manifest
from processing.ticket import Limits, Ticket, TicketFile, TicketInput


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
    inputs: dict[str, tuple[TicketInput, ...]] = {}
    for row in run.inputs.select_related("dataset"):
        inputs[row.role] = (*inputs.get(row.role, ()), _describe(row.dataset))
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
        environment=manifest.environment.digest,
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
    )


def _describe(dataset: Dataset) -> TicketInput:
    return TicketInput(
        pid=str(dataset.pid),
        digest=dataset.digest,
        title=dataset.title,
        files=tuple(
            TicketFile(
                path=file.path,
                location=local_path(file),
                size=file.size,
                sha256=file.sha256,
                modified_ns=file.modified_ns,
            )
            for file in dataset.files.select_related("store")
        ),
    )
